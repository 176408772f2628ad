# The TCP/IP stack: one archive, built from every source under stack/ but the samples.
STACK_SRCS := $(filter-out stack/host/% stack/sample/%,$(wildcard stack/*/*.c stack/*/*/*.c))
STACK_OBJS := $(STACK_SRCS:%.c=$(B)/%.o)

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

STACK_SAMPLES := $(patsubst stack/sample/%.c,$(B)/sample/%,$(wildcard stack/sample/*.c))

ALL += $(STACK_SAMPLES)

$(STACK_SAMPLES): $(B)/sample/%: stack/sample/%.c $(B)/libsockstack.a
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) -MF $@.d -Istack -o $@ $< $(B)/libsockstack.a
