/* redirect_wait.h - between the files that wait for redirected sockets. */
#ifndef SHIM_INTERPOSE_REDIRECT_WAIT_H
#define SHIM_INTERPOSE_REDIRECT_WAIT_H

#include <sys/epoll.h>

#include "interpose/redirect.h"

/* The redirected socket that a descriptor is, NULL: it is none, or nothing is known of it. */
struct run_socket *redirect_socket_at(int fd);

/* What poll is to say of a socket of which the pair says `revents`. `events`: what was asked for. */
short redirect_put_right(int fd, const struct run_socket *s, short events, short revents);

/* epoll_wait, epoll_pwait, epoll_pwait2. */
long redirect_wait_epoll(enum call_id id, const uint64_t *a);

/* Registrations of a socket with epoll, as they are now: at most `max`; how many. */
#define REDIRECT_REGISTRATIONS 32

struct redirect_registration {
	int epfd, fd;
	uint32_t number;
	struct epoll_event event;
};

int redirect_registrations(const struct run_socket *s, struct redirect_registration *out, int max);

/* Makes them anew, after the descriptors have been put in another's place. */
void redirect_register_again(const struct redirect_registration *r, int n);

/* A one-shot registration that has been seen is to see nothing more until it is made anew. */
void redirect_disarm(int epfd, int fd, const struct epoll_event *event);

/* What a registration is kept under: the epoll descriptor and the socket's. Neither 0 nor EPOLL_KEY_TAKEN. */
#define EPOLL_KEY_TAKEN UINT64_MAX

static inline uint64_t epoll_key(int epfd, int fd)
{
	return ((uint64_t)(unsigned)epfd << 32 | (unsigned)fd) + 1;
}

static inline int epoll_key_epfd(uint64_t key)
{
	return (int)((key - 1) >> 32);
}

#endif
