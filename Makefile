# sockshim: build, test, install.  `make help` says what there is.
#
# Each part has its own list: {shim,stack,diag}/part.mk for what is built, tests/{shim,stack,diag}.mk
# for its tests. A part adds to ALL (what `make` builds), TEST_BINS (Criterion programs) and
# TEST_SCRIPTS (programs that print "ok NAME", "not ok NAME" or "skip NAME: why" lines).

PREFIX  ?= /usr/local
DESTDIR ?=
SAN     ?=
JOBS    ?= $(shell nproc)
VERSION := 0.1.0

# A sanitizer build lives beside the plain one: `make SAN=asan check-units`.
ifeq ($(SAN),)
B := build
else ifeq ($(SAN),asan)
B := build/asan
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
else ifeq ($(SAN),tsan)
B := build/tsan
SANFLAGS := -fsanitize=thread
else
$(error SAN=$(SAN): expected asan or tsan)
endif

CC      ?= gcc
CLANG   ?= clang
WARN    := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef \
           -Wpointer-arith -Wvla -Wwrite-strings -Wno-unused-parameter
CFLAGS  ?= -O2 -g
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE $(WARN) $(CFLAGS) $(SANFLAGS) -fPIC -MMD -MP -DSOCKSHIM_VERSION='"$(VERSION)"'

ALL          :=
TEST_BINS    :=
TEST_SCRIPTS :=
FUZZERS      :=

.DEFAULT_GOAL := all
include $(wildcard shim/part.mk stack/part.mk diag/part.mk)
include $(wildcard tests/shim.mk tests/stack.mk tests/host.mk tests/diag.mk)

.PHONY: all check check-units check-layers deps demo install clean help

all: $(ALL)

## check         install what is missing, build, run every test
check: deps
	@scripts/check-layers
	$(MAKE) -j$(JOBS) all test-programs
	$(MAKE) -j$(JOBS) SAN=asan unit-programs
	$(MAKE) -j$(JOBS) SAN=tsan thread-programs
	@B=$(B) scripts/run-tests $(TEST_BINS) $(TEST_SCRIPTS) $(patsubst $(B)/%,build/asan/%,$(UNIT_BINS)) \
		$(patsubst $(B)/%,build/tsan/%,$(THREAD_BINS))

UNIT_BINS = $(filter $(B)/tests/unit/%,$(TEST_BINS))
THREAD_BINS = $(filter %_threads,$(UNIT_BINS))

.PHONY: test-programs unit-programs thread-programs
test-programs: all $(TEST_BINS)
unit-programs: $(UNIT_BINS)
thread-programs: $(THREAD_BINS)

## check-units   the unit tests alone (SAN=asan: under AddressSanitizer and UBSan)
check-units: $(UNIT_BINS)
	@B=$(B) scripts/run-tests $(UNIT_BINS)

## check-layers  the includes keep to the layers
check-layers:
	@scripts/check-layers

## deps          install the Debian packages that building and testing need
deps:
	@scripts/install-deps

## demo          install what is missing, build, and show curl and nginx under the shim
demo: deps
	$(MAKE) -j$(JOBS) all
	scripts/demo

## install       to PREFIX (default /usr/local), below DESTDIR
install: install-shim install-diag install-host install-stack

## clean         remove build/
clean:
	rm -rf build

## help          this list
help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST) | sort

-include $(shell find $(B) -name '*.d' 2>/dev/null)
