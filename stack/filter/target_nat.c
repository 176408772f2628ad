/* The nat table's targets: SNAT, DNAT, MASQUERADE, REDIRECT. */
#include "filter/nat.h"
#include "filter/parse.h"

enum { OPT_TO, OPT_RANDOM, OPT_FULLY, OPT_PERSISTENT };

/** struct nat_target - @fully: only how it was written: both mean any port */
struct nat_target {
	struct nat_range range;
	bool random, fully;
};

#define DST_HOOKS (1 << HOOK_PREROUTING | 1 << HOOK_OUTPUT)
#define SRC_HOOKS (1 << HOOK_POSTROUTING | 1 << HOOK_INPUT)

static const struct ext_option snat_options[] = {
	{ "--to-source", OPT_TO, 1, false }, { "--random", OPT_RANDOM, 0, false },
	{ "--random-fully", OPT_FULLY, 0, false }, { "--persistent", OPT_PERSISTENT, 0, false },
	{ 0 },
};

static const struct ext_option dnat_options[] = {
	{ "--to-destination", OPT_TO, 1, false }, { "--random", OPT_RANDOM, 0, false },
	{ "--persistent", OPT_PERSISTENT, 0, false }, { 0 },
};

static const struct ext_option masquerade_options[] = {
	{ "--to-ports", OPT_TO, 1, false }, { "--random", OPT_RANDOM, 0, false },
	{ "--random-fully", OPT_FULLY, 0, false }, { 0 },
};

static const struct ext_option redirect_options[] = {
	{ "--to-ports", OPT_TO, 1, false }, { "--random", OPT_RANDOM, 0, false }, { 0 },
};

/* Ports and addresses by the hundred need a protocol with ports, once and not negated. */
static bool need_ports(struct parser *p, const struct token *t, size_t off)
{
	const struct rule *r = p->rule;

	if (r->has_proto && !(r->not & NOT_PROTO) &&
	    (r->proto == IP_PROTO_TCP || r->proto == IP_PROTO_UDP))
		return true;
	return parser_fail(p, t, off, "-p tcp or -p udp before ports");
}

static bool scan_ports(struct scan *s, struct nat_range *r)
{
	uint64_t v;

	if (!need_ports(s->p, s->t, (size_t)(s->at - s->t->s)))
		return false;
	r->has_ports = true;
	if (!scan_port_range(s, '-', false, r->port))
		return false;
	if (r->port[0] == 0)
		return parser_fail(s->p, s->t, 0, "ports from 1 to 65535");
	if (!scan_take(s, '/'))
		return true;
	if (!scan_number(s, 65535, "a base port from 1 to 65535", &v))
		return false;
	r->has_base = true;
	r->base = (uint16_t)v;
	return true;
}

static bool addr_below(const struct addr *a, const struct addr *b)
{
	return memcmp(a->b, b->b, a->len) < 0;
}

/* IPv6 addresses stand in brackets when ports follow. */
static bool scan_one_addr(struct scan *s, bool bracket, struct addr *out)
{
	if (!scan_addr(s, bracket ? "]-" : s->p->net == NET_IPV4 ? "-:" : "-", out))
		return false;
	if (addr_is_any(out) || addr_is_multicast(out))
		return parser_fail(s->p, s->t, 0, "addresses that hosts can have");
	return true;
}

/* [ADDRESS[-ADDRESS]][:PORT[-PORT[/BASE]]] */
static bool scan_to(struct parser *p, struct nat_range *r, bool dst)
{
	struct scan s = scan_of(p, p->arg[0]);
	bool bracket = p->net == NET_IPV6 && scan_take(&s, '[');

	if (*s.at != ':' || bracket || p->net == NET_IPV6) {
		if (!scan_one_addr(&s, bracket, &r->min))
			return false;
		r->max = r->min;
		if (scan_take(&s, '-') && !scan_one_addr(&s, bracket, &r->max))
			return false;
		if (addr_below(&r->max, &r->min))
			return parser_fail(p, p->arg[0], 0, "a range whose end is not below its start");
		if (bracket && !scan_take(&s, ']'))
			return scan_fail(&s, "]");
	}
	if (scan_take(&s, ':') && !scan_ports(&s, r))
		return false;
	if (r->has_base && !dst)
		return parser_fail(p, p->arg[0], 0, "no base port for a source");
	return scan_end(&s, "the end of the addresses and ports");
}

static bool nat_option(struct parser *p, void *data, unsigned id, bool negated)
{
	struct nat_target *m = data;
	struct scan s;

	switch (id) {
	case OPT_RANDOM:
		m->random = m->range.random = true;
		return true;
	case OPT_FULLY:
		m->fully = m->range.random = true;
		return true;
	case OPT_PERSISTENT:
		return m->range.persistent = true;
	}
	if (!strcmp(p->name->s, "--to-ports")) {
		s = scan_of(p, p->arg[0]);
		return scan_ports(&s, &m->range) && scan_end(&s, "the end of the ports");
	}
	return scan_to(p, &m->range, !strcmp(p->name->s, "--to-destination"));
}

static enum filter_verdict setup(struct filter_pkt *k, const struct nat_range *r, bool dst)
{
	return nat_setup(k, r, dst) ? V_ACCEPT : V_DROP;
}

static enum filter_verdict snat_run(const void *data, struct filter_pkt *k)
{
	return setup(k, &((const struct nat_target *)data)->range, false);
}

static enum filter_verdict dnat_run(const void *data, struct filter_pkt *k)
{
	return setup(k, &((const struct nat_target *)data)->range, true);
}

static enum filter_verdict masquerade_run(const void *data, struct filter_pkt *k)
{
	const struct nat_target *m = data;
	const struct nic_addr *a = nic_primary_addr(k->out, k->net, &k->pkt->dst);
	struct nat_range r = m->range;

	/* Our own source needs no other; and no address to hide behind, no packet. */
	if (!a)
		return V_DROP;
	r.min = r.max = a->addr;
	k->conn->masq_nic = k->out->id;
	return setup(k, &r, false);
}

static enum filter_verdict redirect_run(const void *data, struct filter_pkt *k)
{
	struct nat_range r = ((const struct nat_target *)data)->range;
	const struct nic_addr *a;

	if (k->at == HOOK_OUTPUT) {
		r.min = addr_v6_any;
		r.min.b[15] = 1;
		if (k->net == NET_IPV4)
			r.min = addr_v4(127, 0, 0, 1);
		/* Without a loopback, the packet's own source is as local. */
		if (!stack_find_addr(k->stack, &r.min, 0))
			r.min = k->pkt->src;
	} else {
		a = nic_primary_addr(k->in, k->net, &k->pkt->src);
		if (!a)
			return V_DROP;
		r.min = a->addr;
	}
	r.max = r.min;
	return setup(k, &r, true);
}

static void print_ports(const struct nat_range *r, struct text *t)
{
	text_add(t, "%u", r->port[0]);
	if (r->port[1] != r->port[0])
		text_add(t, "-%u", r->port[1]);
	if (r->has_base)
		text_add(t, "/%u", r->base);
}

static void print_range(const struct nat_range *r, struct text *t)
{
	bool bracket = r->min.len == ADDR_LEN_V6 && r->has_ports;
	char buf[ADDR_STR_MAX];

	if (r->min.len) {
		text_add(t, "%s%s", bracket ? "[" : "", addr_format(&r->min, buf));
		if (!addr_equal(&r->min, &r->max))
			text_add(t, "-%s", addr_format(&r->max, buf));
		text_add(t, "%s", bracket ? "]" : "");
	}
	if (r->has_ports) {
		text_add(t, ":");
		print_ports(r, t);
	}
}

static void print_flags(const struct nat_target *m, struct text *t)
{
	if (m->random)
		text_add(t, " --random");
	if (m->fully)
		text_add(t, " --random-fully");
	if (m->range.persistent)
		text_add(t, " --persistent");
}

static void snat_print(const void *data, struct text *t)
{
	text_add(t, " --to-source ");
	print_range(&((const struct nat_target *)data)->range, t);
	print_flags(data, t);
}

static void dnat_print(const void *data, struct text *t)
{
	text_add(t, " --to-destination ");
	print_range(&((const struct nat_target *)data)->range, t);
	print_flags(data, t);
}

static void ports_print(const void *data, struct text *t)
{
	const struct nat_target *m = data;

	if (m->range.has_ports) {
		text_add(t, " --to-ports ");
		print_ports(&m->range, t);
	}
	print_flags(m, t);
}

const struct ext_ops target_snat = {
	.name = "SNAT", .size = sizeof(struct nat_target), .nets = 3, .tables = 1 << TABLE_NAT,
	.hooks = SRC_HOOKS, .options = snat_options, .required = 1 << OPT_TO, .tracks = true,
	.option = nat_option, .target = snat_run, .print = snat_print,
};

const struct ext_ops target_dnat = {
	.name = "DNAT", .size = sizeof(struct nat_target), .nets = 3, .tables = 1 << TABLE_NAT,
	.hooks = DST_HOOKS, .options = dnat_options, .required = 1 << OPT_TO, .tracks = true,
	.option = nat_option, .target = dnat_run, .print = dnat_print,
};

const struct ext_ops target_masquerade = {
	.name = "MASQUERADE", .size = sizeof(struct nat_target), .nets = 3,
	.tables = 1 << TABLE_NAT, .hooks = 1 << HOOK_POSTROUTING, .options = masquerade_options,
	.tracks = true, .option = nat_option, .target = masquerade_run, .print = ports_print,
};

const struct ext_ops target_redirect = {
	.name = "REDIRECT", .size = sizeof(struct nat_target), .nets = 3, .tables = 1 << TABLE_NAT,
	.hooks = DST_HOOKS, .options = redirect_options, .tracks = true,
	.option = nat_option, .target = redirect_run, .print = ports_print,
};
