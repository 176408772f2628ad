/* Matches on what TCP and UDP have in their headers: tcp, udp, multiport. */
#include "base/byteorder.h"
#include "filter/parse.h"
#include "header/udp.h"

enum { TCP_FLAGS_OFF = 13, TCP_DOFF_OFF = 12, TCP_HDR_MAX = 60 };
enum { OPT_SPORT, OPT_DPORT, OPT_FLAGS, OPT_TCP_OPTION };

/** struct ports - of tcp and udp; a range of all ports matches everything */
struct ports {
	uint16_t sport[2], dport[2];
	bool not_sport, not_dport, set_sport, set_dport;
	bool not_flags, set_flags, not_option, set_option;
	uint8_t mask, comp, option;
};

static const struct ext_option tcp_options[] = {
	{ "--sport", OPT_SPORT, 1, true }, { "--source-port", OPT_SPORT, 1, true },
	{ "--dport", OPT_DPORT, 1, true }, { "--destination-port", OPT_DPORT, 1, true },
	{ "--tcp-flags", OPT_FLAGS, 2, true }, { "--syn", OPT_FLAGS, 0, true },
	{ "--tcp-option", OPT_TCP_OPTION, 1, true },
	{ 0 },
};

static const struct ext_option udp_options[] = {
	{ "--sport", OPT_SPORT, 1, true }, { "--source-port", OPT_SPORT, 1, true },
	{ "--dport", OPT_DPORT, 1, true }, { "--destination-port", OPT_DPORT, 1, true },
	{ 0 },
};

static const struct name_value flag_names[] = {
	{ "FIN", TCP_FLAG_FIN }, { "SYN", TCP_FLAG_SYN }, { "RST", TCP_FLAG_RST },
	{ "PSH", TCP_FLAG_PSH }, { "ACK", TCP_FLAG_ACK }, { "URG", TCP_FLAG_URG },
	{ "ALL", 63 }, { "NONE", 0 }, { NULL, 0 },
};

static bool set_range(struct parser *p, uint16_t range[2])
{
	struct scan s = scan_of(p, p->arg[0]);

	return scan_port_range(&s, ':', true, range) && scan_end(&s, "the end of the ports");
}

static bool set_flags(struct parser *p, const struct token *t, uint8_t *out)
{
	struct scan s = scan_of(p, t);
	uint32_t bits = 0;

	if (!scan_names(&s, flag_names, "a flag: FIN, SYN, RST, PSH, ACK, URG, ALL or NONE", &bits))
		return false;
	*out = (uint8_t)bits;
	return true;
}

static bool ports_option(struct parser *p, void *data, unsigned id, bool negated)
{
	struct ports *m = data;
	struct scan s;
	uint64_t v;

	switch (id) {
	case OPT_SPORT:
		m->set_sport = true;
		m->not_sport = negated;
		return set_range(p, m->sport);
	case OPT_DPORT:
		m->set_dport = true;
		m->not_dport = negated;
		return set_range(p, m->dport);
	case OPT_FLAGS:
		m->set_flags = true;
		m->not_flags = negated;
		if (!strcmp(p->name->s, "--syn")) {
			m->mask = TCP_FLAG_SYN | TCP_FLAG_RST | TCP_FLAG_ACK | TCP_FLAG_FIN;
			m->comp = TCP_FLAG_SYN;
			return true;
		}
		return set_flags(p, p->arg[0], &m->mask) && set_flags(p, p->arg[1], &m->comp);
	default:
		m->set_option = true;
		m->not_option = negated;
		s = scan_of(p, p->arg[0]);
		if (!scan_number(&s, 255, "a TCP option's number from 1 to 255", &v) ||
		    !scan_end(&s, "a number"))
			return false;
		m->option = (uint8_t)v;
		return v != 0 || parser_fail(p, p->arg[0], 0, "a TCP option's number from 1 to 255");
	}
}

static bool in_range(const uint16_t range[2], bool set, bool negated, uint16_t port)
{
	return !set || (port >= range[0] && port <= range[1]) != negated;
}

/* Sets drop, too, for options whose lengths lie. */
static bool has_option(struct filter_pkt *k, uint8_t want)
{
	size_t len = (size_t)(packet_l4(k)[TCP_DOFF_OFF] >> 4) * 4;
	const uint8_t *p;

	if (len < TCP_HDR_MIN || !packet_need(k, len)) {
		k->drop = true;
		return false;
	}
	p = packet_l4(k);
	for (size_t i = TCP_HDR_MIN; i < len;) {
		if (p[i] == want)
			return true;
		if (p[i] < 2 || i + 1 >= len)
			i++;
		else
			i += p[i + 1] ? p[i + 1] : 1;
	}
	return false;
}

static bool ports_match(const struct ports *m, const uint8_t *p)
{
	return in_range(m->sport, m->set_sport, m->not_sport, be16_load(p)) &&
	       in_range(m->dport, m->set_dport, m->not_dport, be16_load(p + 2));
}

static bool tcp_eval(void *data, struct filter_pkt *k)
{
	const struct ports *m = data;
	const uint8_t *p = packet_l4(k);

	if (k->later_fragment)
		return false;
	if (k->l4_len < TCP_HDR_MIN) {
		k->drop = true;		/* as Netfilter has it: what cannot be looked at is not let by */
		return false;
	}
	if (!ports_match(m, p))
		return false;
	if (m->set_flags && ((p[TCP_FLAGS_OFF] & m->mask) == m->comp) == m->not_flags)
		return false;
	return !m->set_option || has_option(k, m->option) != m->not_option;
}

static bool udp_eval(void *data, struct filter_pkt *k)
{
	if (k->later_fragment)
		return false;
	if (k->l4_len < UDP_HDR_LEN) {
		k->drop = true;
		return false;
	}
	return ports_match(data, packet_l4(k));
}

static void print_range(const char *name, const uint16_t range[2], bool set, bool negated,
			struct text *t)
{
	if (!set || (range[0] == 0 && range[1] == 65535 && !negated))
		return;
	text_add(t, "%s %s %u", negated ? " !" : "", name, range[0]);
	if (range[1] != range[0])
		text_add(t, ":%u", range[1]);
}

static void print_flags(uint8_t bits, struct text *t)
{
	text_add(t, " ");
	if (bits)
		names_print(flag_names, bits, t);
	else
		text_add(t, "NONE");
}

static void ports_print(const void *data, struct text *t)
{
	const struct ports *m = data;

	print_range("--sport", m->sport, m->set_sport, m->not_sport, t);
	print_range("--dport", m->dport, m->set_dport, m->not_dport, t);
	if (m->set_option)
		text_add(t, "%s --tcp-option %u", m->not_option ? " !" : "", m->option);
	if (!m->set_flags)
		return;
	text_add(t, "%s --tcp-flags", m->not_flags ? " !" : "");
	print_flags(m->mask, t);
	print_flags(m->comp, t);
}

const struct ext_ops match_tcp = {
	.name = "tcp", .size = sizeof(struct ports), .nets = 3, .protos = { IP_PROTO_TCP },
	.nprotos = 1, .options = tcp_options,
	.option = ports_option, .match = tcp_eval, .print = ports_print,
};

const struct ext_ops match_udp = {
	.name = "udp", .size = sizeof(struct ports), .nets = 3, .protos = { IP_PROTO_UDP },
	.nprotos = 1, .options = udp_options,
	.option = ports_option, .match = udp_eval, .print = ports_print,
};

enum { MULTIPORT_MAX = 15 };
enum { OPT_SPORTS, OPT_DPORTS, OPT_PORTS };

/** struct multiport - up to 15 ports, of which a range takes two; @which: OPT_SPORTS and so on */
struct multiport {
	uint16_t range[MULTIPORT_MAX][2];
	uint8_t n, slots, which;
	bool negated;
};

/* One id: only one of them is allowed. */
static const struct ext_option multiport_options[] = {
	{ "--sports", 0, 1, true }, { "--source-ports", 0, 1, true },
	{ "--dports", 0, 1, true }, { "--destination-ports", 0, 1, true },
	{ "--ports", 0, 1, true },
	{ 0 },
};

static bool multiport_option(struct parser *p, void *data, unsigned id, bool negated)
{
	const char *name = p->name->s;
	struct scan s = scan_of(p, p->arg[0]);
	struct multiport *m = data;

	m->negated = negated;
	m->which = name[2] == 's' ? OPT_SPORTS : name[2] == 'd' ? OPT_DPORTS : OPT_PORTS;
	do {
		uint16_t *r = m->range[m->n];

		if (m->n == MULTIPORT_MAX)
			return scan_fail(&s, "at most %d ports", MULTIPORT_MAX);
		if (!scan_port_range(&s, ':', false, r))
			return false;
		m->n++;
		m->slots = (uint8_t)(m->slots + (r[0] == r[1] ? 1 : 2));
		if (m->slots > MULTIPORT_MAX)
			return scan_fail(&s, "at most %d ports, of which a range is two", MULTIPORT_MAX);
	} while (scan_take(&s, ','));
	return scan_end(&s, "a comma or the end of the ports");
}

static bool multiport_has(const struct multiport *m, uint16_t port)
{
	for (int i = 0; i < m->n; i++)
		if (port >= m->range[i][0] && port <= m->range[i][1])
			return true;
	return false;
}

static bool multiport_eval(void *data, struct filter_pkt *k)
{
	const struct multiport *m = data;
	const uint8_t *p = packet_l4(k);
	bool hit = false;

	if (k->later_fragment)
		return false;
	if (k->l4_len < 4) {
		k->drop = true;
		return false;
	}
	if (m->which != OPT_DPORTS)
		hit |= multiport_has(m, be16_load(p));
	if (m->which != OPT_SPORTS)
		hit |= multiport_has(m, be16_load(p + 2));
	return hit != m->negated;
}

static void multiport_print(const void *data, struct text *t)
{
	static const char *const names[] = { "--sports", "--dports", "--ports" };
	const struct multiport *m = data;

	text_add(t, "%s %s ", m->negated ? " !" : "", names[m->which]);
	for (int i = 0; i < m->n; i++) {
		text_add(t, "%s%u", i ? "," : "", m->range[i][0]);
		if (m->range[i][1] != m->range[i][0])
			text_add(t, ":%u", m->range[i][1]);
	}
}

const struct ext_ops match_multiport = {
	.name = "multiport", .size = sizeof(struct multiport), .nets = 3,
	.protos = { IP_PROTO_TCP, IP_PROTO_UDP, 136, 132, 33 }, .nprotos = 5,
	.options = multiport_options, .one_of = 1,
	.option = multiport_option, .match = multiport_eval, .print = multiport_print,
};
