/* command_fault.c - sockshim fault: lists and changes the rules of a run while it runs. */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "launch/command.h"
#include "launch/control.h"
#include "launch/message.h"
#include "launch/report.h"
#include "launch/rules.h"

#define FILES_MAX 16

struct fault_args {
	const char *run;		/* NULL: the newest */
	const char *files[FILES_MAX];
	size_t n_files;
	unsigned number;		/* of the rule to replace; 0: all */
	bool json;
	char **words;			/* what follows the options */
	int n_words;
};

/* Text of rules being put together from another. */
struct edit {
	char text[RUN_RULES_TEXT];
	size_t bytes;
	unsigned drop[RUN_RULES];	/* numbers to leave out */
	size_t n_drop;
	const struct rules *instead;	/* put where the first of them was */
	bool too_long;
	size_t dropped;			/* how many of them there were */
	bool found[RUN_RULES];
};

static void put(struct edit *e, const char *text, size_t n)
{
	if (n >= sizeof(e->text) - e->bytes) {
		e->too_long = true;
		return;
	}
	memcpy(e->text + e->bytes, text, n);
	e->bytes += n;
	e->text[e->bytes] = '\0';
}

static void edit_rule(unsigned number, const char *rule, size_t n, void *user)
{
	struct edit *e = user;
	char lead[16];

	for (size_t i = 0; i < e->n_drop; i++) {
		if (e->drop[i] != number)
			continue;
		e->dropped++;
		e->found[i] = true;
		if (e->instead)
			put(e, e->instead->text, e->instead->bytes);
		return;
	}
	put(e, lead, (size_t)snprintf(lead, sizeof(lead), "%u ", number));
	put(e, rule, n);
	put(e, "\n", 1);
}

/* The new rules of the command line and of files. Without a number left, of one that was never counted.
 * 0, or -1 after saying what is wrong. */
static int read_rules(const struct fault_args *a, struct rules *r)
{
	for (size_t i = 0; i < a->n_files; i++)
		if (rules_add_file(r, a->files[i]) < 0)
			return -1;
	for (int i = 0; i < a->n_words; i++)
		if (rules_add(r, "rule", a->words[i], strlen(a->words[i])) < 0)
			return -1;
	if (r->bytes == 0) {
		message_usage("fault", "which rules?");
		return -1;
	}
	return 0;
}

static int commit(struct control *c, const struct rundir *run, const struct edit *e, unsigned next)
{
	int rc;

	if (e->too_long) {
		message_error("run %s: the rules are longer than the %zu bytes that a run holds; nothing was changed",
			      run->id, sizeof(e->text) - 1);
		control_unlock(c);
		return 1;
	}
	memcpy(c->block.rules, e->text, sizeof(e->text));
	c->block.rules_bytes = (uint32_t)e->bytes;
	c->block.next_rule = next;
	rc = control_commit(c);
	if (rc < 0)
		message_error("run %s: cannot write its control block: %s", run->id, strerror(-rc));
	return rc < 0;
}

/* add, and replace with a number or without. */
static int change(const struct fault_args *a, const struct rundir *run, struct control *c, bool replace)
{
	static struct edit e;
	static struct rules r;

	memset(&e, 0, sizeof(e));
	if (control_lock(c, run->id) < 0)
		return 1;
	rules_init(&r, c->block.next_rule ? c->block.next_rule : 1);
	if (read_rules(a, &r) < 0) {
		control_unlock(c);
		return 1;
	}
	if (replace && a->number) {
		e.drop[e.n_drop++] = a->number;
		e.instead = &r;
	}
	if (!replace || a->number)
		rules_each(c->block.rules, edit_rule, &e);
	if (replace && a->number && !e.dropped) {
		message_error("run %s has no rule %u; see: sockshim fault list -r %s", run->id, a->number, run->id);
		control_unlock(c);
		return 1;
	}
	if (!replace || !a->number)
		put(&e, r.text, r.bytes);
	if (commit(c, run, &e, r.next) != 0)
		return 1;
	/* With their numbers, which del takes. */
	fwrite(r.text, 1, r.bytes, stdout);
	return 0;
}

static int add(const struct fault_args *a, const struct rundir *run, struct control *c)
{
	return change(a, run, c, false);
}

static int replace(const struct fault_args *a, const struct rundir *run, struct control *c)
{
	return change(a, run, c, true);
}

static int del(const struct fault_args *a, const struct rundir *run, struct control *c)
{
	static struct edit e;
	char *end;

	memset(&e, 0, sizeof(e));
	if (a->n_words == 0 || a->n_words >= RUN_RULES)
		return message_usage("fault", "del: which rules? Give their numbers");
	for (int i = 0; i < a->n_words; i++) {
		unsigned long n = strtoul(a->words[i], &end, 10);

		if (end == a->words[i] || *end || n == 0 || n >= RUN_RULES)
			return message_usage("fault", "del %s: expected the number of a rule", a->words[i]);
		for (size_t k = 0; k < e.n_drop; k++)
			if (e.drop[k] == n)
				return message_usage("fault", "del %s: is named twice", a->words[i]);
		e.drop[e.n_drop++] = (unsigned)n;
	}
	if (control_lock(c, run->id) < 0)
		return 1;
	rules_each(c->block.rules, edit_rule, &e);
	for (size_t i = 0; i < e.n_drop; i++) {
		if (e.found[i])
			continue;
		message_error("run %s has no rule %u; nothing was changed; see: sockshim fault list -r %s", run->id,
			      e.drop[i], run->id);
		control_unlock(c);
		return 1;
	}
	return commit(c, run, &e, c->block.next_rule);
}

static int clear(const struct fault_args *a, const struct rundir *run, struct control *c)
{
	static struct edit e;

	if (control_lock(c, run->id) < 0)
		return 1;
	memset(&e, 0, sizeof(e));
	return commit(c, run, &e, c->block.next_rule);
}

static void list_json(const struct report *r)
{
	json_t *rules = json_array(), *doc;

	for (size_t i = 0; i < r->n_rules; i++)
		json_array_append_new(rules, json_pack("{s:i, s:o, s:I, s:I}", "number", (int)r->rules[i].number,
			"text", r->rules[i].text ? json_string(r->rules[i].text) : json_null(),
			"matched", (json_int_t)r->rules[i].count.matched, "fired", (json_int_t)r->rules[i].count.fired));
	doc = json_pack("{s:s, s:o}", "run", r->run->id, "rules", rules);
	json_dumpf(doc, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(doc);
}

static int list(const struct fault_args *a, const struct rundir *run, struct control *c)
{
	struct report r;

	if (control_read(c, run->id) < 0 || report_load(&r, run) < 0)
		return 1;
	if (a->json) {
		list_json(&r);
	} else {
		printf("NUMBER  MATCHED   FIRED  RULE\n");
		for (size_t i = 0; i < r.n_rules; i++)
			printf("%6u %8llu %7llu  %s\n", r.rules[i].number,
			       (unsigned long long)r.rules[i].count.matched,
			       (unsigned long long)r.rules[i].count.fired, r.rules[i].text ? r.rules[i].text : "(removed)");
	}
	report_free(&r);
	return 0;
}

static const struct action {
	const char *name;
	bool write;
	int (*run)(const struct fault_args *a, const struct rundir *run, struct control *c);
} actions[] = {
	{ "list", false, list }, { "add", true, add }, { "del", true, del }, { "clear", true, clear },
	{ "replace", true, replace },
};

static const struct action *find_action(const char *name)
{
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (!strcmp(actions[i].name, name))
			return &actions[i];
	return NULL;
}

/* 0, -1 for help, or an exit status. */
static int parse(struct fault_args *a, int argc, char **argv)
{
	static const struct option options[] = {
		{ "run", required_argument, NULL, 'r' }, { "faults", required_argument, NULL, 'F' },
		{ "number", required_argument, NULL, 'n' }, { "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' }, { 0 },
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":r:F:n:jh", options, NULL)) != -1) {
		switch (c) {
		case 'r': a->run = optarg; break;
		case 'j': a->json = true; break;
		case 'h': return -1;
		case 'F':
			if (a->n_files == FILES_MAX)
				return message_usage("fault", "%s: more than %d files", optarg, FILES_MAX);
			a->files[a->n_files++] = optarg;
			break;
		case 'n':
			a->number = (unsigned)atoi(optarg);
			if (a->number == 0 || a->number >= RUN_RULES)
				return message_usage("fault", "-n %s: expected the number of a rule", optarg);
			break;
		case ':': return message_usage("fault", "%s: needs a value", argv[optind - 1]);
		default: return message_usage("fault", "%s: unknown option", argv[optind - 1]);
		}
	}
	a->words = argv + optind;
	a->n_words = argc - optind;
	return 0;
}

int command_fault(int argc, char **argv)
{
	struct fault_args a = { 0 };
	const struct action *action;
	struct control control;
	struct rundir run;
	int rc;

	if (argc < 2)
		return message_usage("fault", "fault: expected list, add, del, clear or replace");
	if (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help"))
		return command_help("fault");
	action = find_action(argv[1]);
	if (!action)
		return message_usage("fault", "fault %s: expected list, add, del, clear or replace", argv[1]);
	rc = parse(&a, argc - 1, argv + 1);
	if (rc)
		return rc < 0 ? command_help("fault") : rc;
	if (rundir_find(&run, a.run) < 0)
		return 1;
	rc = control_open(&control, &run, action->write) < 0 ? 1 : action->run(&a, &run, &control);
	if (rc == 0 && action->write && !rundir_is_active(&run))
		message_warning("run %s has ended: no program is left for the change to have an effect on", run.id);
	control_close(&control);
	rundir_close(&run);
	return rc;
}
