/* A stream each way over one TCP connection. */
#include "duplex.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 65536 };

uint8_t duplex_byte(uint32_t seed, size_t off)
{
	return (uint8_t)(hash_mix(off / 8 + 1, seed * 0x9e3779b97f4a7c15ull) >> off % 8 * 8);
}

socklen_t sockaddr_of(const char *ip, uint16_t port, struct sockaddr_storage *ss)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ss;

	memset(ss, 0, sizeof(*ss));
	if (inet_pton(AF_INET, ip, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		return sizeof(*v4);
	}
	inet_pton(AF_INET6, ip, &v6->sin6_addr);
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	return sizeof(*v6);
}

static size_t fill(uint8_t *buf, uint32_t seed, size_t off, size_t left)
{
	size_t n = left < CHUNK ? left : CHUNK;

	for (size_t i = 0; i < n; i++)
		buf[i] = duplex_byte(seed, off + i);
	return n;
}

static bool same(const uint8_t *buf, uint32_t seed, size_t off, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (buf[i] != duplex_byte(seed, off + i))
			return false;
	return true;
}

int duplex_kernel(int fd, const struct duplex *d)
{
	static uint8_t buf[CHUNK];
	size_t sent = 0, received = 0;
	bool shut = false, eof = false;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	for (;;) {
		struct pollfd p = { .fd = fd, .events = (short)((eof ? 0 : POLLIN) | (sent < d->send ? POLLOUT : 0)) };
		ssize_t n;

		if (sent == d->send && !shut) {
			shutdown(fd, SHUT_WR);
			shut = true;
		}
		if (shut && eof)
			return received == d->expect ? 0 : 14;
		if (poll(&p, 1, 30000) != 1)
			return 10;
		if (p.revents & POLLOUT && sent < d->send) {
			n = write(fd, buf, fill(buf, d->seed, sent, d->send - sent));
			if (n < 0 && errno != EAGAIN)
				return 11;
			sent += n > 0 ? (size_t)n : 0;
		}
		if (eof || !(p.revents & (POLLIN | POLLHUP | POLLERR)))
			continue;
		n = read(fd, buf, sizeof(buf));
		if (n < 0 && errno != EAGAIN)
			return 12;
		if (n > 0 && !same(buf, d->seed + 1, received, (size_t)n))
			return 13;
		received += n > 0 ? (size_t)n : 0;
		eof = n == 0;
	}
}

/* The stack's side sends what the kernel's expects: seed + 1. */
static bool write_some(struct duplex_stack *s)
{
	static uint8_t buf[CHUNK];
	struct iovec iov = { buf, fill(buf, s->d.seed + 1, s->sent, s->d.send - s->sent) };
	size_t n = 0;
	enum ns_err err = endpoint_write(s->ep, &iov, 1, NULL, &n);

	s->sent += n;
	if (err && err != NS_ERR_WOULD_BLOCK)
		s->err = err;
	return !err;
}

static bool read_some(struct duplex_stack *s)
{
	static uint8_t buf[CHUNK];
	struct iovec iov = { buf, sizeof(buf) };
	struct read_msg m = { .iov = &iov, .iovcnt = 1 };
	enum ns_err err = endpoint_read(s->ep, &m);

	if (err == NS_ERR_CLOSED_FOR_RECEIVE)
		s->eof = true;
	else if (err && err != NS_ERR_WOULD_BLOCK)
		s->err = err;
	if (err)
		return false;
	s->bad |= !same(buf, s->d.seed, s->received, m.n);
	s->received += m.n;
	endpoint_moderate_recv_buf(s->ep, m.n);
	return true;
}

bool duplex_step(struct duplex_stack *s)
{
	while (!s->err && s->sent < s->d.send && write_some(s))
		;
	if (!s->err && s->sent == s->d.send && !s->shut && endpoint_readiness(s->ep, WAIT_OUT) & WAIT_OUT) {
		s->err = endpoint_shutdown(s->ep, SHUTDOWN_WRITE);
		s->shut = true;
	}
	while (!s->err && !s->eof && read_some(s))
		;
	return s->err || (s->eof && s->shut);
}

bool duplex_ok(const struct duplex_stack *s)
{
	return !s->err && !s->bad && s->eof && s->received == s->d.expect;
}
