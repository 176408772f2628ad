# Tests of the stack: units and simulations (Criterion), random simulations, against the kernel, fuzzers.
STACK_TEST_SUPPORT := $(B)/tests/support/net.o $(B)/tests/support/watch.o $(B)/tests/support/wire.o
STACK_PEER := $(B)/tests/support/peer.o
STACK_UNITS := $(patsubst tests/unit/stack/%.c,$(B)/tests/unit/stack/%,$(wildcard tests/unit/stack/*.c))
STACK_SIMS  := $(patsubst tests/sim/test_%.c,$(B)/tests/sim/%,$(wildcard tests/sim/test_*.c))
STACK_TEST_CFLAGS = $(ALL_CFLAGS) -Istack -Itests/sim -Itests/unit

TEST_BINS += $(STACK_UNITS) $(STACK_SIMS)

$(STACK_TEST_SUPPORT) $(STACK_PEER): $(B)/tests/support/%.o: tests/sim/%.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(STACK_TEST_CFLAGS) -c -o $@ $<

$(filter %_peer,$(STACK_UNITS)): $(B)/tests/unit/stack/%: tests/unit/stack/%.c $(STACK_PEER) $(B)/libsockstack.a
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(STACK_TEST_CFLAGS) -MF $@.d -o $@ $< $(STACK_PEER) $(B)/libsockstack.a -lcriterion

$(filter-out %_peer,$(STACK_UNITS)): $(B)/tests/unit/stack/%: tests/unit/stack/%.c $(STACK_TEST_SUPPORT) $(B)/libsockstack.a
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(STACK_TEST_CFLAGS) -MF $@.d -o $@ $< $(STACK_TEST_SUPPORT) $(B)/libsockstack.a -lcriterion $(STACK_UNIT_LIBS)

$(B)/tests/unit/stack/slirp: STACK_UNIT_LIBS := $(STACK_SLIRP_LIBS)

$(STACK_SIMS): $(B)/tests/sim/%: tests/sim/test_%.c $(STACK_TEST_SUPPORT) $(B)/libsockstack.a
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(STACK_TEST_CFLAGS) -MF $@.d -o $@ $< $(STACK_TEST_SUPPORT) $(B)/libsockstack.a -lcriterion

# Against the kernel, in a network namespace the program makes itself.
STACK_KERNEL := $(B)/tests/kernel/tap $(B)/tests/kernel/routed $(B)/tests/kernel/tcp $(B)/tests/kernel/raw $(B)/tests/kernel/rules
STACK_KERNEL_WIRED := $(B)/tests/kernel/filtered
TEST_SCRIPTS += $(STACK_KERNEL) $(STACK_KERNEL_WIRED)
test-programs: $(STACK_KERNEL) $(STACK_KERNEL_WIRED)

$(STACK_KERNEL): $(B)/tests/kernel/%: tests/kernel/%.c tests/kernel/rig.c tests/kernel/duplex.c $(wildcard tests/kernel/*.h) $(B)/libsockstack.a
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(filter-out -MMD -MP,$(ALL_CFLAGS)) -Istack -Itests/kernel -o $@ $(filter %.c,$^) $(B)/libsockstack.a

$(STACK_KERNEL_WIRED): $(B)/tests/kernel/%: tests/kernel/%.c tests/kernel/rig.c $(STACK_TEST_SUPPORT) $(B)/libsockstack.a
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(filter-out -MMD -MP,$(ALL_CFLAGS)) -Istack -Itests/kernel -Itests/sim -o $@ $(filter %.c %.o,$^) $(B)/libsockstack.a

# Scripts in packetdrill's language, against the shared object that packetdrill would load. `-k` runs them
# against the kernel instead, to see whether they are right.
STACK_PKT_DRIVER := $(B)/tests/packetdrill/driver
STACK_PKT_SCRIPTS := $(wildcard tests/packetdrill/*.pkt)
STACK_PKT := $(B)/tests/packetdrill/scripts $(B)/tests/packetdrill/scripts6
TEST_SCRIPTS += $(STACK_PKT)
test-programs: $(STACK_PKT)

$(STACK_PKT_DRIVER): $(wildcard tests/packetdrill/*.[ch]) $(B)/libsockstack.a $(B)/libsockstack-packetdrill.so
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(CC) $(filter-out -MMD -MP,$(ALL_CFLAGS)) -Istack -Itests/packetdrill -o $@ $(filter %.c,$^) \
		$(B)/libsockstack.a -lpthread -ldl

$(B)/tests/packetdrill/scripts: $(STACK_PKT_DRIVER) $(STACK_PKT_SCRIPTS)
	@printf '#!/bin/sh\nexec %s -s %s %s\n' $(STACK_PKT_DRIVER) $(B)/libsockstack-packetdrill.so \
		"$(STACK_PKT_SCRIPTS)" >$@ && chmod +x $@

# Over IPv6 all but what says how large IPv4's packets are.
$(B)/tests/packetdrill/scripts6: $(STACK_PKT_DRIVER) $(STACK_PKT_SCRIPTS)
	@printf '#!/bin/sh\nexec %s -6 -s %s %s\n' $(STACK_PKT_DRIVER) $(B)/libsockstack-packetdrill.so \
		"$$(echo $(filter-out %/pmtu.pkt %/fastopen_pmtu.pkt %/mss_announced.pkt %/mtu_probing.pkt %/mss_default.pkt,$(STACK_PKT_SCRIPTS)))" >$@ && chmod +x $@

# Fuzzers: libFuzzer programs over a build of the library with its instrumentation. FUZZ_SECONDS is for each.
STACK_FUZZERS := $(patsubst tests/fuzz/%.c,$(B)/tests/fuzz/%,$(wildcard tests/fuzz/stack_*.c))
FUZZERS += $(STACK_FUZZERS)
FUZZ_SECONDS ?= 15

# The library with that instrumentation, compiled once for all of them.
FUZZ_CFLAGS := -std=gnu11 -D_GNU_SOURCE $(WARN) -O1 -g -fno-sanitize-recover=all -Istack
STACK_FUZZ_OBJS := $(STACK_SRCS:%.c=$(B)/fuzz/%.o)

$(STACK_FUZZ_OBJS): $(B)/fuzz/%.o: %.c
	@mkdir -p $(@D)
	@$(CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link,address,undefined -MMD -MP -c -o $@ $<

$(STACK_FUZZERS): $(B)/tests/fuzz/%: tests/fuzz/%.c $(STACK_FUZZ_OBJS)
	@mkdir -p $(@D)
	@echo "  FUZZ    $<"
	@$(CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer,address,undefined -o $@ $^ $(STACK_SLIRP_LIBS)

# A minute of them in `make check`.
TEST_SCRIPTS += tests/fuzz/smoke.sh
test-programs: $(STACK_FUZZERS)

.PHONY: fuzz-smoke
## fuzz-smoke    a minute shared by the stack's fuzzers
fuzz-smoke: $(STACK_FUZZERS)
	@B=$(B) tests/fuzz/smoke.sh

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
STACK_RANDOM := $(B)/tests/random/stack $(B)/tests/random/tcp
SEEDS ?= 1000
FIRST ?= 1
TEST_SCRIPTS += $(STACK_RANDOM)
test-programs: $(STACK_RANDOM)

$(B)/tests/random/stack: tests/sim/random.c
$(B)/tests/random/tcp: tests/sim/tcp_random.c tests/sim/tcp_app.c tests/sim/tcp_app.h tests/sim/tcp_check.c tests/sim/tcp_check.h

$(STACK_RANDOM): tests/sim/seeds.c tests/sim/seeds.h $(STACK_TEST_SUPPORT) $(B)/libsockstack.a
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(CC) $(filter-out -MMD -MP,$(STACK_TEST_CFLAGS)) -o $@ $(filter tests/%.c,$^) $(STACK_TEST_SUPPORT) \
		$(B)/libsockstack.a

.PHONY: sim
## sim           SEEDS (1000) random networks and as many TCP scenarios, from seed FIRST (1) on; one that fails leaves a pcapng in build/
sim: $(STACK_RANDOM)
	@for p in $(STACK_RANDOM); do $$p -n $(SEEDS) -s $(FIRST) || exit 1; done

# Benchmarks, on demand: what they print depends on the machine.
STACK_BENCHES := $(B)/tests/bench/stack-path $(B)/tests/bench/stack-filter $(B)/tests/bench/stack-tap $(B)/tests/bench/stack-tcp

$(B)/tests/bench/stack-path $(B)/tests/bench/stack-filter: $(B)/tests/bench/stack-%: tests/bench/%.c $(B)/libsockstack.a
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) -MF $@.d -Istack -o $@ $< $(B)/libsockstack.a

$(B)/tests/bench/stack-tcp: tests/bench/tcp.c tests/bench/tcp_peer.c tests/bench/tcp_peer.h tests/kernel/rig.c $(B)/libsockstack.a
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(filter-out -MMD -MP,$(ALL_CFLAGS)) -Istack -Itests/kernel -Itests/bench -o $@ $(filter %.c,$^) $(B)/libsockstack.a

$(B)/tests/bench/stack-loss: tests/bench/loss.c tests/bench/tcp_peer.c tests/bench/tcp_peer.h tests/kernel/rig.c $(B)/libsockstack.a
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(filter-out -MMD -MP,$(ALL_CFLAGS)) -Istack -Itests/kernel -Itests/bench -o $@ $(filter %.c,$^) $(B)/libsockstack.a

$(B)/tests/bench/stack-tap: tests/bench/tap.c tests/kernel/rig.c $(B)/libsockstack.a
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(filter-out -MMD -MP,$(ALL_CFLAGS)) -Istack -Itests/kernel -o $@ tests/bench/tap.c tests/kernel/rig.c $(B)/libsockstack.a

.PHONY: bench-stack
## bench-stack   the stack's speed: a packet's cost, look-ups, UDP and TCP over TAP beside a bare loop and the kernel
bench-stack: $(STACK_BENCHES)
	@status=0; for b in $(STACK_BENCHES); do $$b || status=1; done; exit $$status

.PHONY: bench-loss
## bench-loss    throughput against loss, delay and rate, beside the kernel's; writes tests/bench/loss.md
bench-loss: $(B)/tests/bench/stack-loss
	@scripts/tcp-loss $(B)/tests/bench/stack-loss
