/*
 * Raw endpoints.
 *
 * Theory of operation. A raw endpoint is a datagram endpoint without ports: names, routes, options and
 * queues are those of transport/dgram.h. What it receives comes from a tap (core/rawtap.h) behind the
 * input hooks, as a copy that shares the bytes: the packet itself goes on to its protocol.
 */
#include "transport/raw.h"

#include <stdlib.h>

#include "base/cksum.h"
#include "core/bpf.h"
#include "header/icmp.h"
#include "header/ipv4.h"
#include "header/ipv6.h"
#include "transport/dgram.h"

enum { RAW_MAX = 65535 };

/**
 * struct raw - a raw endpoint
 * @bpf:      which of the packets its user wants, NULL: all
 * @csum_off: where a checksum goes in what is sent and is checked in what is received, -1: nowhere
 */
struct raw {
	struct dgram d;
	struct raw_tap tap;
	uint8_t proto;
	bool hdr_included;
	int32_t csum_off;
	struct sockopt_icmp_filter filter;
	struct bpf_prog *bpf;
};

static const struct trans_proto_ops raw_proto = { .name = "raw" };

static struct raw *raw_of(struct endpoint *ep)
{
	return container_of(dgram_of(ep), struct raw, d);
}

static uint8_t raw_number(enum net_index net)
{
	(void)net;
	return IP_PROTO_RAW;	/* fill_tx() knows better */
}

static enum ns_err raw_build(struct dgram *d, const struct route *r, struct pkt *pkt, uint16_t dport)
{
	struct raw *w = container_of(d, struct raw, d);
	size_t off = (size_t)w->csum_off;
	uint16_t sum;
	uint8_t *p;

	(void)dport;
	if (w->hdr_included || w->csum_off < 0)
		return NS_OK;
	if (pkt->len < off + 2 || !pkt_pullup(pkt, off + 2))
		return NS_ERR_INVALID_OPTION_VALUE;
	if (!pkt_writable(pkt))
		return NS_ERR_NO_MEMORY;
	p = pkt_data(pkt) + off;
	p[0] = p[1] = 0;
	sum = cksum_pseudo(&r->local, &r->remote, w->proto, pkt->len);
	sum = (uint16_t)~pkt_cksum(pkt, 0, sum);
	if (sum == 0 && w->proto == IP_PROTO_UDP)
		sum = 0xffff;		/* RFC 8200, 8.1 */
	memcpy(p, &sum, 2);
	return NS_OK;
}

static void raw_fill_tx(struct dgram *d, struct net_tx *tx)
{
	struct raw *w = container_of(d, struct raw, d);

	tx->proto = w->proto;
	tx->hdr_included = w->hdr_included;
}

static void raw_sent(struct dgram *d, enum ns_err err)
{
	struct raw_stats *st = &d->ep.stack->stats.raw;

	if (!err)
		stat_inc(&st->packets_sent);
	else if (!ns_err_ignore_stats(err))
		stat_inc(&st->packet_send_errors);
}

static const struct dgram_ops raw_dgram_ops = {
	.proto = raw_number,
	.max_len = RAW_MAX,
	.portless = true,
	.build = raw_build,
	.fill_tx = raw_fill_tx,
	.sent = raw_sent,
};

static void raw_destroy(struct endpoint *ep)
{
	struct raw *w = raw_of(ep);

	raw_tap_remove(&ep->stack->taps, &w->tap);
	dgram_fini(&w->d);
	bpf_free(w->bpf);
	endpoint_fini(ep);
	free(w);
}

/* Headers that the user writes go out whole or not at all. */
static enum ns_err raw_check(struct endpoint *ep, const struct write_opts *o, size_t len)
{
	struct raw *w = raw_of(ep);
	enum ns_err err = dgram_check(ep, o, len);

	if (err || (!w->hdr_included && (w->csum_off < 0 || len >= (size_t)w->csum_off + 2)))
		return err;
	if (!w->hdr_included || len < (ep->net == NET_IPV4 ? (size_t)IPV4_HDR_LEN : IPV6_HDR_LEN))
		return NS_ERR_INVALID_OPTION_VALUE;
	return len > route_mtu(&w->d.route) && !w->d.route.loop ? NS_ERR_MESSAGE_TOO_LONG : NS_OK;
}

/* Whether what bind() and connect() chose lets the packet through. */
static bool raw_matches(const struct raw *w, const struct nic *nic, const struct pkt *pkt)
{
	const struct dgram *d = &w->d;
	uint32_t bound = d->ep.opts.bind_nic ? d->ep.opts.bind_nic : d->claim.nic;

	if (bound && bound != nic->id)
		return false;
	if (!addr_is_any(&d->local.addr) && !addr_equal(&d->local.addr, &pkt->dst))
		return false;
	if (d->state == DGRAM_CONNECTED && !addr_equal(&d->remote.addr, &pkt->src))
		return false;
	return !addr_is_multicast(&pkt->dst) || dgram_wants_source(d, nic, &pkt->dst, &pkt->src);
}

static bool icmp_wanted(const struct raw *w, const struct pkt *pkt)
{
	uint8_t type;

	if (w->proto != (w->d.ep.net == NET_IPV4 ? IP_PROTO_ICMP : IP_PROTO_ICMPV6) || !pkt->len)
		return true;
	pkt_copy_out(pkt, 0, &type, 1);
	if (w->d.ep.net == NET_IPV4 && type >= 32)
		return true;
	return !(w->filter.blocked[type / 32] & 1u << type % 32);
}

static bool cksum_ok(const struct raw *w, const struct pkt *pkt)
{
	if (w->csum_off < 0 || pkt->csum != PKT_CSUM_NONE)
		return true;
	return pkt_cksum(pkt, 0, cksum_pseudo(&pkt->src, &pkt->dst, w->proto, pkt->len)) == 0xffff;
}

/* Cuts the copy to what the filter wants of it; false: nothing. It sees what the user would read. */
static bool bpf_wanted(const struct raw *w, struct pkt *copy)
{
	struct bpf_view v = {
		.pkt = copy, .net = (int32_t)copy->net_off - (int32_t)copy->off, .ifindex = copy->nic_id,
		.mark = copy->mark, .proto = copy->net_proto, .type = copy->type,
	};
	uint32_t want;

	if (!w->bpf)
		return true;
	v.link = v.net;		/* it has none any more */
	want = bpf_run(w->bpf, &v);
	if (want < copy->len)
		pkt_trim(copy, want);
	return want > 0;
}

static bool raw_rx(struct raw_tap *t, struct nic *nic, const struct pkt *pkt)
{
	struct raw *w = container_of(t, struct raw, tap);
	struct raw_stats *st = &nic->stack->stats.raw;
	struct pkt *copy;

	if (!raw_matches(w, nic, pkt))
		return false;
	if (!icmp_wanted(w, pkt)) {
		stat_inc(&st->filtered);
		return true;
	}
	if (!cksum_ok(w, pkt)) {
		stat_inc(&st->checksum_errors);
		stat_inc(&w->d.ep.stats.receive_errors.checksum_errors);
		return true;
	}
	copy = pkt_clone(pkt);
	if (!copy)
		return true;
	copy->sport = copy->dport = 0;
	if (w->d.ep.net == NET_IPV4)
		pkt_unpull(copy, copy->off - copy->net_off);
	if (!bpf_wanted(w, copy)) {
		stat_inc(&st->filtered);
		pkt_free(copy);
		return true;
	}
	if (dgram_rx(&w->d, copy))
		stat_inc(&st->packets_received);
	else
		stat_inc(&st->receive_buffer_errors);
	return true;
}

static void raw_error(struct raw_tap *t, const struct net_error *e)
{
	struct raw *w = container_of(t, struct raw, tap);

	if (w->d.state == DGRAM_CONNECTED && !addr_equal(&w->d.remote.addr, &e->remote))
		return;
	dgram_rx_error(&w->d.ep, e);
}

/* raw(7) knows no "already bound": the last bind() counts. */
static enum ns_err raw_bind(struct endpoint *ep, const struct full_addr *a)
{
	struct dgram *d = dgram_of(ep);
	struct full_addr old_local = d->local;
	struct port_claim old_claim = d->claim;
	enum dgram_state old_state = d->state;
	enum ns_err err;

	if (d->state == DGRAM_BOUND) {
		d->state = DGRAM_INITIAL;
		d->local = (struct full_addr){ 0 };
	}
	err = dgram_bind(ep, a);
	if (err) {
		d->local = old_local;
		d->claim = old_claim;
		d->state = old_state;
	}
	return err;
}

/* The protocol number stands where a port would, as in Linux. */
static enum ns_err raw_local_addr(struct endpoint *ep, struct full_addr *out)
{
	enum ns_err err = dgram_local_addr(ep, out);

	out->port = raw_of(ep)->proto;
	return err;
}

static void raw_info(struct endpoint *ep, struct endpoint_info *out)
{
	dgram_info(ep, out);
	out->trans_proto = raw_of(ep)->proto;
}

static enum ns_err set_csum_off(struct raw *w, int64_t v)
{
	if (w->d.ep.net != NET_IPV6)
		return NS_ERR_UNKNOWN_PROTOCOL_OPTION;
	/* RFC 3542, 3.1: not to be changed for ICMPv6; and only even offsets. */
	if (w->proto == IP_PROTO_ICMPV6 || v < -1 || v > RAW_MAX || (v > 0 && v & 1))
		return NS_ERR_INVALID_OPTION_VALUE;
	w->csum_off = (int32_t)v;
	return NS_OK;
}

static enum ns_err raw_set_option(struct endpoint *ep, enum sockopt opt, const void *val, size_t len)
{
	struct raw *w = raw_of(ep);
	int64_t v;

	if (opt == SOCKOPT_ICMP_FILTER) {
		if (w->proto != (ep->net == NET_IPV4 ? IP_PROTO_ICMP : IP_PROTO_ICMPV6))
			return NS_ERR_NOT_SUPPORTED;
		if (len < sizeof(w->filter))
			return NS_ERR_INVALID_OPTION_VALUE;
		memcpy(&w->filter, val, sizeof(w->filter));
		return NS_OK;
	}
	if (opt == SOCKOPT_FILTER)
		return bpf_replace(&w->bpf, val, len);
	if (opt != SOCKOPT_HDR_INCLUDED && opt != SOCKOPT_IPV6_CHECKSUM)
		return dgram_set_option(ep, opt, val, len);
	if (len < sizeof(v))
		return NS_ERR_INVALID_OPTION_VALUE;
	memcpy(&v, val, sizeof(v));
	if (opt == SOCKOPT_IPV6_CHECKSUM)
		return set_csum_off(w, v);
	w->hdr_included = v != 0;
	return NS_OK;
}

static enum ns_err raw_get_option(struct endpoint *ep, enum sockopt opt, void *val, size_t *len)
{
	struct raw *w = raw_of(ep);
	int64_t v = opt == SOCKOPT_HDR_INCLUDED ? w->hdr_included : w->csum_off;

	if (opt == SOCKOPT_ICMP_FILTER) {
		if (*len < sizeof(w->filter))
			return NS_ERR_INVALID_OPTION_VALUE;
		memcpy(val, &w->filter, sizeof(w->filter));
		*len = sizeof(w->filter);
		return NS_OK;
	}
	if (opt != SOCKOPT_HDR_INCLUDED && opt != SOCKOPT_IPV6_CHECKSUM)
		return dgram_get_option(ep, opt, val, len);
	return sockopt_put_int(val, len, v);
}

static const struct endpoint_ops raw_endpoint_ops = {
	.name = "raw",
	.close = raw_destroy,
	.destroy = raw_destroy,
	.read = dgram_read,
	.write = dgram_write,
	.check = raw_check,
	.bind = raw_bind,
	.connect = dgram_connect,
	.disconnect = dgram_disconnect,
	.shutdown = dgram_shutdown,
	.local_addr = raw_local_addr,
	.remote_addr = dgram_remote_addr,
	.readiness = dgram_readiness,
	.state = dgram_state_of,
	.info = raw_info,
	.set_option = raw_set_option,
	.get_option = raw_get_option,
	.option_changed = dgram_option_changed,
};

enum ns_err endpoint_new_raw(struct stack *s, enum net_index net, uint8_t proto,
			     struct endpoint **out)
{
	struct raw *w;

	if ((int)net >= NET_FAMILIES || !stack_has_net(s, net))
		return NS_ERR_UNKNOWN_PROTOCOL;
	w = calloc(1, sizeof(*w));
	if (!w)
		return NS_ERR_NO_MEMORY;
	endpoint_init(&w->d.ep, &raw_endpoint_ops, s, &raw_proto, net);
	w->d.ep.opts.v6_only = true;	/* packets of the other family have other headers */
	dgram_init(&w->d, &raw_dgram_ops);
	w->proto = proto;
	w->hdr_included = proto == IP_PROTO_RAW;
	w->csum_off = net == NET_IPV6 && proto == IP_PROTO_ICMPV6 ? ICMP_CKSUM_OFF : -1;
	w->tap = (struct raw_tap){ .net = (uint8_t)net, .proto = proto, .rx = raw_rx,
				   .error = raw_error };
	list_init(&w->tap.node);
	/* raw(7): "receiving of all IP protocols via IPPROTO_RAW is not possible". */
	if (proto != IP_PROTO_RAW)
		raw_tap_add(&s->taps, &w->tap);
	*out = &w->d.ep;
	return NS_OK;
}
