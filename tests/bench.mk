# Benchmarks of the shim: see scripts/bench.
BENCH_BINS := $(B)/tests/bench/calls $(B)/tests/bench/start

$(BENCH_BINS): $(B)/tests/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) $< -o $@ -lpthread -ldl

.PHONY: bench
## bench         what the shim costs, beside others of its kind (3 minutes)
bench: all $(BENCH_BINS)
	@B=$(B) scripts/bench

# Capturing beside tcpdump and libpcap.
$(B)/tests/bench/capture: tests/bench/capture.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) $< -o $@ -lpcap

.PHONY: bench-capture
## bench-capture sockshim capture beside tcpdump and libpcap, on a flooded virtual Ethernet (3 minutes, root)
bench-capture: $(B)/sockshim $(B)/tests/bench/capture
	@$(B)/tests/bench/capture $(B)

# Programs on a stack.
$(B)/tests/bench/redirect: tests/bench/redirect.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) $< -o $@

.PHONY: bench-redirect
## bench-redirect  unmodified programs on a stack beside the kernel over veth (2 minutes, root)
bench-redirect: all $(B)/tests/bench/redirect
	@B=$(B) scripts/bench-redirect
