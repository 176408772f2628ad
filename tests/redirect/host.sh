#!/usr/bin/env bash
# The library and its host: starting one, not finding one, losing it, another version, bad replies.
. "$(dirname "$0")/lib.sh"

cat >"$T/echo.py" <<'PY'
import socket, threading
l = socket.create_server(("127.0.0.1", 0))
def serve():
    c, a = l.accept()
    while True:
        d = c.recv(65536)
        if not d:
            break
        c.sendall(d)
    c.close()
t = threading.Thread(target=serve)
t.start()
s = socket.create_connection(l.getsockname())
data = bytes(range(256)) * 4000
def send():
    s.sendall(data)
    s.shutdown(socket.SHUT_WR)
threading.Thread(target=send).start()
got = b""
while True:
    d = s.recv(65536)
    if not d:
        break
    got += d
t.join()
assert got == data
print("echoed", len(got))
PY
cat >"$T/try.py" <<'PY'
import socket, sys
for what in sys.argv[1:] or ["stream", "dgram", "stream"]:
    try:
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM if what == "stream" else socket.SOCK_DGRAM)
        s.connect(("127.0.0.1", 9))
        print("connected")
    except OSError as e:
        print(e.errno)
PY

alone_starts_one() {
	alone lo "$PY" "$T/echo.py" >out 2>err || fail "exit status $?: $(cat err)"
	is "output" "$(cat out)" "echoed 1024000"
	[ ! -s err ] || fail "it says: $(cat err)"
}

# Many at once, of which each would start it, share one.
started_once() {
	local i pids=()
	for i in 1 2 3 4 5 6 7 8; do
		alone lo "$PY" -c 'import socket, time; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); time.sleep(1.5)' &
		pids+=($!)
	done
	sleep 0.8
	is "hosts" "$("$SHIM" stack list | wc -l)" 1
	for i in "${pids[@]}"; do wait "$i" || fail "exit status $?"; done
}

leaves_with_its_last_client() {
	alone lo "$PY" "$T/echo.py" >out
	await no_sockets || fail "the host is still there"
}
no_sockets() { ! ls "$SOCKSHIM_DIR"/stack/*.sock >/dev/null 2>&1; }

# A program sees no child, no signal and no descriptor of the starting.
unnoticed() {
	cat >look.py <<-'PY'
		import os, signal, socket
		got = []
		signal.signal(signal.SIGCHLD, lambda *a: got.append(1))
		before = set(os.listdir("/proc/self/fd"))
		s = socket.socket()
		s.close()
		low = {f for f in set(os.listdir("/proc/self/fd")) - before if int(f) < 100}
		assert not low, low
		assert not got
		try:
		    os.waitpid(-1, os.WNOHANG)
		    raise SystemExit("a child")
		except ChildProcessError:
		    print("no child")
	PY
	alone lo "$PY" look.py >out 2>err || fail "$(cat err)"
	is "output" "$(cat out)" "no child"
}

no_program() {
	SOCKSHIM_STACKD=/nowhere/stackd alone lo "$PY" "$T/try.py" >out 2>err || fail "exit status $?"
	is "errors" "$(xargs <out)" "100 100 100"
	is "lines" "$(wc -l <err)" 1
	has err "cannot start the stack host.*SOCKSHIM_STACKD.*ENETDOWN"
}

wrong_specification() {
	alone "nonesuch=1" "$PY" "$T/try.py" >out 2>err || fail "exit status $?"
	is "errors" "$(xargs <out)" "100 100 100"
	is "lines" "$(wc -l <err)" 1
	has err "nonesuch"
	alone "nameofnone" "$PY" "$T/try.py" >out 2>err || fail "exit status $?"
	is "errors" "$(xargs <out)" "100 100 100"
	has err "nameofnone.sock"
}

# What is said once in one process is not said again by its children.
said_once() {
	cat >fork.py <<-'PY'
		import os, socket
		for i in range(3):
		    if os.fork() == 0:
		        try:
		            socket.socket()
		        except OSError:
		            pass
		        os._exit(0)
		try:
		    socket.socket()
		except OSError:
		    pass
		for i in range(3):
		    os.wait()
	PY
	SOCKSHIM_STACK=none "$SHIM" run -q -- "$PY" fork.py 2>err
	is "lines" "$(wc -l <err)" 1
}

other_version() {
	fake --version 7
	alone "$FAKE" "$PY" "$T/try.py" >out 2>err || fail "exit status $?"
	is "errors" "$(xargs <out)" "100 100 100"
	is "lines" "$(wc -l <err)" 1
	has err "version 2 .*version 7"
}

# The command says what it is, and how to be rid of it.
other_version_is_ended() {
	mkdir -p "$SOCKSHIM_DIR/stack" && chmod 700 "$SOCKSHIM_DIR" "$SOCKSHIM_DIR/stack"
	fake --version 7
	mv fake.sock "$SOCKSHIM_DIR/stack/old.sock"
	is "status" "$("$SHIM" run --stack old -- true 2>err; echo $?)" 125
	has err "version 7 .*version 2; end it (sockshim stack down)"
	"$SHIM" stack list >out
	has out "^old *$PID *of another version"
	is "version" "$("$SHIM" stack list -j | "$PY" -c 'import json, sys; print(json.load(sys.stdin)[0]["version"])')" 7
	timeout 20 "$SHIM" stack down old || fail "exit status $?"
	await gone "$PID" || fail "it is still there"
}

with_fake_host() {
	fake
	cat >small.py <<-'PY'
		import socket
		l = socket.create_server(("127.0.0.1", 0))
		s = socket.create_connection(l.getsockname())
		c, a = l.accept()
		s.sendall(bytes(10000))
		n = len(c.recv(10000, socket.MSG_WAITALL))
		c.sendall(b"answer")
		print(n, s.recv(10), c.getpeername() == s.getsockname())
	PY
	alone "$FAKE" timeout 20 "$PY" small.py >out 2>err || fail "exit status $?: $(cat err)"
	is "output" "$(cat out)" "10000 b'answer' True"
}

# A host that answers what it must not is not asked again.
garbled() {
	local op
	for op in 1 2 5; do
		fake --garble $op
		timeout 20 env SOCKSHIM_STACK="$FAKE" LD_PRELOAD="$LIB" "$PY" "$T/try.py" stream stream >out 2>err ||
			fail "request $op: exit status $?"
		is "errors, request $op" "$(xargs <out)" "100 100"
		is "lines" "$(wc -l <err)" 1
		kill "$PID"
		rm -f fake.sock fake.log
	done
}

dies_at() {
	local op
	for op in 1 2 5 10; do
		fake --die-at $op
		timeout 20 env SOCKSHIM_STACK="$FAKE" LD_PRELOAD="$LIB" "$PY" "$T/try.py" stream stream >out 2>err
		is "exit status, request $op" $? 0
		is "last error, request $op" "$(tail -n 1 out | sed 's/111/100/')" "100"
		rm -f fake.sock fake.log
	done
}

# Killed while programs are blocked in every call that blocks.
killed() {
	local host
	if [ "$2" = connect ]; then
		# A device behind which nobody answers, in a network namespace of its host's.
		unshare -rn "$SHIM" stack up test "$1" || skip "no TAP device can be made"
	else
		up "$1"
	fi
	cat >blocked.py <<-'PY'
		import socket, sys, threading, time, traceback
		out = {}
		def run(name, f):
		    def g():
		        try:
		            out[name] = repr(f())
		        except OSError as e:
		            out[name] = str(e.errno)
		    t = threading.Thread(target=g, daemon=True)
		    t.start()
		    return t
		ts = []
		x = socket.socket()
		if sys.argv[1] == "connect":
		    ts.append(run("connect", lambda: x.connect(("10.9.0.9", 9))))
		else:
		    l = socket.create_server(("127.0.0.1", 0))
		    s = socket.create_connection(l.getsockname())
		    c, _ = l.accept()
		    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		    u.bind(("127.0.0.1", 0))
		    def fill():
		        while True:
		            s.send(bytes(100000))
		    def poll():
		        import select
		        p = select.poll()
		        p.register(u, select.POLLIN)
		        return p.poll(20000) != []
		    ts = [run("accept", l.accept), run("recv", lambda: s.recv(10)), run("udp", lambda: u.recv(10)),
		          run("send", fill), run("poll", poll)]
		time.sleep(0.3)
		print("blocked", flush=True)
		sys.stdin.readline()
		for t in ts:
		    t.join(8)
		print(sorted(out.items()), "left", sum(t.is_alive() for t in ts), flush=True)
	PY
	mkfifo in
	sleep 100 >in & sleeper=$!
	echo "$sleeper $(started $sleeper)" >>"$PIDS"
	OUT=out start "$SHIM" run -q --stack test -- "$PY" blocked.py "$2" <in
	await grep -q blocked out || fail "it does not get so far"
	host=$(host_pid)
	kill -9 "$host"
	await gone "$host"
	echo >in
	kill "$sleeper"
	wait "$PID" || fail "exit status $?"
	cat out
	has out "left 0"
	if [ "$2" = connect ]; then
		has out "'connect', '100'"
	else
		has out "'accept', '100'.*'poll', 'True'.*'recv', '10[04]'.*'send', '10[04]'.*'udp', '100'"
	fi
}

# Servers whose host was killed are told so at once, and then not as often as they ask.
asked_slowly() {
	local host
	up
	cat >ask.py <<-'PY'
		import socket, sys, time
		l = socket.create_server(("127.0.0.1", 0))
		u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		u.bind(("127.0.0.1", 0))
		l.setblocking(False)
		u.setblocking(False)
		print("there", flush=True)
		sys.stdin.readline()
		for f in l.accept, lambda: u.recv(10):
		    n, began = 0, time.monotonic()
		    while time.monotonic() < began + 0.5:
		        try:
		            f()
		        except OSError as e:
		            assert e.errno == 100, e
		        n += 1
		        if n == 1:
		            assert time.monotonic() < began + 0.3
		    print(n)
	PY
	mkfifo in
	sleep 100 >in & sleeper=$!
	echo "$sleeper $(started $sleeper)" >>"$PIDS"
	OUT=out start on "$PY" ask.py <in
	await grep -q there out || fail "it does not get so far"
	host=$(host_pid)
	kill -9 "$host"
	await gone "$host"
	echo >in
	kill "$sleeper"
	wait "$PID" || { cat out; fail "exit status $?"; }
	for n in $(grep '^[0-9]' out); do [ "$n" -le 30 ] || fail "$n answers in half a second"; done
	is "lines" "$(grep -c '^[0-9]' out)" 2
}

# A host that is stopped holds up programs on it; they can be ended all the same, and go on with it.
stopped() {
	local host pid
	up
	host=$(host_pid)
	cat >busy.py <<-'PY'
		import socket
		print("there", flush=True)
		while True:
		    socket.socket().close()
	PY
	OUT=out start on "$PY" busy.py
	await grep -q there out || fail "it does not get so far"
	pid=$(pgrep -f "^$PY busy.py" | head -n 1)
	kill -STOP "$host"
	sleep 0.5
	kill -TERM "$pid"
	await gone "$pid" || { kill -CONT "$host"; fail "the program does not end while its host is stopped"; }
	# One that begins meanwhile, too.
	if timeout 1 "$SHIM" run -q --stack test -- "$PY" -c 'import socket; socket.socket()'; then
		kill -CONT "$host"
		fail "who answered?"
	fi
	kill -CONT "$host"
	on "$PY" "$T/try.py" >out || fail "exit status $? when it goes on"
	is "errors" "$(xargs <out)" "111 connected 111"
}

# A host without descriptors waits for some: it does not try again and again.
ticks() { set -- $(sed 's/.*) //' "/proc/$1/stat"); echo $((${12} + ${13})); }
out_of_descriptors() {
	local host before after
	need prlimit
	up
	host=$(host_pid)
	prlimit --pid "$host" --nofile="$(ls "/proc/$host/fd" | wc -l):"
	for suffix in sock diag; do
		OUT=held start "$PY" -c "
import socket, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect('$SOCKSHIM_DIR/stack/test.$suffix')
print('there', flush=True)
time.sleep(100)"
		await grep -q there held || fail "it does not get so far"
		before=$(ticks "$host")
		sleep 1
		after=$(ticks "$host")
		[ $((after - before)) -lt 30 ] || fail "$suffix: $((after - before)) ticks of processor time in a second"
	done
	prlimit --pid "$host" --nofile=1000:
	on "$PY" "$T/try.py" >out || fail "exit status $? when there are some"
	is "errors" "$(xargs <out)" "111 connected 111"
}

# The command has no standard descriptors: nor has the program then, and it runs all the same.
closed_descriptors() {
	"$SHIM" run -q --stack lo -- "$PY" -c "
import os, socket
assert not [f for f in (0, 1, 2) if os.path.exists('/proc/self/fd/%d' % f)]
socket.socket()
open('ran', 'w')" <&- >&- 2>&- || fail "exit status $?"
	[ -e ran ] || fail "it did not run"
}

# Where the program goes to does not change where its stack is.
relative_directory() {
	SOCKSHIM_DIR=relative "$SHIM" run --summary=summary --stack lo -- sh -c "cd /; exec '$PY' '$T/echo.py'" >out 2>err ||
		fail "exit status $?: $(cat err)"
	is "output" "$(cat out)" "echoed 1024000"
	has summary "inet4, stream.*connected=1"
}

# What a killed host leaves goes with clean; what one that serves has stays.
killed_cleaned() {
	local host
	up
	"$SHIM" stack up other lo || fail "the other does not come up"
	host=$(host_pid)
	kill -9 "$host"
	await gone "$host"
	"$SHIM" clean >/dev/null || fail "exit status $?"
	is "left" "$(cd "$SOCKSHIM_DIR/stack" && echo *)" "other.diag other.sock other.sock.lock"
	"$SHIM" run -q --stack other -- "$PY" "$T/try.py" >out || fail "exit status $? on the other"
}

check host_started_by_the_library with_stacks alone_starts_one
check host_started_once_by_many with_stacks started_once
check host_leaves_with_its_last_client with_stacks leaves_with_its_last_client
check host_started_unnoticed with_stacks unnoticed
check host_program_missing no_program
check host_specification_wrong wrong_specification
check host_missing_said_once said_once
check host_of_other_version other_version
check host_of_other_version_is_ended other_version_is_ended
check host_without_stack with_fake_host
check host_garbled_replies garbled
check host_dies_at_request dies_at
check host_killed_asked_slowly with_stacks asked_slowly
check host_stopped with_stacks stopped
check host_out_of_descriptors with_stacks out_of_descriptors
check host_killed_under_blocked_calls with_stacks killed lo all
check host_killed_under_blocked_connect with_stacks killed tap=ssgone,addr=10.9.0.2/24,peer=10.9.0.1/24 connect
check host_started_without_descriptors closed_descriptors
check host_in_a_relative_directory relative_directory
check host_killed_and_cleaned with_stacks killed_cleaned
