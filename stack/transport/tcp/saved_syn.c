/* The headers of the SYN that made a connection, kept for who accepts it (Linux: TCP_SAVE_SYN). */
#include <stdlib.h>

#include "header/eth.h"
#include "transport/tcp/impl.h"

enum { WITH_LINK = 2, SYN_MAX = 256 };

struct tcp_saved_syn {
	size_t len;
	uint8_t bytes[SYN_MAX];
};

enum ns_err tcp_set_save_syn(struct tcp_conn *c, int64_t v)
{
	struct tcp_rare *rare = v || c->rare ? tcp_rare(c) : NULL;

	if (v < 0 || v > WITH_LINK)
		return NS_ERR_INVALID_OPTION_VALUE;
	if (v && !rare)
		return NS_ERR_NO_MEMORY;
	if (rare)
		rare->save_syn = (uint8_t)v;
	return NS_OK;
}

/* What came over the loopback has a link header for show. */
static size_t link_header(const struct pkt *pkt, uint8_t *to)
{
	static const struct link_addr zero = { .len = LINK_ADDR_LEN };
	struct eth_hdr h = { pkt->looped ? zero : pkt->link_dst, pkt->looped ? zero : pkt->link_src, pkt->net_proto };

	if (!pkt->looped && !pkt->link_src.len)
		return 0;
	eth_emit(&h, to);
	return ETH_HDR_LEN;
}

struct tcp_saved_syn *tcp_save_syn(const struct tcp_conn *l, const struct pkt *pkt)
{
	size_t n = pkt->off - pkt->net_off;
	struct tcp_saved_syn *s = l->rare->save_syn && pkt->net_off != PKT_NO_HDR && n <= SYN_MAX - ETH_HDR_LEN ? malloc(sizeof(*s)) : NULL;

	if (!s)
		return NULL;
	s->len = l->rare->save_syn == WITH_LINK ? link_header(pkt, s->bytes) : 0;
	memcpy(s->bytes + s->len, pkt->head->data + pkt->net_off, n);
	s->len += n;
	return s;
}

void tcp_give_syn(struct tcp_conn *c, const struct tcp_conn *l, struct tcp_saved_syn **syn)
{
	struct tcp_rare *rare = tcp_rare(c);

	if (!rare)
		return;
	rare->save_syn = l->rare ? l->rare->save_syn : 0;
	rare->syn = *syn;
	*syn = NULL;
}

enum ns_err tcp_take_syn(struct tcp_conn *c, void *val, size_t *len)
{
	struct tcp_saved_syn *s = c->rare ? c->rare->syn : NULL;

	if (!s) {
		*len = 0;
		return NS_OK;
	}
	if (*len < s->len)
		return NS_ERR_INVALID_OPTION_VALUE;
	memcpy(val, s->bytes, s->len);
	*len = s->len;
	c->rare->syn = NULL;
	free(s);
	return NS_OK;
}
