/* A program's side of the control protocol, spoken raw, for the tests of the stack host. */
#ifndef TESTS_HOST_PEER_H
#define TESTS_HOST_PEER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/types.h>

#include "proto/stack_proto.h"

/** struct peer - a host that was started, and a control connection to it */
struct peer {
	pid_t pid;
	int ctl;
	const struct stack_board *board;
	struct stack_msg reply;
	int reply_fd;
	uint32_t seq;
};

/** struct sockp - a socket of the stack as a program holds it */
struct sockp {
	int fd;
	uint64_t cookie;
	uint32_t board;
};

/** peer_start() - a host with this specification, and HELLO said; it goes when @p->ctl is closed */
void peer_start(struct peer *p, const char *spec);

/** peer_start_limited() - the same, with so few descriptors for the host */
void peer_start_limited(struct peer *p, const char *spec, unsigned nofile);

/** peer_hello() - say it on a connection that was made otherwise */
void peer_hello(struct peer *p);
void peer_stop(struct peer *p);

/** peer_call() - a request, and the @err of its reply, which is in @p->reply and @p->reply_fd */
int peer_call(struct peer *p, int op, uint64_t cookie, int64_t a0, int64_t a1, int64_t a2,
	      const void *data, size_t len);

/** peer_send(), peer_wait() - the two halves */
void peer_send(struct peer *p, int op, uint64_t cookie, int64_t a0, int64_t a1, int64_t a2,
	       const void *data, size_t len);
int peer_wait(struct peer *p);

/** peer_send_fd() - a request with a descriptor */
void peer_send_fd(struct peer *p, int op, uint64_t cookie, int fd);

struct sockp peer_socket(struct peer *p, int domain, int type);
int peer_bind(struct peer *p, const struct sockp *s, const struct sockaddr_in *a);
struct sockaddr_in peer_name(struct peer *p, const struct sockp *s, bool remote);

/** peer_entry() - a whole entry of the board */
struct stack_board_entry peer_entry(const struct peer *p, const struct sockp *s);

/** peer_wait_state() - until the board says so, by its futex; within 10 s, or the test fails */
void peer_wait_state(const struct peer *p, const struct sockp *s, enum stack_board_state state);

/** wait_readable() - poll for @events within 10 s; the events that came */
short wait_events(int fd, short events);

static inline struct sockaddr_in v4(const char *a, uint16_t port);

/** dgram_send(), dgram_recv() - with the pair's header; -errno */
ssize_t dgram_send(int fd, const struct sockaddr_in *to, const void *data, size_t len);
ssize_t dgram_recv(int fd, struct stack_dgram *head, void *data, size_t room);

#include <arpa/inet.h>

static inline struct sockaddr_in v4(const char *a, uint16_t port)
{
	struct sockaddr_in s = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, a, &s.sin_addr);
	return s;
}

#endif
