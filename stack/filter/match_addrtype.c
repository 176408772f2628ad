/* The addrtype match: what an address is to this stack. */
#include "filter/parse.h"

enum { OPT_SRC, OPT_DST };
enum {
	TYPE_UNSPEC = 1, TYPE_UNICAST = 2, TYPE_LOCAL = 4, TYPE_BROADCAST = 8, TYPE_MULTICAST = 32,
};

struct addrtype {
	uint32_t src, dst;
	bool not_src, not_dst;
};

static const struct ext_option addrtype_options[] = {
	{ "--src-type", OPT_SRC, 1, true }, { "--dst-type", OPT_DST, 1, true }, { 0 },
};

static const struct name_value type_names[] = {
	{ "UNSPEC", TYPE_UNSPEC }, { "UNICAST", TYPE_UNICAST }, { "LOCAL", TYPE_LOCAL },
	{ "BROADCAST", TYPE_BROADCAST }, { "MULTICAST", TYPE_MULTICAST }, { NULL, 0 },
};

static bool addrtype_option(struct parser *p, void *data, unsigned id, bool negated)
{
	struct scan s = scan_of(p, p->arg[0]);
	struct addrtype *m = data;

	if (id == OPT_SRC)
		m->not_src = negated;
	else
		m->not_dst = negated;
	return scan_names(&s, type_names, "a type: UNSPEC, UNICAST, LOCAL, BROADCAST or MULTICAST",
			  id == OPT_SRC ? &m->src : &m->dst);
}

static bool is_broadcast(const struct stack *s, const struct addr *a)
{
	list_for_each(n, &s->nics)
		if (nic_is_broadcast(container_of(n, struct nic, list), a))
			return true;
	return false;
}

static uint32_t type_of(const struct stack *s, const struct addr *a)
{
	if (addr_is_any(a))
		return TYPE_UNSPEC;
	if (addr_is_multicast(a))
		return TYPE_MULTICAST;
	if (addr_is_loopback(a) || stack_find_addr(s, a, 0))
		return TYPE_LOCAL;
	return is_broadcast(s, a) ? TYPE_BROADCAST : TYPE_UNICAST;
}

static bool addrtype_eval(void *data, struct filter_pkt *k)
{
	const struct addrtype *m = data;

	if (m->src && !!(type_of(k->stack, &k->pkt->src) & m->src) == m->not_src)
		return false;
	return !m->dst || !!(type_of(k->stack, &k->pkt->dst) & m->dst) != m->not_dst;
}

static void print_types(const char *name, uint32_t bits, bool negated, struct text *t)
{
	if (!bits)
		return;
	text_add(t, "%s %s ", negated ? " !" : "", name);
	names_print(type_names, bits, t);
}

static void addrtype_print(const void *data, struct text *t)
{
	const struct addrtype *m = data;

	print_types("--src-type", m->src, m->not_src, t);
	print_types("--dst-type", m->dst, m->not_dst, t);
}

const struct ext_ops match_addrtype = {
	.name = "addrtype", .size = sizeof(struct addrtype), .nets = 3, .options = addrtype_options,
	.one_of = 3, .option = addrtype_option, .match = addrtype_eval, .print = addrtype_print,
};
