/* Marks: the mark match, the MARK target. */
#include "filter/parse.h"

struct mark {
	uint32_t value, mask;
	bool negated;
};

static const struct ext_option mark_options[] = { { "--mark", 0, 1, true }, { 0 } };

static bool scan_value_mask(struct parser *p, struct mark *m)
{
	struct scan s = scan_of(p, p->arg[0]);
	uint64_t value, mask = UINT32_MAX;

	if (!scan_number(&s, UINT32_MAX, "a mark: a number of 32 bits", &value))
		return false;
	if (scan_take(&s, '/') &&
	    !scan_number(&s, UINT32_MAX, "a mask: a number of 32 bits", &mask))
		return false;
	m->value = (uint32_t)value;
	m->mask = (uint32_t)mask;
	return scan_end(&s, "/mask, or the end of the mark");
}

static bool mark_option(struct parser *p, void *data, unsigned id, bool negated)
{
	((struct mark *)data)->negated = negated;
	return scan_value_mask(p, data);
}

static bool mark_eval(void *data, struct filter_pkt *k)
{
	const struct mark *m = data;

	return ((k->pkt->mark & m->mask) == m->value) != m->negated;
}

static void mark_print(const void *data, struct text *t)
{
	const struct mark *m = data;

	text_add(t, "%s --mark 0x%x", m->negated ? " !" : "", m->value);
	if (m->mask != UINT32_MAX)
		text_add(t, "/0x%x", m->mask);
}

const struct ext_ops match_mark = {
	.name = "mark", .size = sizeof(struct mark), .nets = 3, .options = mark_options, .required = 1,
	.option = mark_option, .match = mark_eval, .print = mark_print,
};

/* One of them; all become "mark & ~mask ^ value". */
static const struct ext_option target_options[] = {
	{ "--set-xmark", 0, 1, false }, { "--set-mark", 0, 1, false }, { "--and-mark", 0, 1, false },
	{ "--or-mark", 0, 1, false }, { "--xor-mark", 0, 1, false }, { 0 },
};

static bool target_option(struct parser *p, void *data, unsigned id, bool negated)
{
	const char *name = p->name->s + 2;
	struct mark *m = data;

	if (!scan_value_mask(p, m))
		return false;
	if (!strncmp(name, "set", 3)) {
		if (!strcmp(name, "set-mark"))
			m->mask |= m->value;
		return true;
	}
	if (strchr(p->arg[0]->s, '/'))
		return parser_fail(p, p->arg[0], 0, "a number of 32 bits without a mask");
	if (!strcmp(name, "and-mark"))
		*m = (struct mark){ .mask = ~m->value };
	else if (!strcmp(name, "or-mark"))
		m->mask = m->value;
	else
		m->mask = 0;
	return true;
}

static enum filter_verdict target_run(const void *data, struct filter_pkt *k)
{
	const struct mark *m = data;

	k->pkt->mark = (k->pkt->mark & ~m->mask) ^ m->value;
	return V_NEXT;
}

static void target_print(const void *data, struct text *t)
{
	const struct mark *m = data;

	text_add(t, " --set-xmark 0x%x/0x%x", m->value, m->mask);
}

const struct ext_ops target_mark = {
	.name = "MARK", .size = sizeof(struct mark), .nets = 3, .options = target_options, .one_of = 1,
	.option = target_option, .target = target_run, .print = target_print,
};
