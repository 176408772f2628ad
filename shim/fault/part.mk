# Sources of the fault rules, for whoever links them: the library, the tool, their tests.
FAULT_SRCS := $(addprefix shim/fault/,address.c clause.c clause_amount.c decide.c errnos.c glob.c \
              message.c names.c parse.c quantity.c set.c target.c word.c)
