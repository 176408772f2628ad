/*
 * The limit match: a token bucket.
 *
 * Netfilter counts time between matches in units of 1/10000 s, and prints rates from that: so do we,
 * that texts come back as they went in.
 */
#include <strings.h>

#include "filter/parse.h"

enum { LIMIT_SCALE = 10000, LIMIT_BURST = 5, LIMIT_BURST_MAX = 10000 };
enum { OPT_LIMIT, OPT_BURST };
#define NS_PER_UNIT (NS_PER_SEC / LIMIT_SCALE)

/** struct limit - @avg: units a token takes; @credit_ns: saved up, at most @burst tokens */
struct limit {
	uint32_t avg, burst;
	bool started;
	int64_t credit_ns, last_ns;
};

static const struct ext_option limit_options[] = {
	{ "--limit", OPT_LIMIT, 1, false }, { "--limit-burst", OPT_BURST, 1, false }, { 0 },
};

static const struct name_value units[] = {
	{ "day", 24 * 60 * 60 }, { "hour", 60 * 60 }, { "min", 60 }, { "sec", 1 }, { NULL, 0 },
};

/* A unit may be cut short, down to its first letter, or written out. */
static uint32_t unit_of(const char *s)
{
	static const char *const full[] = { "day", "hour", "minute", "second" };

	for (int i = 0; *s && i < 4; i++)
		if (strlen(s) <= strlen(full[i]) && !strncasecmp(s, full[i], strlen(s)))
			return units[i].value;
	return 0;
}

static bool limit_option(struct parser *p, void *data, unsigned id, bool negated)
{
	static const char rate[] = "a rate: a number, or a number per second, minute, hour or day";
	struct scan s = scan_of(p, p->arg[0]);
	struct limit *m = data;
	uint32_t unit = 1;
	uint64_t v;

	if (id == OPT_BURST) {
		if (!scan_number(&s, LIMIT_BURST_MAX, "a burst from 0 to 10000", &v) ||
		    !scan_end(&s, "the end of the burst"))
			return false;
		m->burst = (uint32_t)v;
		return true;
	}
	if (!scan_number(&s, UINT32_MAX, rate, &v))
		return false;
	if (scan_take(&s, '/')) {
		unit = unit_of(s.at);
		if (!unit)
			return scan_fail(&s, "second, minute, hour or day");
	} else if (!scan_end(&s, rate)) {
		return false;
	}
	if (v == 0 || (uint64_t)LIMIT_SCALE * unit < v)
		return parser_fail(p, p->arg[0], 0, "a rate of at least 1 and at most 10000 a second");
	m->avg = (uint32_t)((uint64_t)LIMIT_SCALE * unit / v);
	return true;
}

static bool limit_check(struct parser *p, void *data)
{
	struct limit *m = data;

	if (!m->avg)
		m->avg = LIMIT_SCALE * 60 * 60 / 3;
	if (!m->burst)
		m->burst = LIMIT_BURST;
	return true;
}

static bool limit_eval(void *data, struct filter_pkt *k)
{
	struct limit *m = data;
	int64_t cost = m->avg * NS_PER_UNIT, now = k->stack->clock->now_ns;
	int64_t full = cost * m->burst;

	if (!m->started || now - m->last_ns >= full)
		m->credit_ns = full;
	else
		m->credit_ns += now - m->last_ns;
	if (m->credit_ns > full)
		m->credit_ns = full;
	m->started = true;
	m->last_ns = now;
	if (m->credit_ns < cost)
		return false;
	m->credit_ns -= cost;
	return true;
}

static void limit_print(const void *data, struct text *t)
{
	const struct limit *m = data;
	int i;

	for (i = 1; i < 4; i++) {
		uint32_t u = units[i].value * LIMIT_SCALE;

		if (m->avg > u || u / m->avg < u % m->avg)
			break;
	}
	text_add(t, " --limit %u/%s", units[i - 1].value * LIMIT_SCALE / m->avg, units[i - 1].name);
	if (m->burst != LIMIT_BURST)
		text_add(t, " --limit-burst %u", m->burst);
}

const struct ext_ops match_limit = {
	.name = "limit", .size = sizeof(struct limit), .nets = 3, .options = limit_options,
	.option = limit_option, .check = limit_check, .match = limit_eval, .print = limit_print,
};
