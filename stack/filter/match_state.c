/* Matches on connections: state, conntrack. */
#include "filter/conn.h"
#include "filter/parse.h"

/* Bits of --ctstate: 1 << enum conn_state, and two that look at translation. */
enum { STATE_SNAT = 1 << 6, STATE_DNAT = 1 << 7 };
enum {
	OPT_STATE, OPT_STATUS, OPT_DIR, OPT_PROTO, OPT_ORIGSRC, OPT_ORIGDST, OPT_REPLSRC,
	OPT_REPLDST, OPT_ORIGSPORT, OPT_ORIGDPORT, OPT_REPLSPORT, OPT_REPLDPORT, OPT_COUNT,
};

static const struct name_value state_names[] = {
	{ "INVALID", 1 << CONN_INVALID }, { "NEW", 1 << CONN_NEW }, { "RELATED", 1 << CONN_RELATED },
	{ "ESTABLISHED", 1 << CONN_ESTABLISHED }, { "UNTRACKED", 1 << CONN_UNTRACKED },
	{ "SNAT", STATE_SNAT }, { "DNAT", STATE_DNAT }, { NULL, 0 },
};

/* EXPECTED never is: there are no helpers that expect connections. */
enum { STATUS_NONE = 1 << 31, STATUS_EXPECTED = 1 << 0 };
static const struct name_value status_names[] = {
	{ "NONE", (uint32_t)STATUS_NONE }, { "EXPECTED", STATUS_EXPECTED },
	{ "SEEN_REPLY", FILTER_CONN_SEEN_REPLY }, { "ASSURED", FILTER_CONN_ASSURED },
	{ "CONFIRMED", FILTER_CONN_CONFIRMED }, { NULL, 0 },
};

/**
 * struct conntrack - what is asked for is in @set, what is negated in @not, 1 << OPT_...
 * @addr: OPT_ORIGSRC to OPT_REPLDST; @port: OPT_ORIGSPORT to OPT_REPLDPORT
 */
struct conntrack {
	uint32_t set, not, states, status;
	uint8_t proto;
	bool reply;
	struct rule_addr addr[4];
	uint16_t port[4][2];
};

static const struct ext_option state_options[] = { { "--state", OPT_STATE, 1, true }, { 0 } };

static const struct ext_option conntrack_options[] = {
	{ "--ctstate", OPT_STATE, 1, true }, { "--ctstatus", OPT_STATUS, 1, true },
	{ "--ctdir", OPT_DIR, 1, false }, { "--ctproto", OPT_PROTO, 1, true },
	{ "--ctorigsrc", OPT_ORIGSRC, 1, true }, { "--ctorigdst", OPT_ORIGDST, 1, true },
	{ "--ctreplsrc", OPT_REPLSRC, 1, true }, { "--ctrepldst", OPT_REPLDST, 1, true },
	{ "--ctorigsrcport", OPT_ORIGSPORT, 1, true }, { "--ctorigdstport", OPT_ORIGDPORT, 1, true },
	{ "--ctreplsrcport", OPT_REPLSPORT, 1, true }, { "--ctrepldstport", OPT_REPLDPORT, 1, true },
	{ 0 },
};

static bool state_option(struct parser *p, void *data, unsigned id, bool negated)
{
	struct scan s = scan_of(p, p->arg[0]);
	struct conntrack *m = data;

	m->set = 1 << OPT_STATE;
	m->not = negated ? m->set : 0;
	if (!scan_names(&s, state_names, "a state: INVALID, NEW, RELATED, ESTABLISHED or UNTRACKED",
			&m->states))
		return false;
	return !(m->states & (STATE_SNAT | STATE_DNAT)) ||
	       parser_fail(p, p->arg[0], 0, "a state that -m state has");
}

static bool conntrack_option(struct parser *p, void *data, unsigned id, bool negated)
{
	struct scan s = scan_of(p, p->arg[0]);
	struct conntrack *m = data;

	m->set |= 1u << id;
	if (negated)
		m->not |= 1u << id;
	switch (id) {
	case OPT_STATE:
		return scan_names(&s, state_names, "a state: INVALID, NEW, RELATED, ESTABLISHED, "
				  "UNTRACKED, SNAT or DNAT", &m->states);
	case OPT_STATUS:
		return scan_names(&s, status_names, "a status: NONE, EXPECTED, SEEN_REPLY, ASSURED "
				  "or CONFIRMED", &m->status);
	case OPT_DIR:
		m->reply = !strcasecmp(p->arg[0]->s, "REPLY");
		return m->reply || !strcasecmp(p->arg[0]->s, "ORIGINAL") ||
		       scan_fail(&s, "ORIGINAL or REPLY");
	case OPT_PROTO:
		if (!proto_parse(p->arg[0]->s, &m->proto))
			return scan_fail(&s, "a protocol: a name, or a number from 0 to 255");
		return m->proto || !negated || scan_fail(&s, "a protocol that is not all");
	case OPT_ORIGSRC:
	case OPT_ORIGDST:
	case OPT_REPLSRC:
	case OPT_REPLDST:
		return scan_net(&s, &m->addr[id - OPT_ORIGSRC]);
	default:
		return scan_port_range(&s, ':', true, m->port[id - OPT_ORIGSPORT]) &&
		       scan_end(&s, "the end of the ports");
	}
}

static uint32_t state_bits(const struct filter_pkt *k)
{
	uint32_t bits = k->state == CONN_NONE ? 1u << CONN_INVALID : 1u << k->state;

	if (k->conn && k->conn->status & FILTER_CONN_SNAT)
		bits |= STATE_SNAT;
	if (k->conn && k->conn->status & FILTER_CONN_DNAT)
		bits |= STATE_DNAT;
	return bits;
}

static bool says(const struct conntrack *m, unsigned id, bool hit)
{
	return !(m->set & 1u << id) || hit != !!(m->not & 1u << id);
}

static bool in_ports(const uint16_t range[2], uint16_t port)
{
	return port >= range[0] && port <= range[1];
}

static bool conntrack_eval(void *data, struct filter_pkt *k)
{
	const struct conntrack *m = data;
	const struct conn *c = k->conn;
	const struct tuple *t;

	if (!says(m, OPT_STATE, (state_bits(k) & m->states) != 0))
		return false;
	if (!(m->set & ~(1u << OPT_STATE)))
		return true;
	if (!c)
		return false;
	if (m->set & 1 << OPT_DIR && m->reply != k->reply)
		return false;
	if (!says(m, OPT_STATUS, (c->status & m->status) != 0 ||
		  (m->status & STATUS_NONE && !(c->status & 0x1f))) ||
	    !says(m, OPT_PROTO, c->way[0].tuple.proto == m->proto))
		return false;
	for (unsigned w = 0; w < 2; w++) {
		t = &c->way[w].tuple;
		if (!says(m, OPT_ORIGSRC + 2 * w, rule_addr_matches(&m->addr[2 * w], &t->src)) ||
		    !says(m, OPT_ORIGDST + 2 * w, rule_addr_matches(&m->addr[2 * w + 1], &t->dst)) ||
		    !says(m, OPT_ORIGSPORT + 2 * w, in_ports(m->port[2 * w], t->sport)) ||
		    !says(m, OPT_ORIGDPORT + 2 * w, in_ports(m->port[2 * w + 1], t->dport)))
			return false;
	}
	return true;
}

static void state_print(const void *data, struct text *t)
{
	const struct conntrack *m = data;

	text_add(t, "%s --state ", m->not ? " !" : "");
	names_print(state_names, m->states, t);
}

static void print_value(const struct conntrack *m, unsigned id, struct text *t)
{
	const uint16_t *port;

	switch (id) {
	case OPT_STATE:
		names_print(state_names, m->states, t);
		break;
	case OPT_STATUS:
		names_print(status_names, m->status, t);
		break;
	case OPT_DIR:
		text_add(t, "%s", m->reply ? "REPLY" : "ORIGINAL");
		break;
	case OPT_PROTO:
		text_add(t, "%u", m->proto);
		break;
	case OPT_ORIGSRC:
	case OPT_ORIGDST:
	case OPT_REPLSRC:
	case OPT_REPLDST:
		rule_addr_print(&m->addr[id - OPT_ORIGSRC], false, t);
		break;
	default:
		port = m->port[id - OPT_ORIGSPORT];
		text_add(t, "%u", port[0]);
		if (port[1] != port[0])
			text_add(t, ":%u", port[1]);
	}
}

static void conntrack_print(const void *data, struct text *t)
{
	/* In the order iptables-save has them. */
	static const uint8_t order[] = {
		OPT_STATE, OPT_PROTO, OPT_ORIGSRC, OPT_ORIGDST, OPT_REPLSRC, OPT_REPLDST,
		OPT_ORIGSPORT, OPT_ORIGDPORT, OPT_REPLSPORT, OPT_REPLDPORT, OPT_STATUS, OPT_DIR,
	};
	const struct conntrack *m = data;

	for (size_t i = 0; i < sizeof(order); i++) {
		unsigned id = order[i];
		const struct ext_option *o = conntrack_options;

		if (!(m->set & 1u << id))
			continue;
		while (o->id != id)
			o++;
		text_add(t, "%s %s ", m->not & 1u << id ? " !" : "", o->name);
		print_value(m, id, t);
	}
}

const struct ext_ops match_state = {
	.name = "state", .size = sizeof(struct conntrack), .nets = 3, .options = state_options,
	.required = 1, .tracks = true,
	.option = state_option, .match = conntrack_eval, .print = state_print,
};

const struct ext_ops match_conntrack = {
	.name = "conntrack", .size = sizeof(struct conntrack), .nets = 3,
	.options = conntrack_options, .one_of = (1 << OPT_COUNT) - 1, .tracks = true,
	.option = conntrack_option, .match = conntrack_eval, .print = conntrack_print,
};
