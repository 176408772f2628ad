#!/usr/bin/env bash
# Programs that run under valgrind: it sees every system call that the library makes, and tells of wrong ones.
. "$(dirname "$0")/lib.sh"
need valgrind

# A shell that starts programs with an environment of its own, and a connection that is refused.
told() {
	LD_PRELOAD=$LIB valgrind -q bash -c '/bin/true; echo >/dev/tcp/127.0.0.1/1; /bin/true' 2>err
	grep -v '^bash: ' err >more && fail "$(cat more)"
	grep -q 'Connection refused' err || fail "not refused: $(cat err)"
}

check valgrind_has_nothing_to_tell told
