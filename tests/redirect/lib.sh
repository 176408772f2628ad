# lib.sh - what the tests of redirected sockets share, beyond what tests/real/lib.sh has.
. "$(dirname "${BASH_SOURCE[0]}")/../real/lib.sh"
unset SOCKSHIM_STACK SOCKSHIM_ONLY SOCKSHIM_EXCEPT SOCKSHIM_STACKD
HERE=$ROOT/tests/redirect
PROGS=$B/tests/redirect

# up [SPECIFICATION]: a stack called test, ended with the check.
up() { "$SHIM" stack up test "${1:-lo}" || fail "the stack does not come up"; }
host_pid() { "$SHIM" stack list -j | "$PY" -c "import json,sys; print(*[s['pid'] for s in json.load(sys.stdin) if s['name'] == '${1:-test}'])"; }
# on PROGRAM...: on that stack.
on() { "$SHIM" run -q --stack test -- "$@"; }
# fake [OPTIONS]: a host that speaks the protocol and has no stack; FAKE is what SOCKSHIM_STACK is to say.
fake() {
	OUT=fake.log start "$PY" "$HERE/fakehost.py" "$@" "$PWD/fake.sock"
	await grep -q ready fake.log || fail "the fake host does not start"
	FAKE=host:$PWD/fake.sock
}
# alone STACK PROGRAM...: by the library alone.
alone() { local stack=$1; shift; SOCKSHIM_STACK=$stack LD_PRELOAD=$LIB "$@"; }

end_stacks() {
	local s
	for s in "$T"/check/runs/stack/*.sock; do
		[ -S "$s" ] && SOCKSHIM_DIR=$T/check/runs "$SHIM" stack down "$(basename "$s" .sock)" 2>/dev/null
	done
}
with_stacks() { trap end_stacks EXIT; "$@"; }
