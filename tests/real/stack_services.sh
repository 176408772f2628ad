#!/usr/bin/env bash
# Other services: rsync's daemon, MariaDB, mosquitto, unbound, ncat; and the sockets of Java, Ruby, Perl and Erlang.
. "$(dirname "$0")/stack_lib.sh"
chmod 755 "$T"
mkdir files files/sub
make_file files/big 300
make_file files/sub/small 3
OTHER=nobody
sum() { sha256sum | cut -c1-16; }
tree() { (cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum); }

# Its children change their root and their user.
rsyncd() {
	command -v rsync >/dev/null || skip "there is no rsync"
	cat >rsyncd.conf <<-END
		pid file = $PWD/pid
		use chroot = yes
		uid = $OTHER
		gid = nogroup
		[files]
		path = $T/files
		[new]
		path = $PWD/new
		read only = no
	END
	mkdir -m 777 new
	chmod 755 .
	serve_there rsync --daemon --no-detach --port=%P --config="$PWD/rsyncd.conf"
	here rsync -rt --timeout=100 "rsync://$ADDR:$PORT/files/" got/ || fail "exit status $?"
	tree got >result
	here rsync -rtO --timeout=100 "$T/files/" "rsync://$ADDR:$PORT/new/" || fail "exit status $? up"
	tree new >>result
	here rsync "rsync://[$ADDR6]:$PORT/files/" | awk '{ print $1, $2, $NF }' >>result
}

mysql() { here mariadb --no-defaults -h "$ADDR" -P "$PORT" -u root --protocol=tcp -N -B "$@"; }
mariadb_() {
	command -v mariadbd >/dev/null && command -v mariadb-install-db >/dev/null && command -v mariadb >/dev/null || skip "there is no mariadb"
	chmod 755 .
	mariadb-install-db --no-defaults --datadir="$PWD/db" --user=$OTHER --auth-root-authentication-method=normal \
		--skip-test-db >install.log 2>&1 || { tail -n 5 install.log; skip "mariadb-install-db does not work"; }
	serve_there mariadbd --no-defaults --datadir="$PWD/db" --user=$OTHER --port=%P --bind-address=0.0.0.0 --skip-name-resolve \
		--socket="$PWD/db/s" --skip-grant-tables --innodb-buffer-pool-size=8M --innodb-log-file-size=4M
	await mysql -e 'select 1' >/dev/null 2>try.err || { cat try.err; fail "the server does not answer"; }
	mysql -e 'create database t; create table t.t (n int primary key, s longtext) engine=innodb' || fail "exit status $?"
	for n in 1 2 3 4; do mysql -e "insert into t.t values ($n, repeat('$n', ${n}0000))" & done
	wait $(jobs -p | tail -n 4)
	mysql -e 'select n, length(s), md5(s) from t.t order by n; select group_concat(s) from t.t' | sum >result
}

# MQTT by hand, as nothing else here speaks it: a subscriber and a publisher.
mosquitto_() {
	command -v mosquitto >/dev/null || skip "there is no mosquitto"
	printf 'listener %%P 0.0.0.0\nallow_anonymous true\nuser %s\npersistence false\n' $OTHER >mosquitto.conf
	CONF=$PWD/mosquitto.conf serve_there mosquitto -c "$PWD/mosquitto.conf.used"
	here "$PY" - "$ADDR" "$PORT" >result <<-'END' || fail "exit status $?"
		import hashlib, socket, struct, sys
		def length(n):
		    out = b""
		    while True:
		        out += bytes([n % 128 | (128 if n > 127 else 0)])
		        n //= 128
		        if not n:
		            return out
		def text(s):
		    return struct.pack(">H", len(s)) + s
		def connect(name):
		    s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 100)
		    body = text(b"MQTT") + b"\x04\x02\x00\x3c" + text(name)
		    s.sendall(b"\x10" + length(len(body)) + body)
		    f = s.makefile("rb")
		    assert f.read(4) == b"\x20\x02\0\0"
		    return s, f
		sub, f = connect(b"sub")
		body = b"\0\1" + text(b"news/#") + b"\0"
		sub.sendall(b"\x82" + length(len(body)) + body)
		assert f.read(5) == b"\x90\x03\0\1\0"
		pub, _ = connect(b"pub")
		h = hashlib.sha256()
		for i in range(50):
		    body = text(b"news/%d" % i) + bytes([i]) * (i * 300)
		    pub.sendall(b"\x30" + length(len(body)) + body)
		for i in range(50):
		    assert f.read(1) == b"\x30"
		    n = shift = 0
		    while True:
		        c = f.read(1)[0]
		        n |= (c & 127) << shift
		        shift += 7
		        if c < 128:
		            break
		    h.update(f.read(n))
		print(h.hexdigest())
	END
}

unbound_() {
	command -v unbound >/dev/null && command -v dig >/dev/null || skip "there is no unbound"
	cat >unbound.conf <<-END
		server:
		 interface: 0.0.0.0
		 interface: ::0
		 port: %P
		 access-control: 0.0.0.0/0 allow
		 access-control: ::/0 allow
		 username: "$OTHER"
		 chroot: ""
		 directory: "$PWD"
		 pidfile: ""
		 use-syslog: no
		 num-threads: 2
		 do-not-query-localhost: no
		 so-reuseport: yes
		 local-zone: "test." static
		 local-data: "one.test. A 10.1.2.3"
		 local-data: "one.test. AAAA fd00::3"
		 local-data: 'long.test. TXT "$(printf 'x%.0s' {1..250})" "$(printf 'y%.0s' {1..250})"'
		remote-control:
		 control-enable: no
	END
	chmod 755 .
	CONF=$PWD/unbound.conf serve_there unbound -d -c "$PWD/unbound.conf.used"
	local q=(here dig +short +tries=8 +timeout=1 -p "$PORT")
	{
		"${q[@]}" "@$ADDR" one.test
		"${q[@]}" "@$ADDR6" one.test aaaa
		"${q[@]}" "@$ADDR" +tcp long.test txt
		"${q[@]}" "@$ADDR" +bufsize=512 long.test txt
	} >result
	is lines "$(wc -l <result)" 4
}

ncat_() {
	command -v ncat >/dev/null || skip "there is no ncat"
	serve_there ncat -l -k -p %P --max-conns 20 -c "cat $T/files/big"
	here ncat --recv-only "$ADDR" "$PORT" | sum >result
	[ -x /usr/bin/nc ] && here nc -N "$ADDR" "$PORT" </dev/null | sum >>result
	serve_there ncat --ssl -l -k -p %P -e /bin/cat
	here ncat --ssl "$ADDR" "$PORT" <"$T/files/sub/small" | sum >>result
	serve_udp ncat -u -l -p %P -e /bin/cat
	for i in 1 2 3 4 5 6 7 8; do echo hello; sleep 0.2; done | here timeout 5 ncat -u -i 1 "$ADDR" "$PORT" 2>/dev/null | head -n 1 >>result
}

cat >Web.java <<'END'
import java.io.*;
import java.net.*;
import java.net.http.*;
import java.nio.*;
import java.nio.channels.*;
import java.util.*;
import java.util.concurrent.*;
import com.sun.net.httpserver.*;

// server PORT: HTTP, an echo by selector on PORT + 1, datagrams echoed on PORT + 2; client ADDR PORT.
public class Web {
	static void echo(ServerSocketChannel l, DatagramChannel d) throws Exception {
		Selector sel = Selector.open();
		l.configureBlocking(false);
		l.register(sel, SelectionKey.OP_ACCEPT);
		d.configureBlocking(false);
		d.register(sel, SelectionKey.OP_READ);
		ByteBuffer dgram = ByteBuffer.allocate(65536);
		while (true) {
			sel.select();
			for (Iterator<SelectionKey> i = sel.selectedKeys().iterator(); i.hasNext(); ) {
				SelectionKey k = i.next();
				i.remove();
				if (k.isAcceptable()) {
					SocketChannel c = l.accept();
					c.configureBlocking(false);
					c.setOption(StandardSocketOptions.TCP_NODELAY, true);
					c.register(sel, SelectionKey.OP_READ, ByteBuffer.allocate(32768));
				} else if (k.channel() == d) {
					dgram.clear();
					SocketAddress from = d.receive(dgram);
					dgram.flip();
					if (from != null)
						d.send(dgram, from);
				} else {
					SocketChannel c = (SocketChannel)k.channel();
					ByteBuffer b = (ByteBuffer)k.attachment();
					int n = c.read(b);
					b.flip();
					c.write(b);
					boolean left = b.hasRemaining();
					b.compact();
					if (n < 0 && !left)
						c.close();
					else
						k.interestOps(left ? SelectionKey.OP_WRITE | SelectionKey.OP_READ : SelectionKey.OP_READ);
				}
			}
		}
	}

	static String sum(byte[] b) throws Exception {
		return HexFormat.of().formatHex(java.security.MessageDigest.getInstance("SHA-256").digest(b));
	}

	public static void main(String[] a) throws Exception {
		int port = Integer.parseInt(a[a.length - 1]);
		byte[] data = new byte[200000];
		new Random(5).nextBytes(data);
		if (a[0].equals("server")) {
			// The first port is the one that the test waits for, and comes last.
			ServerSocketChannel l = ServerSocketChannel.open().bind(new InetSocketAddress(port + 1));
			DatagramChannel d = DatagramChannel.open().bind(new InetSocketAddress(port + 2));
			new Thread(() -> { try { echo(l, d); } catch (Exception e) { e.printStackTrace(); System.exit(1); } }).start();
			HttpServer s = HttpServer.create(new InetSocketAddress(port), 0);
			s.setExecutor(Executors.newFixedThreadPool(4));
			s.createContext("/", x -> {
				byte[] body = x.getRequestBody().readAllBytes();
				x.sendResponseHeaders(200, body.length + data.length);
				x.getResponseBody().write(body);
				x.getResponseBody().write(data);
				x.close();
			});
			s.start();
			return;
		}
		HttpClient h = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
		List<CompletableFuture<HttpResponse<byte[]>>> all = new ArrayList<>();
		for (int i = 0; i < 6; i++)
			all.add(h.sendAsync(HttpRequest.newBuilder(URI.create("http://" + a[1] + ":" + port + "/" + i))
				.POST(HttpRequest.BodyPublishers.ofString("body " + i)).build(), HttpResponse.BodyHandlers.ofByteArray()));
		for (CompletableFuture<HttpResponse<byte[]>> f : all)
			System.out.println(f.get().statusCode() + " " + sum(f.get().body()));
		try (Socket s = new Socket()) {
			s.connect(new InetSocketAddress(a[1], port + 1), 20000);
			s.setSoTimeout(60000);
			new Thread(() -> { try { s.getOutputStream().write(data); s.shutdownOutput(); } catch (IOException e) { e.printStackTrace(); } }).start();
			System.out.println(sum(s.getInputStream().readAllBytes()));
		}
		try (DatagramSocket s = new DatagramSocket()) {
			s.setSoTimeout(500);
			DatagramPacket in = new DatagramPacket(new byte[2000], 2000);
			for (int i = 0; i < 20; i++) {
				s.send(new DatagramPacket("ping".getBytes(), 4, InetAddress.getByName(a[1]), port + 2));
				try { s.receive(in); break; } catch (SocketTimeoutException e) { }
			}
			System.out.println(new String(in.getData(), 0, in.getLength()) + " " + in.getAddress().equals(InetAddress.getByName(a[1])));
		}
		try { new Socket(a[1], 1); } catch (ConnectException e) { System.out.println(e.getMessage()); }
		System.exit(0);
	}
}
END
java_() {
	command -v java >/dev/null && command -v javac >/dev/null || skip "there is no java"
	[ -f "$T/Web.class" ] || javac -d "$T" "$T/Web.java" || fail "Web.java does not compile"
	serve_there java -XX:TieredStopAtLevel=1 -Xshare:auto -cp "$T" Web server %P
	here java -XX:TieredStopAtLevel=1 -cp "$T" Web client "$ADDR" "$PORT" >result || fail "exit status $?"
}

cat >echo.rb <<'END'
require "socket"
require "digest/sha2"
Digest::SHA256		# loaded here, and not by several threads at once
data = Random.new(1).bytes(200_000)
if ARGV[0] == "server"
  Socket.tcp_server_loop("0.0.0.0", ARGV[1].to_i) { |s, _| Thread.new { IO.copy_stream(s, s); s.close } }
end
a = 4.times.map do
  Thread.new do
    s = Socket.tcp(ARGV[1], ARGV[2].to_i, connect_timeout: 30)
    w = Thread.new { s.write(data); s.close_write }
    Digest::SHA256.hexdigest(s.read)
  end
end
puts a.map(&:value)
puts (TCPSocket.new(ARGV[1], 1) rescue $!.class)
END
ruby_() {
	command -v ruby >/dev/null || skip "there is no ruby"
	serve_there ruby "$T/echo.rb" server %P
	here ruby "$T/echo.rb" client "$ADDR" "$PORT" >result || fail "exit status $?"
}

cat >echo.pl <<'END'
use strict; use IO::Socket::IP; use IO::Select; use Digest::SHA qw(sha256_hex);
if ($ARGV[0] eq "server") {
	$SIG{CHLD} = "IGNORE";
	my $l = IO::Socket::IP->new(LocalHost => "0.0.0.0", LocalPort => $ARGV[1], Listen => 10, ReuseAddr => 1) or die $@;
	while (1) {
		my $c = $l->accept or next;
		next if fork;
		my $b;
		while (sysread($c, $b, 65536)) { for (my $n = 0; $n < length $b; ) { $n += syswrite($c, $b, length($b) - $n, $n) } }
		exit;
	}
}
my $data = join "", map { chr($_ * 7 & 255) } 0 .. 199_999;
my $s = IO::Socket::IP->new(PeerHost => $ARGV[1], PeerPort => $ARGV[2], Timeout => 30) or die $@;
my $peer = $s->peerhost;
$s->blocking(0);
my ($out, $in, $sel) = (0, "", IO::Select->new($s));
while (1) {
	my ($r, $w) = IO::Select->select($sel, $out < length $data ? $sel : undef, undef, 100) or die "nothing";
	if (@$w) { $out += syswrite($s, $data, 65536, $out) // 0; $s->shutdown(1) if $out >= length $data; }
	if (@$r) { my $n = sysread($s, $in, 65536, length $in); last if defined $n && !$n; }
}
print sha256_hex($in), " ", $peer eq $ARGV[1], "\n";
print IO::Socket::IP->new(PeerHost => $ARGV[1], PeerPort => 1) ? "connected" : "$!", "\n";
END
perl_() {
	command -v perl >/dev/null || skip "there is no perl"
	serve_there perl "$T/echo.pl" server %P
	here perl "$T/echo.pl" client "$ADDR" "$PORT" >result || fail "exit status $?"
}

# gen_tcp twice: by the driver in the emulator, and by the socket module.
cat >echo.erl <<'END'
-module(echo).
-export([server/1, client/1]).
server([P]) ->
    Port = list_to_integer(atom_to_list(P)),
    Options = [binary, {active, false}, {reuseaddr, true}],
    %% The first port is the one that the test waits for, and comes last.
    {ok, Other} = gen_tcp:listen(Port + 1, [{inet_backend, socket}, {backlog, 16} | Options]),
    spawn(fun() -> loop(Other) end),
    {ok, L} = gen_tcp:listen(Port, Options),
    loop(L).
loop(L) ->
    {ok, S} = gen_tcp:accept(L),
    P = spawn(fun() -> receive go -> echo(S) end end),
    ok = gen_tcp:controlling_process(S, P),
    P ! go,
    loop(L).
echo(S) ->
    case gen_tcp:recv(S, 0) of
        {ok, B} -> ok = gen_tcp:send(S, B), echo(S);
        {error, closed} -> gen_tcp:close(S)
    end.
client([A, P]) ->
    Port = list_to_integer(atom_to_list(P)),
    {ok, Addr} = inet:parse_address(atom_to_list(A)),
    Data = << <<(N * 7):8>> || N <- lists:seq(1, 200000) >>,
    [io:format("~s~n", [talk(Addr, Port + N, O, Data)]) || {N, O} <- [{0, []}, {1, []}, {0, [{inet_backend, socket}]}]],
    io:format("~p~n", [gen_tcp:connect(Addr, 1, [], 20000)]),
    halt().
talk(Addr, Port, O, Data) ->
    {ok, S} = gen_tcp:connect(Addr, Port, O ++ [binary, {active, false}, {nodelay, true}], 30000),
    Me = self(),
    spawn(fun() -> Me ! gen_tcp:send(S, Data) end),
    {ok, Back} = gen_tcp:recv(S, byte_size(Data), 100000),
    receive ok -> ok end,
    gen_tcp:close(S),
    [io_lib:format("~2.16.0b", [B]) || <<B>> <= erlang:md5(Back)].
END
erlang() {
	command -v erl >/dev/null && command -v erlc >/dev/null || skip "there is no erl"
	[ -f "$T/echo.beam" ] || erlc -o "$T" "$T/echo.erl" || skip "echo.erl does not compile"
	serve_there erl -noinput -pa "$T" -s echo server %P
	here erl -noinput -pa "$T" -s echo client "$ADDR" "$PORT" >result || fail "exit status $?"
}

scenario rsync rsyncd
scenario mariadb mariadb_
scenario mosquitto mosquitto_
scenario unbound unbound_
scenario ncat ncat_
scenario java java_
scenario ruby ruby_
scenario perl perl_
scenario erlang erlang
