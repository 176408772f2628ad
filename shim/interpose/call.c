/* call.c - the long way through a wrapper. */
#include "interpose/call.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "interpose/facts.h"
#include "interpose/impair.h"
#include "interpose/netlink.h"
#include "interpose/outcome.h"
#include "interpose/redirect.h"
#include "interpose/rules.h"
#include "interpose/site.h"
#include "interpose/trace.h"
#include "run/sys.h"

static enum sockshim_filter_type type_of(const struct call *c)
{
	return call_infos[c->id].filter;
}

static void fail_with(struct call *c, int err)
{
	/* The codes of getaddrinfo are negative, filters and functions answer with positive ones. */
	c->err = c->id == CALL_getaddrinfo && err > 0 ? -err : err;
	c->ret = c->id == CALL_getaddrinfo ? c->err : -1;
}

/* Sleeps a delay off. It is a cancellation point, as the call that it delays is; a signal handler may run
 * in the middle, after which the rest is slept. */
static void delay(uint64_t ns)
{
	struct timespec ts = { (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) };

	while (nanosleep(&ts, &ts) != 0 && errno == EINTR)
		;
}

static bool nonblocking(int fd)
{
	long flags = sys(SYS_fcntl, fd, F_GETFL, 0);

	return flags >= 0 && (flags & O_NONBLOCK);
}

/* A `fail` rule: at once, or for a connect that is not waited for, when SO_ERROR is read. */
static void fail_by_rule(struct call *c, const struct fault_verdict *v)
{
	if (v->late && c->s && nonblocking(c->fd)) {
		__atomic_store_n(&c->s->late_err, v->err, __ATOMIC_RELAXED);
		__atomic_fetch_or(&c->s->flags, RUN_SOCK_LATE | RUN_SOCK_PENDING, __ATOMIC_RELAXED);
		socktab_set_special(&hook.tab, c->fd, true);
		fail_with(c, EINPROGRESS);
		return;
	}
	fail_with(c, v->err);
}

/* A rule fires on a descriptor that may have been closed behind our back and be something else by now. */
static bool still_socket(struct call *c)
{
	int type;
	socklen_t len = sizeof(type);

	if (!c->s || hook_sandboxed || sys(SYS_getsockopt, c->fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0)
		return true;
	socktab_set_other(&hook.tab, c->fd);
	c->s = NULL;
	return false;
}

static void count_injected(const struct call *c)
{
	if (type_of(c) < SOCKSHIM_FILTER_TYPES)
		run_count_injected(hook.tab.stats, c->cookie, type_of(c));
}

/* Rules and filters that may end the call before it is made. Returns whether one did. */
static bool ended_before(struct call *c, const struct fault_verdict *v, struct rules *rules,
			 struct sockshim_after *after)
{
	struct sockshim_status st = { .cookie = c->cookie, .socket_err = c->s ? c->s->socket_err : 0 };
	const struct fault_rule *ask = v->fired[FAULT_CALL];
	int err = 0;

	if (v->fired[FAULT_FAIL]) {
		c->rule = fault_rule_number(v->fired[FAULT_FAIL]);
		fail_by_rule(c, v);
		return true;
	}
	if (v->fired[FAULT_RESET]) {
		c->rule = fault_rule_number(v->fired[FAULT_RESET]);
		fail_with(c, impair_reset(c));
		return true;
	}
	if (type_of(c) < SOCKSHIM_FILTER_TYPES)
		err = switch_before(&hook_switch, type_of(c), &st, after);
	if (!err && ask) {
		err = facts_ask(c, rules->plugins[fault_rule_number(ask)]);
		if (err)
			c->rule = fault_rule_number(ask);
	}
	if (err)
		fail_with(c, err);
	return err != 0;
}

/* Rules and filters that may replace the call's outcome. Returns whether one did. */
static bool replaced_after(struct call *c, const struct fault_verdict *v, struct rules *rules,
			   const struct sockshim_after *after)
{
	const struct fault_rule *ask = v->fired[FAULT_CALL_AFTER];
	struct sockshim_status st = { .cookie = c->cookie, .err = c->err };
	int err = 0;

	if (c->s)
		st.socket_err = c->s->socket_err;
	if (c->id == CALL_getsockopt)
		st.socket_err = facts_socket_error(c);
	if (ask) {
		err = facts_ask(c, rules->plugins[fault_rule_number(ask)]);
		if (err)
			c->rule = fault_rule_number(ask);
	}
	if (!err)
		err = switch_after(after, &st);
	if (!err)
		return false;
	facts_undo(c);
	fail_with(c, err);
	return true;
}

/* From the decision to the outcome. */
static void carry_out(struct call *c, const struct fault_verdict *v, struct rules *rules)
{
	struct sockshim_after after = { NULL, NULL };
	bool dropped, replaced;

	if (UNLIKELY(c->s && (c->s->flags & (RUN_SOCK_RESET | RUN_SOCK_LATE))) && still_socket(c) &&
	    impair_special(c))
		return;
	if (v->fired[FAULT_DELAY]) {
		c->rule = fault_rule_number(v->fired[FAULT_DELAY]);
		delay(v->delay_ns);
	}
	if (ended_before(c, v, rules, &after)) {
		count_injected(c);
		return;
	}
	/* Out of the table first: once closed, the number may be another thread's. */
	if (c->id == CALL_close) {
		if (redirect_is(c->s))
			redirect_closing(c->fd, c->s, c->s->refs == 1);
		else if (c->s && c->s->refs == 1 && netlink_watched(c->s->cookie))
			netlink_closing(c->fd);
		socktab_remove(&hook.tab, c->fd, &c->closing);
	}
	dropped = impair_call(c, v);
	replaced = replaced_after(c, v, rules, &after);
	if (!replaced)
		facts_outcome(c);
	if (replaced || dropped)
		count_injected(c);
}

static bool decide(struct call *c, struct rules *rules, struct fault_verdict *v)
{
	struct fault_call f = { .type = type_of(c) };

	if (!rules || f.type >= SOCKSHIM_FILTER_TYPES)
		return false;
	/* Some libraries learn how a connect ended by making it again: that is not another one. */
	if (c->id == CALL_connect && c->s && (c->s->flags & RUN_SOCK_PENDING))
		return false;
	facts_gather(c, &f, fault_set_needs(rules->set, f.type));
	if (!fault_decide(rules->set, &f, hook.run.file->program, hook.run.file->seed, hook.run.file->rules, v))
		return false;
	if (still_socket(c))
		return true;
	*v = (struct fault_verdict){ 0 };
	return false;
}

/* A call on a redirected socket that nothing wants to see. */
static long run_quietly(struct call *c, int saved)
{
	c->cookie = c->s->cookie;
	facts_make(c);
	facts_outcome(c);
	errno = c->ret == -1 && c->err ? c->err : saved;
	return c->ret;
}

long call_run(struct call *c)
{
	struct fault_verdict v = { 0 };
	struct rules *rules;
	struct trace_mark mark;
	int saved = errno;
	bool fired;

	hook_alive();
	hook_refresh();
	if (redirect_is(c->s) && c->id != CALL_close && !(c->s->flags & (RUN_SOCK_RESET | RUN_SOCK_LATE)) &&
	    hook_quiet(type_of(c)))
		return run_quietly(c, saved);
	c->cookie = c->s ? c->s->cookie : facts_cookie(c);
	facts_addr(c);
	rules = rules_hold();
	fired = decide(c, rules, &v);
	/* Not held while a call blocks: it may be left by siglongjmp, and never give back what it holds. */
	if (!fired) {
		rules_release(rules);
		rules = NULL;
	}
	trace_begin(&mark, fired);
	errno = saved;
	carry_out(c, &v, rules);
	trace_end(&mark, c);
	rules_release(rules);
	errno = c->ret == -1 && c->err ? c->err : saved;
	return c->ret;
}

long call_words(enum call_id id, int fd, struct run_socket *s, const void *pc, uint64_t a0, uint64_t a1, uint64_t a2,
		uint64_t a3, uint64_t a4, uint64_t a5)
{
	struct call c = { .id = id, .fd = fd, .s = s, .pc = pc, .a = { a0, a1, a2, a3, a4, a5 } };

	return call_run(&c);
}
