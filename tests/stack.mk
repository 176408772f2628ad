# Tests of the stack: units and simulations (Criterion), random simulations, against the kernel, fuzzers.
STACK_TEST_SUPPORT := $(B)/tests/support/net.o $(B)/tests/support/wire.o
STACK_UNITS := $(patsubst tests/unit/stack/%.c,$(B)/tests/unit/stack/%,$(wildcard tests/unit/stack/*.c))
STACK_SIMS  := $(patsubst tests/sim/test_%.c,$(B)/tests/sim/%,$(wildcard tests/sim/test_*.c))
STACK_TEST_CFLAGS = $(ALL_CFLAGS) -Istack -Itests/sim

TEST_BINS += $(STACK_UNITS) $(STACK_SIMS)

$(STACK_TEST_SUPPORT): $(B)/tests/support/%.o: tests/sim/%.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(STACK_TEST_CFLAGS) -c -o $@ $<

$(STACK_UNITS): $(B)/tests/unit/stack/%: tests/unit/stack/%.c $(STACK_TEST_SUPPORT) $(B)/libsockstack.a
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(STACK_TEST_CFLAGS) -MF $@.d -o $@ $< $(STACK_TEST_SUPPORT) $(B)/libsockstack.a -lcriterion

$(STACK_SIMS): $(B)/tests/sim/%: tests/sim/test_%.c $(STACK_TEST_SUPPORT) $(B)/libsockstack.a
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(STACK_TEST_CFLAGS) -MF $@.d -o $@ $< $(STACK_TEST_SUPPORT) $(B)/libsockstack.a -lcriterion

# Against the kernel, in a network namespace the program makes itself.
STACK_KERNEL := $(B)/tests/kernel/tap $(B)/tests/kernel/routed $(B)/tests/kernel/rules
STACK_KERNEL_WIRED := $(B)/tests/kernel/filtered
TEST_SCRIPTS += $(STACK_KERNEL) $(STACK_KERNEL_WIRED)
test-programs: $(STACK_KERNEL) $(STACK_KERNEL_WIRED)

$(STACK_KERNEL): $(B)/tests/kernel/%: tests/kernel/%.c tests/kernel/rig.c $(B)/libsockstack.a
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(filter-out -MMD -MP,$(ALL_CFLAGS)) -Istack -Itests/kernel -o $@ $< tests/kernel/rig.c $(B)/libsockstack.a

$(STACK_KERNEL_WIRED): $(B)/tests/kernel/%: tests/kernel/%.c tests/kernel/rig.c $(STACK_TEST_SUPPORT) $(B)/libsockstack.a
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(filter-out -MMD -MP,$(ALL_CFLAGS)) -Istack -Itests/kernel -Itests/sim -o $@ $(filter %.c %.o,$^) $(B)/libsockstack.a

# Fuzzers: libFuzzer programs over a build of the library with its instrumentation. FUZZ_SECONDS is for each.
STACK_FUZZERS := $(patsubst tests/fuzz/%.c,$(B)/tests/fuzz/%,$(wildcard tests/fuzz/stack_*.c))
FUZZERS += $(STACK_FUZZERS)
FUZZ_SECONDS ?= 15

$(STACK_FUZZERS): $(B)/tests/fuzz/%: tests/fuzz/%.c $(STACK_SRCS) $(wildcard stack/*.h stack/*/*.h)
	@mkdir -p $(@D)
	@echo "  FUZZ    $<"
	@$(CLANG) -std=gnu11 $(WARN) -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
		-Istack -o $@ $< $(STACK_SRCS)

.PHONY: fuzz-stack
## fuzz-stack    each of the stack's fuzzers for FUZZ_SECONDS (15), starting from its corpus
fuzz-stack: $(STACK_FUZZERS)
	@for f in $(STACK_FUZZERS); do \
		mkdir -p $$f.corpus; echo "$$(basename $$f)"; \
		$$f -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -timeout=10 -verbosity=0 -print_final_stats=1 \
			-artifact_prefix=$$f- $$f.corpus tests/fuzz/corpus/$$(basename $$f) 2>$$f.log \
			|| { tail -n 60 $$f.log; exit 1; }; \
		grep -a 'stat::number_of_executed_units' $$f.log; \
	done

# Random simulations; a sample of them in `make check`.
STACK_RANDOM := $(B)/tests/random/stack
SEEDS ?= 1000
FIRST ?= 1
TEST_SCRIPTS += $(STACK_RANDOM)
test-programs: $(STACK_RANDOM)

$(STACK_RANDOM): tests/sim/random.c $(STACK_TEST_SUPPORT) $(B)/libsockstack.a
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(STACK_TEST_CFLAGS) -MF $@.d -o $@ $< $(STACK_TEST_SUPPORT) $(B)/libsockstack.a

.PHONY: sim
## sim           SEEDS (1000) random networks from seed FIRST (1) on; a failing one leaves build/sim-SEED.pcapng
sim: $(STACK_RANDOM)
	@$(STACK_RANDOM) -n $(SEEDS) -s $(FIRST)

# Benchmarks, on demand: what they print depends on the machine.
STACK_BENCHES := $(B)/tests/bench/stack-path $(B)/tests/bench/stack-filter $(B)/tests/bench/stack-tap

$(B)/tests/bench/stack-path $(B)/tests/bench/stack-filter: $(B)/tests/bench/stack-%: tests/bench/%.c $(B)/libsockstack.a
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) -MF $@.d -Istack -o $@ $< $(B)/libsockstack.a

$(B)/tests/bench/stack-tap: tests/bench/tap.c tests/kernel/rig.c $(B)/libsockstack.a
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(filter-out -MMD -MP,$(ALL_CFLAGS)) -Istack -Itests/kernel -o $@ tests/bench/tap.c tests/kernel/rig.c $(B)/libsockstack.a

.PHONY: bench-stack
## bench-stack   the stack's speed: a packet's cost, look-ups, UDP echo over TAP beside a bare loop and the kernel
bench-stack: $(STACK_BENCHES)
	@for b in $(STACK_BENCHES); do $$b || exit 1; done
