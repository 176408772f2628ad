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
