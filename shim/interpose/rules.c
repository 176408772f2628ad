/* rules.c - loading the fault rules and binding the functions that they call. */
#include "interpose/rules.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "interpose/hook.h"
#include "run/config.h"
#include "run/sys.h"
#include "run/text.h"

#define HOLDERS 8
#define BEING_FILLED (INT32_MIN / 2)	/* added to `users` */

static struct rules holders[HOLDERS];
static struct rules *current;
static uint32_t loading;

static void *map_private(size_t bytes)
{
	long p = sys(SYS_mmap, NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p < 0 && p > -4096 ? NULL : (void *)p;
}

struct rules *rules_hold(void)
{
	for (;;) {
		struct rules *r = __atomic_load_n(&current, __ATOMIC_ACQUIRE);

		if (!r)
			return NULL;
		/* A holder that is filled anew in the meantime is at a large negative number. */
		if (__atomic_add_fetch(&r->users, 1, __ATOMIC_ACQ_REL) > 0 &&
		    r == __atomic_load_n(&current, __ATOMIC_ACQUIRE))
			return r;
		__atomic_sub_fetch(&r->users, 1, __ATOMIC_ACQ_REL);
	}
}

void rules_release(struct rules *r)
{
	if (r)
		__atomic_sub_fetch(&r->users, 1, __ATOMIC_ACQ_REL);
}

static struct rules *claim_holder(void)
{
	for (int i = 0; i < HOLDERS; i++) {
		int32_t none = 0;

		if (&holders[i] != current &&
		    __atomic_compare_exchange_n(&holders[i].users, &none, BEING_FILLED, 0, __ATOMIC_ACQ_REL,
						__ATOMIC_RELAXED))
			return &holders[i];
	}
	return NULL;
}

/* What is wrong with rules, said once. */
static void say_error(const char *source, const struct fault_error *e)
{
	const char *then = e->warning ? "the rule holds all the same" : "no fault rules are in force";
	char where[128];
	struct text t = text_to(where, sizeof(where));

	text_str(&t, source);
	text_char(&t, ':');
	text_uint(&t, e->line);
	text_char(&t, ':');
	text_uint(&t, e->column);
	text_char(&t, ':');
	text_end(&t);
	run_say(&hook.run, where, e->text, 0, then);
}

static void bind_plugins(struct rules *r, struct plugin *mem)
{
	memset(r->plugins, 0, sizeof(r->plugins));
	for (size_t i = 0; i < fault_set_count(r->set); i++) {
		const struct fault_rule *rule = fault_set_rule(r->set, i);
		struct plugin_error err = { 0 };

		if (!fault_rule_object(rule))
			continue;
		if (plugin_bind(mem, fault_rule_object(rule), fault_rule_symbol(rule), fault_rule_signature(rule),
				fault_rule_after(rule), &err) != 0) {
			run_say(&hook.run, "rule", fault_rule_text(rule), 0, err.text);
			continue;
		}
		r->plugins[fault_rule_number(rule)] = mem++;
	}
}

/* A consistent copy of the control block's text and its generation. False: a writer is at it too long. */
static bool copy_text(const struct run_control *c, char *text, size_t *n, uint32_t *generation, uint32_t *flags)
{
	for (int i = 0; i < 1000; i++) {
		uint32_t g = __atomic_load_n(&c->generation, __ATOMIC_ACQUIRE);

		if (g & 1) {
			sys(SYS_sched_yield, 0);
			continue;
		}
		*n = c->rules_bytes;
		*flags = c->flags;
		if (*n > RUN_RULES_TEXT)
			*n = RUN_RULES_TEXT;
		memcpy(text, c->rules, *n);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&c->generation, __ATOMIC_RELAXED) == g) {
			*generation = g;
			return true;
		}
	}
	return false;
}

static bool has_calls(const struct fault_set *set, size_t *n)
{
	*n = 0;
	for (size_t i = 0; i < fault_set_count(set); i++)
		*n += fault_rule_object(fault_set_rule(set, i)) != NULL;
	return *n != 0;
}

/* Parses text into a holder and puts it in force. */
static void install(const char *text, size_t n, bool trace, uint32_t generation)
{
	struct fault_error err[1];
	size_t n_err = 0, set_bytes = RUN_PAGE(fault_set_bytes(n)), calls;
	size_t bytes = set_bytes + RUN_PAGE(RUN_RULES * sizeof(struct plugin));
	struct rules *r = n ? claim_holder() : NULL;

	/* All are held, by calls that are delayed, or were left by siglongjmp while they were: the rules stay as
	 * they are until one is given back. */
	if (n && !r)
		return;
	if (r && r->mem)
		sys(SYS_munmap, r->mem, r->mem_bytes);
	if (r) {
		r->mem = map_private(bytes);
		r->mem_bytes = bytes;
		r->set = r->mem ? fault_parse(r->mem, text, n, true, 1, err, 1, &n_err) : NULL;
	}
	/* Whoever wrote them has been told of warnings. */
	if (n_err && !r->set)
		say_error("rules", &err[0]);
	if (r && r->set && fault_set_count(r->set)) {
		if (has_calls(r->set, &calls))
			bind_plugins(r, (struct plugin *)((char *)r->mem + set_bytes));
		else
			memset(r->plugins, 0, sizeof(r->plugins));
		__atomic_sub_fetch(&r->users, BEING_FILLED, __ATOMIC_ACQ_REL);
		__atomic_store_n(&current, r, __ATOMIC_RELEASE);
		hook_set_armed(fault_set_armed(r->set, hook.run.file->program), trace, generation);
		return;
	}
	if (r)
		__atomic_sub_fetch(&r->users, BEING_FILLED, __ATOMIC_ACQ_REL);
	__atomic_store_n(&current, NULL, __ATOMIC_RELEASE);
	hook_set_armed(0, trace, generation);
}

void rules_load(void)
{
	static char text[RUN_RULES_TEXT];	/* guarded by `loading` */
	bool held = !hook_sandboxed;
	uint32_t generation, flags;
	uint64_t signals;
	size_t n;

	if (held)
		sys_hold_signals(&signals);
	if (hook.run.control && !__atomic_exchange_n(&loading, 1, __ATOMIC_ACQUIRE)) {
		if (copy_text(hook.run.control, text, &n, &generation, &flags))
			install(text, n, flags & RUN_TRACE, generation);
		__atomic_store_n(&loading, 0, __ATOMIC_RELEASE);
	}
	if (held)
		sys_release_signals(&signals);
}

/* Adds rules to our own control block, each led by its number. */
static bool add_rules(const char *source, char *text, size_t n)
{
	struct run_control *c = hook.run.control;
	struct fault_error err[1];
	size_t n_err = 0, bytes = fault_set_bytes(n);
	void *mem = map_private(bytes);
	const struct fault_set *set = mem ? fault_parse(mem, text, n, false, c->next_rule, err, 1, &n_err) : NULL;
	struct text t = text_to(c->rules + c->rules_bytes, RUN_RULES_TEXT - c->rules_bytes);

	if (n_err)
		say_error(source, &err[0]);
	for (size_t i = 0; set && i < fault_set_count(set); i++) {
		text_uint(&t, c->next_rule++);
		text_char(&t, ' ');
		text_str(&t, fault_rule_text(fault_set_rule(set, i)));
		text_char(&t, '\n');
	}
	if (set && t.len < t.n)
		c->rules_bytes += (uint32_t)t.len;
	else if (set)
		run_say(&hook.run, "too many fault rules in", source, 0, "they are left out");
	if (mem)
		sys(SYS_munmap, mem, bytes);
	return set && t.len < t.n;
}

static void add_rules_of_file(const char *path)
{
	int fd = (int)sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	char *text;
	long n;

	if (fd < 0) {
		run_say(&hook.run, "cannot read fault rules from", path, -fd, "no fault rules are in force");
		return;
	}
	text = map_private(4 * RUN_RULES_TEXT);
	n = text ? sys(SYS_read, fd, text, 4 * RUN_RULES_TEXT) : -ENOMEM;
	sys(SYS_close, fd);
	if (n < 0)
		run_say(&hook.run, "cannot read fault rules from", path, (int)-n, "no fault rules are in force");
	else
		add_rules(path, text, (size_t)n);
	if (text)
		sys(SYS_munmap, text, 4 * RUN_RULES_TEXT);
}

void rules_start(bool forked)
{
	const struct run_config *cfg = run_config();

	if (forked) {
		loading = 0;
		return;
	}
	/* Under `sockshim run` the rules are in the run's control block, checked before the program started. */
	if (!cfg->secure && !cfg->run && hook.run.control) {
		if (cfg->faults)
			add_rules_of_file(cfg->faults);
		if (cfg->rules) {
			char *text = map_private(RUN_PAGE(strlen(cfg->rules) + 1));

			if (text) {
				strcpy(text, cfg->rules);
				for (char *p = text; *p; p++)
					*p = *p == ';' ? '\n' : *p;
				add_rules("SOCKSHIM_RULES", text, strlen(text));
				sys(SYS_munmap, text, RUN_PAGE(strlen(cfg->rules) + 1));
			}
		}
	}
}
