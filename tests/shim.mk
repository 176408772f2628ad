# Tests of shim/: each part has its own list.
-include tests/bench.mk tests/switch.mk tests/fault.mk tests/launch.mk tests/preload.mk tests/real.mk tests/diff.mk tests/redirect.mk

# Modules under test are linked directly into Criterion programs.
UNIT_CFLAGS = -Ishim
$(B)/unit/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) $(UNIT_CFLAGS) -c $< -o $@
