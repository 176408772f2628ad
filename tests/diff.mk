# The same programs on the kernel and on a stack.
ifeq ($(SAN),)
DIFF_PROGS := $(patsubst tests/diff/%.c,$(B)/tests/diff/%,$(wildcard tests/diff/*.c))

# Wrong pointers and lengths are what they pass on purpose.
$(B)/tests/diff/%: tests/diff/%.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) -Wno-nonnull -Wno-stringop-overflow -Wno-stringop-overread -o $@ $< -pthread

TEST_SCRIPTS += tests/diff/run.sh
test-programs: $(DIFF_PROGS)

.PHONY: check-diff
## check-diff    the same programs on the kernel and on a stack
check-diff: all $(DIFF_PROGS)
	@B=$(B) scripts/run-tests tests/diff/run.sh
endif
