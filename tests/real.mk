# Tests of real programs under the shim: scripts that run them (tests/real/lib.sh).
ifeq ($(SAN),)
TEST_SCRIPTS += $(filter-out %/lib.sh %/stack_lib.sh,$(wildcard tests/real/*.sh))

test-programs: $(B)/tests/real/threads
$(B)/tests/real/threads: tests/real/threads.cc
	@mkdir -p $(@D)
	$(CXX) -std=c++17 -Wall -Wextra -Werror -O2 -g $< -o $@ -pthread

.PHONY: check-real
## check-real    the tests of real programs alone
check-real: all $(B)/tests/real/threads
	@B=$(B) scripts/run-tests $(filter tests/real/%,$(TEST_SCRIPTS))
endif
