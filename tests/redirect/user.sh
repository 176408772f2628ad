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
for t in itself forked executed rooted stranger not_master; do check "user_$t" with_up "$t"; done
check user_alone with_stacks alone_too
