/* Fast Open, the passive side (RFC 7413, 4.2): cookies, and connections in use before their handshake is over. */
#include <stdlib.h>

#include "base/byteorder.h"
#include "transport/tcp/listen.h"

enum { COOKIE_LEN = 8 };

enum ns_err tcp_fo_set_keys(struct tcp_fo_keys *k, const void *val, size_t len)
{
	if (len != TCP_FO_KEY_LEN && len != sizeof(k->key))
		return NS_ERR_INVALID_OPTION_VALUE;
	k->n = (uint8_t)(len / TCP_FO_KEY_LEN);
	memcpy(k->key, val, len);
	return NS_OK;
}

const struct tcp_fo_keys *tcp_fo_keys_of(struct tcp_proto *p, const struct tcp_conn *c)
{
	uint64_t k[2];

	if (c && c->fo_keys)
		return c->fo_keys;
	if (!p->fo_keys.n) {
		for (int i = 0; i < 2; i++)
			k[i] = rand_u64(&p->stack->rand);
		tcp_fo_set_keys(&p->fo_keys, k, sizeof(k));
	}
	return &p->fo_keys;
}

static uint64_t le64(const uint8_t *p)
{
	uint64_t v = 0;

	for (int i = 7; i >= 0; i--)
		v = v << 8 | p[i];
	return v;
}

/* 4.1.2: a keyed hash of the two addresses; as Linux makes it, so that hosts behind one address can share a key. */
static void make_cookie(const uint8_t *key, const struct tcp_rx *rx, uint8_t out[COOKIE_LEN])
{
	struct hash_key k = { { le64(key), le64(key + 8) } };
	uint8_t in[2 * ADDR_LEN_V6];
	size_t n = rx->src.len;
	uint64_t h;

	memcpy(in, rx->src.b, n);
	memcpy(in + n, rx->dst.b, n);
	h = siphash(&k, in, 2 * n);
	for (int i = 0; i < COOKIE_LEN; i++)
		out[i] = (uint8_t)(h >> 8 * i);
}

/* Which key the cookie was made with: 0 none, 1 the first, 2 the one before it; @reply has the first's cookie. */
static int check_cookie(struct tcp_conn *l, const struct tcp_rx *rx, struct tcp_fo_opt *reply)
{
	const struct tcp_fo_keys *keys = tcp_fo_keys_of(l->proto, l);
	uint8_t old[COOKIE_LEN];

	*reply = (struct tcp_fo_opt){ .present = true, .exp = rx->o.fo.exp, .len = COOKIE_LEN };
	make_cookie(keys->key[0], rx, reply->cookie);
	if (rx->o.fo.len != COOKIE_LEN)
		return 0;
	if (!memcmp(rx->o.fo.cookie, reply->cookie, COOKIE_LEN))
		return 1;
	if (keys->n < 2)
		return 0;
	make_cookie(keys->key[1], rx, old);
	return memcmp(rx->o.fo.cookie, old, COOKIE_LEN) ? 0 : 2;
}

/* 5.1: those that may turn out not to come from where they say are limited in number. */
static bool room(const struct tcp_listener *l, uint32_t max)
{
	uint32_t n = 0;

	if (!max)
		return false;
	list_for_each(node, &l->accept)
		n += container_of(node, struct tcp_conn, pending)->fast_open;
	return n < max;
}

/* 4.2.2: SYN-RECEIVED with the data to be read, and the right to send. */
static bool open_now(struct tcp_conn *l, struct tcp_req *r, struct tcp_rx *rx)
{
	struct tcp_conn *c = tcp_new_child(l, r);

	if (!c)
		return false;
	c->fast_open = c->fast_opened = true;
	c->snd_una = c->iss + 1;
	c->snd_wnd = c->max_window = rx->h.wnd;		/* RFC 7323, 2.2: not scaled */
	c->snd_wl1 = rx->seq;
	tcp_init_transfer(c);
	if (rx->len > c->rcv_wnd) {
		pkt_trim(rx->pkt, c->rcv_wnd);
		rx->len = c->rcv_wnd;
	}
	if (rx->len) {
		struct pkt *pkt = rx->pkt;

		c->syn_data = true;
		c->n.data_segs_in = 1;
		rx->pkt = NULL;
		tcp_queue_data(c, pkt);
	}
	tcp_xmit_syn(c);
	tcp_arm_rtx(c, RTX_RTO, tcp_now(c) + rtt_rto(&c->rtt));
	tcp_wake(l, WAIT_IN);
	tcp_put(c);
	return true;
}

bool tcp_fastopen_syn(struct tcp_conn *l, struct tcp_req *r, struct tcp_rx *rx, struct tcp_fo_opt *reply)
{
	uint32_t set = l->proto->set.fastopen;
	int key;

	if (!(set & FASTOPEN_SERVER) || (!rx->len && !rx->o.fo.present) || !room(l->listener, l->fo_max))
		return false;
	if (set & FASTOPEN_NO_COOKIE)
		return open_now(l, r, rx);
	if (!rx->o.fo.present)
		return false;
	key = check_cookie(l, rx, reply);
	if (!key)
		return false;
	/* One made with the older key is good; its owner gets a new one when it asks again. */
	if (!open_now(l, r, rx))
		return false;
	return true;
}
