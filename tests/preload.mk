# Tests of the library in front of programs: Criterion programs that run the programs of progs/ with
# libsockshim.so preloaded. There is no sanitized library, so these are of the plain build only.
ifeq ($(SAN),)
PRELOAD_TESTS := $(basename $(notdir $(filter-out %/child.c,$(wildcard tests/preload/*.c))))
PRELOAD_BINS  := $(PRELOAD_TESTS:%=$(B)/tests/preload/%)
PRELOAD_PROGS := $(patsubst tests/preload/progs/%.c,$(B)/tests/preload/progs/%,$(wildcard tests/preload/progs/*.c))
PRELOAD_OBJS  := $(B)/unit/tests/preload/child.o $(B)/unit/shim/switch/cookie.o $(B)/unit/shim/run/errno_name.o

$(B)/unit/tests/preload/%.o: UNIT_CFLAGS += -Itests
$(PRELOAD_BINS): $(B)/tests/preload/%: $(B)/unit/tests/preload/%.o $(PRELOAD_OBJS) | $(PRELOAD_PROGS) $(B)/libsockshim.so
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -o $@ $< $(PRELOAD_OBJS) -lcriterion

# Null pointers and wrong lengths are what they pass on purpose; argument vectors are of literals.
$(B)/tests/preload/progs/%: tests/preload/progs/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Wno-nonnull -Wno-stringop-overflow -Wno-stringop-overread -Wno-write-strings -Ishim -o $@ $< -pthread -ldl

TEST_BINS += $(PRELOAD_BINS)
.SECONDARY: $(PRELOAD_TESTS:%=$(B)/unit/tests/preload/%.o)
endif
