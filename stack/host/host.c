/* The stack host: putting it together, running it, taking it apart. */
#include "host/host.h"

#include <errno.h>
#include <string.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "host/client.h"
#include "host/device.h"
#include "host/diag.h"
#include "host/relay.h"
#include "host/maker.h"
#include "host/resolve.h"
#include "host/setup.h"

/* With nobody there: how long to wait for the first client, for another one after the last, and for
 * what closed sockets still have to send. */
static const int64_t first_client_ns = 20 * NS_PER_SEC, grace_ns = 200 * NS_PER_MS,
		     unsent_ns = 60 * NS_PER_SEC, look_ns = 50 * NS_PER_MS;

/* The kernel's default for SO_SNDBUF of pairs, which we leave as it is, says how much filler makes a
 * sender unwritable: a quarter (unix_writable()). */
static int make_filler(struct host *h)
{
	int sv[2], sndbuf = 0;
	socklen_t len = sizeof(sndbuf);

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
		return -errno;
	getsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &sndbuf, &len);
	close(sv[0]);
	close(sv[1]);
	h->filler_bytes = (size_t)sndbuf / 4 + 64;
	h->filler_fd = memfd_create("sockshim-filler", MFD_CLOEXEC);
	if (h->filler_fd < 0 || ftruncate(h->filler_fd, (off_t)h->filler_bytes) < 0)
		return -errno;
	return 0;
}

static int make_stack(struct host *h)
{
	struct stack_config config = netstack_config();
	enum ns_err err;

	if (getrandom(config.seed, sizeof(config.seed), 0) != sizeof(config.seed))
		return -EIO;
	err = stack_new(&config, &h->stack);
	return -ns_err_errno(err);
}

static int make_parts(struct host *h, char *error)
{
	int err = make_stack(h);

	if (!err)
		err = loop_init(&h->loop, h->stack);
	if (err)
		return err;
	h->loop.busy_poll_ns = h->spec.busy_poll_ns;
	loop_set_clock(&h->loop);
	h->started_ns = h->empty_since_ns = h->stack->clock->now_ns;
	err = board_init(&h->board, BOARD_ENTRIES);
	if (!err)
		err = relay_watch_init(h);
	if (!err)
		err = make_filler(h);
	h->scratch = malloc(HOST_SCRATCH);
	h->diag = diag_new(h, h->spec.history);
	if (!err && (!h->scratch || !h->diag))
		err = -ENOMEM;
	if (!err)
		err = setup_stack(h, error);
	if (err)
		return err;
	h->resolver = resolver_new(h);
	return h->resolver ? 0 : -ENOMEM;
}

int host_new(const struct spec *spec, const char *name, struct host **out,
	     char error[SPEC_ERROR_MAX])
{
	struct host *h = calloc(1, sizeof(*h));
	int err;

	*out = NULL;
	error[0] = '\0';
	if (!h)
		return -ENOMEM;
	h->spec = *spec;
	h->uid = geteuid();
	snprintf(h->name, sizeof(h->name), "%s", name);
	h->loop.epoll = h->board.fd = h->listen_fd = h->watch_fd = h->diag_fd = h->filler_fd = -1;
	htab_init(&h->relays);
	maker_init(h);
	list_init(&h->all_relays);
	list_init(&h->clients);
	list_init(&h->watched);
	err = make_parts(h, error);
	if (err) {
		if (!error[0])
			snprintf(error, SPEC_ERROR_MAX, "cannot make the stack: %s", strerror(-err));
		host_free(h);
		return err;
	}
	*out = h;
	return 0;
}

static void drop_everybody(struct host *h)
{
	list_for_each_safe(n, &h->clients)
		client_close(container_of(n, struct client, all));
	list_for_each_safe(r, &h->all_relays) {
		struct relay *relay = container_of(r, struct relay, all);

		/* Peers are to know at once that nobody is there any more. */
		if (relay->k->type == SOCK_STREAM)
			sock_abort(relay->k, 0);
		relay_close(relay);
	}
}

void host_free(struct host *h)
{
	if (h->board.head)
		board_leave(&h->board);
	if (h->stack) {
		if (h->listen_fd >= 0)
			timer_fini(h->stack->clock, &h->listen_again);
		drop_everybody(h);
		stack_run(h->stack);
		resolver_free(h->resolver);
		relay_watch_fini(h);
		rx_fini(&h->rx);
		diag_free(h->diag);
		stack_free(h->stack);
	}
	board_fini(&h->board);
	setup_free(h);
	loop_fini(&h->loop);
	if (h->listen_fd >= 0)
		close(h->listen_fd);
	if (h->filler_fd >= 0)
		close(h->filler_fd);
	htab_fini(&h->relays);
	maker_fini(h);
	free(h->scratch);
	free(h);
}

bool host_may_connect(const struct host *h, int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 &&
	       host_is_master(h, cred.uid);
}

/* There is no descriptor, or no memory, for another client: it stays where it is until there may be. */
static void stop_listening(struct host *h)
{
	loop_modify(&h->loop, h->listen_fd, 0, &h->listener);
	timer_arm_in(h->stack->clock, &h->listen_again, 20 * NS_PER_MS);
}

static void listen_again(struct timer *t)
{
	struct host *h = container_of(t, struct host, listen_again);

	loop_modify(&h->loop, h->listen_fd, EPOLLIN, &h->listener);
}

static void listener_turn(struct source *s)
{
	struct host *h = container_of(s, struct host, listener);

	s->events = 0;
	for (int i = 0; i < 16; i++) {
		int fd = accept4(h->listen_fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0) {
			if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
				stop_listening(h);
			return;
		}
		if (!host_may_connect(h, fd) || h->nclients >= HOST_CLIENTS_MAX) {
			h->counters.clients_refused++;
			close(fd);
		} else {
			client_new(h, fd);
		}
	}
}

int host_listen(struct host *h, int fd)
{
	const int on = 1;

	source_init(&h->listener, listener_turn);
	timer_init(&h->listen_again, listen_again);
	h->listen_fd = fd;
	/* Those who connect inherit it: what they send before they are accepted says who they are too. */
	if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
		return -errno;
	return loop_add(&h->loop, fd, EPOLLIN, &h->listener);
}

/** struct unsent - whether closed sockets still have something to say */
struct unsent {
	bool any;
};

static void look_unsent(void *ctx, struct endpoint *ep)
{
	struct unsent *u = ctx;
	struct endpoint_info info = { 0 };

	if (!ep->dangling)
		return;
	endpoint_info(ep, &info);
	u->any |= info.tx_queue_bytes > 0;
}

/* Whether there is nobody left to serve. */
static bool unneeded(struct host *h)
{
	int64_t empty_ns;
	struct unsent u = { 0 };

	if (h->keep || h->nclients || h->nrelays) {
		h->empty_since_ns = h->stack->clock->now_ns;
		return false;
	}
	empty_ns = h->stack->clock->now_ns - h->empty_since_ns;
	if (!h->served)
		return empty_ns > first_client_ns;
	if (empty_ns < grace_ns)
		return false;
	endpoint_walk(h->stack, look_unsent, &u);
	return !u.any || empty_ns > unsent_ns;
}

void host_run(struct host *h)
{
	while (!h->down && !unneeded(h)) {
		__atomic_store_n(&h->board.head->route_gen, h->stack->route_gen, __ATOMIC_RELEASE);
		loop_once(&h->loop, h->keep || h->nclients || h->nrelays ? CLOCK_NEVER : look_ns);
		device_flush_all(h);
	}
}
