# Tests of the stack host: Criterion programs that start it and speak its protocol, and its parts.
HOST_TESTS := $(patsubst tests/host/test_%.c,$(B)/tests/host/%,$(wildcard tests/host/test_*.c))
TEST_BINS  += $(HOST_TESTS)
TEST_SCRIPTS += tests/host/tap.sh

$(B)/tests/host/peer.o: tests/host/peer.c
	@mkdir -p $(@D)
	@$(CC) $(ALL_CFLAGS) -Ishim -Itests/host -DHOST_PROGRAM='"$(abspath $(B)/sockshim-stackd)"' -c -o $@ $<

$(HOST_TESTS): $(B)/tests/host/%: tests/host/test_%.c $(B)/tests/host/peer.o $(HOST_LIB) $(B)/libsockdiag.a $(B)/libsockstack.a \
		| $(B)/sockshim-stackd
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) -MF $@.d -Istack -Ishim -Idiag -Itests/host -DHOST_PROGRAM='"$(abspath $(B)/sockshim-stackd)"' \
		-o $@ $(filter %.c %.o %.a,$^) $(HOST_LIBS) -lcriterion

# Fuzzers: libFuzzer programs over the host and the stack with its instrumentation.
HOST_FUZZERS := $(patsubst tests/fuzz/%.c,$(B)/tests/fuzz/%,$(wildcard tests/fuzz/host_*.c))
FUZZERS += $(HOST_FUZZERS)

$(HOST_FUZZERS): $(B)/tests/fuzz/%: tests/fuzz/%.c $(HOST_SRCS) $(STACK_SRCS) $(wildcard stack/*.h stack/*/*.h)
	@mkdir -p $(@D)
	@echo "  FUZZ    $<"
	@$(CLANG) -std=gnu11 -D_GNU_SOURCE $(WARN) -O1 -g -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=all -DSOCKSHIM_VERSION='"$(VERSION)"' -Istack -Ishim -Idiag -o $@ $< \
		$(filter-out stack/host/main.c,$(HOST_SRCS)) $(STACK_SRCS) $(wildcard diag/wire/*.c diag/server/*.c) $(HOST_LIBS) $(STACK_SLIRP_LIBS)

.PHONY: fuzz-host
## fuzz-host     each of the host's fuzzers for FUZZ_SECONDS (15)
fuzz-host: $(HOST_FUZZERS)
	@# The host lives on between inputs, and its tables hide pointers from the search for leaks.
	@for f in $(HOST_FUZZERS); do \
		mkdir -p $$f.corpus; echo "$$(basename $$f)"; \
		ASAN_OPTIONS=detect_leaks=0 $$f -max_total_time=$(FUZZ_SECONDS) -max_len=8192 -timeout=10 -verbosity=0 -print_final_stats=1 \
			-artifact_prefix=$$f- $$f.corpus $$(ls -d tests/fuzz/corpus/$$(basename $$f) 2>/dev/null) \
			2>$$f.log || { tail -n 60 $$f.log; exit 1; }; \
		grep -a 'stat::number_of_executed_units' $$f.log; \
	done
