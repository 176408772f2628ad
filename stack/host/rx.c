/* Moving bytes of streams without copying them. */
#include "host/rx.h"

#include <errno.h>
#include <sys/uio.h>

#include "core/endpoint.h"
#include "socket/sock.h"

static bool prepare(struct rx *rx, struct pkt_pool *pool)
{
	if (!rx->head)
		rx->head = pkt_alloc(pool, PKT_HEADROOM, RX_HEAD);
	for (int i = 0; i < RX_BULK && rx->head; i++) {
		if (!rx->bulk[i])
			rx->bulk[i] = chunk_alloc(pool, CHUNK_BULK);
		if (!rx->bulk[i])
			return false;
	}
	return rx->head != NULL;
}

/* The pieces of memory for @max bytes; how many. */
static int make_iov(const struct rx *rx, size_t room, size_t max, struct iovec iov[1 + RX_BULK])
{
	int n = 1;

	iov[0] = (struct iovec){ pkt_data(rx->head), room < max ? room : max };
	max -= iov[0].iov_len;
	for (int i = 0; i < RX_BULK && max; i++) {
		size_t part = max < CHUNK_BULK ? max : CHUNK_BULK;

		iov[n++] = (struct iovec){ rx->bulk[i]->data, part };
		max -= part;
	}
	return n;
}

int rx_read(struct rx *rx, struct pkt_pool *pool, int fd, size_t max, struct pkt **out)
{
	struct iovec iov[1 + RX_BULK];
	struct msghdr m = { .msg_iov = iov };
	size_t room, left;
	ssize_t n;

	*out = NULL;
	if (!prepare(rx, pool))
		return -ENOMEM;
	room = rx->head->head->cap - rx->head->off;
	m.msg_iovlen = (size_t)make_iov(rx, room, max, iov);
	do
		n = m.msg_iovlen == 1 ? recv(fd, iov[0].iov_base, iov[0].iov_len, MSG_DONTWAIT)
				      : recvmsg(fd, &m, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : 0;
	*out = rx->head;
	rx->head = NULL;
	left = (size_t)n > room ? (size_t)n - room : 0;
	pkt_put(*out, (size_t)n - left);
	for (int i = 0; left; i++) {
		size_t part = left < CHUNK_BULK ? left : CHUNK_BULK;

		pkt_add_frag(*out, rx->bulk[i], 0, part);
		chunk_unref(rx->bulk[i]);
		rx->bulk[i] = NULL;
		left -= part;
	}
	return 0;
}

void rx_fini(struct rx *rx)
{
	pkt_free(rx->head);
	for (int i = 0; i < RX_BULK; i++)
		if (rx->bulk[i])
			chunk_unref(rx->bulk[i]);
	*rx = (struct rx){ 0 };
}

int rx_peek(struct sock *k, struct iovec iov[RX_IOV], bool *end)
{
	return endpoint_peek_iov(k->ep, iov, RX_IOV, end);
}

void rx_consume(struct sock *k, size_t n)
{
	endpoint_consume(k->ep, n);
	endpoint_moderate_recv_buf(k->ep, n);
}
