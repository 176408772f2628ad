/* Two programs with a TCP connection between them. */
#include "tcp_app.h"

#include "base/hash.h"
#include "seeds.h"

enum { CHUNK = 65536, SERVER_PATIENCE = 3000 };

static uint32_t pick(struct app_conn *c, uint32_t n)
{
	return rand_below(c->rand, n);
}

/* What byte @off of a stream must be. */
static uint8_t stream_byte(uint32_t id, int side, uint32_t off)
{
	return (uint8_t)(hash_mix(off / 8 + 1, (uint64_t)id * 2 + (unsigned)side + 0x1234567) >> (off % 8 * 8));
}

static void must(enum ns_err err, const char *what)
{
	if (err)
		seeds_fail("%s: %s", what, ns_err_str(err));
}

static void set_int(struct endpoint *ep, enum sockopt opt, int64_t v)
{
	must(endpoint_set_int(ep, opt, v), "an option");
}

static void random_options(struct app_conn *c, struct endpoint *ep)
{
	static const char *const ccs[] = { "reno", "cubic" };
	const char *cc = ccs[pick(c, 2)];

	must(endpoint_set_option(ep, SOCKOPT_CONGESTION_CONTROL, cc, strlen(cc)), "congestion control");
	if (pick(c, 3) == 0)
		set_int(ep, SOCKOPT_NO_DELAY, 1);
	if (pick(c, 3) == 0)
		set_int(ep, SOCKOPT_SEND_BUFFER_SIZE, 4096 << pick(c, 8));
	if (pick(c, 3) == 0)
		set_int(ep, SOCKOPT_RECEIVE_BUFFER_SIZE, 4096 << pick(c, 8));
	if (pick(c, 8) == 0)
		set_int(ep, SOCKOPT_MAX_SEGMENT, 536 + pick(c, 900));
	/* Urgent bytes stay where they are in the stream. */
	set_int(ep, SOCKOPT_OOB_INLINE, 1);
	/* So that nobody waits for ever for one that has gone without a word. */
	set_int(ep, SOCKOPT_KEEPALIVE_ENABLED, 1);
	set_int(ep, SOCKOPT_KEEPALIVE_IDLE, 60 * NS_PER_SEC);
	set_int(ep, SOCKOPT_KEEPALIVE_INTERVAL, 10 * NS_PER_SEC);
	set_int(ep, SOCKOPT_KEEPALIVE_COUNT, 5);
}

static void random_plan(struct app_conn *c, struct app_side *s)
{
	static const uint32_t sizes[] = { 0, 1, 1000, 10000, 30000, 30000, 100000, 300000 };
	uint32_t size = sizes[pick(c, 8)];

	s->to_send = size ? pick(c, size) + 1 : 0;
	s->write_max = 1u << pick(c, 17);
	s->read_max = 1u << pick(c, 17);
	if (s->to_send > 30000 && s->write_max < 256)
		s->write_max = 256;
	if (s->read_max < 256)
		s->read_max = 256;
	s->laziness = pick(c, 3) ? 1 : 1 + pick(c, 20);
	s->shuts = pick(c, 2);
	if (!c->calm && pick(c, 6) == 0)
		s->abort_in = 1 + pick(c, 300);
	if (!c->calm && pick(c, 6) == 0)
		s->hasty_in = 1 + pick(c, 300);
}

void app_open(struct app_conn *c, uint32_t id, struct rand *rand, struct sim_host *client,
	      struct sim_host *server, const struct full_addr *to, bool calm)
{
	enum net_index net = to->addr.len == ADDR_LEN_V4 ? NET_IPV4 : NET_IPV6;
	struct full_addr any = { .port = to->port };
	enum ns_err err;

	*c = (struct app_conn){ .id = id, .rand = rand, .hosts = { client, server }, .to = *to, .calm = calm };
	must(endpoint_new(server->stack, net, IP_PROTO_TCP, &c->listener), "a listener");
	random_options(c, c->listener);
	must(endpoint_bind(c->listener, &any), "bind");
	must(endpoint_listen(c->listener, (int)pick(c, 3)), "listen");
	random_plan(c, &c->s[0]);
	random_plan(c, &c->s[1]);
	must(endpoint_new(client->stack, net, IP_PROTO_TCP, &c->s[0].ep), "a client");
	random_options(c, c->s[0].ep);
	err = endpoint_connect(c->s[0].ep, to);
	if (err && err != NS_ERR_CONNECT_STARTED)
		must(err, "connect");
}

static void side_end(struct app_conn *c, struct app_side *s, enum ns_err err)
{
	const struct app_side *peer = &c->s[s == c->s];
	/* One that has closed waits for the end of a slow reader's stream, but for 60 s only. */
	bool too_slow = err == NS_ERR_ABORTED && peer->done && !peer->err && !peer->shuts;

	s->err = err;
	s->done = true;
	/* Neighbours can be lost sight of by chance: three questions in a row. */
	if (c->calm && err && err != NS_ERR_HOST_UNREACHABLE && !too_slow)
		seeds_fail("connection %u: %s, with nothing wrong", c->id, ns_err_str(err));
	if (s->ep)
		endpoint_close(s->ep);
	s->ep = NULL;
}

static void side_abort(struct app_conn *c, struct app_side *s)
{
	struct sockopt_linger l = { true, 0 };

	must(endpoint_set_option(s->ep, SOCKOPT_LINGER, &l, sizeof(l)), "linger");
	side_end(c, s, NS_ERR_ABORTED);
}

static bool side_write(struct app_conn *c, struct app_side *s)
{
	static uint8_t buf[CHUNK];
	uint32_t n = s->to_send - s->sent;
	int side = (int)(s - c->s);
	struct iovec iov = { buf, 0 };
	struct write_opts o = { .more = pick(c, 8) == 0, .oob = pick(c, 50) == 0, .end_of_record = pick(c, 20) == 0 };
	enum ns_err err;
	size_t wrote = 0;

	if (n > s->write_max)
		n = s->write_max;
	for (uint32_t i = 0; i < n; i++)
		buf[i] = stream_byte(c->id, side, s->sent + i);
	iov.iov_len = n;
	err = endpoint_write(s->ep, &iov, 1, &o, &wrote);
	s->sent += (uint32_t)wrote;
	if (err && err != NS_ERR_WOULD_BLOCK)
		side_end(c, s, err);
	return !err && wrote;
}

static bool side_read(struct app_conn *c, struct app_side *s)
{
	static uint8_t buf[CHUNK];
	struct iovec iov = { buf, s->read_max };
	struct read_msg m = { .iov = &iov, .iovcnt = 1 };
	struct app_side *peer = &c->s[s == c->s];
	enum ns_err err = pick(c, 30) ? NS_OK : endpoint_peek(s->ep, &m);

	/* What was only looked at is read again. */
	m.peek = false;
	if (!err)
		err = endpoint_read(s->ep, &m);

	if (err == NS_ERR_CLOSED_FOR_RECEIVE) {
		s->eof = true;
		/* The peer's stream ended in order: it has said all it wrote. */
		if (s->received != peer->sent)
			seeds_fail("connection %u: the stream ended at %u of %u", c->id, s->received, peer->sent);
		return true;
	}
	if (err) {
		if (err != NS_ERR_WOULD_BLOCK)
			side_end(c, s, err);
		return false;
	}
	for (size_t i = 0; i < m.n; i++)
		if (buf[i] != stream_byte(c->id, peer == &c->s[1], s->received + (uint32_t)i)) {
			seeds_fail("connection %u: byte %zu of the stream is wrong", c->id, s->received + i);
			break;
		}
	s->received += (uint32_t)m.n;
	endpoint_moderate_recv_buf(s->ep, m.n);
	return m.n;
}

/* Options that change while data flows. */
static void change_of_mind(struct app_conn *c, struct app_side *s)
{
	switch (pick(c, 6)) {
	case 0: set_int(s->ep, SOCKOPT_CORK, pick(c, 2)); break;
	case 1: set_int(s->ep, SOCKOPT_NO_DELAY, pick(c, 2)); break;
	case 2: set_int(s->ep, SOCKOPT_RECEIVE_BUFFER_SIZE, 4096 << pick(c, 8)); break;
	case 3: set_int(s->ep, SOCKOPT_SEND_BUFFER_SIZE, 4096 << pick(c, 8)); break;
	case 4: set_int(s->ep, SOCKOPT_QUICK_ACK, pick(c, 2)); break;
	default: set_int(s->ep, SOCKOPT_NOT_SENT_LOW_WATER, pick(c, 2) ? 1 + pick(c, 20000) : UINT32_MAX);
	}
}

static bool side_step(struct app_conn *c, struct app_side *s)
{
	bool moved = false;

	if (s->abort_in && --s->abort_in == 0) {
		side_abort(c, s);
		return true;
	}
	if (s->hasty_in && --s->hasty_in == 0) {
		side_end(c, s, NS_ERR_ABORTED);
		return true;
	}
	if (pick(c, 40) == 0)
		change_of_mind(c, s);
	for (int i = 0; i < 16 && s->ep && s->sent < s->to_send; i++) {
		if (!side_write(c, s))
			break;
		moved = true;
	}
	if (s->ep && s->sent == s->to_send && s->shuts && !s->shut &&
	    endpoint_readiness(s->ep, WAIT_OUT) & WAIT_OUT) {
		enum ns_err err = endpoint_shutdown(s->ep, SHUTDOWN_WRITE);

		s->shut = true;
		if (err && err != NS_ERR_NOT_CONNECTED)
			must(err, "shutdown");
		moved = true;
	}
	for (int i = 0; i < 16 && s->ep && !s->eof && pick(c, s->laziness) == 0; i++) {
		if (!side_read(c, s))
			break;
		moved = true;
	}
	/* One that does not shut down closes when it has written all and the peer has ended, or, as its peer
	 * may be of the same kind, when it has read all there is. */
	if (s->ep && s->sent == s->to_send &&
	    (s->eof || (!s->shuts && s->received == c->s[s == c->s].to_send && c->accepted))) {
		side_end(c, s, NS_OK);
		moved = true;
	}
	return moved;
}

static bool server_accept(struct app_conn *c)
{
	struct full_addr peer;
	enum ns_err err = endpoint_accept(c->listener, &c->s[1].ep, &peer);

	if (!err) {
		c->accepted = true;
		set_int(c->s[1].ep, SOCKOPT_OOB_INLINE, 1);
		return true;
	}
	if (err != NS_ERR_WOULD_BLOCK)
		must(err, "accept");
	/* The client has failed, or has gone before anybody saw it. */
	if (c->s[0].done && ++c->wait > SERVER_PATIENCE) {
		c->s[1].done = true;
		return true;
	}
	return false;
}

bool app_step(struct app_conn *c)
{
	bool moved = false;

	if (c->s[0].ep)
		moved |= side_step(c, &c->s[0]);
	if (!c->accepted && !c->s[1].done)
		moved |= server_accept(c);
	if (c->s[1].ep)
		moved |= side_step(c, &c->s[1]);
	return moved;
}

bool app_over(const struct app_conn *c)
{
	return c->s[0].done && c->s[1].done;
}

void app_close(struct app_conn *c)
{
	for (int i = 0; i < 2; i++)
		if (c->s[i].ep)
			endpoint_close(c->s[i].ep);
	endpoint_close(c->listener);
}
