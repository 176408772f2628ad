/* message.c - what the command says on standard error. */
#include "launch/message.h"

#include <stdarg.h>
#include <stdio.h>

bool message_quiet;

/* One write per line, so that it does not mix with what the program says. */
static void say(const char *kind, const char *format, va_list args)
{
	char line[4096];

	vsnprintf(line, sizeof(line), format, args);
	fprintf(stderr, "sockshim: %s%s\n", kind, line);
}

void message_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("", format, args);
	va_end(args);
}

void message_warning(const char *format, ...)
{
	va_list args;

	if (message_quiet)
		return;
	va_start(args, format);
	say("warning: ", format, args);
	va_end(args);
}

void message_note(const char *format, ...)
{
	va_list args;

	if (message_quiet)
		return;
	va_start(args, format);
	say("", format, args);
	va_end(args);
}

int message_usage(const char *subcommand, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("", format, args);
	va_end(args);
	fprintf(stderr, "Try: sockshim help%s%s\n", subcommand[0] ? " " : "", subcommand);
	return EXIT_USAGE;
}
