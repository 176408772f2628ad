/* rules.c - reads fault rules, says what is wrong with them, and numbers them. */
#include "launch/rules.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault/fault.h"
#include "launch/message.h"
#include "plugin/plugin.h"

#define ERRORS_SHOWN	8
#define FILE_MAX	(1u << 20)	/* a rule file has comments, too, but not a megabyte of them */

void rules_init(struct rules *r, unsigned next)
{
	memset(r, 0, sizeof(*r));
	r->next = next;
}

/* Shows a message for line and column (from 1) of text, with the line and a caret under the place. */
static void show_place(const char *source, const char *text, size_t n, unsigned line, unsigned column,
		       bool warning, const char *what)
{
	const char *at = text, *end = text + n, *eol;

	if (warning && message_quiet)
		return;
	fprintf(stderr, "sockshim: %s:%u:%u: %s%s\n", source, line, column, warning ? "warning: " : "", what);
	for (unsigned i = 1; i < line && at; i++) {
		at = memchr(at, '\n', (size_t)(end - at));
		at = at ? at + 1 : NULL;
	}
	if (!at || at >= end)
		return;
	eol = memchr(at, '\n', (size_t)(end - at));
	if (!eol)
		eol = end;
	fputs("  ", stderr);
	for (const char *p = at; p < eol; p++)
		fputc(((unsigned char)*p < 0x20 && *p != '\t') || *p == 0x7f ? '?' : *p, stderr);
	fputs("\n  ", stderr);
	for (const char *p = at; p < at + column - 1; p++)
		if (p >= eol || ((unsigned char)*p & 0xc0) != 0x80)
			fputc(p < eol && *p == '\t' ? '\t' : ' ', stderr);
	fputs("^\n", stderr);
}

/* Binds in a child of ours: an object's constructors may do anything. */
static int try_bind(const struct fault_rule *rule, struct plugin_error *err)
{
	int pipe_fds[2], status;
	ssize_t n;
	pid_t pid;

	memset(err, 0, sizeof(*err));
	if (pipe2(pipe_fds, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		snprintf(err->text, sizeof(err->text), "cannot try the plugin: %s", strerror(errno));
		return -1;
	}
	if (pid == 0) {
		struct plugin plugin;

		int rc = plugin_bind(&plugin, fault_rule_object(rule), fault_rule_symbol(rule),
				     fault_rule_signature(rule), fault_rule_after(rule), err);
		if (rc < 0 && write(pipe_fds[1], err, sizeof(*err)) < 0)
			rc = -1;
		_exit(rc < 0);
	}
	close(pipe_fds[1]);
	n = read(pipe_fds[0], err, sizeof(*err));
	close(pipe_fds[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status))
		snprintf(err->text, sizeof(err->text), "%s: loading it ends the process with signal %d (%s)",
			 fault_rule_object(rule), WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) == 0)
		return 0;
	else if (n != (ssize_t)sizeof(*err))
		snprintf(err->text, sizeof(err->text), "%s: loading it ends the process with status %d",
			 fault_rule_object(rule), WEXITSTATUS(status));
	return -1;
}

/* Where in the source a rule stands that was parsed from it: the first line that holds its text. */
static unsigned line_of(const char *text, size_t n, const char *rule, unsigned *column)
{
	const char *found = memmem(text, n, rule, strlen(rule));
	const char *bol = found ? memrchr(text, '\n', (size_t)(found - text)) : NULL;
	unsigned line = 1;

	bol = bol ? bol + 1 : text;
	*column = found ? (unsigned)(found - bol) + 1 : 1;
	for (const char *p = text; found && p < found; p++)
		line += *p == '\n';
	return line;
}

/* Appends one rule. The object of a `call` rule gets its full path: a program may change directory, and
 * `sockshim fault add` is used from another one. */
static int append(struct rules *r, const struct fault_rule *rule)
{
	const char *text = fault_rule_text(rule), *object = fault_rule_object(rule), *at = NULL;
	char real[PATH_MAX];
	int n;

	if (object && strchr(object, '/') && object[0] != '/' && realpath(object, real))
		at = strstr(text, object);
	if (at)
		n = snprintf(r->text + r->bytes, sizeof(r->text) - r->bytes, "%u %.*s%s%s\n",
			     fault_rule_number(rule), (int)(at - text), text, real, at + strlen(object));
	else
		n = snprintf(r->text + r->bytes, sizeof(r->text) - r->bytes, "%u %s\n",
			     fault_rule_number(rule), text);
	if (r->bytes + (size_t)n >= sizeof(r->text)) {
		r->text[r->bytes] = '\0';
		message_error("the rules are longer than the %zu bytes that a run holds; remove some",
			      sizeof(r->text) - 1);
		return -1;
	}
	r->bytes += (size_t)n;
	return 0;
}

/* Tries the plugins of a set; 0, or -1 after saying what is wrong. */
static int check_plugins(const struct fault_set *set, const char *source, const char *text, size_t n)
{
	int rc = 0;

	for (size_t i = 0; i < fault_set_count(set); i++) {
		const struct fault_rule *rule = fault_set_rule(set, i);
		struct plugin_error err;
		unsigned line, column;
		const char *part;

		if (!fault_rule_object(rule) || try_bind(rule, &err) == 0)
			continue;
		line = line_of(text, n, fault_rule_text(rule), &column);
		part = strstr(fault_rule_text(rule), err.column ? fault_rule_signature(rule) : fault_rule_object(rule));
		if (part)
			column += (unsigned)(part - fault_rule_text(rule)) + (err.column ? err.column - 1 : 0);
		show_place(source, text, n, line, column, false, err.text);
		rc = -1;
	}
	return rc;
}

int rules_add(struct rules *r, const char *source, const char *text, size_t n)
{
	struct fault_error err[ERRORS_SHOWN];
	struct fault_set *set;
	size_t n_err = 0;
	void *mem;
	int rc;

	mem = malloc(fault_set_bytes(n));
	if (!mem) {
		message_error("%s: out of memory for the rules", source);
		return -1;
	}
	set = fault_parse(mem, text, n, false, r->next, err, ERRORS_SHOWN, &n_err);
	for (size_t i = 0; i < n_err && i < ERRORS_SHOWN; i++)
		show_place(source, text, n, err[i].line, err[i].column, err[i].warning, err[i].text);
	rc = set ? check_plugins(set, source, text, n) : -1;
	for (size_t i = 0; rc == 0 && i < fault_set_count(set); i++)
		rc = append(r, fault_set_rule(set, i));
	if (rc == 0)
		r->next += (unsigned)fault_set_count(set);
	free(mem);
	return rc;
}

int rules_add_file(struct rules *r, const char *path)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	char *text = f ? malloc(FILE_MAX) : NULL;
	size_t n = 0;
	int rc = -1;

	if (text)
		n = fread(text, 1, FILE_MAX, f);
	if (!text || ferror(f))
		message_error("%s: cannot read the rules: %s", path, strerror(errno));
	else if (n == FILE_MAX)
		message_error("%s: is longer than %u bytes; is it a file of rules?", path, FILE_MAX - 1);
	else
		rc = rules_add(r, f == stdin ? "(standard input)" : path, text, n);
	if (f && f != stdin)
		fclose(f);
	free(text);
	return rc;
}

void rules_each(const char *text, void (*each)(unsigned number, const char *rule, size_t n, void *user),
		void *user)
{
	while (*text) {
		size_t n = strcspn(text, "\n");
		char *rule;
		unsigned long number = strtoul(text, &rule, 10);

		if (rule > text && rule <= text + n && number > 0 && number < RUN_RULES) {
			while (*rule == ' ')
				rule++;
			each((unsigned)number, rule, n - (size_t)(rule - text), user);
		}
		text += n + (text[n] == '\n');
	}
}
