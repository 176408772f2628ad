#!/usr/bin/env bash
# Programs on a stack: what they do to descriptors, threads, signals; statistics and faults as on the kernel's sockets; where traffic
# goes.
. "$(dirname "$0")/lib.sh"

stress() {
	timeout 60 "$SHIM" run -q --stack lo -- "$PROGS/stress" "$1" >out 2>err || fail "exit status $?: $(cat err)"
	is "output" "$(cat out)" well
}

cat >"$T/talk.py" <<'PY'
import socket, sys
l = socket.create_server(("127.0.0.1", 0))
s = socket.create_connection(l.getsockname())
c, a = l.accept()
s.sendall(b"x" * 1000)
assert len(c.recv(1000, socket.MSG_WAITALL)) == 1000
n = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
n.connect_ex(l.getsockname())
import select
select.select([], [n], [], 5)
assert n.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
x = socket.socket()
port = l.getsockname()[1]
l.close()
assert x.connect_ex(("127.0.0.1", port)) == 111
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.bind(("127.0.0.1", 0))
u.sendto(b"abc", u.getsockname())
u.recv(10)
p, q = socket.socketpair()
for k in (s, c, n, x, u, p, q):
    k.close()
PY

# What is counted does not show where the sockets are.
statistics() {
	SOCKSHIM_DUMP=$PWD/kernel LD_PRELOAD=$LIB "$PY" "$T/talk.py" || fail "exit status $? on the kernel"
	SOCKSHIM_STACK=lo SOCKSHIM_DUMP=$PWD/stack LD_PRELOAD=$LIB "$PY" "$T/talk.py" || fail "exit status $? on the stack"
	is "statistics" "$(sed 's/^[^ ]* //' stack)" "$(sed 's/^[^ ]* //' kernel)"
}

# Data in the SYN, both ways: the second connection has a cookie.
fast_open() {
	cat >fastopen.py <<-'PY'
	import select, socket
	MSG_FASTOPEN, TCP_FASTOPEN, TCP_FASTOPEN_CONNECT = 0x20000000, 23, 30
	SYN_DATA = 32
	l = socket.socket()
	l.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN, 5)
	l.bind(("127.0.0.1", 0))
	l.listen()
	def served(s, data):
	    c, a = l.accept()
	    assert c.recv(100, socket.MSG_WAITALL) == data, data
	    c.sendall(b"well")
	    c.close()
	    select.select([s], [], [], 5)
	    assert s.recv(100) == b"well"
	    print("data in the SYN:", bool(s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)[5] & SYN_DATA))
	s = socket.socket()
	print(s.sendto(b"hello", MSG_FASTOPEN, l.getsockname()))
	s.shutdown(socket.SHUT_WR)
	served(s, b"hello")
	s = socket.socket(type=socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
	print(s.sendto(b"again", MSG_FASTOPEN, l.getsockname()))
	select.select([], [s], [], 5)
	s.shutdown(socket.SHUT_WR)
	served(s, b"again")
	s = socket.socket()
	s.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
	s.connect(l.getsockname())
	s.sendall(b"later")
	s.sendall(b" on")
	s.shutdown(socket.SHUT_WR)
	served(s, b"later on")
	PY
	timeout 20 "$SHIM" run -q --stack lo,fastopen=3 -- "$PY" fastopen.py >out 2>err || fail "exit status $?: $(tail -n 3 err)"
	is "output" "$(tr '\n' ' ' <out)" \
		"5 data in the SYN: False 5 data in the SYN: True data in the SYN: True "
}

sockets_shown() {
	up
	OUT=out start "$SHIM" run -q --stack test -- "$PY" -c "
import socket, time
l = socket.create_server(('127.0.0.1', 7777))
s = socket.create_connection(('127.0.0.1', 7777))
print('there', flush=True)
time.sleep(100)"
	await grep -q there out || fail "it does not get so far"
	"$SHIM" sockets >sockets
	has sockets "listening.*127.0.0.1:7777"
	has sockets "connected.*127.0.0.1:7777"
}

faults() {
	local rules=('fail connect with ETIMEDOUT on 1st' 'fail socket with EMFILE on 2nd' 'short recv to 1..3' \
		'fail bind with EADDRINUSE from 127.0.0.1:0' 'delay send by 5ms')
	cat >faulted.py <<-'PY'
		import socket
		log = []
		for i in range(4):
		    try:
		        l = socket.create_server(("127.0.0.1", 0))
		        s = socket.create_connection(l.getsockname())
		        c, a = l.accept()
		        log.append(s.send(b"0123456789"))
		        c.settimeout(5)
		        log.append(len(c.recv(10)) <= 10)
		    except OSError as e:
		        log.append(e.errno)
		print(log)
	PY
	for rule in "${rules[@]}"; do
		"$SHIM" run -q --seed 3 -f "$rule" -- "$PY" faulted.py >kernel 2>&1
		"$SHIM" run -q --seed 3 -f "$rule" --stack lo -- "$PY" faulted.py >stack 2>&1
		is "with '$rule'" "$(cat stack)" "$(cat kernel)"
	done
}

# The peer sees a reset, and the program what it would see on the kernel.
resets() {
	cat >reset.py <<-'PY'
		import socket
		l = socket.create_server(("127.0.0.1", 0))
		s = socket.create_connection(l.getsockname())
		c, a = l.accept()
		log = []
		for f in (lambda: s.send(b"x"), lambda: s.recv(1), lambda: s.send(b"x"), lambda: c.recv(1), lambda: c.recv(1)):
		    try:
		        log.append(f())
		    except OSError as e:
		        log.append(e.errno)
		print(log)
	PY
	"$SHIM" run -q -f 'reset send on 1st' -- "$PY" reset.py >kernel 2>&1
	"$SHIM" run -q -f 'reset send on 1st' --stack lo -- "$PY" reset.py >stack 2>&1
	has kernel "^\[104, b'', 32, 104, b''\]"
	is "on the stack" "$(cat stack)" "$(cat kernel)"
}

trace() {
	shim --trace=trace --stack lo -- "$PY" "$T/talk.py" || fail "exit status $?"
	has trace 'connect(.*127.0.0.1:'
	has trace 'accept4(.*127.0.0.1:'
}
trace_command() {
	"$SHIM" trace -o trace --stack lo --except 127.0.0.9 -- "$PY" "$T/talk.py" || fail "exit status $?"
	has trace 'accept4(.*127.0.0.1:'
	"$SHIM" trace --stack lo 2>err && fail "a trace of a run takes --stack"
	has err 'for a new program'
	"$SHIM" trace --only 10.0.0.0/8 -- true 2>err && fail "--only without --stack"
	has err 'of which --stack'
	nothing_left
}

# A host that nobody has asked for a socket leaves with the run; another run may start meanwhile.
nothing_left() {
	stacks_gone() { [ -z "$(ls runs/stack 2>/dev/null)" ]; }
	await stacks_gone || fail "a host is left: $(ls runs/stack)"
}
no_socket() {
	for i in 1 2 3; do
		"$SHIM" run -q --stack lo -- true || fail "exit status $?"
		"$SHIM" run -q --stack lo -- "$PY" "$T/talk.py" || fail "exit status $?"
	done
	nothing_left
}

# One address to the kernel and another to the stack, by sockets that can't be told apart before.
traffic() {
	cat >where.py <<-'PY'
		import socket, sys
		k = socket.socket()                                        # where it goes shows at bind
		k.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
		k.bind(("127.0.0.2", 0))
		k.listen()
		d = k.dup()
		assert d.getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN) == socket.AF_INET
		s = socket.socket()                                        # ... at connect
		s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
		s.settimeout(5)
		e = s.dup()
		s.connect(k.getsockname())
		c, a = d.accept()
		e.send(b"hello")
		assert c.recv(5) == b"hello" and s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
		u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)       # ... at sendto
		v = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		v.bind(("127.0.0.2", 0))
		u.sendto(b"hello", v.getsockname())
		assert v.recv(5) == b"hello"
		l = socket.create_server(("127.0.0.1", 0))                 # of the stack
		t = socket.create_connection(l.getsockname())
		m, a = l.accept()
		import os, subprocess
		# What the kernel says to somebody who is not under the shim.
		table = subprocess.run(["cat", "/proc/net/unix"], env={"LD_PRELOAD": ""}, stdout=subprocess.PIPE, text=True).stdout
		kind = lambda x: table.count(os.readlink("/proc/self/fd/%d" % x.fileno())[8:-1])
		print([kind(x) for x in (k, s, e, c, u, v, l, t, m)])
	PY
	"$SHIM" run -q --stack lo "$@" -- "$PY" where.py >out 2>err || fail "$*: $(cat err)"
	is "unix sockets" "$(cat out)" "[0, 0, 0, 0, 0, 0, 1, 1, 1]"
}
traffic_options() {
	traffic --except 127.0.0.2
	traffic --except 127.0.0.2/32 --except 10.0.0.0/8:80
	traffic --only 127.0.0.0/31
	traffic --only 127.0.0.1 --only 127.0.0.3/32
	is "status" "$("$SHIM" run --stack lo --only 1.2.3 -- true 2>err; echo $?)" 125
	is "status" "$("$SHIM" run --only 1.2.3.4 -- true 2>err; echo $?)" 125
	SOCKSHIM_STACK=lo SOCKSHIM_EXCEPT=nonsense LD_PRELOAD=$LIB "$PY" -c 'import socket; socket.socket()' 2>err && fail "it goes on"
	has err "SOCKSHIM_EXCEPT is wrong at: nonsense"
}

# Registrations with epoll that are older than the decision where a socket belongs are kept, of all its descriptors and as they
# were changed last.
traffic_in_epoll() {
	cat >epoll.py <<-'PY'
		import os, select, socket
		names, log = {}, []
		def name(x, text):
		    names[x.fileno()] = text
		    return x
		def said(ep, limit=5):
		    log.append(sorted((names[fd], e) for fd, e in ep.poll(limit)))
		def both(s, e, *more):
		    name(s, "it"), name(e, "copy")
		    for ep in more:
		        ep.register(s, select.EPOLLOUT | select.EPOLLET)
		        ep.modify(s, select.EPOLLIN)
		        ep.register(e, select.EPOLLIN | select.EPOLLET)
		l = socket.create_server(("127.0.0.2", 0))
		one, two, spent = select.epoll(), select.epoll(), select.epoll()
		s = socket.socket()
		e = s.dup()
		both(s, e, one, two)
		spent.register(s, select.EPOLLIN)
		spent.unregister(s)
		s.connect(l.getsockname())
		c, a = l.accept()
		said(one, 0), said(two, 0), said(spent, 0)
		c.send(b"x")
		said(one), said(one), said(two), said(spent, 0)
		one.modify(s, select.EPOLLIN | select.EPOLLOUT)
		said(one)
		one.unregister(s)
		said(one, 0)
		u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		f = u.dup()
		ep = select.epoll()
		both(u, f, ep)
		v = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		v.bind(("127.0.0.2", 0))
		u.sendto(b"hello", v.getsockname())
		said(ep, 0)
		v.sendto(b"hello", v.recvfrom(5)[1])
		said(ep), said(ep)
		print(log)
	PY
	"$PY" epoll.py >kernel || fail "on the kernel: $(cat kernel)"
	for how in "--except 127.0.0.2" "--only 10.0.0.0/8"; do
		"$SHIM" run -q --stack lo $how -- "$PY" epoll.py >stack 2>&1
		is "with $how" "$(cat stack)" "$(cat kernel)"
	done
}

# Nothing of a program on a stack is to be found in the kernel's tables.
nothing_in_the_kernel() {
	cat >kernel.py <<-'PY'
		import socket
		l = socket.create_server(("127.0.0.1", 17123))
		u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
		u.bind(("::1", 17124))
		import subprocess
		table = subprocess.run(["cat", "/proc/net/tcp", "/proc/net/tcp6", "/proc/net/udp", "/proc/net/udp6"],
		                       env={"LD_PRELOAD": ""}, stdout=subprocess.PIPE, text=True).stdout
		print(table.count(":42E3") + table.count(":42E4"))
	PY
	is "sockets" "$("$SHIM" run -q --stack lo -- "$PY" kernel.py)" 0
}

stopped_program_hurts_nobody() {
	up
	OUT=out start "$SHIM" run -q --stack test -- "$PY" -c "
import socket, os
l = socket.create_server(('127.0.0.1', 7000))
c, a = l.accept()
print('pid', os.getpid(), flush=True)
while True:
    c.send(bytes(65536))"
	cat >slow.py <<-'PY'
		import socket, sys, time, os, signal
		s = socket.create_connection(("127.0.0.1", 7000))
		s.recv(10)
		os.kill(os.getpid(), signal.SIGSTOP)
	PY
	await on "$PY" -c "import socket; socket.create_connection(('127.0.0.1', 7000), 1)" 2>/dev/null
	OUT=slow start "$SHIM" run -q --stack test -- "$PY" slow.py
	timeout 20 "$SHIM" run -q --stack test -- "$PY" "$T/talk.py" || fail "another program: exit status $?"
	on "$PY" -c "pass"
}

commands() {
	up
	"$SHIM" stack up test lo 2>err && fail "up twice"
	has err "up already"
	"$SHIM" stack list >list
	has list "^test  .*lo$"
	"$SHIM" stack list -j | "$PY" -c 'import json, sys; d = json.load(sys.stdin); assert d[0]["name"] == "test", d' || fail "JSON"
	"$SHIM" stack stats test | "$PY" -c 'import json, sys; assert "stack" in json.load(sys.stdin)' || fail "stats are no JSON"
	on "$PY" "$T/talk.py" || fail "exit status $?"
	"$SHIM" stack down test || fail "it does not go down"
	is "stacks" "$("$SHIM" stack list)" ""
	"$SHIM" stack down test 2>err && fail "down twice"
	has err "not up; start it: sockshim stack up test"
	is "status" "$(on true 2>err; echo $?)" 125
	has err "not up"
	is "status" "$("$SHIM" run --stack bogus=1 -- true 2>err; echo $?)" 125
	has err "bogus"
	"$SHIM" stack up 'a b' lo 2>err && fail "a name with a space"
	is "runs" "$("$SHIM" list | grep -c stack)" 0
}

# Every interposed call, under every name that it has; and with pointers that lead nowhere.
calls() {
	local calls=$B/tests/preload/progs/calls pointers=$B/tests/preload/progs/pointers
	[ -x "$calls" ] && [ -x "$pointers" ] || skip "the programs are not built"
	unshare -rn sh -c 'ip link set lo up && exec "$@"' sh "$calls" everything >kernel 2>&1 || skip "no network namespace"
	"$SHIM" run -q --stack lo -- "$calls" everything >stack 2>&1 || fail "exit status $?"
	cmp kernel stack || fail "$(diff kernel stack | head -n 5)"
	"$SHIM" run -q --stack lo -- "$pointers" pointers >/dev/null 2>&1 || fail "pointers: exit status $?"
	"$SHIM" run -q --stack lo -- "$pointers" headers >/dev/null 2>&1 || fail "headers: exit status $?"
}

# Sockets of one kind after the other, with others in between, here and in children.
many_kinds() {
	cat >kinds.py <<-'PY'
		import os, random, socket
		random.seed(1)
		kinds = [(socket.AF_INET, 1), (socket.AF_INET, 2), (socket.AF_INET6, 1), (socket.AF_INET6, 2)]
		for i in range(1500):
		    family, kind = kinds[0] if i % 10 < 7 else random.choice(kinds)
		    s = socket.socket(family, kind)
		    assert s.getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN) == family
		    assert s.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == kind
		    s.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
		    assert s.getsockname()[1]
		    if i % 300 == 0 and os.fork() == 0:
		        for k in range(10):
		            x = socket.socket()
		            x.bind(("127.0.0.1", 0))
		        os._exit(0)
		    s.close()
		print("well")
	PY
	is "output" "$("$SHIM" run -q --stack lo -- "$PY" kinds.py)" well
}

# A limit on descriptors is met where the kernel meets it, and nothing is lost by it.
descriptors_run_out() {
	cat >limit.py <<-'PY'
		import errno, resource, socket
		resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
		for i in range(2):
		    s = []
		    try:
		        while True:
		            s.append(socket.socket())
		    except OSError as e:
		        print(errno.errorcode[e.errno], len(s) > 20)
		    s[0].bind(("127.0.0.1", 0))
		    s[0].listen()
		    s[1].connect(s[0].getsockname())
		    try:
		        s[0].accept()
		    except OSError as e:
		        print(errno.errorcode[e.errno])
		    s.pop()
		    s.pop()
		    print(s[0].accept()[1] == s[1].getsockname())
		    for x in s:
		        x.close()
	PY
	"$PY" limit.py >kernel
	"$SHIM" run -q --stack lo -- "$PY" limit.py >stack 2>&1
	is "on the stack" "$(cat stack)" "$(cat kernel)"
}

# What no library reaches is not run, rather than on the kernel's network.
unreachable() {
	need gcc
	echo 'int main(void) { return 0; }' >main.c
	gcc -static -o static main.c 2>/dev/null || skip "gcc cannot link statically"
	is "status" "$("$SHIM" run --stack lo -- ./static 2>err; echo $?)" 125
	has err "static is linked statically.*kernel's network"
}

# A process that has become another user can't make connections to the host of the first any more.
other_user() {
	[ "$(id -u)" = 0 ] || skip "only root can become somebody else"
	cat >user.py <<-'PY'
		import os, socket, threading
		kept = [socket.socket() for i in range(5)]
		os.setresuid(65534, 65534, 65534)
		def many():
		    for i in range(100):
		        s = socket.socket()
		        s.bind(("127.0.0.1", 0))
		        s.close()
		threads = [threading.Thread(target=many) for i in range(12)]
		for t in threads:
		    t.start()
		for t in threads:
		    t.join()
		print("well")
	PY
	is "output" "$(timeout 60 "$SHIM" run -q --stack lo -- "$PY" user.py)" well
}

# Of many that bring up a stack of one name at once, one does.
up_once() {
	local i done=0 pids=()
	for i in 1 2 3 4 5 6; do
		"$SHIM" stack up test lo 2>>err &
		pids+=($!)
	done
	for i in "${pids[@]}"; do wait "$i" && done=$((done + 1)); done
	is "brought up" "$done" 1
	is "up already" "$(grep -c "up already" err)" 5
}

# What a close let go of is free for the next call, though the host hears of the two by different ways; and
# what is not free is refused.
port_again() {
	cat >again.py <<-'PY'
		import errno, socket
		for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
		    port = 0
		    old = socket.socket(socket.AF_INET, kind)
		    for i in range(1000):
		        # Made before, so that nothing is between closing and binding; another closed first, so that
		        # the host is awake and busy.
		        new, other = socket.socket(socket.AF_INET, kind), socket.socket(socket.AF_INET, kind)
		        other.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
		        close_other, close_old, bind = other.close, old.close, new.bind
		        close_other()
		        close_old()
		        bind(("127.0.0.1", port))
		        port = new.getsockname()[1]
		        if kind == socket.SOCK_STREAM:
		            new.listen(1)
		        old = new
		    old.close()
		    held = socket.socket(socket.AF_INET, kind)
		    held.bind(("127.0.0.1", port))
		    try:
		        socket.socket(socket.AF_INET, kind).bind(("127.0.0.1", port))
		    except OSError as e:
		        print(errno.errorcode[e.errno])
	PY
	is "output" "$(timeout 60 "$SHIM" run -q --stack lo -- "$PY" again.py 2>&1 | tr '\n' ' ')" "EADDRINUSE EADDRINUSE "
}

check program_port_again port_again
check stress_closes stress closes
check program_many_kinds many_kinds
check program_other_user other_user
check program_descriptors_run_out descriptors_run_out
check program_unreachable unreachable
check program_calls calls
check stress_threads stress threads
check stress_signals stress signals
check stress_jumps stress jumps
check stress_vforks stress vforks
check stress_forks stress forks
check program_statistics with_stacks statistics
check program_fast_open fast_open
check program_sockets_shown with_stacks sockets_shown
check program_faults faults
check program_resets resets
check program_trace trace
check program_trace_command trace_command
check program_without_sockets no_socket
check program_traffic traffic_options
check program_traffic_in_epoll traffic_in_epoll
check program_nothing_in_the_kernel nothing_in_the_kernel
check program_stopped_hurts_nobody with_stacks stopped_program_hurts_nobody
check stack_commands with_stacks commands
check stack_up_once with_stacks up_once
