# diag/: the codec and client library (build/libsockdiag.a), and the sockdiag tool.

DIAG_LIB_SRC := $(wildcard diag/wire/*.c diag/client/*.c diag/server/*.c)
DIAG_LIB_OBJ := $(DIAG_LIB_SRC:%.c=$(B)/%.o)
DIAG_LIB     := $(B)/libsockdiag.a
DIAG_CLI_SRC := $(wildcard diag/cli/*.c)
DIAG_CLI_OBJ := $(DIAG_CLI_SRC:%.c=$(B)/%.o)
DIAG_LIBS    := -lmnl

ALL += $(DIAG_LIB)

$(B)/diag/%.o: diag/%.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) -Idiag -c -o $@ $<

$(DIAG_LIB): $(DIAG_LIB_OBJ)
	@rm -f $@
	@echo "  AR      $@"
	@$(AR) rcs $@ $^

ALL += $(B)/sockdiag

$(B)/sockdiag: $(DIAG_CLI_OBJ) $(DIAG_LIB)
	@echo "  LD      $@"
	@$(CC) $(ALL_CFLAGS) -o $@ $^ $(DIAG_LIBS) -lm

# Headers keep their folders below include/sockdiag, which is what a program gives to -I.
DIAG_HDR := $(wildcard diag/wire/*.h diag/client/*.h diag/server/*.h)

## install-diag  install sockdiag, its manual page and completion, libsockdiag, its headers and what pkg-config knows of it
.PHONY: install-diag
install-diag: $(B)/sockdiag $(DIAG_LIB)
	install -D -m 755 $(B)/sockdiag $(DESTDIR)$(PREFIX)/bin/sockdiag
	install -D -m 644 diag/cli/sockdiag.1 $(DESTDIR)$(PREFIX)/share/man/man1/sockdiag.1
	install -D -m 644 diag/cli/completion/sockdiag $(DESTDIR)$(PREFIX)/share/bash-completion/completions/sockdiag
	install -D -m 644 $(DIAG_LIB) $(DESTDIR)$(PREFIX)/lib/libsockdiag.a
	install -d $(DESTDIR)$(PREFIX)/lib/pkgconfig
	sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|' diag/sockdiag.pc.in >$(DESTDIR)$(PREFIX)/lib/pkgconfig/sockdiag.pc
	@for h in $(DIAG_HDR:diag/%=%); do \
		install -D -m 644 diag/$$h $(DESTDIR)$(PREFIX)/include/sockdiag/$$h || exit 1; \
	done
