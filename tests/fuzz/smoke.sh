#!/bin/sh
# A minute shared by the stack's fuzzers, each from its corpus. FUZZ_SMOKE_SECONDS is another time.
set -u
B=${B:-build}
names=$(cd tests/fuzz && echo stack_*.c)
each=$((${FUZZ_SMOKE_SECONDS:-60} / $(echo "$names" | wc -w)))
log=$(mktemp -d) || exit 1
trap 'rm -rf "$log"' EXIT
failed=0

for name in $names; do
	name=${name%.c}
	mkdir "$log/new"
	if "$B/tests/fuzz/$name" -max_total_time="$each" -max_len=4096 -timeout=10 -verbosity=0 \
		-print_final_stats=1 -artifact_prefix="$B/$name-" "$log/new" "tests/fuzz/corpus/$name" \
		>"$log/out" 2>&1; then
		echo "ok $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log/out") inputs in $each s"
	else
		echo "not ok $name"
		tail -n 60 "$log/out"
		failed=1
	fi
	rm -rf "$log/new"
done
exit "$failed"
