#!/usr/bin/env bash
# Real programs on a stack, servers and clients on the same one: they do what they do on the kernel. By default the stack has nothing
# but its loopback interface; SPECIFICATION may say otherwise.
LIMIT=280
. "$(dirname "$0")/lib.sh"
SPECIFICATION=${SPECIFICATION:-lo} ADDRESS=${ADDRESS:-127.0.0.1}

make_file "$T/file" 2048
make_file "$T/small" 3
mkdir -p www && cp "$T/file" "$T/small" www/
WWW=$T/www

accepts() { on bash -c "exec 3<>/dev/tcp/$ADDRESS/$1" 2>/dev/null; }
# server PORT PROGRAM...: on the stack; returns when it accepts connections.
server() {
	local port=$1
	shift
	start on "$@"
	await accepts "$port" || { tail -n 20 server.log; fail "$1 does not serve"; }
}
same() { cmp "$1" "$2" || fail "what came is wrong"; }

python_http() {
	need curl wget
	up "$SPECIFICATION"
	server 8000 "$PY" -m http.server -d "$WWW" --bind "$ADDRESS" 8000
	on curl -sS -o got "http://$ADDRESS:8000/file" || fail "curl: $?"
	same got "$T/file"
	on wget -q -O got2 "http://$ADDRESS:8000/file" || fail "wget: $?"
	same got2 "$T/file"
	on curl -sS -Z --parallel-immediate $(for i in 1 2 3 4 5 6; do echo -o p$i http://$ADDRESS:8000/file; done) || fail "in parallel: $?"
	for i in 1 2 3 4 5 6; do same p$i "$T/file"; done
	is "refused" "$(on curl -s "http://$ADDRESS:1/"; echo $?)" 7
	is "not found" "$(on curl -s -o /dev/null -w '%{http_code}' "http://$ADDRESS:8000/nothing")" 404
}

python_asyncio() {
	up "$SPECIFICATION"
	cat >echo.py <<-'PY'
		import asyncio, sys
		async def serve(r, w):
		    while data := await r.read(65536):
		        w.write(data)
		        await w.drain()
		    w.close()
		async def client(port, n):
		    r, w = await asyncio.open_connection(sys.argv[1], port)
		    data = bytes([n]) * 200000
		    w.write(data)
		    w.write_eof()
		    got = await r.read()
		    w.close()
		    return got == data
		async def main():
		    s = await asyncio.start_server(serve, sys.argv[1], 0)
		    port = s.sockets[0].getsockname()[1]
		    done = await asyncio.gather(*(client(port, n) for n in range(50)))
		    loop = asyncio.get_running_loop()
		    try:
		        await asyncio.open_connection(sys.argv[1], 1)
		    except ConnectionRefusedError:
		        print(sum(done), "echoed, one refused")
		asyncio.run(main())
	PY
	is "output" "$(on "$PY" echo.py "$ADDRESS")" "50 echoed, one refused"
}

nginx_workers() {
	need nginx curl
	up "$SPECIFICATION"
	nginx_conf nginx.conf 4
	sed "s/listen .*%P; root/listen $ADDRESS:8080; root/" nginx.conf >used.conf
	server 8080 nginx -e "$T/nginx/error.log" -c "$PWD/used.conf"
	on curl -sS -o got "http://$ADDRESS:8080/file" || fail "curl: $?"
	same got "$T/file"
	if command -v ab >/dev/null; then
		on ab -q -k -n 3000 -c 20 "http://$ADDRESS:8080/small" >ab.out 2>&1 || { cat ab.out; fail "ab: $?"; }
		has ab.out "Failed requests: *0"
		has ab.out "Complete requests: *3000"
	fi
	kill -HUP "$(cat "$T/nginx/pid")"
	for i in 1 2 3 4 5 6 7 8; do
		on curl -sS -o got "http://$ADDRESS:8080/file" || fail "curl while it reloads: $?"
		same got "$T/file"
	done
	kill "$(cat "$T/nginx/pid")"
	await gone "$PID" || fail "nginx has not ended"
}

https() {
	need nginx curl openssl
	up "$SPECIFICATION"
	openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost 2>/dev/null || skip "no certificate"
	nginx_conf nginx.conf 1
	sed "s|listen .*%P; root|listen $ADDRESS:8443 ssl; ssl_certificate $PWD/cert.pem; ssl_certificate_key $PWD/key.pem; root|" nginx.conf >used.conf
	server 8443 nginx -e "$T/nginx/error.log" -c "$PWD/used.conf"
	on curl -sSk -o got "https://$ADDRESS:8443/file" || fail "curl: $?"
	same got "$T/file"
	kill "$(cat "$T/nginx/pid")"
}

redis() {
	need redis-server redis-benchmark redis-cli
	up "$SPECIFICATION"
	server 6379 redis-server --bind "$ADDRESS" --port 6379 --save "" --daemonize no --protected-mode no
	is "ping" "$(on redis-cli -h "$ADDRESS" ping)" PONG
	on redis-benchmark -h "$ADDRESS" -q -n 5000 -t set,get,lrange_100 --csv >bench 2>&1 || { cat bench; fail "redis-benchmark: $?"; }
	on redis-benchmark -h "$ADDRESS" -q -n 20000 -P 16 -t get --csv >bench 2>&1 || { cat bench; fail "redis-benchmark -P: $?"; }
	on redis-cli -h "$ADDRESS" set key "$(head -c 3000 /dev/zero | tr '\0' x)" >/dev/null
	is "length" "$(on redis-cli -h "$ADDRESS" strlen key)" 3000
	on redis-cli -h "$ADDRESS" shutdown nosave
	await gone "$PID" || fail "it has not ended"
}

node() {
	command -v node >/dev/null || skip "there is no node"
	up "$SPECIFICATION"
	cat >server.js <<-'JS'
		const http = require("http"), fs = require("fs");
		http.createServer((q, r) => {
			if (q.method == "POST") q.pipe(r);
			else fs.createReadStream(process.argv[3]).pipe(r);
		}).listen(8001, process.argv[2]);
	JS
	server 8001 node server.js "$ADDRESS" "$T/file"
	on curl -sS -o got "http://$ADDRESS:8001/" || fail "curl: $?"
	same got "$T/file"
	on curl -sS -o got --data-binary "@$T/file" "http://$ADDRESS:8001/" || fail "curl: $?"
	same got "$T/file"
	cat >client.js <<-'JS'
		const http = require("http");
		let left = 40, sum = 0;
		const agent = new http.Agent({ keepAlive: true, maxSockets: 5 });
		for (let i = 0; i < 40; i++)
			http.get({ host: process.argv[2], port: 8001, agent }, r => {
				r.on("data", d => sum += d.length);
				r.on("end", () => { if (!--left) { console.log(sum); process.exit(0); } });
			});
	JS
	is "bytes" "$(on node client.js "$ADDRESS")" $((40 * 2048 * 1024))
}

socat_tcp() {
	need socat
	up "$SPECIFICATION"
	OUT=got start on socat -u "TCP4-LISTEN:9000,bind=$ADDRESS,reuseaddr" -
	on socat -u "FILE:$T/file" "TCP4:$ADDRESS:9000,retry=20,interval=0.1" || fail "socat: $?"
	await gone "$PID"
	same got "$T/file"
	server 9001 socat "TCP4-LISTEN:9001,bind=$ADDRESS,reuseaddr,fork" EXEC:cat
	for i in 1 2 3; do
		is "echo" "$(echo "line $i" | on socat -t 5 - "TCP4:$ADDRESS:9001")" "line $i"
	done
}

udp_bound() { on cat /proc/net/udp | grep -q ":$(printf %04X "$1") "; }

socat_udp() {
	need socat
	up "$SPECIFICATION"
	start on socat "UDP4-RECVFROM:9002,bind=$ADDRESS,fork" EXEC:cat
	await udp_bound 9002
	for i in 1 2 3; do
		is "echo" "$(echo "datagram $i" | on socat -t 2 - "UDP4:$ADDRESS:9002")" "datagram $i"
	done
}

ssh_session() {
	need sshd ssh scp ssh-keygen
	[ -d /run/sshd ] || [ "$(id -u)" = 0 ] && mkdir -p -m 755 /run/sshd || skip "there is no /run/sshd"
	up "$SPECIFICATION"
	ssh-keygen -q -t ed25519 -N "" -f host_key
	ssh-keygen -q -t ed25519 -N "" -f key
	cat >sshd.conf <<-END
		Port 2222
		ListenAddress $ADDRESS
		HostKey $PWD/host_key
		PidFile none
		AuthorizedKeysFile $PWD/key.pub
		StrictModes no
		UsePAM no
		PermitRootLogin yes
		PasswordAuthentication no
		PrintMotd no
		PrintLastLog no
		Subsystem sftp internal-sftp
		SetEnv SHLVL=2
	END
	server 2222 "$(command -v sshd)" -D -e -f "$PWD/sshd.conf"
	options=(-F none -i "$PWD/key" -o BatchMode=yes -o StrictHostKeyChecking=no -o "UserKnownHostsFile=$PWD/known"
		-o LogLevel=ERROR -o IdentityAgent=none)
	is "output" "$(on ssh "${options[@]}" -p 2222 "$(id -un)@$ADDRESS" 'echo "out $((6 * 7))"; exit 5'; echo $?)" "out 42
5"
	is "checksum" "$(on ssh "${options[@]}" -p 2222 "$(id -un)@$ADDRESS" sha256sum <"$T/file")" "$(sha256sum <"$T/file")"
	make_file big 65536
	on scp -q "${options[@]}" -P 2222 big "$(id -un)@$ADDRESS:$PWD/copied" || fail "scp: $?"
	same big copied
	on scp -q "${options[@]}" -P 2222 "$(id -un)@$ADDRESS:$PWD/big" back || fail "scp: $?"
	same big back
}

git_clone() {
	need git
	up "$SPECIFICATION"
	export GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a \
		GIT_COMMITTER_EMAIL=a@example.org
	git init -q -b main work
	for i in 1 2 3; do make_file work/f$i 300; git -C work add . && git -C work commit -qm "commit $i"; done
	touch work/.git/git-daemon-export-ok
	server 9418 git daemon --listen="$ADDRESS" --port=9418 --base-path="$PWD" --reuseaddr
	on git clone -q "git://$ADDRESS:9418/work" cloned || fail "git clone: $?"
	is "commit" "$(git -C cloned rev-parse HEAD)" "$(git -C work rev-parse HEAD)"
	same cloned/f3 work/f3
}

postgres() {
	local bin
	bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -n 1)
	[ -n "$bin" ] && [ -x "$bin/initdb" ] && [ -x "$bin/pgbench" ] || skip "there is no PostgreSQL"
	[ "$(id -u)" != 0 ] || skip "PostgreSQL does not run as root"
	up "$SPECIFICATION"
	"$bin/initdb" -D db -U me >/dev/null || skip "initdb: $?"
	server 5432 "$bin/postgres" -D db -c "listen_addresses=$ADDRESS" -c unix_socket_directories= -c fsync=off
	on "$bin/pgbench" -h "$ADDRESS" -U me -i -q postgres || fail "pgbench -i: $?"
	on "$bin/pgbench" -h "$ADDRESS" -U me -c 4 -t 100 postgres >out || fail "pgbench: $?"
	has out "400/400"
}

inetd_style() {
	up "$SPECIFICATION"
	cat >inetd.py <<-'PY'
		import os, socket, sys
		l = socket.create_server((sys.argv[1], 7))
		while True:
		    c, a = l.accept()
		    if os.fork() == 0:
		        for fd in (0, 1, 2):
		            os.dup2(c.fileno(), fd)
		        os.closerange(3, 1000)
		        os.execvp("sh", ["sh", "-c", "read line; echo got $line"])
		    c.close()
	PY
	server 7 "$PY" inetd.py "$ADDRESS"
	is "answer" "$(on bash -c "exec 3<>/dev/tcp/$ADDRESS/7; echo hello >&3; cat <&3")" "got hello"
}

check real_python_http with_stacks python_http
check real_python_asyncio with_stacks python_asyncio
check real_nginx_workers_and_reload with_stacks nginx_workers
check real_https with_stacks https
check real_redis with_stacks redis
check real_node with_stacks node
check real_socat_tcp with_stacks socat_tcp
check real_socat_udp with_stacks socat_udp
check real_ssh_and_scp with_stacks ssh_session
check real_git_daemon with_stacks git_clone
check real_postgres with_stacks postgres
check real_inetd_style with_stacks inetd_style
