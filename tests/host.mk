# Tests of the stack host: Criterion programs that start it and speak its protocol, and its parts.
HOST_TESTS := $(patsubst tests/host/test_%.c,$(B)/tests/host/%,$(wildcard tests/host/test_*.c))
TEST_BINS  += $(HOST_TESTS)

$(B)/tests/host/peer.o: tests/host/peer.c
	@mkdir -p $(@D)
	@$(CC) $(ALL_CFLAGS) -Ishim -Itests/host -DHOST_PROGRAM='"$(abspath $(B)/sockshim-stackd)"' -c -o $@ $<

$(HOST_TESTS): $(B)/tests/host/%: tests/host/test_%.c $(B)/tests/host/peer.o $(HOST_LIB) $(B)/libsockdiag.a $(B)/libsockstack.a \
		| $(B)/sockshim-stackd
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) -MF $@.d -Istack -Ishim -Itests/host -DHOST_PROGRAM='"$(abspath $(B)/sockshim-stackd)"' \
		-o $@ $(filter %.c %.o %.a,$^) $(HOST_LIBS) -lcriterion
