/* -E: sockets as they are destroyed. */
#include "cli/events.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/walk.h"
#include "client/dump.h"

struct events {
	const struct opts *opts;
	struct sink *sink;
	struct source *source; /* the one being read */
	struct diag_err error;
};

static const struct {
	uint32_t table;
	uint8_t family;
	uint32_t group;
} groups[] = {
	{ KIND_TCP, AF_INET, SKNLGRP_INET_TCP_DESTROY },
	{ KIND_UDP, AF_INET, SKNLGRP_INET_UDP_DESTROY },
	{ KIND_TCP, AF_INET6, SKNLGRP_INET6_TCP_DESTROY },
	{ KIND_UDP, AF_INET6, SKNLGRP_INET6_UDP_DESTROY },
};

static int on_event(const struct nlmsghdr *nlh, void *arg)
{
	struct events *ev = arg;
	struct inet_view v;
	struct diag_inet s;

	ev->error = diag_inet_parse(NLMSG_DATA(nlh), nlh->nlmsg_len - NLMSG_HDRLEN, &s);
	if (diag_failed(ev->error))
		return -1;
	v = (struct inet_view){ .s = &s, .source = ev->source };
	v.protocol = diag_attr_u8(&s.attrs[INET_DIAG_PROTOCOL], IPPROTO_TCP);
	v.table = v.protocol == IPPROTO_UDP ? KIND_UDP : KIND_TCP;
	/* A destroyed socket is closed, whatever it was: only states that were named are looked at. */
	if (walk_wants_inet(ev->opts, &s, ev->opts->filter.states != 0))
		ev->sink->ops->inet(ev->sink, &v);
	return ev->sink->out->error ? -1 : 0;
}

static uint32_t wanted_groups(const struct opts *opts)
{
	uint32_t mask = 0;

	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if ((opts->tables & groups[i].table) && (groups[i].family == AF_INET ? opts->ipv4 : opts->ipv6))
			mask |= 1u << (groups[i].group - 1);
	return mask;
}

static void give_up(struct source *s, struct diag_err e)
{
	char text[128];

	s->dead = true;
	fprintf(stderr, "sockdiag: -E: source '%s': %s\n", s->name,
		e.kind == DIAG_ERR_SYS && e.code == ECONNRESET ? "it is gone" : diag_err_text(e, text, sizeof(text)));
}

static void join(struct source *s, uint32_t mask)
{
	struct diag_err e;

	if (s->kind == SOURCE_KERNEL) {
		diag_conn_close(&s->conn);
		e = diag_conn_open_events(&s->conn, mask);
	} else {
		e = diag_join(&s->conn, mask);
	}
	if (diag_failed(e))
		give_up(s, e);
}

/* Takes one datagram. */
static void take(struct events *ev, void *buf)
{
	struct source *s = ev->source;
	size_t len = 0;
	struct diag_err e = diag_conn_recv(&s->conn, buf, DIAG_BUF_SIZE, &len);

	ev->error = DIAG_OK;
	if (e.kind == DIAG_ERR_SYS && e.code == ENOBUFS) {
		fputs("sockdiag: events came faster than they could be shown; some are lost\n", stderr);
		return;
	}
	if (!diag_failed(e))
		e = diag_walk(buf, len, on_event, ev, NULL);
	if (diag_failed(e) && !ev->sink->out->error)
		give_up(s, diag_failed(ev->error) ? ev->error : e);
}

/* Waits for events and takes those that are there; false when nobody is left to tell of any. */
static bool turn(struct events *ev, struct sources *sources, struct pollfd *fds, void *buf)
{
	size_t n = 0;

	for (size_t i = 0; i < sources->n; i++)
		if (!sources->v[i].dead)
			fds[n++] = (struct pollfd){ .fd = sources->v[i].conn.fd, .events = POLLIN };
	if (!n)
		return false;
	if (poll(fds, n, 0) == 0) {
		ev->sink->ops->pause(ev->sink);
		if (ev->sink->out->error)
			return false;
		poll(fds, n, -1);
	}
	n = 0;
	for (size_t i = 0; i < sources->n; i++) {
		ev->source = &sources->v[i];
		if (!ev->source->dead && fds[n++].revents)
			take(ev, buf);
	}
	return !ev->sink->out->error;
}

int events_show(const struct opts *opts, struct sources *sources, struct sink *sink)
{
	struct events ev = { .opts = opts, .sink = sink };
	struct pollfd *fds = calloc(sources->n, sizeof(*fds));
	void *buf = malloc(DIAG_BUF_SIZE);

	if (buf && fds && sink) {
		sink->several = sources->n > 1;
		for (size_t i = 0; i < sources->n; i++)
			if (!sources->v[i].dead)
				join(&sources->v[i], wanted_groups(opts));
		while (turn(&ev, sources, fds, buf))
			;
		sink->ops->end(sink, false);
	}
	free(buf);
	free(fds);
	return EXIT_FAILED;
}
