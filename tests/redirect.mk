# Programs whose sockets are redirected into a stack: scripts, and what they run.
BACKEND_TESTS := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/shim/backend_*.c))
TEST_BINS += $(BACKEND_TESTS)
$(BACKEND_TESTS): $(B)/tests/unit/shim/%: tests/unit/shim/%.c $(B)/unit/shim/backend/traffic.o
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) -Ishim $< $(B)/unit/shim/backend/traffic.o -o $@ -lcriterion

ifeq ($(SAN),)
REDIRECT_PROGS := $(patsubst tests/redirect/progs/%.c,$(B)/tests/redirect/%,$(wildcard tests/redirect/progs/*.c))

$(B)/tests/redirect/%: tests/redirect/progs/%.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) -o $@ $< -pthread

REDIRECT_SCRIPTS := $(filter-out %/lib.sh,$(wildcard tests/redirect/*.sh))
TEST_SCRIPTS += $(REDIRECT_SCRIPTS)
test-programs: $(REDIRECT_PROGS)

.PHONY: check-redirect
## check-redirect  programs on a stack
check-redirect: all $(REDIRECT_PROGS)
	@B=$(B) scripts/run-tests $(REDIRECT_SCRIPTS)
endif
