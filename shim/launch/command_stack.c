/* command_stack.c - sockshim stack: stacks that are there before and after the programs that run on them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "launch/command.h"
#include "launch/message.h"
#include "launch/stack.h"

enum { COPY_BYTES = 65536 };

/* Connects to a stack by its name: 0, -errno, or 1 after saying what is wrong with the name. */
static int connect_named(struct stack_link *link, const char *name)
{
	char path[PATH_MAX];

	*link = (struct stack_link){ .fd = -1 };
	if (!stack_is_name(name)) {
		message_error("%s: not the name of a stack (letters, digits, '.', '_' and '-')", name);
		return 1;
	}
	return stack_path(path, name) < 0 ? 1 : stack_connect(link, path);
}

/* The same: 0, or -1 after saying why not. */
static int open_named(struct stack_link *link, const char *name)
{
	int err = connect_named(link, name);

	return err < 0 ? stack_say_unreachable(name, link, err) : -err;
}

static int stack_up(int argc, char **argv)
{
	struct stack_link link;
	char path[PATH_MAX];
	int err;

	if (argc != 2)
		return message_usage("stack", "stack up: expected a name and a specification");
	if (!stack_is_name(argv[0])) {
		message_error("%s: not a name for a stack (letters, digits, '.', '_' and '-'; not 'lo' or 'user')", argv[0]);
		return 1;
	}
	if (stack_path(path, argv[0]) < 0)
		return 1;
	if (stack_connect(&link, path) == 0) {
		stack_disconnect(&link);
		err = 1;
	} else {
		err = stack_start(path, argv[1], true);
	}
	/* Also if somebody else has been faster: it may be of another specification. */
	if (err > 0)
		message_error("stack %s is up already; end it first: sockshim stack down %s", argv[0], argv[0]);
	return err != 0;
}

/* A host of another version is not asked: it is told by a signal. Waits until it is gone. */
static int end_other(const char *name, int host)
{
	struct pollfd p = { .fd = (int)syscall(SYS_pidfd_open, host, 0), .events = POLLIN };
	int err = p.fd < 0 || syscall(SYS_pidfd_send_signal, p.fd, SIGTERM, NULL, 0) < 0 ? errno : 0;

	if (err)
		message_error("stack %s: process %d does not go down: %s", name, host, strerror(err));
	else
		while (poll(&p, 1, -1) < 0 && errno == EINTR)
			;
	if (p.fd >= 0)
		close(p.fd);
	return err ? -1 : 0;
}

static int down(const char *name, struct stack_msg *m)
{
	struct stack_link link;
	int err = connect_named(&link, name);

	if (err == -EPROTONOSUPPORT)
		return end_other(name, (int)link.pid);
	if (err)
		return err < 0 ? stack_say_unreachable(name, &link, err) : -1;
	memset(m, 0, STACK_MSG_HEAD);
	m->op = STACK_OP_DOWN;
	err = stack_ask(&link, m, -1, NULL);
	/* Until it is gone: whoever starts it anew must not meet it. */
	while (!err && read(link.fd, m, sizeof(*m)) > 0)
		;
	stack_disconnect(&link);
	if (err)
		message_error("stack %s: does not go down: %s", name, strerror(-err));
	return err ? -1 : 0;
}

static int stack_down(int argc, char **argv)
{
	struct stack_msg *m;
	int failed = 0;

	if (argc < 1)
		return message_usage("stack", "stack down: which stack?");
	m = calloc(1, sizeof(*m));
	for (int i = 0; m && i < argc; i++)
		failed |= down(argv[i], m) < 0;
	free(m);
	return failed || !m;
}

/* The stack's own words about itself. The caller releases; NULL if there are none. */
static json_t *info_of(struct stack_link *link)
{
	struct stack_msg *m = calloc(1, sizeof(*m));
	json_t *info = NULL;

	if (m) {
		m->op = STACK_OP_INFO;
		if (stack_ask(link, m, -1, NULL) == 0)
			info = json_loadb((const char *)m->data, m->len, 0, NULL);
	}
	free(m);
	return info;
}

static void list_one(const char *name, struct stack_link *link, json_t *all)
{
	json_t *info = info_of(link), *spec = json_object_get(info, "spec"), *sockets = json_object_get(info, "sockets");

	if (all) {
		json_t *o = json_pack("{s:s, s:I}", "name", name, "pid", (json_int_t)link->pid);

		if (info)
			json_object_set(o, "info", info);
		json_array_append_new(all, o);
	} else {
		printf("%-20s  %-8lld  ", name, (long long)link->pid);
		if (json_is_integer(sockets))
			printf("%4lld sockets  ", (long long)json_integer_value(sockets));
		printf("%s\n", json_is_string(spec) ? json_string_value(spec) : "");
	}
	json_decref(info);
}

/* One whose host is of another version, and can only be ended. */
static void list_other(const char *name, const struct stack_link *link, json_t *all)
{
	if (all)
		json_array_append_new(all, json_pack("{s:s, s:I, s:i}", "name", name, "pid", (json_int_t)link->pid,
						     "version", (int)link->seq));
	else
		printf("%-20s  %-8lld  of another version\n", name, (long long)link->pid);
}

static int stack_list(int argc, char **argv, bool json)
{
	json_t *all = json ? json_array() : NULL;
	char dir[PATH_MAX];
	struct dirent **entries;
	int n;

	if (argc)
		return message_usage("stack", "stack list: no argument is expected");
	if (stack_dir(dir, false) < 0)
		return 1;
	n = scandir(dir, &entries, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		char *name = entries[i]->d_name, path[PATH_MAX], *end = strrchr(name, '.');
		struct stack_link link;

		if (end && strcmp(end, ".sock") == 0 && snprintf(path, sizeof(path), "%.3000s/%s", dir, name) > 0) {
			int err = stack_connect(&link, path);

			*end = '\0';
			if (!err)
				list_one(name, &link, all);
			else if (err == -EPROTONOSUPPORT)
				list_other(name, &link, all);
			stack_disconnect(&link);
		}
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	if (all) {
		json_dumpf(all, stdout, JSON_COMPACT);
		putchar('\n');
	}
	json_decref(all);
	return 0;
}

/* Writes what a descriptor holds, from its beginning, to standard output. */
static int print_file(int fd)
{
	char buf[COPY_BYTES];
	ssize_t n;
	off_t at = 0;

	while ((n = pread(fd, buf, sizeof(buf), at)) > 0) {
		fwrite(buf, 1, (size_t)n, stdout);
		at += n;
	}
	close(fd);
	return n < 0 || fflush(stdout) != 0;
}

/* Standard input as a file that can be passed on. -1 after saying what is wrong. */
static int input_file(void)
{
	int fd = memfd_create("rules", MFD_CLOEXEC);
	char buf[COPY_BYTES];
	ssize_t n = 0;

	while (fd >= 0 && (n = read(0, buf, sizeof(buf))) > 0)
		if (write(fd, buf, (size_t)n) != n) {
			n = -1;
			break;
		}
	if (fd >= 0 && n == 0 && lseek(fd, 0, SEEK_SET) == 0)
		return fd;
	message_error("cannot read the rules: %s", strerror(errno));
	return -1;
}

/* A request whose answer is a file, which is printed. */
static int ask_and_print(const char *name, enum stack_op op, int64_t arg, int64_t arg1, int send_fd, bool print)
{
	struct stack_msg *m = calloc(1, sizeof(*m));
	struct stack_link link;
	int fd = -1, err;

	if (!m || open_named(&link, name) < 0) {
		free(m);
		return 1;
	}
	m->op = (uint16_t)op;
	m->arg[0] = arg;
	m->arg[1] = arg1;
	err = stack_ask(&link, m, send_fd, &fd);
	if (err)
		message_error("stack %s: %.*s", name, m->len ? (int)m->len : (int)strlen(strerror(-err)),
			      m->len ? (const char *)m->data : strerror(-err));
	else if (fd >= 0 && print)
		err = print_file(fd);
	stack_disconnect(&link);
	free(m);
	return err != 0;
}

/* Options of the actions. */
struct stack_args {
	bool json, ask, v6, counters;
};

/* Puts rules in force, or where there are none on standard input prints those that are. */
static int stack_rules(int argc, char **argv, const struct stack_args *a)
{
	bool ask = a->ask || isatty(0);
	int fd = -1, rc;

	if (argc != 1)
		return message_usage("stack", "stack rules: expected the name of a stack");
	if (!ask && (fd = input_file()) < 0)
		return 1;
	if (fd >= 0 && lseek(fd, 0, SEEK_END) == 0) {
		close(fd);
		fd = -1;
		ask = true;
	}
	rc = ask_and_print(argv[0], STACK_OP_RULES, a->v6 ? AF_INET6 : AF_INET, a->counters, fd, ask);
	if (fd >= 0)
		close(fd);
	return rc;
}

static int stack_connections(int argc, char **argv, const struct stack_args *a)
{
	if (argc != 1)
		return message_usage("stack", "stack connections: expected the name of a stack");
	return ask_and_print(argv[0], STACK_OP_CONNECTIONS, a->v6 ? AF_INET6 : 0, 0, -1, true);
}

int command_stack(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' }, { "list", no_argument, NULL, 'l' }, { "ipv6", no_argument, NULL, '6' },
		{ "counters", no_argument, NULL, 'c' },		{ "help", no_argument, NULL, 'h' }, { 0 },
	};
	struct stack_args a = { 0 };
	const char *action;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "jl6ch", options, NULL)) != -1) {
		switch (c) {
		case 'h': return command_help("stack");
		case 'j': a.json = true; break;
		case 'l': a.ask = true; break;
		case '6': a.v6 = true; break;
		case 'c': a.counters = true; break;
		default: return message_usage("stack", "%s: unknown option", argv[optind - 1]);
		}
	}
	if (optind == argc)
		return message_usage("stack", "stack: expected up, down, list, rules, connections or stats");
	action = argv[optind++];
	argc -= optind;
	argv += optind;
	if (!strcmp(action, "up"))
		return stack_up(argc, argv);
	if (!strcmp(action, "down"))
		return stack_down(argc, argv);
	if (!strcmp(action, "list"))
		return stack_list(argc, argv, a.json);
	if (!strcmp(action, "rules"))
		return stack_rules(argc, argv, &a);
	if (!strcmp(action, "connections"))
		return stack_connections(argc, argv, &a);
	if (!strcmp(action, "stats"))
		return argc == 1 ? ask_and_print(argv[0], STACK_OP_STATS, 0, 0, -1, true)
				 : message_usage("stack", "stack stats: expected the name of a stack");
	return message_usage("stack", "stack %s: expected up, down, list, rules, connections or stats", action);
}
