/* -E: sockets as they are destroyed. */
#include "cli/events.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/walk.h"
#include "client/dump.h"

struct events {
	const struct opts *opts;
	struct sink *sink;
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
	v = (struct inet_view){ .s = &s, .protocol = diag_attr_u8(&s.attrs[INET_DIAG_PROTOCOL], IPPROTO_TCP) };
	v.table = v.protocol == IPPROTO_UDP ? KIND_UDP : KIND_TCP;
	/* A destroyed socket is closed, whatever it was: only states that were named are looked at. */
	if (walk_wants_inet(ev->opts, &s, ev->opts->filter.states != 0))
		ev->sink->ops->inet(ev->sink, &v);
	return ev->sink->out->error ? -1 : 0;
}

static void on_drained(void *arg)
{
	struct events *ev = arg;

	ev->sink->ops->pause(ev->sink);
}

int events_show(const struct opts *opts, struct sink *sink)
{
	struct events ev = { .opts = opts, .sink = sink };
	void *buf = malloc(DIAG_BUF_SIZE);
	struct diag_conn c;
	struct diag_err e;
	uint32_t mask = 0;
	char text[128];

	if (!buf || !sink)
		return EXIT_FAILED;
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if ((opts->tables & groups[i].table) && (groups[i].family == AF_INET ? opts->ipv4 : opts->ipv6))
			mask |= 1u << (groups[i].group - 1);
	e = diag_conn_open_events(&c, mask);
	while (!diag_failed(e)) {
		e = diag_events(&c, buf, DIAG_BUF_SIZE, on_event, on_drained, &ev);
		if (e.kind == DIAG_ERR_SYS && e.code == ENOBUFS) {
			fputs("sockdiag: events came faster than they could be shown; some are lost\n", stderr);
			e = DIAG_OK;
		}
	}
	diag_conn_close(&c);
	free(buf);
	if (!sink->out->error)
		fprintf(stderr, "sockdiag: -E: %s\n",
			diag_err_text(diag_failed(ev.error) ? ev.error : e, text, sizeof(text)));
	sink->ops->end(sink, false);
	return EXIT_FAILED;
}
