# Benchmarks of the shim: see scripts/bench.
BENCH_BINS := $(B)/tests/bench/calls $(B)/tests/bench/start

$(BENCH_BINS): $(B)/tests/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $< -o $@ -lpthread -ldl

.PHONY: bench
## bench         what the shim costs, beside others of its kind (3 minutes)
bench: all $(BENCH_BINS)
	@B=$(B) scripts/bench
