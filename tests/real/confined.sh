#!/usr/bin/env bash
# Programs that a seccomp filter kills for a system call too many: the shim makes none of its own.
. "$(dirname "$0")/lib.sh"
need gcc python3

gcc -O2 -Wall -o confined "$ROOT/tests/real/confined.c" || { echo "skip confined: it does not compile"; exit 0; }
./confined >/dev/null || { echo "skip confined: there is no seccomp"; exit 0; }

passes() {
	both "$T/confined"
	has out "^through here$"
	counts "local, stream" opened=2
}

traced() {
	shim --trace=trace -- "$T/confined" >out || fail "exit status $?"
	has trace " write(.* = 13 "
	has trace " read(.* = 13 "
	# Without a file of its own: what was recorded last.
	"$SHIM" stats >stats
	is opened "$(count opened local stats)" 2
}

with_rules() {
	shim --fault "short send to 1..3 type stream" --fault "short recv to 1..3 from unix:*" \
		--fault "fail recv with EIO thread nobody" -- "$T/confined" >out || fail "exit status $?"
	has out "^through here$"
	at_least fired "$(fired 1)" 5
}

# A socket that was there before the program was: looked at before, or not at all.
inherited() {
	cat >parent.py <<-'END'
		import os, socket, subprocess, sys
		a, b = socket.socketpair()
		os.dup2(b.fileno(), 9)
		r = subprocess.run([sys.argv[1], "9"], close_fds=False)
		b.close()
		os.close(9)
		print(a.recv(100), r.returncode)
	END
	both "$PY" parent.py "$T/confined"
	has out "inherited.* 0$"
}

# A program that may not read the processor's counter (prctl(PR_SET_TSC)), which clock_gettime would.
without_counter() {
	cat >counter.c <<-'END'
		#include <string.h>
		#include <sys/prctl.h>
		#include <sys/socket.h>
		#include <unistd.h>

		int main(void)
		{
			char buf[8];
			int fds[2];

			if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0 || prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0) < 0)
				return 1;
			if (write(fds[0], "abc", 3) != 3 || read(fds[1], buf, sizeof(buf)) != 3)
				_exit(2);
			_exit(memcmp(buf, "abc", 3) != 0);
		}
	END
	gcc -O2 -Wall -o "$T/counter" counter.c || fail "counter.c does not compile"
	shim --trace=trace -- "$T/counter" || fail "exit status $?"
	has trace " read(.* = 3 "
}

check confined_passes passes
check confined_without_counter without_counter
check confined_traced traced
check confined_with_rules with_rules
check confined_inherited_socket inherited
