# Tests of the sockshim command and of the reader of run files.
LAUNCH_TEST_FIXTURE := $(B)/launch/tests/unit/shim/run_fixture.o
LAUNCH_TESTS := $(patsubst %.c,$(B)/%,$(filter-out %/run_fixture.c,$(wildcard tests/unit/shim/run_*.c \
                tests/unit/shim/launch_*.c)))
TEST_BINS    += $(LAUNCH_TESTS)

$(LAUNCH_TESTS): $(B)/tests/unit/shim/%: tests/unit/shim/%.c $(LAUNCH_TEST_FIXTURE) $(LAUNCH_LIB_OBJS)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Ishim -Itests/unit/shim $< $(LAUNCH_TEST_FIXTURE) $(LAUNCH_LIB_OBJS) -o $@ \
		-lcriterion $(LAUNCH_LIBS)
