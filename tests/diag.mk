# Tests of diag/: Criterion programs for the codec, the client, the filters and the server.

DIAG_UNIT_SRC := $(wildcard tests/unit/diag/*_test.c)
DIAG_UNIT_BIN := $(DIAG_UNIT_SRC:tests/%.c=$(B)/tests/%)
TEST_BINS += $(DIAG_UNIT_BIN)

$(B)/tests/unit/diag/%: tests/unit/diag/%.c $(DIAG_LIB)
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) -Idiag -o $@ $< $(filter %.o,$^) $(DIAG_LIB) $(DIAG_LIBS) -lcriterion

$(B)/tests/unit/diag/client_test: $(B)/tests/unit/diag/netns.o
$(B)/tests/unit/diag/server_test $(B)/tests/unit/diag/procnet_test: \
	$(patsubst %,$(B)/tests/unit/diag/%.o,netns table versus)

$(B)/tests/unit/diag/%.o: tests/unit/diag/%.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) -Idiag -Itests/unit/diag -c -o $@ $<

# A server with made-up sockets, or misbehaving, for the tool's tests and the benchmark.
DIAGD := $(B)/tests/diag/diagd

$(DIAGD): tests/diag/diagd.c $(DIAG_LIB)
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) -Idiag -o $@ $^ $(DIAG_LIBS)

# Benchmarks: built when asked for.
DIAG_BENCH := $(B)/tests/bench/diag/pairs $(B)/tests/bench/diag/server_bench

# The server's is that of the stack host, with the stack's sockets.
$(B)/tests/bench/diag/server_bench: tests/bench/diag/server_bench.c $(HOST_LIB) $(DIAG_LIB) $(B)/libsockstack.a
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) -Istack -Ishim -Idiag -o $@ $(filter %.c %.a,$^) $(HOST_LIBS)

$(B)/tests/bench/diag/%: tests/bench/diag/%.c $(DIAG_LIB)
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) -Idiag -o $@ $^ $(DIAG_LIBS)

## bench-diag    sockdiag beside ss at 1k, 10k and 100k sockets, and the server
.PHONY: bench-diag
bench-diag: $(B)/sockdiag $(DIAG_BENCH)
	@tests/bench/diag/bench $(B)

TEST_SCRIPTS += tests/diag/tool_test tests/diag/stack_test tests/diag/beside_test
test-programs: $(DIAGD) $(B)/sockshim-stackd $(if $(SAN),,$(B)/libsockshim.so)

# Fuzzers: `make fuzz-diag FUZZ_SECONDS=30` runs each on its corpus for so long.
FUZZ_SECONDS ?= 10
DIAG_FUZZERS := $(patsubst tests/fuzz/diag/%.c,$(B)/tests/fuzz/diag/%,$(wildcard tests/fuzz/diag/fuzz_*.c))
FUZZERS += $(DIAG_FUZZERS)

$(B)/tests/fuzz/diag/%: tests/fuzz/diag/%.c $(DIAG_LIB_SRC) $(filter-out diag/cli/main.c,$(DIAG_CLI_SRC)) \
			$(wildcard diag/*/*.h)
	@mkdir -p $(@D)
	$(CLANG) -std=gnu11 -D_GNU_SOURCE $(WARN) -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
		-DSOCKSHIM_VERSION='"$(VERSION)"' -Idiag -o $@ $(filter %.c,$^) $(DIAG_LIBS) -lm

## fuzz-diag     run every fuzzer of diag/ for FUZZ_SECONDS
.PHONY: fuzz-diag
fuzz-diag: $(DIAG_FUZZERS)
	@for f in $^; do \
		new=$$(mktemp -d) && echo "$$f" && \
		$$f -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -verbosity=0 -print_final_stats=1 -artifact_prefix=$(B)/ \
			$$new tests/fuzz/diag/corpus/$$(basename $$f) && rm -rf $$new || exit 1; \
	done

# The tool's parts are linked into their test one by one: the tool has a main() of its own.
$(B)/tests/unit/diag/format_test: $(patsubst %,$(B)/diag/cli/%.o,cgroup filter host jsonout out table utf8)

# The shim's part: the stack's sockets in what a program reads from its netlink socket.
DIAG_SHIM_TEST := $(B)/tests/unit/shim/netlink
TEST_BINS += $(DIAG_SHIM_TEST)

$(DIAG_SHIM_TEST): tests/unit/shim/netlink.c $(B)/unit/shim/interpose/netlink.o $(B)/tests/unit/diag/netns.o $(DIAG_LIB)
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) -Ishim -Idiag -Itests/unit/diag -o $@ $(filter %.c %.o,$^) $(DIAG_LIB) $(DIAG_LIBS) \
		-lcriterion -lpthread
