#!/usr/bin/env bash
# Programs that change their user: what they open afterwards, and what their children and those who they exec open, is on the
# stack. Who is of that user and has nothing to do with them is refused.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] && command -v setpriv >/dev/null || { echo "skip user: it takes root to be another user"; exit 0; }
as_nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }

LISTEN='import socket
l = socket.create_server(("127.0.0.1", 0))'
GO='
import os
os.setgroups([]); os.setgid(65534); os.setuid(65534)'
TRY='
import socket
l = socket.create_server(("127.0.0.1", 0))
s = socket.create_connection(l.getsockname())
c, a = l.accept()
c.sendall(b"hello")
print(s.recv(9).decode(), flush=True)'

# What is opened after the change: by the process itself, by a forked child and by its child in turn.
itself() {
	on "$PY" -c "$GO$TRY" >out 2>err || fail "exit status $?: $(tail -n 4 err)"
	is "output" "$(cat out)" hello
	[ ! -s err ] || fail "it says: $(cat err)"
}

forked() {
	on "$PY" -c "$LISTEN$GO
for level in range(2):
    if os.fork():
        os._exit(os.wait()[1] >> 8)
    exec('''$TRY''')" >out 2>err || fail "exit status $?: $(tail -n 4 err)"
	is "output" "$(cat out)" "hello
hello"
	[ ! -s err ] || fail "it says: $(cat err)"
}

executed() {
	on setpriv --reuid 65534 --regid 65534 --clear-groups "$PY" -c "$TRY
import subprocess, sys
for close in False, True:
    subprocess.run([sys.executable, '-c', '''$TRY'''], check=True, close_fds=close)" >out 2>err || fail "exit status $?: $(tail -n 4 err)"
	is "output" "$(cat out)" "hello
hello
hello"
	grep ENETDOWN err && fail "it says: $(cat err)"
	return 0
}

# With a root of its own, where there is no control socket.
rooted() {
	mkdir root
	on "$PY" -c "import os, encodings.idna, socket
os.chroot('root')
if os.fork():
    os._exit(os.wait()[1] >> 8)
$TRY" >out 2>err || fail "exit status $?: $(tail -n 4 err)"
	is "output" "$(cat out)" hello
}

# By the library alone, which has to start the host before the change.
alone_too() {
	alone lo "$PY" -c "$GO
if os.fork():
    os._exit(os.wait()[1] >> 8)
$TRY" >out 2>err || fail "exit status $?: $(tail -n 4 err)"
	is "output" "$(cat out)" hello
}

# Sockets that another user has made, and passed on: by fork, as descriptor 0, over a unix socket. A worker does with them what it does.
handed_on() {
	cat >master.py <<-'END'
		import os, socket, subprocess, sys
		USE = """
		import socket
		def use(l):
		    l.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
		    l.listen(3)
		    c = socket.create_connection(l.getsockname())
		    a, _ = l.accept()
		    a.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
		    a.sendall(b"hello")
		    a.shutdown(socket.SHUT_WR)
		    print(c.makefile().read(), a.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), flush=True)
		"""
		exec(USE)
		def listening():
		    return socket.create_server(("127.0.0.1", 0))
		l = listening()
		if not os.fork():
		    os.setuid(65534)
		    use(l)
		    os._exit(0)
		os.wait()
		subprocess.run(["setpriv", "--reuid", "65534", sys.executable, "-c", USE + "use(socket.socket(fileno=0))"],
		               stdin=listening(), check=True)
		a, b = socket.socketpair()
		if not os.fork():
		    a.close()
		    os.setuid(65534)
		    use(socket.socket(fileno=socket.recv_fds(b, 1, 1)[1][0]))
		    os._exit(0)
		l = listening()
		socket.send_fds(a, [b"x"], [l.fileno()])
		os.wait()
	END
	on "$PY" master.py >out 2>err || fail "exit status $?: $(tail -n 4 err)"
	is "output" "$(cat out)" "hello 0
hello 0
hello 0"
	grep ENETDOWN err && fail "it says: $(cat err)"
	return 0
}

# Who only looks at others' sockets does not end them.
no_killer() {
	command -v ss >/dev/null || return 0
	on "$PY" -c "$LISTEN
import subprocess
c = socket.create_connection(l.getsockname())
a, _ = l.accept()
kill = ['ss', '-tnK', 'dport', '=', ':%d' % l.getsockname()[1]]
user = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups']
for who in user, []:
    subprocess.run(who + kill, stdout=subprocess.DEVNULL)
    try:
        c.sendall(b'x')
        print('lives')
    except OSError:
        print('killed')" >out 2>err
	is "output" "$(cat out)" "lives
killed"
}

# Another's process is refused, also if it says that it belongs to it.
stranger() {
	local path=$PWD/runs/stack/test.sock
	[ -S "$path" ] || fail "where is the control socket? $path"
	chmod 711 "$T" "$T/check" "$PWD/runs" "$PWD/runs/stack" && chmod 666 "$path"
	as_nobody env SOCKSHIM_STACK="host:$path" LD_PRELOAD="$LIB" "$PY" -c "import socket
try:
    socket.socket()
except OSError as e:
    print(e.errno)" >out 2>err
	is "output" "$(cat out)" 100
}
# Who has joined asks for sockets, and does not end the stack.
not_master() {
	on setpriv --reuid 65534 --regid 65534 --clear-groups "$SHIM" stack down test >out 2>&1 && fail "another user ended the stack"
	on "$PY" -c "$LISTEN" || fail "the stack is down"
}

with_up() { trap end_stacks EXIT; up; "$@"; }
for t in itself forked executed rooted handed_on no_killer stranger not_master; do check "user_$t" with_up "$t"; done
check user_alone with_stacks alone_too
