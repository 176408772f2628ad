/* message.h - what the command says on standard error. */
#ifndef SHIM_LAUNCH_MESSAGE_H
#define SHIM_LAUNCH_MESSAGE_H

#include <stdbool.h>

/* Exit statuses of the command itself, as env(1) has them. */
enum {
	EXIT_USAGE = 2,
	EXIT_LEAK = 99,		/* --fail-on-leak's default */
	EXIT_OURS = 125,	/* sockshim failed before the program started */
	EXIT_NOEXEC = 126,
	EXIT_NOTFOUND = 127,
};

/* With it, warnings and notes are kept back (run -q). */
extern bool message_quiet;

/* Each prints one line, led by "sockshim: ". */
void message_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void message_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void message_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Says that an option or argument is wrong and where help is, and returns EXIT_USAGE. */
int message_usage(const char *subcommand, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
