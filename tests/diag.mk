# Tests of diag/: Criterion programs for the codec, the client, the filters and the server.

DIAG_UNIT_SRC := $(wildcard tests/unit/diag/*_test.c)
DIAG_UNIT_BIN := $(DIAG_UNIT_SRC:tests/%.c=$(B)/tests/%)
TEST_BINS += $(DIAG_UNIT_BIN)

$(B)/tests/unit/diag/%: tests/unit/diag/%.c $(DIAG_LIB)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Idiag -o $@ $< $(filter %.o %.a,$^) $(DIAG_LIBS) -lcriterion

$(B)/tests/unit/diag/server_test: $(B)/tests/unit/diag/table.o

$(B)/tests/unit/diag/table.o: tests/unit/diag/table.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Idiag -Itests/unit/diag -c -o $@ $<

# A server with made-up sockets, or misbehaving, for the tool's tests and the benchmark.
DIAGD := $(B)/tests/diag/diagd

$(DIAGD): tests/diag/diagd.c $(DIAG_LIB)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Idiag -o $@ $^ $(DIAG_LIBS)

# Benchmarks: built when asked for.
DIAG_BENCH := $(B)/tests/bench/diag/pairs $(B)/tests/bench/diag/server_bench

$(B)/tests/bench/diag/%: tests/bench/diag/%.c $(DIAG_LIB)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Idiag -o $@ $^ $(DIAG_LIBS)

## bench-diag    sockdiag beside ss at 1k, 10k and 100k sockets, and the server
.PHONY: bench-diag
bench-diag: $(B)/sockdiag $(DIAG_BENCH)
	@tests/bench/diag/bench $(B)
