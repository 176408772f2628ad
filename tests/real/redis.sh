#!/usr/bin/env bash
# redis-server and its clients, all under the shim.
. "$(dirname "$0")/lib.sh"
need redis-server redis-cli redis-benchmark python3

# redis_up [OPTIONS]
redis_up() {
	serve "$SHIM" run -q --summary=server.summary "$@" -- redis-server --port %P --bind 127.0.0.1 \
		--save "" --appendonly no --dir "$PWD" --daemonize no
}
cli() { redis-cli -p "$PORT" "$@"; }

# Sets and gets 1000 values of many lengths and checks each, in pipelines, without a library of redis's.
cat >verify.py <<'END'
import random, socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
f = s.makefile("rb")
random.seed(1)
def command(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)
values = {b"k%d" % i: random.randbytes(random.randrange(1, 3000)) for i in range(1000)}
keys = list(values)
replies = 0
for i in range(0, 1000, 50):
    s.sendall(b"".join(command(b"SET", k, values[k]) + command(b"GET", k) for k in keys[i:i + 50]))
    for k in keys[i:i + 50]:
        assert f.readline() == b"+OK\r\n"
        assert f.readline() == b"$%d\r\n" % len(values[k])
        assert f.read(len(values[k]) + 2) == values[k] + b"\r\n"
        replies += 2
print(replies)
END
verify() { "$PY" "$T/verify.py" "$PORT"; }

set_and_get() {
	redis_up
	is SET "$(cli SET key "some value")" OK
	both redis-cli -p "$PORT" GET key
	has out "^some value$"
	counts "inet4, stream" opened=1 connected=1
	is replies "$(verify)" 2000
	stop "$PID"
	cp server.summary summary
	counts "inet4, stream" opened=1 accepted=4 closed=5
	no_leak
}

benchmark() {
	redis_up
	shim -- redis-benchmark -p "$PORT" -q -n 2000 -c 20 -t set,get >out || fail "exit status $?"
	is "lines of results" "$(tr '\r' '\n' <out | grep -c 'requests per second')" 2
	at_least connected "$(count connected "inet4, stream")" 40
	shim -- redis-benchmark -p "$PORT" -q -n 20000 -c 20 -P 16 -t set,get >out || fail "exit status $?"
	is "lines of results" "$(tr '\r' '\n' <out | grep -c 'requests per second')" 2
	is "clients left" "$(cli INFO clients | tr -d '\r' | sed -n 's/^connected_clients://p')" 1
	stop "$PID"
}

short_transfers() {
	redis_up --seed 11 --fault "short send to 1..16 probability 5%" --fault "short recv to 1..16 probability 5%"
	shim --seed 12 --fault "short send to 1..16 probability 5%" --fault "short recv to 1..16 probability 5%" -- \
		redis-benchmark -p "$PORT" -q -n 5000 -c 10 -t set,get,lpush >out || fail "exit status $?"
	is "lines of results" "$(tr '\r' '\n' <out | grep -c 'requests per second')" 3
	at_least "short transfers of the benchmark" "$(($(fired 1) + $(fired 2)))" 100
	is replies "$(verify)" 2000
	is "the list's length" "$(cli LLEN mylist)" 5000
	stop "$PID"
	at_least "short sends of the server" "$(fired 1 server.summary)" 100
	at_least "short receives of the server" "$(fired 2 server.summary)" 100
}

refused() {
	redis_up
	cli SET key value >/dev/null
	shim --fault "fail connect with ECONNREFUSED to 127.0.0.0/8:$PORT" -- redis-cli -p "$PORT" GET key >out 2>err &&
		fail "the rule has no effect"
	has err "Could not connect"
	shim --fault "fail connect with ECONNREFUSED to 127.0.0.0/8:$((PORT + 1))" -- redis-cli -p "$PORT" GET key >out ||
		fail "the rule concerns another port"
	is matched "$(matched 1)" 0
	# redis-cli connects without blocking, and again to hear what came of it, which is not another connect.
	shim --fault "fail connect with ECONNREFUSED to 127.0.0.0/8:$PORT on 2nd" -- redis-cli -p "$PORT" GET key >out ||
		fail "exit status $?"
	is reply "$(cat out)" value
	is matched "$(matched 1)" 1
	is fired "$(fired 1)" 0
	counts "inet4, stream" connected=1 connectfailed=0
	stop "$PID"
}

check redis_set_and_get set_and_get
check redis_benchmark benchmark
check redis_short_transfers short_transfers
check redis_connection_refused refused
