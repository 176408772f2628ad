# The TCP/IP stack: one archive, built from every source under stack/ but the samples and the adapter for packetdrill.
STACK_SRCS := $(filter-out stack/host/% stack/sample/% stack/packetdrill/%,$(wildcard stack/*/*.c stack/*/*/*.c))
STACK_OBJS := $(STACK_SRCS:%.c=$(B)/%.o)

# What one member of the archive, slirp.o, needs: for who links it, or all of them.
STACK_SLIRP_LIBS := -lslirp

# Nobody replaces a function of the library by one of the same name, so calls within a file may be inlined.
STACK_CFLAGS := -fno-semantic-interposition

ALL += $(B)/libsockstack.a

$(STACK_OBJS): $(B)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) $(STACK_CFLAGS) -Istack -c -o $@ $<

$(B)/libsockstack.a: $(STACK_OBJS)
	@echo "  AR      $@"
	@rm -f $@
	@$(AR) rcs $@ $^

STACK_SAMPLES := $(patsubst stack/sample/%.c,$(B)/sample/%,$(wildcard stack/sample/tun_*.c))

ALL += $(STACK_SAMPLES)

$(STACK_SAMPLES): $(B)/sample/%: stack/sample/%.c stack/sample/host.c stack/sample/host.h $(B)/libsockstack.a
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(filter-out -MMD -MP,$(ALL_CFLAGS)) -Istack -o $@ $< stack/sample/host.c $(B)/libsockstack.a

# The stack host: its parts in an archive, for its tests, and the program.
HOST_SRCS := $(wildcard stack/host/*.c)
HOST_OBJS := $(HOST_SRCS:%.c=$(B)/%.o)
HOST_LIB  := $(B)/libstackhost.a
HOST_LIBS := -lmnl -lcares -lseccomp $(STACK_SLIRP_LIBS)

ALL += $(B)/sockshim-stackd

$(HOST_OBJS): $(B)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) -Istack -Ishim -Idiag -c -o $@ $<

$(HOST_LIB): $(filter-out %/main.o,$(HOST_OBJS))
	@echo "  AR      $@"
	@rm -f $@
	@$(AR) rcs $@ $^

$(B)/sockshim-stackd: $(B)/stack/host/main.o $(HOST_LIB) $(B)/libsockdiag.a $(B)/libsockstack.a
	@echo "  LD      $@"
	@$(CC) $(ALL_CFLAGS) -o $@ $^ $(HOST_LIBS)

# The stack as packetdrill --so_filename= takes it.
PACKETDRILL_OBJS := $(patsubst %.c,$(B)/%.o,$(wildcard stack/packetdrill/*.c))

ALL += $(B)/libsockstack-packetdrill.so

$(PACKETDRILL_OBJS): $(B)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) -Istack -c -o $@ $<

$(B)/libsockstack-packetdrill.so: $(PACKETDRILL_OBJS) $(B)/libsockstack.a stack/packetdrill/export.map
	@echo "  LD      $@"
	@$(CC) $(SANFLAGS) -shared -Wl,-z,defs -Wl,--version-script=stack/packetdrill/export.map -o $@ \
		$(PACKETDRILL_OBJS) $(B)/libsockstack.a -lpthread

## install-host  install sockshim-stackd
.PHONY: install-host
install-host: $(B)/sockshim-stackd
	install -D -m 755 $(B)/sockshim-stackd $(DESTDIR)$(PREFIX)/bin/sockshim-stackd

## install-stack install libsockstack, its headers, and the shared object for packetdrill
.PHONY: install-stack
install-stack: $(B)/libsockstack.a $(B)/libsockstack-packetdrill.so
	install -D -m 644 $(B)/libsockstack.a $(DESTDIR)$(PREFIX)/lib/libsockstack.a
	install -D -m 755 $(B)/libsockstack-packetdrill.so $(DESTDIR)$(PREFIX)/lib/libsockstack-packetdrill.so
	for h in netstack.h $(patsubst stack/%,%,$(filter-out stack/host/% stack/packetdrill/%,$(wildcard stack/*/*.h stack/*/*/*.h))); do \
		install -D -m 644 stack/$$h $(DESTDIR)$(PREFIX)/include/sockstack/$$h || exit 1; \
	done
