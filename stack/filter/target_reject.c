/* The REJECT target: drop, and say so by an ICMP error or a TCP reset. */
#include "base/byteorder.h"
#include "base/cksum.h"
#include "filter/filter_impl.h"
#include "filter/parse.h"

enum { TCP_RESET = 0x100 };
enum { TCP_SEQ = 4, TCP_ACK = 8, TCP_DOFF = 12, TCP_FLAGS = 13, TCP_CKSUM = 16 };

/** struct reject - @with: enum net_reject, or TCP_RESET */
struct reject {
	uint32_t with;
	bool set;
};

static const struct name_value kinds4[] = {
	{ "icmp-net-unreachable", NET_REJECT_NET }, { "net-unreach", NET_REJECT_NET },
	{ "icmp-host-unreachable", NET_REJECT_HOST }, { "host-unreach", NET_REJECT_HOST },
	{ "icmp-proto-unreachable", NET_REJECT_PROTOCOL }, { "proto-unreach", NET_REJECT_PROTOCOL },
	{ "icmp-port-unreachable", NET_REJECT_PORT }, { "port-unreach", NET_REJECT_PORT },
	{ "icmp-net-prohibited", NET_REJECT_NET_PROHIBITED },
	{ "net-prohib", NET_REJECT_NET_PROHIBITED },
	{ "icmp-host-prohibited", NET_REJECT_HOST_PROHIBITED },
	{ "host-prohib", NET_REJECT_HOST_PROHIBITED },
	{ "icmp-admin-prohibited", NET_REJECT_ADMIN }, { "admin-prohib", NET_REJECT_ADMIN },
	{ "tcp-reset", TCP_RESET }, { "tcp-rst", TCP_RESET }, { NULL, 0 },
};

static const struct name_value kinds6[] = {
	{ "icmp6-no-route", NET_REJECT_NET }, { "no-route", NET_REJECT_NET },
	{ "icmp6-adm-prohibited", NET_REJECT_ADMIN }, { "adm-prohibited", NET_REJECT_ADMIN },
	{ "icmp6-addr-unreachable", NET_REJECT_HOST }, { "addr-unreach", NET_REJECT_HOST },
	{ "icmp6-port-unreachable", NET_REJECT_PORT }, { "port-unreach", NET_REJECT_PORT },
	{ "icmp6-policy-fail", NET_REJECT_POLICY }, { "policy-fail", NET_REJECT_POLICY },
	{ "icmp6-reject-route", NET_REJECT_ROUTE }, { "reject-route", NET_REJECT_ROUTE },
	{ "tcp-reset", TCP_RESET }, { NULL, 0 },
};

static const struct ext_option reject_options[] = { { "--reject-with", 0, 1, false }, { 0 } };

static bool reject_option(struct parser *p, void *data, unsigned id, bool negated)
{
	const struct name_value *v = name_find(p->net == NET_IPV4 ? kinds4 : kinds6, p->arg[0]->s);
	struct reject *m = data;

	if (!v)
		return parser_fail(p, p->arg[0], 0, p->net == NET_IPV4 ?
				   "icmp-port-unreachable, another icmp-..., or tcp-reset" :
				   "icmp6-port-unreachable, another icmp6-..., or tcp-reset");
	m->with = v->value;
	m->set = true;
	return true;
}

static bool reject_check(struct parser *p, void *data)
{
	struct reject *m = data;
	const struct rule *r = p->rule;

	if (!m->set)
		m->with = NET_REJECT_PORT;
	if (m->with != TCP_RESET || (r->has_proto && r->proto == IP_PROTO_TCP && !(r->not & NOT_PROTO)))
		return true;
	return parser_refuse(p, r, "expected -p tcp with --reject-with tcp-reset");
}

/* The reset's header, as RFC 9293, 3.5.2 has it for a segment to a closed port. */
static void build_reset(const struct filter_pkt *k, uint8_t *p)
{
	const uint8_t *seg = packet_l4(k);
	size_t hdr = (size_t)(seg[TCP_DOFF] >> 4) * 4, total = packet_l4_total(k);
	uint8_t flags = seg[TCP_FLAGS];

	memset(p, 0, TCP_HDR_MIN);
	memcpy(p, seg + 2, 2);
	memcpy(p + 2, seg, 2);
	p[TCP_DOFF] = TCP_HDR_MIN / 4 << 4;
	if (flags & TCP_FLAG_ACK) {
		memcpy(p + TCP_SEQ, seg + TCP_ACK, 4);
		p[TCP_FLAGS] = TCP_FLAG_RST;
		return;
	}
	be32_store(p + TCP_ACK, be32_load(seg + TCP_SEQ) + !!(flags & TCP_FLAG_SYN) +
		   !!(flags & TCP_FLAG_FIN) + (uint32_t)(total > hdr ? total - hdr : 0));
	p[TCP_FLAGS] = TCP_FLAG_RST | TCP_FLAG_ACK;
}

static void send_reset(struct filter_pkt *k)
{
	struct stack *s = k->stack;
	struct route_key key = { .remote = k->pkt->src, .forwarded = true };
	struct net_tx tx = { .proto = IP_PROTO_TCP, .pmtud = NET_PMTUD_WANT };
	struct pkt *out;
	struct route r;
	uint16_t sum;

	if (k->later_fragment || k->l4_len < TCP_HDR_MIN ||
	    packet_l4(k)[TCP_FLAGS] & TCP_FLAG_RST || k->pkt->type != PKT_HOST ||
	    addr_is_multicast(&k->pkt->dst) || addr_is_any(&k->pkt->src))
		return;
	if (addr_is_link_local(&k->pkt->src) && (k->in || k->out))
		key.nic = k->in ? k->in->id : k->out->id;
	if (route_find(s, &key, &r))
		return;
	out = pkt_alloc(s->pool, PKT_HEADROOM, TCP_HDR_MIN);
	if (out) {
		uint8_t *p = pkt_put(out, TCP_HDR_MIN);

		build_reset(k, p);
		pkt_answers(out, k->pkt);
		r.local = k->pkt->dst;	/* the host it pretends to be, which need not be us */
		sum = cksum_pseudo(&r.local, &r.remote, IP_PROTO_TCP, TCP_HDR_MIN);
		sum = (uint16_t)~cksum_add(sum, p, TCP_HDR_MIN);
		memcpy(p + TCP_CKSUM, &sum, 2);
		r.net->tx(&r, out, &tx);
	}
	route_release(&r);
}

static enum filter_verdict reject_run(const void *data, struct filter_pkt *k)
{
	const struct reject *m = data;
	struct nic *nic = k->in ? k->in : k->out;

	/* Here already: what is rejected is an answer to what is rejected. */
	if (k->filter->rejecting)
		return V_DROP;
	k->filter->rejecting = true;
	if (m->with == TCP_RESET)
		send_reset(k);
	else if (nic)
		k->stack->net[k->net]->reject(nic, k->pkt, (enum net_reject)m->with);
	k->filter->rejecting = false;
	return V_DROP;
}

static void reject_print(const void *data, struct text *t)
{
	text_add(t, " --reject-with %s", name_of(kinds4, ((const struct reject *)data)->with));
}

static void reject6_print(const void *data, struct text *t)
{
	text_add(t, " --reject-with %s", name_of(kinds6, ((const struct reject *)data)->with));
}

const struct ext_ops target_reject = {
	.name = "REJECT", .size = sizeof(struct reject), .nets = 1 << NET_IPV4,
	.tables = 1 << TABLE_FILTER, .hooks = 1 << HOOK_INPUT | 1 << HOOK_FORWARD | 1 << HOOK_OUTPUT,
	.options = reject_options, .option = reject_option, .check = reject_check,
	.target = reject_run, .print = reject_print,
};

const struct ext_ops target_reject6 = {
	.name = "REJECT", .size = sizeof(struct reject), .nets = 1 << NET_IPV6,
	.tables = 1 << TABLE_FILTER, .hooks = 1 << HOOK_INPUT | 1 << HOOK_FORWARD | 1 << HOOK_OUTPUT,
	.options = reject_options, .option = reject_option, .check = reject_check,
	.target = reject_run, .print = reject6_print,
};
