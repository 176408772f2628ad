#!/usr/bin/env bash
# The same programs on the kernel and on a stack: what every call returned, as they log it, must be the same. The kernel's side runs
# in a network namespace with nothing but its loopback interface, which is what the stack has.
#
#	run.sh [PROGRAM...]
set -u
cd "$(dirname "$0")/../.." || exit 1
case ${B:=build} in /*) ;; *) B=$PWD/$B ;; esac
T=$(mktemp -d "${TMPDIR:-/tmp}/sockshim-diff.XXXXXX") || exit 1
trap 'rm -rf "$T"' EXIT
export SOCKSHIM_DIR=$T/runs LC_ALL=C
unset SOCKSHIM_RUN SOCKSHIM_STACK SOCKSHIM_ONLY SOCKSHIM_EXCEPT LD_PRELOAD

alone='ip link set lo up && exec "$@"'
if unshare -rn true 2>/dev/null; then
	on_kernel() { unshare -rn sh -c "$alone" sh "$@"; }
else
	on_kernel() { "$@"; }
fi

programs=("$@")
[ ${#programs[@]} != 0 ] || programs=("$B"/tests/diff/*)
for p in "${programs[@]}"; do
	case $p in *.d | *.o) continue ;; */*) ;; *) p=$B/tests/diff/$p ;; esac
	n=diff_$(basename "$p")
	on_kernel timeout -k 2 60 "$p" >"$T/kernel" 2>&1 </dev/null; kernel=$?
	timeout -k 2 120 "$B/sockshim" run -q --stack "${DIFF_STACK:-lo}" -- "$p" >"$T/stack" 2>&1 </dev/null; stack=$?
	if [ $kernel != 0 ]; then
		echo "skip $n: exits with $kernel on the kernel"
	elif [ $stack != 0 ]; then
		echo "not ok $n: exits with $stack on the stack"
		tail -n 5 "$T/stack" | sed 's/^/    /'
	elif cmp -s "$T/kernel" "$T/stack"; then
		echo "ok $n"
	else
		echo "not ok $n: it goes otherwise on the stack"
		diff -a "$T/kernel" "$T/stack" | head -n 30 | sed 's/^/    /'
	fi
done
