# lib.sh - for the tests of the sockshim command: where things are, and how a test says what it found.
# A test is a function whose name begins with t_; it fails by returning non-zero, or skips with
# `skip why`. Each gets an empty directory to work in and one for runs.
set -u
# Programs print descriptors' numbers: whoever runs the tests may have left some open.
for fd in /proc/$$/fd/*; do
	fd=${fd##*/}
	[ "$fd" -le 2 ] || [ "$fd" = 255 ] || eval "exec $fd>&-"
done
root=$(cd "$(dirname "$0")/../.." && pwd)
B=${B:-build}
case $B in /*) ;; *) B=$root/$B ;; esac
sockshim=$B/sockshim
# A sanitizer build has no library of its own: its own runtime would have to come first.
lib=$B/libsockshim.so
[ -e "$lib" ] || lib=$root/build/libsockshim.so
client=$B/tests/launch/client
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
unset XDG_RUNTIME_DIR LD_PRELOAD
export LC_ALL=C
# Under AddressSanitizer: signals keep their meaning, and the command may itself be preloaded.
export ASAN_OPTIONS=handle_segv=0:verify_asan_link_order=0

run() { "$sockshim" run -l "$lib" "$@"; }
fail() { echo "    $*"; return 1; }
skip() { echo "$*" >"$work/skip"; return 0; }
# same WHAT GOT WANTED
same() { [ "$2" = "$3" ] || fail "$1: got '$2', wanted '$3'"; }
# has FILE TEXT, hasnt FILE TEXT
has() { grep -qF -- "$2" "$1" || { fail "no '$2' in:"; sed 's/^/    | /' "$1"; return 1; }; }
hasnt() { ! grep -qF -- "$2" "$1" || { fail "'$2' in:"; sed 's/^/    | /' "$1"; return 1; }; }
json() { python3 -c 'import json,sys; d=json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"; }

run_tests() {
	local t failed=0
	for t in $(declare -F | sed -n 's/^declare -f \(t_.*\)/\1/p'); do
		rm -rf "$work/skip" "$work/t"
		mkdir "$work/t"
		export SOCKSHIM_DIR=$work/t/runs
		# What a test that failed has left must not wait for ever.
		if (trap 'kill $(jobs -p) 2>/dev/null' EXIT; cd "$work/t" && "$t") >"$work/log" 2>&1; then
			if [ -e "$work/skip" ]; then echo "skip ${t#t_}: $(cat "$work/skip")"
			else echo "ok ${t#t_}"; fi
		else
			echo "not ok ${t#t_}"; cat "$work/log"; failed=1
		fi
	done
	return $failed
}
