# Tests of the sockshim command and of the reader of run files.
LAUNCH_TEST_FIXTURE := $(B)/launch/tests/unit/shim/run_fixture.o
LAUNCH_TESTS := $(patsubst %.c,$(B)/%,$(filter-out %/run_fixture.c,$(wildcard tests/unit/shim/run_*.c \
                tests/unit/shim/launch_*.c)))
TEST_BINS    += $(LAUNCH_TESTS)

$(LAUNCH_TESTS): $(B)/tests/unit/shim/%: tests/unit/shim/%.c $(LAUNCH_TEST_FIXTURE) $(LAUNCH_LIB_OBJS)
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) -Ishim -Itests/unit/shim $< $(LAUNCH_TEST_FIXTURE) $(LAUNCH_LIB_OBJS) -o $@ \
		-lcriterion $(LAUNCH_LIBS)

# The command itself, with a program that uses sockets as it is told.
LAUNCH_CLIENT  := $(B)/tests/launch/client
LAUNCH_SCRIPTS := tests/launch/run.sh tests/launch/bad_input.sh tests/launch/show.sh tests/launch/fault.sh \
                  tests/launch/trace.sh tests/launch/docs.sh tests/launch/capture.sh tests/launch/install.sh
TEST_SCRIPTS   += $(LAUNCH_SCRIPTS)
test-programs: $(LAUNCH_CLIENT)

# Never sanitized: the library is preloaded into it.
$(LAUNCH_CLIENT): tests/launch/client.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) -std=gnu11 -D_GNU_SOURCE $(WARN) -O1 -g -MMD -MP $< -o $@

.PHONY: check-launch
## check-launch  the tests of the sockshim command alone
check-launch: $(B)/sockshim $(ALL) $(LAUNCH_TESTS) $(LAUNCH_CLIENT)
	@B=$(B) scripts/run-tests $(LAUNCH_TESTS) $(LAUNCH_SCRIPTS)

# `make fuzz-launch` runs it for FUZZ_SECONDS.
LAUNCH_FUZZER := $(B)/tests/fuzz/shim/run_reader
FUZZERS += $(LAUNCH_FUZZER)

$(LAUNCH_FUZZER): tests/fuzz/shim/run_reader.c $(filter-out shim/launch/sockshim.c,$(LAUNCH_SRCS))
	@mkdir -p $(@D)
	$(CLANG) -std=gnu11 -D_GNU_SOURCE $(WARN) -O1 -g -Ishim -DSOCKSHIM_VERSION='"$(VERSION)"' \
		-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
		$< $(filter-out %/sockshim.c,$(foreach s,$(filter shim/%.c,$^),$(if $(findstring /command_,$s),,$s))) \
		-o $@ $(LAUNCH_LIBS)

.PHONY: fuzz-launch
## fuzz-launch   run the fuzzer of run files
fuzz-launch: $(LAUNCH_FUZZER)
	mkdir -p $(B)/corpus/run_reader
	$(LAUNCH_FUZZER) -max_total_time=$(or $(FUZZ_SECONDS),60) -max_len=16384 -len_control=0 -close_fd_mask=3 -artifact_prefix=$(B)/ $(B)/corpus/run_reader
