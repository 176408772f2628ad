# Tests of the fault rules and of the plugin layer. $(B)/unit/%.o: tests/shim.mk.

FAULT_TEST_OBJS  := $(FAULT_SRCS:%.c=$(B)/unit/%.o) $(B)/unit/shim/run/errno_name.o
PLUGIN_TEST_OBJS := $(PLUGIN_SRCS:%.c=$(B)/unit/%.o)

FAULT_TESTS  := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/shim/fault_*.c))
PLUGIN_TESTS := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/shim/plugin_*.c))
TEST_BINS    += $(FAULT_TESTS) $(PLUGIN_TESTS)

# An object for the plugin tests to load.
PLUGIN_OBJECT := $(B)/tests/unit/shim/objects/functions.so

$(FAULT_TESTS): $(B)/tests/unit/shim/%: tests/unit/shim/%.c $(FAULT_TEST_OBJS)
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) -Ishim -Itests/unit -DSOURCE_DIR='"$(CURDIR)"' \
		$< $(FAULT_TEST_OBJS) -o $@ -lcriterion -lpthread

$(PLUGIN_TESTS): $(B)/tests/unit/shim/%: tests/unit/shim/%.c $(PLUGIN_TEST_OBJS) $(PLUGIN_OBJECT)
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) -Ishim -Itests/unit -DPLUGIN_OBJECT='"$(abspath $(PLUGIN_OBJECT))"' \
		$< $(PLUGIN_TEST_OBJS) -o $@ -lcriterion $(PLUGIN_LIBS) -ldl

$(PLUGIN_OBJECT): tests/unit/shim/objects/functions.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) -shared $< -o $@

# `make fuzz-fault` runs each for FUZZ_SECONDS from the corpus.
FUZZ_SECONDS ?= 60
FAULT_FUZZERS := $(B)/tests/fuzz/shim/fault_parse $(B)/tests/fuzz/shim/plugin_signature
FUZZERS += $(FAULT_FUZZERS)

$(FAULT_FUZZERS): $(B)/%: %.c $(FAULT_SRCS) $(PLUGIN_SRCS) shim/run/errno_name.c
	@mkdir -p $(@D)
	$(CLANG) -std=gnu11 -D_GNU_SOURCE $(WARN) -O1 -g -Ishim -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=all $(filter %.c,$^) -o $@ $(PLUGIN_LIBS) -ldl

.PHONY: fuzz-fault
## fuzz-fault    run the fuzzers of the rules and signatures
fuzz-fault: $(FAULT_FUZZERS)
	for f in $(FAULT_FUZZERS); do \
		mkdir -p $(B)/corpus/$${f##*/} && \
		$$f -max_total_time=$(FUZZ_SECONDS) -max_len=4096 $(B)/corpus/$${f##*/} \
			tests/fuzz/shim/corpus/$${f##*/} || exit 1; \
	done

# What a decision costs, printed.
$(B)/tests/bench/fault_decide: tests/bench/fault_decide.c $(FAULT_TEST_OBJS)
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) -Ishim $< $(FAULT_TEST_OBJS) -o $@
