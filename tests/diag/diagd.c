/*
 * A sock_diag server on a unix socket for tests and benchmarks: made-up connections, or misbehaviour.
 *
 *	diagd PATH SOCKETS [MODE]
 *
 * It prints "ready" when it listens, serves one client after the other, and ends with its parent.
 * Killing a socket is told to those that joined on the same connection, and puts it into the history.
 * MODE: "die" closes after the first datagram of a dump; "lengths", "attrs", "family", "flood",
 * "silent" and "error" answer a dump with something wrong.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/session.h"
#include "wire/state.h"

struct made_up {
	uint64_t count;
	uint64_t killed; /* cookie of the last one destroyed */
};

static int made_next(void *source, uint32_t protocol, struct sock_cursor *c, struct sock_entry *e)
{
	struct made_up *m = source;
	uint64_t i;

	do
		i = c->at[0]++;
	while (i + 1 == m->killed);
	if (protocol != IPPROTO_TCP || i >= m->count)
		return 0;
	e->msg.idiag_family = AF_INET;
	e->msg.idiag_state = i ? DIAG_TCP_ESTABLISHED : DIAG_TCP_LISTEN;
	e->msg.id.idiag_src[0] = htonl(0x0a000001);
	e->msg.id.idiag_sport = htons(8080);
	if (i) {
		e->msg.id.idiag_dst[0] = htonl((uint32_t)(0x0a010000 + i / 50000));
		e->msg.id.idiag_dport = htons((uint16_t)(10000 + i % 50000));
	}
	e->msg.id.idiag_cookie[0] = (uint32_t)(i + 1);
	e->msg.id.idiag_cookie[1] = 0x80000000; /* as a stack marks its own */
	e->cong = "cubic";
	e->process = (struct diag_stack_process){ .pid = (uint32_t)getppid(), .comm = "made-up" };
	e->handle = (void *)(uintptr_t)i;
	return 1;
}

static void made_info(void *source, const struct sock_entry *e, struct diag_tcp_info *ti)
{
	uint64_t i = (uintptr_t)e->handle;

	*ti = (struct diag_tcp_info){
		.state = e->msg.idiag_state,
		.options = DIAG_TCPI_TIMESTAMPS | DIAG_TCPI_SACK | DIAG_TCPI_WSCALE,
		.wscale = 0x77,
		.rto = 204000,
		.rtt = 40000,
		.rttvar = 5000,
		.snd_mss = 1448,
		.snd_cwnd = 10,
		.bytes_acked = 1000 * i,
		.bytes_received = 3000 * i,
	};
}

static void made_memory(void *source, const struct sock_entry *e, uint32_t mem[SK_MEMINFO_VARS])
{
	mem[SK_MEMINFO_RCVBUF] = 131072;
}

static int client = -1;
static struct diag_session session;

static int made_destroy(void *source, const struct sock_entry *e)
{
	_Alignas(8) uint8_t event[FILL_MAX];

	((struct made_up *)source)->killed = (uintptr_t)e->handle + 1;
	if (diag_session_hears(&session, diag_event_group(AF_INET, IPPROTO_TCP)))
		send(client, event, diag_event_build(event, e, IPPROTO_TCP, NULL), MSG_NOSIGNAL);
	return 0;
}

static int made_past(void *source, struct sock_cursor *c, struct sock_entry *e, struct sock_past *p)
{
	struct sock_cursor at = { .at = { c->at[0] + 1 } };

	if (c->at[0]++ >= 3 || !made_next(source, IPPROTO_TCP, &at, e))
		return 0;
	e->msg.idiag_state = DIAG_TCP_CLOSE;
	made_info(source, e, &p->info);
	p->ended = (struct diag_stack_ended){ 1700000000000000000, 1700000001500000000 };
	return 1;
}

static const struct sock_source_ops made_ops = {
	.next = made_next,
	.info = made_info,
	.memory = made_memory,
	.destroy = made_destroy,
	.past = made_past,
};

static void reply(const void *data, size_t len, void *arg)
{
	if (send(client, data, len, MSG_NOSIGNAL) < 0 && errno != EPIPE)
		perror("diagd: send");
}

/* Answers a dump request with one thing that is wrong. */
static void misbehave(const char *mode, const struct nlmsghdr *req)
{
	static _Alignas(4) uint8_t buf[8192];
	struct nlmsghdr *nlh = (void *)buf;
	struct inet_diag_msg *m = NLMSG_DATA(nlh);
	struct rtattr *a = (void *)(m + 1);
	int err = -EIO;

	memset(buf, 0, sizeof(buf));
	nlh->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	nlh->nlmsg_flags = NLM_F_MULTI;
	nlh->nlmsg_seq = req->nlmsg_seq;
	nlh->nlmsg_len = NLMSG_LENGTH(sizeof(*m));
	m->idiag_family = AF_INET;
	m->idiag_state = DIAG_TCP_ESTABLISHED;
	reply(buf, nlh->nlmsg_len, NULL); /* a good one first */
	if (!strcmp(mode, "lengths")) {
		nlh->nlmsg_len = 7;
		reply(buf, 200, NULL);
	} else if (!strcmp(mode, "attrs")) {
		nlh->nlmsg_len += 8;
		a->rta_len = 2;
		reply(buf, nlh->nlmsg_len, NULL);
	} else if (!strcmp(mode, "family")) {
		m->idiag_family = 77;
		reply(buf, nlh->nlmsg_len, NULL);
	} else if (!strcmp(mode, "error")) {
		nlh->nlmsg_type = NLMSG_DONE;
		nlh->nlmsg_len = NLMSG_LENGTH(sizeof(err));
		memcpy(m, &err, sizeof(err));
		reply(buf, nlh->nlmsg_len, NULL);
	} else if (!strcmp(mode, "inconsistent")) {
		nlh->nlmsg_flags |= NLM_F_DUMP_INTR;
		reply(buf, nlh->nlmsg_len, NULL);
		nlh->nlmsg_type = NLMSG_DONE;
		nlh->nlmsg_len = NLMSG_LENGTH(0);
		reply(buf, nlh->nlmsg_len, NULL);
	}
}

static void serve(struct made_up *m, const char *mode)
{
	static _Alignas(8) uint8_t in[65536], out[SESSION_DATAGRAM];
	ssize_t n;

	diag_session_init(&session, &made_ops, m, 0, true);
	while ((n = recv(client, in, sizeof(in), 0)) > 0) {
		bool dump = ((struct nlmsghdr *)in)->nlmsg_flags & NLM_F_DUMP;

		if (mode && dump && strcmp(mode, "die")) {
			misbehave(mode, (struct nlmsghdr *)in);
			continue;
		}
		diag_session_receive(&session, in, (size_t)n, reply, NULL);
		while (diag_session_dumping(&session)) {
			size_t len = diag_session_continue(&session, out, sizeof(out));

			if (len && send(client, out, len, MSG_NOSIGNAL) < 0)
				break;
			if (mode)
				break;
		}
		if (mode && dump)
			break;
	}
	diag_session_end(&session);
}

int main(int argc, char **argv)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct made_up m = { 0 };
	int fd;

	if (argc < 3 || strlen(argv[1]) >= sizeof(sun.sun_path)) {
		fputs("usage: diagd PATH SOCKETS [MODE]\n", stderr);
		return 2;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	strcpy(sun.sun_path, argv[1]);
	m.count = strtoull(argv[2], NULL, 10);
	fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	unlink(sun.sun_path);
	if (fd < 0 || bind(fd, (void *)&sun, sizeof(sun)) < 0 || listen(fd, 8) < 0) {
		perror("diagd");
		return 1;
	}
	puts("ready");
	fflush(stdout);
	while ((client = accept(fd, NULL, NULL)) >= 0) {
		/* One process a client, so that a second conversation does not wait for the first. */
		if (argc > 3 || fork() == 0) {
			serve(&m, argc > 3 ? argv[3] : NULL);
			if (argc <= 3)
				_exit(0);
		}
		close(client);
	}
	return 0;
}
