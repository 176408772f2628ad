#!/usr/bin/env bash
# Fault rules in whole programs: seeds, conditions, functions.
. "$(dirname "$0")/lib.sh"
need python3 curl wget

mkdir www
echo "hello there" >www/hello
OUT=$T/www.log serve "$PY" -u -m http.server %P --bind 127.0.0.1 --directory "$T/www"
URL=http://127.0.0.1:$PORT

# 400 messages through a pair of sockets, whatever becomes of each.
cat >pair.py <<'END'
import socket
a, b = socket.socketpair()
for i in range(400):
    try:
        n = a.send(b"x" * 100)
        while n > 0:
            n -= len(b.recv(100))
    except OSError:
        pass
END
RULES=(--fault "short send to 1..16 probability 20%" --fault "fail recv with ECONNRESET probability 2%"
	--fault "delay recv by 1us..9us probability 10%")

# traced FILE OPTIONS...: the faults of a run: call, result, error and rule of each.
traced() {
	local to=$1
	shift
	shim --trace=trace --format json "$@" -- "$PY" "$T/pair.py" || fail "exit status $?"
	"$PY" -c '
import json
for line in open("trace"):
    e = json.loads(line)
    if e["rule"]:
        print(e["call"], e["args"].get("len"), e["result"], e["errno"], e["rule"])' >"$to"
}

same_seed() {
	traced first --seed 42 "${RULES[@]}"
	traced second --seed 42 "${RULES[@]}"
	traced other --seed 43 "${RULES[@]}"
	at_least faults "$(wc -l <first)" 50
	is "kinds of faults" "$(awk '{ print $NF }' first | sort -u | xargs)" "1 2 3"
	cmp first second || fail "the same seed gives other faults"
	cmp -s first other && fail "another seed gives the same faults"
	# What another rule does changes nothing of the first.
	traced third --seed 42 "${RULES[0]}" "${RULES[1]}"
	grep -c '1$' third
	is "faults of rule 1" "$(awk '$NF == 1' third | head -n 20 | cksum)" "$(awk '$NF == 1' first | head -n 20 | cksum)"
}

# The seed that a run was given at random, to have it again.
random_seed() {
	local seed
	traced first "${RULES[@]}"
	seed=$("$SHIM" list -j | "$PY" -c 'import json, sys; print(json.load(sys.stdin)[0]["seed"])')
	traced second "${RULES[@]}"
	cmp -s first second && fail "two runs without a seed are the same"
	traced third --seed "$seed" "${RULES[@]}"
	cmp first third || fail "the seed of the run does not repeat it"
}

probability_0() {
	shim --fault "fail connect with ECONNREFUSED probability 0" --fault "short recv to 1 probability 0%" -- \
		curl -sS "$URL/hello" >out || fail "exit status $?"
	has out "^hello there$"
	is matched "$(matched 1) $(matched 2)" "0 0"
	is fired "$(fired 1) $(fired 2)" "0 0"
}

process_tree() {
	shim --fault "fail connect with ECONNREFUSED program wget" -- \
		sh -c "curl -sS $URL/hello; echo \$?; wget -q -t 1 -O - $URL/hello; echo \$?" >out
	is output "$(xargs <out)" "hello there 0 4"
	is fired "$(fired 1)" 1
	counts "inet4, stream" connected=1
	shim --fault "fail connect with ECONNREFUSED program c[a-z]rl" -- \
		sh -c "curl -sS $URL/hello; echo \$?; wget -q -t 1 -O - $URL/hello; echo \$?" >out
	is output "$(xargs <out)" "7 hello there 0"
}

call_site() {
	ldd "$(command -v curl)" | grep -q libcurl.so.4 || skip "curl has no libcurl.so.4"
	for module in libcurl.so.4 libcurl.so libcurl 'libcu*' 'lib*.so'; do
		shim --fault "fail connect with ETIMEDOUT at $module" -- curl -sS "$URL/hello"
		is "exit status, at $module" $? 28
		is fired "$(fired 1)" 1
	done
	for module in libcur url libcurl.so.40 libcurl.s; do
		shim --fault "fail connect with ETIMEDOUT at $module" -- curl -sS "$URL/hello"
		is "exit status, at $module" $? 0
	done
	shim --fault "fail connect with ETIMEDOUT at libcurl.so.4" -- wget -q -O out "$URL/hello" || fail "wget: exit status $?"
	is fired "$(fired 1)" 0
}

functions() {
	need gcc
	# Nothing of sockshim is included.
	cat >filters.c <<-'END'
		#include <errno.h>
		#include <stdint.h>
		#include <stdio.h>
		#include <stdlib.h>
		#include <string.h>
		int deny(const char *ip, uint16_t port, int fd)
		{
			return !strcmp(ip, "127.0.0.1") && port == atoi(getenv("DENY")) && fd > 2 ? ECONNREFUSED : 0;
		}
		int watch(const char *call, int64_t result, int err, double port)
		{
			FILE *f = fopen(getenv("WATCHED"), "a");

			fprintf(f, "%s %s %.1f\n", call, result == 0 || err == EINPROGRESS ? "fine" : "failed", port);
			fclose(f);
			return 0;
		}
	END
	gcc -shared -fPIC -o filters.so filters.c || fail "cannot compile"
	DENY=$PORT shim --fault "call connect ./filters.so:deny(ip: cstr, port: u16, fd: i32) -> errno" -- curl -sS "$URL/hello"
	is "exit status" $? 7
	is fired "$(fired 1)" 1
	has summary "injected: connect=1"
	DENY=1 shim --fault "call connect ./filters.so:deny(ip: cstr, port: u16, fd: i32) -> errno" -- \
		curl -sS "$URL/hello" >out || fail "exit status $?"
	has out "^hello there$"
	WATCHED=$PWD/watched shim \
		--fault "call after connect ./filters.so:watch(call: cstr, result: i64, err: i32, port: f64) -> void" -- \
		curl -sS "$URL/hello" >out || fail "exit status $?"
	is "what the function saw" "$(cat watched)" "connect fine $PORT.0"
	# Found out before the program starts.
	shim --fault "call connect ./filters.so:allow(fd: i32) -> errno" -- touch started 2>err
	is "exit status" $? 125
	has err allow
	shim --fault "call connect ./nothing.so:deny(fd: i32) -> errno" -- touch started 2>err
	is "exit status" $? 125
	[ ! -e started ] || fail "the program was started"
}

# The rules of the manual, in a file, as they are written there.
manual() {
	cp "$T/filters.so" . 2>/dev/null || printf 'int deny(void) { return 0; }' | gcc -shared -fPIC -o filters.so -x c -
	cat >rules.shim <<-'END'
		# what an examiner may try
		fail connect with ECONNREFUSED to 127.0.0.0/8:6379 on 3rd
		fail accept with EMFILE every 10th
		fail socket with EAFNOSUPPORT family inet6
		fail resolve with EAI_AGAIN probability 50%   # half of them

		delay connect by 200ms..2s probability 10%
		short send to 1..16 probability 5%
		reset recv after 64KiB
		fail close with EIO program nginx* on 1st
		call connect ./filters.so:deny(ip: cstr, port: u16, fd: i32) -> errno
	END
	shim --faults rules.shim -- "$PY" -c '
import socket
try:
    socket.socket(socket.AF_INET6)
except OSError as e:
    print(e.errno)' >out 2>err || fail "exit status $?"
	is "errno of an IPv6 socket" "$(cat out)" 97
	is "rules" "$(grep -c ': matched ' summary)" 9
	is fired "$(fired 3)" 1
	[ ! -s err ] || fail "it says: $(cat err)"
}

check rules_same_seed_same_faults same_seed
check rules_random_seed_repeats random_seed
check rules_probability_0_does_nothing probability_0
check rules_program_in_a_process_tree process_tree
check rules_call_site call_site
check rules_call_functions functions
check rules_of_the_manual manual
