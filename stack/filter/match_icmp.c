/* Matches on ICMP types: icmp, icmp6. */
#include <stdlib.h>

#include "filter/parse.h"
#include "header/icmp.h"

enum { ANY_TYPE = 0x100 };

/** struct icmp_match - @type: ANY_TYPE for any; codes from @code[0] to @code[1] */
struct icmp_match {
	uint16_t type;
	uint8_t code[2];
	bool negated;
};

#define CODE(type, code) ((uint32_t)(type) << 16 | (uint32_t)(code) << 8 | (uint32_t)(code))
#define TYPE(type) ((uint32_t)(type) << 16 | 0x00ff)

static const struct name_value types4[] = {
	{ "any", TYPE(ANY_TYPE) }, { "echo-reply", TYPE(0) }, { "pong", TYPE(0) },
	{ "destination-unreachable", TYPE(3) }, { "network-unreachable", CODE(3, 0) },
	{ "host-unreachable", CODE(3, 1) }, { "protocol-unreachable", CODE(3, 2) },
	{ "port-unreachable", CODE(3, 3) }, { "fragmentation-needed", CODE(3, 4) },
	{ "source-route-failed", CODE(3, 5) }, { "network-unknown", CODE(3, 6) },
	{ "host-unknown", CODE(3, 7) }, { "network-prohibited", CODE(3, 9) },
	{ "host-prohibited", CODE(3, 10) }, { "TOS-network-unreachable", CODE(3, 11) },
	{ "TOS-host-unreachable", CODE(3, 12) }, { "communication-prohibited", CODE(3, 13) },
	{ "host-precedence-violation", CODE(3, 14) }, { "precedence-cutoff", CODE(3, 15) },
	{ "source-quench", TYPE(4) }, { "redirect", TYPE(5) }, { "network-redirect", CODE(5, 0) },
	{ "host-redirect", CODE(5, 1) }, { "TOS-network-redirect", CODE(5, 2) },
	{ "TOS-host-redirect", CODE(5, 3) }, { "echo-request", TYPE(8) }, { "ping", TYPE(8) },
	{ "router-advertisement", TYPE(9) }, { "router-solicitation", TYPE(10) },
	{ "time-exceeded", TYPE(11) }, { "ttl-exceeded", TYPE(11) },
	{ "ttl-zero-during-transit", CODE(11, 0) }, { "ttl-zero-during-reassembly", CODE(11, 1) },
	{ "parameter-problem", TYPE(12) }, { "ip-header-bad", CODE(12, 0) },
	{ "required-option-missing", CODE(12, 1) }, { "timestamp-request", TYPE(13) },
	{ "timestamp-reply", TYPE(14) }, { "address-mask-request", TYPE(17) },
	{ "address-mask-reply", TYPE(18) }, { NULL, 0 },
};

static const struct name_value types6[] = {
	{ "destination-unreachable", TYPE(1) }, { "no-route", CODE(1, 0) },
	{ "communication-prohibited", CODE(1, 1) }, { "beyond-scope", CODE(1, 2) },
	{ "address-unreachable", CODE(1, 3) }, { "port-unreachable", CODE(1, 4) },
	{ "failed-policy", CODE(1, 5) }, { "reject-route", CODE(1, 6) },
	{ "packet-too-big", TYPE(2) }, { "time-exceeded", TYPE(3) }, { "ttl-exceeded", TYPE(3) },
	{ "ttl-zero-during-transit", CODE(3, 0) }, { "ttl-zero-during-reassembly", CODE(3, 1) },
	{ "parameter-problem", TYPE(4) }, { "bad-header", CODE(4, 0) },
	{ "unknown-header-type", CODE(4, 1) }, { "unknown-option", CODE(4, 2) },
	{ "echo-request", TYPE(128) }, { "ping", TYPE(128) }, { "echo-reply", TYPE(129) },
	{ "pong", TYPE(129) }, { "router-solicitation", TYPE(133) },
	{ "router-advertisement", TYPE(134) }, { "neighbour-solicitation", TYPE(135) },
	{ "neighbor-solicitation", TYPE(135) }, { "neighbour-advertisement", TYPE(136) },
	{ "neighbor-advertisement", TYPE(136) }, { "redirect", TYPE(137) }, { NULL, 0 },
};

static const struct ext_option icmp_options[] = { { "--icmp-type", 0, 1, true }, { 0 } };
static const struct ext_option icmp6_options[] = { { "--icmpv6-type", 0, 1, true }, { 0 } };

static bool icmp_option(struct parser *p, void *data, unsigned id, bool negated)
{
	const struct name_value *v = name_find(p->net == NET_IPV4 ? types4 : types6, p->arg[0]->s);
	struct icmp_match *m = data;
	struct scan s = scan_of(p, p->arg[0]);
	uint64_t type, code;

	m->negated = negated;
	if (v) {
		m->type = (uint16_t)(v->value >> 16);
		m->code[0] = (uint8_t)(v->value >> 8);
		m->code[1] = (uint8_t)v->value;
		return true;
	}
	if (!scan_number(&s, 255, "an ICMP type: a name, or a number from 0 to 255", &type))
		return false;
	m->type = (uint16_t)type;
	m->code[0] = 0;
	m->code[1] = 255;
	if (type == 255 && p->net == NET_IPV4)
		m->type = ANY_TYPE;
	if (scan_take(&s, '/')) {
		if (!scan_number(&s, 255, "an ICMP code from 0 to 255", &code))
			return false;
		m->code[0] = m->code[1] = (uint8_t)code;
	}
	return scan_end(&s, "the end of the ICMP type");
}

static bool icmp_eval(void *data, struct filter_pkt *k)
{
	const struct icmp_match *m = data;
	const uint8_t *p = packet_l4(k);

	if (k->later_fragment)
		return false;
	if (k->l4_len < ICMP_HDR_LEN) {
		k->drop = true;
		return false;
	}
	return (m->type == ANY_TYPE ||
		(p[0] == m->type && p[1] >= m->code[0] && p[1] <= m->code[1])) != m->negated;
}

static void print_type(const struct icmp_match *m, const char *name, struct text *t)
{
	text_add(t, "%s %s ", m->negated ? " !" : "", name);
	if (m->type == ANY_TYPE)
		text_add(t, "any");
	else if (m->code[0] == m->code[1])
		text_add(t, "%u/%u", m->type, m->code[0]);
	else
		text_add(t, "%u", m->type);
}

static void icmp_print(const void *data, struct text *t)
{
	print_type(data, "--icmp-type", t);
}

static void icmp6_print(const void *data, struct text *t)
{
	print_type(data, "--icmpv6-type", t);
}

const struct ext_ops match_icmp = {
	.name = "icmp", .size = sizeof(struct icmp_match), .nets = 1 << NET_IPV4,
	.protos = { IP_PROTO_ICMP }, .nprotos = 1, .options = icmp_options, .required = 1,
	.option = icmp_option, .match = icmp_eval, .print = icmp_print,
};

const struct ext_ops match_icmp6 = {
	.name = "icmp6", .size = sizeof(struct icmp_match), .nets = 1 << NET_IPV6,
	.protos = { IP_PROTO_ICMPV6 }, .nprotos = 1, .options = icmp6_options, .required = 1,
	.option = icmp_option, .match = icmp_eval, .print = icmp6_print,
};
