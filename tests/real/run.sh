#!/usr/bin/env bash
# sockshim run, its statistics and traces, and the library without it, around whole programs.
. "$(dirname "$0")/lib.sh"
need python3 curl

cat >leak.py <<'END'
import os, socket, sys
kept = socket.socket()
kept.bind(("127.0.0.1", 0))
if "close" in sys.argv:
    kept.close()
sys.stdout.flush()
os._exit(int(sys.argv[1]))
END
# A server that serves ever on, on a port it says; a client that connects N times.
cat >server.py <<'END'
import socket
listener = socket.create_server(("127.0.0.1", 0))
open("port.new", "w").write(str(listener.getsockname()[1]))
import os
os.rename("port.new", "port")
while True:
    c, _ = listener.accept()
    c.recv(10)
    c.close()
END
cat >client.py <<'END'
import socket, sys
for i in range(int(sys.argv[2])):
    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    s.sendall(b"x")
    s.recv(10)
    s.close()
END

# status COMMAND...: of `sockshim run`, and that it says nothing of its own.
status() { "$SHIM" run "$@" >status.out 2>status.err; echo $?; }

exit_status() {
	local n
	for n in 0 1 42 125 126 127 255; do
		is "status of exit $n" "$(status -- sh -c "exit $n")" $n
		[ ! -s status.err ] || fail "it says: $(cat status.err)"
	done
	for n in 1 2 6 9 11 13 15; do
		is "status after signal $n" "$(status -- sh -c "kill -$n \$\$")" $((128 + n))
	done
}

cannot_start() {
	is "status" "$(status --fault "fail connect wiht ECONNREFUSED" -- touch started)" 125
	has status.err ':1:14: .*wiht'
	printf '# first\nfail accept every 0th\n' >rules
	is "status" "$(status --faults rules -- touch started)" 125
	has status.err '^sockshim: rules:2:'
	is "status" "$(status --faults nothing -- touch started)" 125
	is "status" "$(status --no-such-option -- touch started)" 125
	[ ! -e started ] || fail "the program was started"
	echo "#!/bin/sh" >script
	is "status" "$(status -- ./script)" 126
	is "status" "$(status -- /)" 126
	is "status" "$(status -- ./nothing)" 127
	is "status" "$(status -- no-such-program-anywhere)" 127
	SOCKSHIM_DIR=/proc/nothing is "status" "$(SOCKSHIM_DIR=/proc/nothing status -- touch started)" 125
	[ ! -e started ] || fail "the program was started"
}

leaks() {
	is "status with a leak" "$(status --fail-on-leak -- "$PY" "$T/leak.py" 0)" 99
	has status.err "^1 socket still open at exit"
	has status.err "inet4, stream"
	is "status with a leak" "$(status --fail-on-leak=7 -- "$PY" "$T/leak.py" 0)" 7
	is "status without" "$(status --fail-on-leak -- "$PY" "$T/leak.py" 0 close)" 0
	is "the program's own" "$(status --fail-on-leak -- "$PY" "$T/leak.py" 3)" 3
	is "a leak that nobody asked about" "$(status -- "$PY" "$T/leak.py" 0)" 0
	[ ! -s status.err ] || fail "it says: $(cat status.err)"
	"$SHIM" run --fail-on-leak --summary=summary -- "$PY" "$T/leak.py" 0
	is "status with a leak" $? 99
	has summary "^1 socket still open at exit"
}

signals() {
	start "$SHIM" run -q -- sh -c 'trap "echo got it; exit 7" TERM; echo ready; while :; do sleep 0.05; done'
	await grep -q ready server.log
	kill "$PID"
	wait "$PID"
	is "status" $? 7
	has server.log "^got it$"
	start "$SHIM" run -q -- sleep 100
	await has_run
	kill "$PID"
	wait "$PID"
	is "status" $? 143
}

input_and_output() {
	head -c 300000 /dev/urandom >in
	IN=in both cat
	cmp in out || fail "what comes out is not what went in"
	echo 'read x; echo "$x"; echo "$0 $*"; cat' >script
	IN=in both sh script "a  b" '*' ''
}

static() {
	need gcc
	printf '#include <sys/socket.h>\nint main(void) { return socket(AF_INET, SOCK_STREAM, 0) < 0; }\n' >main.c
	gcc -static -o static main.c 2>/dev/null || skip "gcc cannot link statically"
	is "status" "$(status -- ./static)" 0
	has status.err "static is linked statically"
	is "status" "$(status -q -- ./static)" 0
	[ ! -s status.err ] || fail "it says: $(cat status.err)"
}

# Without `sockshim run`.
plain() {
	start "$PY" "$T/server.py"
	await test -s port
	LD_PRELOAD=$LIB SOCKSHIM_DUMP=dump "$PY" "$T/client.py" "$(cat port)" 5 || fail "exit status $?"
	is "connected in the dump" "$(sed 's/^[^ ]* //' dump | count connected "inet4" -)" 5
	has dump '^python3\[[0-9]*\] (inet4, stream'
	LD_PRELOAD=$LIB SOCKSHIM_RULES='fail connect with EACCES on 2nd; delay connect by 1ms' \
		"$PY" "$T/client.py" "$(cat port)" 5 2>err && fail "the rule has no effect"
	has err "Permission denied"
	echo "fail connect with EPERM on 3rd" >faults
	LD_PRELOAD=$LIB SOCKSHIM_FAULTS=faults SOCKSHIM_DUMP=- "$PY" "$T/client.py" "$(cat port)" 5 2>err &&
		fail "the rule has no effect"
	has err "Operation not permitted"
	has err " connected=2 .* closed="
	# The same seed twice.
	for i in 1 2; do
		LD_PRELOAD=$LIB SOCKSHIM_SEED=99 SOCKSHIM_RULES="fail connect with EPERM probability 10%" \
			SOCKSHIM_DUMP=dump.$i "$PY" "$T/client.py" "$(cat port)" 100 2>/dev/null
	done
	is "what the seed brings" "$(sed 's/^[^ ]* //' dump.1)" "$(sed 's/^[^ ]* //' dump.2)"
	# A wrong rule is said once, and the program goes on.
	LD_PRELOAD=$LIB SOCKSHIM_RULES='fail connect wiht EPERM' "$PY" "$T/client.py" "$(cat port)" 2 2>err ||
		fail "a wrong rule has ended the program"
	is "lines about it" "$(grep -c . err)" 1
	has err "^sockshim: "
	# Each process has left its file where SOCKSHIM_DIR says.
	at_least "files" "$(ls "$SOCKSHIM_DIR/plain" | grep -c '^[0-9]*$')" 5
	"$SHIM" list >list
	has list "without sockshim run"
}

killed() {
	start "$SHIM" run -q -- "$PY" "$T/server.py"
	await test -s port
	"$PY" "$T/client.py" "$(cat port)" 20
	"$SHIM" sockets >sockets
	has sockets "listening"
	kill -9 "$(cat /proc/"$PID"/task/*/children)"
	wait "$PID"
	is "status" $? 137
	"$SHIM" stats >summary
	counts "inet4, stream" opened=1 listened=1 accepted=20 closed=20
	"$SHIM" sockets -a >sockets
	has sockets "listening"
	"$SHIM" list >list
	has list "ended"
}

two_processes() {
	cat >tree.sh <<-END
		"$PY" "$T/server.py" &
		server=\$!
		while ! [ -s port ]; do sleep 0.02; done
		"$PY" "$T/client.py" \$(cat port) 50
		kill \$server
		wait
	END
	shim --trace=trace --format json -- sh tree.sh
	"$PY" - <<-'END' >judged || fail "the trace is not right"
		import json, collections
		n = collections.Counter()
		pids = collections.defaultdict(set)
		last = ""
		for line in open("trace"):
		    e = json.loads(line)
		    assert "lost" not in e, e
		    if e["result"] >= 0:
		        n[e["call"]] += 1
		        pids[e["call"]].add(e["pid"])
		print("connect", n["connect"], "by", len(pids["connect"]))
		print("accept", n["accept"] + n["accept4"], "by", len(pids["accept"] | pids["accept4"]))
		assert not pids["connect"] & (pids["accept"] | pids["accept4"])
	END
	is "trace" "$(xargs <judged)" "connect 50 by 1 accept 50 by 1"
}

formats() {
	start "$SHIM" run -q -- "$PY" "$T/server.py"
	await test -s port
	"$PY" "$T/client.py" "$(cat port)" 3
	"$SHIM" stats --format json >stats.json
	"$SHIM" sockets -j >sockets.json
	"$SHIM" stats --format openmetrics >stats.txt
	"$PY" - <<-'END' || fail "JSON is not right"
		import json
		d = json.load(open("stats.json"))
		assert d["active"] is True and sum(s["accepted"] for s in d["stats"]) == 3, d
		d = json.load(open("sockets.json"))
		s = [s for s in d["sockets"] if s["state"] == "listening"]
		assert len(s) == 1 and s[0]["local"].startswith("127.0.0.1:"), d
	END
	is "last line" "$(tail -n 1 stats.txt)" "# EOF"
	has stats.txt '^sockshim_.*accepted.* 3$'
}

# What a program only looks at it receives later.
peeked() {
	cat >peek.py <<-'END'
		import os, socket
		a, b = socket.socketpair()
		a.sendall(b"x" * 1000)
		for i in range(3):
		    assert len(b.recv(1000, socket.MSG_PEEK)) == 1000
		    b.recvmsg(1000, 0, socket.MSG_PEEK)
		assert len(b.recv(1000)) == 1000
		os._exit(0)
	END
	for trace in "" --trace=trace; do
		"$SHIM" run -q --summary=summary --format json $trace -- "$PY" peek.py || fail "exit status $?"
		is "bytes received" "$(grep -o '"rx_bytes":[0-9]*' summary | sort | xargs)" "rx_bytes:0 rx_bytes:1000"
	done
	shim --fault "reset recv after 1001 bytes" -- "$PY" peek.py || fail "it was reset"
}

check run_exit_status exit_status
check run_cannot_start cannot_start
check run_leaks leaks
check run_signals signals
check run_input_and_output input_and_output
check run_static_program static
check run_plain_preload plain
check run_killed_program killed
check run_trace_of_two_processes two_processes
check run_formats formats
check run_peeked_bytes peeked
