# shim: the preloaded library and the sockshim command.
include shim/fault/part.mk shim/plugin/part.mk
-include shim/launch/part.mk

SHIM_SWITCH_SRCS := shim/switch/cookie.c shim/switch/socktab.c shim/switch/switch.c \
                    shim/run/stat.c shim/run/errno_name.c
SHIM_LIB_SRCS := $(SHIM_SWITCH_SRCS) $(FAULT_SRCS) $(PLUGIN_SRCS) \
                 $(addprefix shim/run/,clock.c complain.c config.c writer.c) \
                 $(addprefix shim/backend/,ahead.c board.c channel.c client.c hatch.c start.c traffic.c) \
                 $(addprefix shim/interpose/,asan.c call.c calls.c ending.c facts.c hook.c impair.c libc.c \
                   memory.c netlink.c netlink_call.c netlink_route.c object.c outcome.c procnet.c redirect.c redirect_dgram.c redirect_io.c redirect_move.c redirect_name.c \
                   redirect_bell.c redirect_control.c redirect_epoll.c redirect_fastopen.c redirect_idle.c redirect_option.c redirect_ring.c redirect_stream.c redirect_wait.c resolve.c rules.c site.c symbol.c trace.c \
                   wrap_fd.c wrap_identity.c wrap_io.c wrap_mmap.c wrap_names.c wrap_open.c wrap_poll.c wrap_process.c wrap_socket.c \
                   wrap_syscall.c netlink_aim.c)

# The library is loaded into programs of every kind: hidden symbols, no fortified calls (musl has none of
# them), no stack protector (vfork and setcontext).
SHIM_LIB_CFLAGS = -Ishim -fvisibility=hidden -U_FORTIFY_SOURCE -fno-stack-protector \
                  -ftls-model=initial-exec -falign-functions=64
SHIM_LIB_OBJS := $(SHIM_LIB_SRCS:%.c=$(B)/lib/%.o) $(B)/lib/shim/interpose/vfork.o

$(B)/lib/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) $(SHIM_LIB_CFLAGS) -c $< -o $@

$(B)/lib/%.o: %.S
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) -Ishim -c $< -o $@

# Two segments, and none of the compiler's code at start and end: what a process that never opens a socket pays is the
# loading. No lazy binding: it may be a handler on a small stack that makes the first call.
$(B)/libsockshim.so: $(SHIM_LIB_OBJS) shim/libsockshim.map
	@echo "  LD      $@"
	@$(CC) -shared -nostartfiles -o $@ $(SHIM_LIB_OBJS) -Wl,--version-script=shim/libsockshim.map -Wl,-soname,libsockshim.so \
		-Wl,-z,defs -Wl,-z,relro -Wl,-z,now -Wl,-z,noseparate-code -Wl,--as-needed -static-libgcc $(PLUGIN_LIBS) -lc

ALL += $(if $(SAN),,$(B)/libsockshim.so)

MAN_PAGES := shim/launch/sockshim.1 shim/fault/sockshim-rules.5 $(B)/libsockshim.7

$(B)/libsockshim.7: shim/libsockshim.7.in shim/interpose/calls.def scripts/calls-table
	@mkdir -p $(@D)
	scripts/calls-table shim/interpose/calls.def shim/libsockshim.7.in >$@

ALL += $(if $(SAN),,$(B)/libsockshim.7)

.PHONY: install-shim
install-shim: all
	install -d $(addprefix $(DESTDIR)$(PREFIX)/,bin lib/pkgconfig include share/bash-completion/completions \
		$(addprefix share/man/man,1 5 7))
	install -m 755 $(B)/sockshim $(DESTDIR)$(PREFIX)/bin/
	install -m 755 $(B)/libsockshim.so $(DESTDIR)$(PREFIX)/lib/
	install -m 644 shim/sockshim.h $(DESTDIR)$(PREFIX)/include/
	sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|' shim/sockshim.pc.in >$(DESTDIR)$(PREFIX)/lib/pkgconfig/sockshim.pc
	install -m 644 shim/launch/sockshim.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/sockshim
	for p in $(MAN_PAGES); do \
		install -m 644 $$p $(DESTDIR)$(PREFIX)/share/man/man$${p##*.}/ || exit 1; \
	done
