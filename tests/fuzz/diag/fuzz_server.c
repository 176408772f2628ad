/* Requests to the server: whatever comes in, what goes out is whole netlink messages. */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "server/session.h"
#include "wire/inet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SOCKETS 40

static int made_next(void *source, uint32_t protocol, struct sock_cursor *c, struct sock_entry *e)
{
	uint64_t i = c->at[0]++;

	if (i >= SOCKETS)
		return 0;
	e->kind = i % 4;
	e->msg.idiag_family = i % 3 ? AF_INET : AF_INET6;
	e->msg.idiag_state = (uint8_t)(i % 12);
	e->msg.id.idiag_sport = htons(80);
	e->msg.id.idiag_dport = (uint16_t)i;
	e->msg.id.idiag_cookie[0] = (uint32_t)i;
	e->cong = i % 2 ? "a name that is longer than any" : NULL;
	return 1;
}

static void made_info(void *source, const struct sock_entry *e, struct diag_tcp_info *ti)
{
	memset(ti, 7, sizeof(*ti));
}

static void made_memory(void *source, const struct sock_entry *e, uint32_t mem[SK_MEMINFO_VARS])
{
	mem[0] = 1;
}

static uint16_t made_congestion(void *source, const struct sock_entry *e, union tcp_cc_info *data, uint16_t *attr)
{
	memset(data, 1, sizeof(*data));
	*attr = INET_DIAG_BBRINFO;
	return sizeof(*data);
}

static int made_destroy(void *source, const struct sock_entry *e)
{
	return 0;
}

static int made_find(void *source, uint32_t protocol, const struct sock_key *k, struct sock_cursor *c,
		     struct sock_entry *e)
{
	return c->at[0] < 3 && made_next(source, protocol, c, e);
}

static int made_past(void *source, struct sock_cursor *c, struct sock_entry *e, struct sock_past *p)
{
	memset(p, 3, sizeof(*p));
	e->process.pid = 1;
	return made_next(source, IPPROTO_TCP, c, e);
}

static const struct sock_source_ops ops = {
	.next = made_next, .find = made_find, .past = made_past, .info = made_info, .memory = made_memory, .congestion = made_congestion,
	.destroy = made_destroy,
};

static void check(const void *data, size_t len, void *arg)
{
	const uint8_t *p = data;

	while (len) {
		const struct nlmsghdr *nlh = (const void *)p;

		if (len < NLMSG_HDRLEN || nlh->nlmsg_len < NLMSG_HDRLEN || NLMSG_ALIGN(nlh->nlmsg_len) > len)
			abort();
		p += NLMSG_ALIGN(nlh->nlmsg_len);
		len -= NLMSG_ALIGN(nlh->nlmsg_len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static _Alignas(8) uint8_t out[4096];
	struct diag_session s;
	void *copy;

	if (!size)
		return 0;
	copy = malloc(size - 1 ? size - 1 : 1);
	memcpy(copy, data + 1, size - 1);
	diag_session_init(&s, &ops, NULL, 1, data[0] & 1);
	diag_session_receive(&s, copy, size - 1, check, NULL);
	diag_session_receive(&s, copy, size - 1, check, NULL); /* again, in the middle of a dump perhaps */
	while (diag_session_dumping(&s)) {
		size_t n = diag_session_continue(&s, out, sizeof(out));

		if (n)
			check(out, n, NULL);
	}
	diag_session_end(&s);
	free(copy);
	return 0;
}
