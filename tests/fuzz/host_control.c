/*
 * Fuzzer of the stack host's control connections: a client that says anything, and sockets with anything
 * in their pairs.
 *
 * The input is a list of steps, each a kind, a length and bytes: a message as it is, a message whose head
 * is right and whose cookie is of a socket made before, or bytes for the pair of such a socket. When the
 * client has gone, so must be all that was made for it.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/client.h"
#include "host/relay.h"

enum { SOCKETS = 8, STEPS = 64, TURNS_TO_END = 10000 };

static struct host *host;
static int fds[SOCKETS];
static uint64_t cookies[SOCKETS];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void make_host(void)
{
	static struct spec spec;
	char error[SPEC_ERROR_MAX];

	assert(spec_parse("lo,dns=127.0.0.1", &spec, error) == 0);
	assert(host_new(&spec, "fuzz", &host, error) == 0);
	host->keep = true;
}

/* Reads replies; keeps the descriptors of sockets. */
static void take_replies(int ctl)
{
	struct stack_msg m;
	struct iovec iov = { &m, sizeof(m) };
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fd, i;

	for (;;) {
		h.msg_control = control;
		h.msg_controllen = sizeof(control);
		if (recvmsg(ctl, &h, MSG_DONTWAIT) <= 0)
			return;
		if (!CMSG_FIRSTHDR(&h))
			continue;
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&h)), sizeof(fd));
		i = (int)(m.seq % SOCKETS);
		if ((m.op == STACK_OP_SOCKET || m.op == STACK_OP_CONNECT) && m.cookie) {
			if (fds[i] >= 0)
				close(fds[i]);
			fds[i] = fd;
			cookies[i] = m.cookie;
		} else {
			close(fd);
		}
	}
}

static void turn(int ctl)
{
	loop_once(&host->loop, 0);
	loop_once(&host->loop, 0);
	if (ctl >= 0)
		take_replies(ctl);
	host->down = false;
	host->keep = true;
}

static void say_hello(int ctl)
{
	struct stack_msg m = { .version = STACK_PROTO_VERSION, .op = STACK_OP_HELLO,
			       .arg = { STACK_PROTO_VERSION } };

	send(ctl, &m, STACK_MSG_HEAD, MSG_DONTWAIT);
	turn(ctl);
}

static void step(int ctl, uint8_t kind, const uint8_t *data, size_t n)
{
	struct stack_msg m = { .version = STACK_PROTO_VERSION };
	int i = kind / 4 % SOCKETS;

	if (kind % 4 == 0) {
		send(ctl, data, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	} else if (kind % 4 == 3) {
		if (fds[i] >= 0)
			send(fds[i], data, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	} else if (n >= 4) {
		/* op, three small arguments, data */
		m.op = data[0] % STACK_OP_COUNT;
		m.seq = (uint32_t)i;
		m.cookie = cookies[i];
		for (int a = 0; a < 3; a++)
			m.arg[a] = (int8_t)data[1 + a];
		m.len = (uint32_t)(n - 4 < STACK_MSG_DATA ? n - 4 : STACK_MSG_DATA);
		memcpy(m.data, data + 4, m.len);
		send(ctl, &m, STACK_MSG_HEAD + m.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	turn(ctl);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int sv[2];

	if (!host)
		make_host();
	for (int i = 0; i < SOCKETS; i++)
		fds[i] = -1;
	memset(cookies, 0, sizeof(cookies));
	assert(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv) == 0);
	assert(client_new(host, sv[1]) == 0);
	if (size && data[0] != 0)
		say_hello(sv[0]);
	for (int i = 0; i < STEPS && size >= 3; i++) {
		size_t n = data[1] | (size_t)data[2] << 8;

		n = n < size - 3 ? n : size - 3;
		step(sv[0], data[0], data + 3, n);
		data += 3 + n;
		size -= 3 + n;
	}
	close(sv[0]);
	for (int i = 0; i < SOCKETS; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	for (int i = 0; host->nclients || host->nrelays; i++) {
		assert(i < TURNS_TO_END);
		turn(-1);
	}
	return 0;
}
