/* decide.c - what the rules say of a call.
 *
 * Each rule counts the calls that meet its conditions, and from that number alone (and the seed) follows
 * whether it fires and with which delay, size or bits. So a rule's decisions depend on nothing but
 * the calls that it concerns: not on other rules, other sockets or the program's own random numbers.
 * The exception is `first N`, which counts how often the rule has fired.
 *
 * Counters are added to by several threads at once; each call gets a number of its own.
 */
#include "fault/fault.h"

#include <string.h>

#include "fault/glob.h"
#include "fault/rule.h"

/* What the random numbers of one decision are for. */
enum draw { DRAW_CHANCE = 1, DRAW_AMOUNT, DRAW_BITS };

/* The finaliser of splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators). */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static uint64_t draw(uint64_t seed, unsigned number, uint64_t nth, enum draw what)
{
	uint64_t stream = mix(seed + (number << 2 | what) * 0x9e3779b97f4a7c15);

	return mix(stream + nth * 0x9e3779b97f4a7c15);
}

/* A random number in [min, max]. */
static uint64_t scale(uint64_t bits, uint64_t min, uint64_t max)
{
	return min + (uint64_t)((unsigned __int128)bits * (max - min + 1) >> 64);
}

static uint64_t bytes_so_far(const struct fault_call *call)
{
	if (call->type == SOCKSHIM_SEND)
		return call->tx_bytes;
	if (call->type == SOCKSHIM_RECV)
		return call->rx_bytes;
	return call->rx_bytes + call->tx_bytes;
}

static bool glob(const char *pattern, const char *s, bool fold)
{
	return s && fault_glob_match(pattern, s, strlen(s), fold);
}

/* The checks of the socket and the process, cheap ones first. */
static bool meets(const struct fault_rule *r, const struct fault_call *c, const char *program)
{
	uint32_t checks = r->checks;

	if (checks & FAULT_CHECK_FAMILY && !(c->has_socket && sockshim_cookie_family(c->cookie) == r->family))
		return false;
	if (checks & FAULT_CHECK_TYPE &&
	    !(c->has_socket && (sockshim_cookie_type(c->cookie) & 0xf) == r->sock_type))
		return false;
	if (checks & FAULT_CHECK_BYTES && bytes_so_far(c) < r->after_bytes)
		return false;
	if (checks & FAULT_CHECK_WITHIN && c->age_ns > r->within_ns)
		return false;
	if (checks & FAULT_CHECK_TID && c->tid != r->tid)
		return false;
	if (checks & FAULT_CHECK_NAME && !(c->name && !strcmp(r->call, c->name)))
		return false;
	if (checks & FAULT_CHECK_TO && !fault_address_match(&r->to, c->peer, c->peer_len))
		return false;
	if (checks & FAULT_CHECK_FROM && !fault_address_match(&r->from, c->local, c->local_len))
		return false;
	if (checks & FAULT_CHECK_PROGRAM && !glob(r->program, program, false))
		return false;
	if (checks & FAULT_CHECK_THREAD && !glob(r->thread, c->thread, false))
		return false;
	if (checks & FAULT_CHECK_HOST && !glob(r->host, c->host, true))
		return false;
	return !(checks & FAULT_CHECK_SITE) || (c->from_site && c->from_site(c, r->module, r->function));
}

/* Whether the rule fires on the nth call that meets it. */
static bool is_due(const struct fault_rule *r, uint64_t nth, uint64_t seed, const struct run_rule_count *count)
{
	uint32_t checks = r->checks;
	uint64_t n = nth - r->skip;	/* skip is 0 without FAULT_CHECK_SKIP */

	if (nth <= r->skip)
		return false;
	if (checks & FAULT_CHECK_ON && (n < r->on_from || n > r->on_to))
		return false;
	if (checks & FAULT_CHECK_EVERY && !fault_every_divides(&r->every, n))
		return false;
	if (checks & FAULT_CHECK_CHANCE && r->chance != UINT64_MAX &&
	    draw(seed, r->number, nth, DRAW_CHANCE) >= r->chance)
		return false;
	return !(checks & FAULT_CHECK_FIRST) || __atomic_load_n(&count->fired, __ATOMIC_RELAXED) < r->first;
}

/* Counts the firing; false if other threads have used up `first N` meanwhile. */
static bool count_fired(const struct fault_rule *r, struct run_rule_count *count)
{
	uint64_t fired;

	if (!(r->checks & FAULT_CHECK_FIRST)) {
		__atomic_fetch_add(&count->fired, 1, __ATOMIC_RELAXED);
		return true;
	}
	fired = __atomic_load_n(&count->fired, __ATOMIC_RELAXED);
	do
		if (fired >= r->first)
			return false;
	while (!__atomic_compare_exchange_n(&count->fired, &fired, fired + 1, true, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED));
	return true;
}

/* Of the rules that end the call - fail, reset, drop - the one that stands first is done; what would
 * change the call's data or look at its outcome then has nothing to work on. */
static void keep_one_outcome(const struct fault_rule **fired)
{
	static const uint8_t ends[] = { FAULT_FAIL, FAULT_RESET, FAULT_DROP };
	const struct fault_rule *first = NULL;

	for (size_t i = 0; i < sizeof(ends); i++)
		if (fired[ends[i]] && (!first || fired[ends[i]] < first))	/* in the order of the text */
			first = fired[ends[i]];
	if (!first)
		return;
	for (size_t i = 0; i < sizeof(ends); i++)
		if (fired[ends[i]] != first)
			fired[ends[i]] = NULL;
	fired[FAULT_SHORT] = fired[FAULT_CORRUPT] = fired[FAULT_CALL_AFTER] = NULL;
}

static void fill_in(struct fault_verdict *out, const struct fault_rule *r, uint64_t nth, uint64_t seed)
{
	switch ((enum fault_action)r->action) {
	case FAULT_DELAY:
		out->delay_ns = scale(draw(seed, r->number, nth, DRAW_AMOUNT), r->min, r->max);
		break;
	case FAULT_SHORT:
		out->short_bytes = (size_t)scale(draw(seed, r->number, nth, DRAW_AMOUNT), r->min, r->max);
		break;
	case FAULT_FAIL:
		out->err = r->err;
		out->late = r->late;
		break;
	case FAULT_CORRUPT:
		out->corrupt = draw(seed, r->number, nth, DRAW_BITS);
		break;
	case FAULT_RESET:
	case FAULT_DROP:
	case FAULT_CALL:
	case FAULT_CALL_AFTER:
	case FAULT_ACTIONS:
		break;
	}
}

/* Field by field: of the whole struct the compiler makes a "rep stos", which costs as much as all the rest
 * of a decision. */
static void clear(struct fault_verdict *out)
{
	for (int i = 0; i < FAULT_ACTIONS; i++)
		out->fired[i] = NULL;
	out->delay_ns = 0;
	out->err = 0;
	out->late = false;
	out->short_bytes = 0;
	out->corrupt = 0;
}

bool fault_decide(const struct fault_set *set, const struct fault_call *call, const char *program,
		  uint64_t seed, struct run_rule_count *counters, struct fault_verdict *out)
{
	const struct fault_rule *r;
	uint64_t nth[FAULT_ACTIONS];
	bool any = false;

	clear(out);
	if ((unsigned)call->type >= SOCKSHIM_FILTER_TYPES)
		return false;
	for (r = set->by_type[call->type]; r; r = r->next) {
		uint64_t n;

		if (!meets(r, call, program))
			continue;
		n = __atomic_add_fetch(&counters[r->number].matched, 1, __ATOMIC_RELAXED);
		if (out->fired[r->action] || !is_due(r, n, seed, &counters[r->number]))
			continue;
		out->fired[r->action] = r;
		nth[r->action] = n;
		any = true;
	}
	if (!any)
		return false;
	keep_one_outcome(out->fired);
	any = false;
	for (int action = 0; action < FAULT_ACTIONS; action++) {
		r = out->fired[action];
		if (r && !count_fired(r, &counters[r->number]))
			r = out->fired[action] = NULL;
		if (r)
			fill_in(out, r, nth[action], seed);
		any |= r != NULL;
	}
	return any;
}
