# The sockshim command. Objects are made by the pattern rule of shim/part.mk.
LAUNCH_SRCS := $(wildcard shim/launch/*.c) shim/run/reader.c shim/run/errno_name.c \
               shim/switch/cookie.c shim/interpose/calls.c \
               $(wildcard shim/fault/*.c) $(wildcard shim/plugin/*.c)
LAUNCH_OBJS := $(LAUNCH_SRCS:%.c=$(B)/%.o)
# Everything but main, for the tests.
LAUNCH_LIB_OBJS := $(filter-out $(B)/shim/launch/sockshim.o,$(LAUNCH_OBJS))
LAUNCH_LIBS := -ljansson -l:libffi_pic.a

$(B)/sockshim: $(LAUNCH_OBJS)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LAUNCH_LIBS)

ALL += $(B)/sockshim
