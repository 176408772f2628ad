#!/usr/bin/env bash
# redis-server, redis-benchmark with and without pipelining, redis-cli; memcached.
. "$(dirname "$0")/stack_lib.sh"
need redis-server redis-cli redis-benchmark

cli() { here redis-cli -h "$ADDR" -p "$PORT" "$@"; }

redis() {
	local n=5000 pipelined=40000
	lossy && n=300 pipelined=3000
	serve_there redis-server --port %P --bind 0.0.0.0 --protected-mode no --save "" --appendonly no \
		--dir "$PWD" --daemonize no
	{
		cli SET key "some value"
		cli GET key
		cli INCR n
		cli -x SET file <"$T/file"
		cli --no-raw GET file | sha256sum
		here redis-benchmark -h "$ADDR" -p "$PORT" -q -n $n -c 20 -t set,get,lpush | tr '\r' '\n' |
			grep 'requests per second' | cut -d: -f1
		here redis-benchmark -h "$ADDR" -p "$PORT" -q -n $pipelined -c 20 -P 16 -t set,get,lpush -d 100 |
			tr '\r' '\n' | grep 'requests per second' | cut -d: -f1
		cli DBSIZE
	} >result || fail "exit status $?"
	lossy || is "length of the list" "$(cli LLEN mylist)" $((n + pipelined))
	# One waits for what another sends.
	cli SUBSCRIBE news >news.out &
	await news_has "^1$" || fail "no subscription"
	cli PUBLISH news hello >>result
	await news_has hello || fail "what was published has not come"
	kill %1
	cli SHUTDOWN NOSAVE
	await gone "$PID" || fail "the server does not shut down"
	lossy && cp "$T/result.kernel" result.kernel && diff result result.kernel
	return 0
}
news_has() { grep -q "$1" news.out; }

cat >memcached.py <<'END'
import random, socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
f = s.makefile("rb")
random.seed(3)
values = {b"k%d" % i: random.randbytes(random.randrange(1, 20000)) for i in range(int(sys.argv[3]))}
for k, v in values.items():
    s.sendall(b"set %s 0 0 %d\r\n%s\r\n" % (k, len(v), v))
    assert f.readline() == b"STORED\r\n"
s.sendall(b"get " + b" ".join(values) + b"\r\n")
right = 0
while (line := f.readline()) != b"END\r\n":
    _, k, _, n = line.split()
    right += f.read(int(n)) == values[k]
    f.readline()
print(right == len(values))
END
memcache() {
	command -v memcached >/dev/null || skip "there is no memcached"
	serve_there memcached -u root -l 0.0.0.0 -p %P -U %P -t 2
	here "$PY" "$T/memcached.py" "$ADDR" "$PORT" "$(lossy && echo 20 || echo 200)" >result || fail "exit status $?"
	# The same over UDP: a request's header is an id, a number, how many, zero.
	here "$PY" - "$ADDR" "$PORT" >>result <<-'END' || fail "exit status $? over UDP"
		import socket, sys
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		s.connect((sys.argv[1], int(sys.argv[2])))
		s.settimeout(1)
		for attempt in range(20):
		    s.send(b"\0\7\0\0\0\1\0\0get absent\r\n")
		    try:
		        print(s.recv(1500))
		        break
		    except TimeoutError:
		        pass
	END
}

make_file file 200
scenario redis redis
scenario memcached memcache
