# lib.sh - what the tests of real programs share. A test sources it first, sets LIMIT before to run for
# longer than two minutes.
#
#	check NAME FUNCTION [ARGUMENTS]
# runs the function in a subshell, in a directory and with runs of its own, and prints "ok NAME", "not ok
# NAME: why" or "skip NAME: why". The function ends the check with `fail WHY` or `skip WHY`, or by returning; what it
# started with `start` is then killed. Servers that several checks use are started outside of one.
#
# Ports are taken from below those that the kernel hands out to clients, where nobody else's connection
# can come in between; a server that finds its port taken all the same is given another.

set -u
if [ -z "${REAL_TIMED:-}" ]; then
	export REAL_TIMED=1
	exec timeout -k 5 "${LIMIT:-120}" "$BASH" "$0" "$@"
fi
unset REAL_TIMED

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
ROOT=$PWD
case ${B:=build} in /*) ;; *) B=$ROOT/$B ;; esac
SHIM=$B/sockshim
LIB=$B/libsockshim.so
PATH=$PATH:/usr/sbin:/sbin
T=$(mktemp -d "${TMPDIR:-/tmp}/sockshim-real.XXXXXX") || exit 1
export SOCKSHIM_DIR=$T/runs LC_ALL=C HOME=$T
unset XDG_RUNTIME_DIR SOCKSHIM_RUN SOCKSHIM_RULES SOCKSHIM_FAULTS SOCKSHIM_SEED SOCKSHIM_DUMP SOCKSHIM_TRACE \
	LD_PRELOAD http_proxy https_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY no_proxy NO_PROXY
# The interpreter itself: a wrapper before it would be a program under test of its own.
PY=/usr/bin/python3
[ -x $PY ] || PY=$(python3 -c 'import sys; print(sys.executable)' 2>/dev/null)
PIDS=$T/pids
CHECK=
cd "$T" || exit 1
: >"$PIDS"

kill_tree() {
	local child
	# So that it makes no new child in the place of one that is killed.
	kill -STOP "$1" 2>/dev/null
	for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do kill_tree "$child"; done
	kill -9 "$1" 2>/dev/null
}

# When a process was started: its number may be another's by the time that it is to be killed.
started() { sed 's/.*) //' /proc/"$1"/stat 2>/dev/null | cut -d' ' -f20; }

# Kills what stands in a file of pids.
kill_all() {
	local pid at
	while read -r pid at; do
		[ -n "$at" ] && [ "$(started "$pid")" = "$at" ] && kill_tree "$pid"
	done <"$1"
	: >"$1"
}

# Ends what got away from its parents: everything that works in our directory or has it in its environment
# or on its command line.
kill_strays() {
	local p
	for p in $(ls -l /proc/[0-9]*/cwd 2>/dev/null | grep -F -- "-> $T" | grep -o '/proc/[0-9]*') \
		$(grep -laF "SOCKSHIM_DIR=$T/" /proc/[0-9]*/environ 2>/dev/null) \
		$(grep -laF "$T/" /proc/[0-9]*/cmdline 2>/dev/null); do
		p=${p#/proc/}
		p=${p%/*}
		[ "$p" = $$ ] || [ "$p" = "$BASHPID" ] || kill -9 "$p" 2>/dev/null
	done
}

clean_up() {
	trap - EXIT TERM INT HUP
	PIDS=$T/pids
	[ -z "$CHECK" ] || echo "not ok $CHECK: has not ended in time"
	for f in "$T"/pids*; do kill_all "$f"; done
	cd /
	kill_strays 2>/dev/null
	rm -rf "$T"
}
trap clean_up EXIT
trap 'exit 1' TERM INT HUP

fail() { echo "$*" >"$T/why"; exit 1; }
skip() { echo "$*" >"$T/why"; exit 77; }

check() {
	local rc
	CHECK=$1; shift
	: >"$T/why"
	mkdir -p "$T/check"
	: >"$T/pids.check"
	(trap - EXIT; PIDS=$T/pids.check; SOCKSHIM_DIR=$T/check/runs; cd "$T/check" && "$@") >"$T/log" 2>&1 </dev/null
	rc=$?
	case $rc in
	0) echo "ok $CHECK" ;;
	77) echo "skip $CHECK: $(cat "$T/why")" ;;
	*)
		echo "not ok $CHECK: $(sed 1q "$T/why" | grep . || echo "exit $rc")"
		tail -n 40 "$T/log" | sed 's/^/    /'
		;;
	esac
	kill_all "$T/pids.check"
	[ -z "${REAL_KEEP:-}" ] || cp -r "$T/check" "$REAL_KEEP/$CHECK"
	rm -rf "$T/check"
	CHECK=
}

# Skips the check, or outside of one the whole test, where a program is missing.
need() {
	local p
	for p in "$@"; do
		command -v "$p" >/dev/null && continue
		[ -n "$CHECK" ] && skip "there is no $p"
		echo "skip $(basename "$0" .sh): there is no $p"
		exit 0
	done
}

# Waits until a command succeeds, for ten seconds.
await() {
	local end=$((SECONDS + 11))
	while ! "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.02
	done
}

hex_port() { printf ':%04X ' "$1"; }
port_listens() { cat /proc/net/tcp /proc/net/tcp6 | grep -q "$(hex_port "$1")[0-9A-F:]* 0A"; }
port_taken() { cat /proc/net/tcp /proc/net/tcp6 /proc/net/udp /proc/net/udp6 | grep -q ": [0-9A-F]*$(hex_port "$1")"; }
udp_bound() { cat /proc/net/udp /proc/net/udp6 | grep -q ": [0-9A-F]*$(hex_port "$1")"; }
has_run() { ls "$SOCKSHIM_DIR"/*/control >/dev/null 2>&1; }
gone() { ! kill -0 "$1" 2>/dev/null; }

# Sets PORT to one that nobody has.
pick_port() {
	local i
	for ((i = 0; i < 100; i++)); do
		PORT=$((10000 + (RANDOM * 32768 + RANDOM) % 22000))
		port_taken "$PORT" || return 0
	done
	fail "found no free port"
}

# start COMMAND...: in the background; PID is set. Its output goes to the file $OUT (default: server.log).
start() {
	"$@" >>"${OUT:-server.log}" 2>&1 &
	PID=$!
	echo "$PID $(started "$PID")" >>"$PIDS"
}

has_run() { ls "$SOCKSHIM_DIR"/*/control >/dev/null 2>&1; }
listens_or_gone() { port_listens "$PORT" || gone "$PID"; }

# serve COMMAND...: a server. %P in the command's words is its port, which PORT is set to, as PID is to its
# pid. CONF, if set, names a file in which it is replaced, too. Returns when the server listens.
serve() {
	local try word words
	for try in 1 2 3 4 5; do
		pick_port
		words=()
		for word in "$@"; do words+=("${word//%P/$PORT}"); done
		[ -z "${CONF:-}" ] || sed "s/%P/$PORT/g" "$CONF" >"$CONF.used"
		start "${words[@]}"
		await listens_or_gone
		port_listens "$PORT" && return 0
		kill_tree "$PID"
	done
	tail -n 20 "${OUT:-server.log}"
	fail "the server does not start: ${words[*]}"
}

# Ends a server in order and waits until it is gone.
stop() {
	kill -"${2:-TERM}" "$1"
	await gone "$1" || fail "process $1 has not ended on SIG${2:-TERM}"
}

# shim [OPTIONS] -- PROGRAM...: under the shim, with a summary in the file summary.
shim() { "$SHIM" run -q --summary=summary "$@"; }

# both PROGRAM...: without and with the shim, with the same output and exit status. Output is in out and
# err, input comes from the file $IN.
both() {
	local rc_bare rc
	"$@" <"${IN:-/dev/null}" >out.bare 2>err.bare; rc_bare=$?
	shim -- "$@" <"${IN:-/dev/null}" >out 2>err; rc=$?
	[ $rc = $rc_bare ] || fail "$1 exits with $rc under the shim, $rc_bare without"
	cmp out.bare out || fail "$1 prints something else under the shim"
}

# count COUNTER [KIND [FILE]]: the sum of a counter over the kinds of sockets that KIND, a pattern of what
# stands in parentheses, matches.
count() {
	awk -v want="$1" -v kind="^ *[(]${2:-}" '
		$0 ~ kind { for (i = 1; i <= NF; i++) if (split($i, w, "=") == 2 && w[1] == want) n += w[2] }
		END { print n + 0 }' "${3:-summary}"
}

# counts KIND COUNTER=N...: what the summary must say.
counts() {
	local kind=$1 w n
	shift
	for w in "$@"; do
		n=$(count "${w%=*}" "$kind")
		[ "$n" = "${w#*=}" ] || { cat summary; fail "of ($kind) ${w%=*} is $n, not ${w#*=}"; }
	done
}

no_leak() {
	! grep -q 'still open at exit' summary || { cat summary; fail "sockets are left open"; }
}

# Everything that was opened or accepted was closed, as far as processes were not replaced or killed.
all_closed() {
	local n
	no_leak
	n=$(($(count opened) + $(count accepted) - $(count closed)))
	[ $n = 0 ] || { cat summary; fail "$n sockets were opened that were not closed"; }
}

# fired RULE: how often, as the summary says; matched RULE: how often it was looked at.
fired() { sed -n "s/^  $1 .*: matched [0-9]*, fired \([0-9]*\)$/\1/p" "${2:-summary}"; }
matched() { sed -n "s/^  $1 .*: matched \([0-9]*\), fired [0-9]*$/\1/p" "${2:-summary}"; }

# is WHAT GOT WANTED
is() { [ "$2" = "$3" ] || fail "$1 is '$2', not '$3'"; }

# at_least WHAT GOT LEAST
at_least() { [ "$2" -ge "$3" ] || fail "$1 is $2, less than $3"; }

has() { grep -q -e "$2" "$1" || { cat "$1"; fail "$1 has no '$2'"; }; }

# A file of N KiB that no program will take for text, the same in every run.
make_file() { "$PY" -c "import random,sys; random.seed(7); open(sys.argv[1],'wb').write(random.randbytes($2*1024))" "$1"; }

# nginx_conf FILE WORKERS: of a server of $T/www on %P.
nginx_conf() {
	mkdir -p "$T/www" "$T/nginx"
	cat >"$1" <<END
daemon off;
user $(id -un) $(id -gn);
worker_processes $2;
pid $T/nginx/pid;
error_log $T/nginx/error.log notice;
events { worker_connections 256; }
http {
	access_log off;
	client_body_temp_path $T/nginx/body;
	proxy_temp_path $T/nginx/proxy;
	fastcgi_temp_path $T/nginx/fastcgi;
	uwsgi_temp_path $T/nginx/uwsgi;
	scgi_temp_path $T/nginx/scgi;
	server { listen 127.0.0.1:%P; root $T/www; }
}
END
}
