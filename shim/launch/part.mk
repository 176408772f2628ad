# The sockshim command. Its objects are its own, so that it can be built with sanitizers.
LAUNCH_SRCS := $(sort $(wildcard shim/launch/*.c)) shim/run/clock.c shim/run/reader.c shim/run/stat.c shim/run/errno_name.c \
               shim/switch/cookie.c shim/interpose/calls.c shim/backend/traffic.c $(FAULT_SRCS) $(PLUGIN_SRCS)
LAUNCH_OBJS := $(LAUNCH_SRCS:%.c=$(B)/launch/%.o)
# Everything but main and the subcommands, for the tests.
LAUNCH_LIB_OBJS := $(filter-out %/sockshim.o,$(foreach o,$(LAUNCH_OBJS),$(if $(findstring /command_,$o),,$o)))
LAUNCH_LIBS := -ljansson $(PLUGIN_LIBS)

$(B)/launch/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) -Ishim $(LAUNCH_INCLUDES) -DSOCKSHIM_LIBDIR='"$(PREFIX)/lib"' -c $< -o $@

# What captures uses two modules of the stack's library.
$(B)/launch/shim/launch/command_capture.o $(B)/launch/shim/launch/command_capture_file.o: LAUNCH_INCLUDES := -Istack

$(B)/sockshim: $(LAUNCH_OBJS) $(B)/libsockstack.a
	@echo "  LD      $@"
	@$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LAUNCH_LIBS)

ALL += $(B)/sockshim
