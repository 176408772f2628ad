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
	$(CC) $(ALL_CFLAGS) -Idiag -c -o $@ $<

$(DIAG_LIB): $(DIAG_LIB_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

ALL += $(B)/sockdiag

$(B)/sockdiag: $(DIAG_CLI_OBJ) $(DIAG_LIB)
	$(CC) $(ALL_CFLAGS) -o $@ $^ $(DIAG_LIBS) -lm
