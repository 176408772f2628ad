# shim: the preloaded library and the sockshim command.
include shim/fault/part.mk shim/plugin/part.mk
-include shim/launch/part.mk

SHIM_SWITCH_SRCS := shim/switch/cookie.c shim/switch/socktab.c shim/switch/switch.c \
                    shim/run/stat.c shim/run/errno_name.c
SHIM_LIB_SRCS := $(SHIM_SWITCH_SRCS) $(FAULT_SRCS) $(PLUGIN_SRCS) \
                 $(addprefix shim/run/,config.c writer.c) \
                 $(addprefix shim/interpose/,call.c calls.c ending.c facts.c hook.c impair.c libc.c \
                   memory.c outcome.c rules.c site.c symbol.c trace.c \
                   wrap_fd.c wrap_io.c wrap_poll.c wrap_process.c wrap_socket.c wrap_syscall.c)

# The library is loaded into programs of every kind: hidden symbols, no fortified calls (musl has none of
# them), no stack protector (vfork and setcontext).
SHIM_LIB_CFLAGS = -Ishim -fvisibility=hidden -U_FORTIFY_SOURCE -fno-stack-protector \
                  -ftls-model=initial-exec
SHIM_LIB_OBJS := $(SHIM_LIB_SRCS:%.c=$(B)/lib/%.o) $(B)/lib/shim/interpose/vfork.o

$(B)/lib/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(SHIM_LIB_CFLAGS) -c $< -o $@

$(B)/lib/%.o: %.S
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c $< -o $@

# Two segments and lazy binding: what a process that never opens a socket pays is the loading.
$(B)/libsockshim.so: $(SHIM_LIB_OBJS) shim/libsockshim.map
	$(CC) -shared -o $@ $(SHIM_LIB_OBJS) -Wl,--version-script=shim/libsockshim.map -Wl,-soname,libsockshim.so \
		-Wl,-z,defs -Wl,-z,relro -Wl,-z,lazy -Wl,-z,noseparate-code -Wl,--as-needed -static-libgcc $(PLUGIN_LIBS) -lc

ALL += $(if $(SAN),,$(B)/libsockshim.so)
