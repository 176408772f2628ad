# Tests of the sockshim command and of the reader of run files.
LAUNCH_TEST_FIXTURE := $(B)/launch/tests/unit/shim/run_fixture.o
LAUNCH_TESTS := $(patsubst %.c,$(B)/%,$(filter-out %/run_fixture.c,$(wildcard tests/unit/shim/run_*.c \
                tests/unit/shim/launch_*.c)))
TEST_BINS    += $(LAUNCH_TESTS)

$(LAUNCH_TESTS): $(B)/tests/unit/shim/%: tests/unit/shim/%.c $(LAUNCH_TEST_FIXTURE) $(LAUNCH_LIB_OBJS)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Ishim -Itests/unit/shim $< $(LAUNCH_TEST_FIXTURE) $(LAUNCH_LIB_OBJS) -o $@ \
		-lcriterion $(LAUNCH_LIBS)

# The command itself, with a program that uses sockets as it is told.
LAUNCH_CLIENT  := $(B)/tests/launch/client
LAUNCH_SCRIPTS := tests/launch/run.sh tests/launch/bad_input.sh tests/launch/show.sh tests/launch/fault.sh \
                  tests/launch/trace.sh
TEST_SCRIPTS   += $(LAUNCH_SCRIPTS)
run-tests: $(LAUNCH_CLIENT)

# Never sanitized: the library is preloaded into it.
$(LAUNCH_CLIENT): tests/launch/client.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -D_GNU_SOURCE $(WARN) -O1 -g -MMD -MP $< -o $@

.PHONY: check-launch
## check-launch  the tests of the sockshim command alone
check-launch: $(B)/sockshim $(ALL) $(LAUNCH_TESTS) $(LAUNCH_CLIENT)
	@B=$(B) scripts/run-tests $(LAUNCH_TESTS) $(LAUNCH_SCRIPTS)
