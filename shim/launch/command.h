/* command.h - the subcommands. */
#ifndef SHIM_LAUNCH_COMMAND_H
#define SHIM_LAUNCH_COMMAND_H

/* Each gets its own name as argv[0] and returns the exit status. */
int command_run(int argc, char **argv);
int command_stats(int argc, char **argv);
int command_sockets(int argc, char **argv);
int command_trace(int argc, char **argv);
int command_fault(int argc, char **argv);
int command_capture(int argc, char **argv);
int command_list(int argc, char **argv);
int command_clean(int argc, char **argv);
int command_stack(int argc, char **argv);

/* The help of a subcommand on standard output (`help`) or, after an error, where to find it. */
struct command {
	const char *name, *summary;
	int (*run)(int argc, char **argv);
	const char *help;	/* fits on a screen */
};

/* Ends with a name of NULL. */
extern const struct command commands[];

/* Prints a subcommand's help; returns 0. */
int command_help(const char *name);

#endif
