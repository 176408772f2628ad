# Tests of the switch, its table and its statistics.
SWITCH_TEST_OBJS := $(SHIM_SWITCH_SRCS:%.c=$(B)/unit/%.o)
SWITCH_TESTS := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/shim/switch_*.c))
TEST_BINS    += $(SWITCH_TESTS)

$(SWITCH_TESTS): $(B)/tests/unit/shim/%: tests/unit/shim/%.c $(SWITCH_TEST_OBJS)
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) -Ishim -Itests/unit -Itests/unit/shim $< $(SWITCH_TEST_OBJS) -o $@ -lcriterion -lpthread
