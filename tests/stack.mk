# Tests of the stack: units and simulations (Criterion), random simulations, against the kernel, fuzzers.
STACK_TEST_SUPPORT := $(B)/tests/support/net.o
STACK_UNITS := $(patsubst tests/unit/stack/%.c,$(B)/tests/unit/stack/%,$(wildcard tests/unit/stack/*.c))
STACK_SIMS  := $(patsubst tests/sim/test_%.c,$(B)/tests/sim/%,$(wildcard tests/sim/test_*.c))
STACK_TEST_CFLAGS = $(ALL_CFLAGS) -Istack -Itests/sim

TEST_BINS += $(STACK_UNITS) $(STACK_SIMS)

$(B)/tests/support/net.o: tests/sim/net.c
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
