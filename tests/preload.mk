# Tests of the library in front of programs: Criterion programs that run the programs of progs/ with
# libsockshim.so preloaded. There is no sanitized library, so these are of the plain build only.
ifeq ($(SAN),)
PRELOAD_SRC   := tests/preload
PRELOAD_OUT   := $(B)/tests/preload
PRELOAD_TESTS := $(basename $(notdir $(filter-out %/child.c,$(wildcard $(PRELOAD_SRC)/*.c))))
PRELOAD_BINS  := $(PRELOAD_TESTS:%=$(PRELOAD_OUT)/%)
PRELOAD_LIBS  := $(patsubst $(PRELOAD_SRC)/%.c,$(PRELOAD_OUT)/%.so,$(wildcard $(PRELOAD_SRC)/progs/lib/*.c))
PRELOAD_PROGS := $(patsubst $(PRELOAD_SRC)/%.c,$(PRELOAD_OUT)/%,$(wildcard $(PRELOAD_SRC)/progs/*.c)) \
                 $(PRELOAD_OUT)/progs/statics
ifneq ($(shell command -v musl-gcc),)
PRELOAD_PROGS += $(addprefix $(PRELOAD_OUT)/progs/musl/,simple signals)
endif
PRELOAD_PROGS += $(addprefix $(PRELOAD_OUT)/progs/asan/,simple signals)
PRELOAD_OBJS  := $(B)/unit/tests/preload/child.o $(B)/unit/shim/switch/cookie.o $(B)/unit/shim/run/errno_name.o $(B)/unit/shim/run/stat.o

$(B)/unit/tests/preload/%.o: UNIT_CFLAGS += -Itests
$(PRELOAD_BINS): $(PRELOAD_OUT)/%: $(B)/unit/tests/preload/%.o $(PRELOAD_OBJS) | $(PRELOAD_PROGS) $(PRELOAD_LIBS) $(B)/libsockshim.so
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) -o $@ $< $(PRELOAD_OBJS) -lcriterion

# Null pointers and wrong lengths are what they pass on purpose; argument vectors are of literals.
PRELOAD_PROG_CFLAGS := -Wno-nonnull -Wno-stringop-overflow -Wno-stringop-overread -Wno-write-strings -Ishim
$(PRELOAD_OUT)/progs/%: $(PRELOAD_SRC)/progs/%.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) $(PRELOAD_PROG_CFLAGS) -o $@ $< $(PRELOAD_LINK) -pthread -ldl

# The early program has its dependency in its own list, as any program has its libraries.
$(PRELOAD_OUT)/progs/early: PRELOAD_LINK = $(PRELOAD_OUT)/progs/lib/early.so -Wl,-rpath,'$$ORIGIN/lib'
$(PRELOAD_OUT)/progs/early: | $(PRELOAD_OUT)/progs/lib/early.so

# By its full path, which a program that runs with more rights than its caller follows too.
$(PRELOAD_OUT)/progs/linked: PRELOAD_LINK = $(B)/libsockshim.so -Wl,-rpath,$(abspath $(B))
$(PRELOAD_OUT)/progs/linked: $(B)/libsockshim.so

$(PRELOAD_OUT)/progs/%: $(PRELOAD_SRC)/progs/%.cc
	@mkdir -p $(@D)
	$(CXX) -std=c++17 -Wall -Wextra -Werror $(CFLAGS) -MMD -MP -o $@ $< -pthread

# They stand in for functions of libc themselves.
$(PRELOAD_OUT)/progs/lib/%.so: $(PRELOAD_SRC)/progs/lib/%.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) -Wno-missing-prototypes -shared -fno-builtin -Wl,-soname,$(@F) -o $@ $< -ldl

# Its run time as a shared object, as gcc links it.
$(PRELOAD_OUT)/progs/asan/%: $(PRELOAD_SRC)/progs/%.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@gcc $(ALL_CFLAGS) $(PRELOAD_PROG_CFLAGS) -fsanitize=address -o $@ $< -pthread

$(PRELOAD_OUT)/progs/musl/%: $(PRELOAD_SRC)/progs/%.c
	@mkdir -p $(@D)
	musl-gcc -std=gnu11 -D_GNU_SOURCE $(WARN) $(CFLAGS) -MMD -MP $(PRELOAD_PROG_CFLAGS) -o $@ $< -pthread

TEST_BINS += $(PRELOAD_BINS)
.SECONDARY: $(PRELOAD_TESTS:%=$(B)/unit/tests/preload/%.o)
endif
