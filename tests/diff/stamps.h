/* stamps.h - time stamps in transcripts, and what comes from error queues. Of a time it is shown only that it is there, and of
 * now.
 */
#ifndef TESTS_DIFF_STAMPS_H
#define TESTS_DIFF_STAMPS_H

#include "log.h"

#include <linux/errqueue.h>
#include <linux/if_packet.h>
#include <linux/net_tstamp.h>

enum { TIMESTAMPING_NEW = 65 };

enum {
	SOFT = SOF_TIMESTAMPING_SOFTWARE, RX = SOF_TIMESTAMPING_RX_SOFTWARE, TX = SOF_TIMESTAMPING_TX_SOFTWARE,
	SCHED = SOF_TIMESTAMPING_TX_SCHED, FILTER = 1 << 17, ACK = SOF_TIMESTAMPING_TX_ACK, ID = SOF_TIMESTAMPING_OPT_ID,
	ONLY = SOF_TIMESTAMPING_OPT_TSONLY, CMSG = SOF_TIMESTAMPING_OPT_CMSG,
};

UNUSED static unsigned char buf[3000];

UNUSED static bool is_now(const struct timespec *ts)
{
	return llabs((long long)ts->tv_sec - time(NULL)) < 10;
}

UNUSED static void show_times(const struct cmsghdr *c)
{
	struct timespec ts[3];

	memcpy(ts, CMSG_DATA(c), sizeof(ts));
	printf(" now: %d, %d %d", is_now(ts), ts[1].tv_sec == 0 && ts[1].tv_nsec == 0, ts[2].tv_sec == 0 && ts[2].tv_nsec == 0);
}

UNUSED static void show_error(const struct cmsghdr *c)
{
	struct sock_extended_err e;
	struct sockaddr_in6 in6;
	struct sockaddr_in in;
	char text[INET6_ADDRSTRLEN] = "";

	memcpy(&e, CMSG_DATA(c), sizeof(e));
	memcpy(&in, CMSG_DATA(c) + sizeof(e), sizeof(in));
	printf(" %s origin %d type %d code %d info %u data %u", error_name((int)e.ee_errno), e.ee_origin, e.ee_type, e.ee_code,
	       e.ee_info, e.ee_data);
	if (c->cmsg_len < CMSG_LEN(sizeof(e) + sizeof(in)))
		return;
	if (c->cmsg_level == IPPROTO_IP) {
		inet_ntop(AF_INET, &in.sin_addr, text, sizeof(text));
	} else {
		memcpy(&in6, CMSG_DATA(c) + sizeof(e), sizeof(in6));
		inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof(text));
	}
	printf(" offender %d %s", in.sin_family, text);
}

UNUSED static void show_control(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		struct in_pktinfo p4;
		char text[INET6_ADDRSTRLEN];

		printf("  level %d type %d length %zu", c->cmsg_level, c->cmsg_type, c->cmsg_len);
		if (c->cmsg_level == SOL_SOCKET && (c->cmsg_type == SCM_TIMESTAMPING || c->cmsg_type == TIMESTAMPING_NEW))
			show_times(c);
		else if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
			 (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR) ||
			 (c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_TX_TIMESTAMP))
			show_error(c);
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			memcpy(&p4, CMSG_DATA(c), sizeof(p4));
			printf(" index %d to %s", p4.ipi_ifindex, inet_ntop(AF_INET, &p4.ipi_addr, text, sizeof(text)));
			printf(" local %s", inet_ntop(AF_INET, &p4.ipi_spec_dst, text, sizeof(text)));
		}
		puts("");
	}
}

/* A message; its bytes as far as they say something. */
UNUSED static void show(int s, int flags, size_t room)
{
	struct sockaddr_storage name;
	char control[512];
	struct iovec v = { buf, room };
	struct msghdr m = { .msg_name = &name, .msg_namelen = sizeof(name), .msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };

	if (DO(recvmsg(s, &m, flags | MSG_DONTWAIT)) < 0)
		return;
	printf("  flags %x name %u control %d last byte %d\n", m.msg_flags, m.msg_namelen, m.msg_controllen > 0,
	       m.msg_iov->iov_len < sizeof(buf) ? 0 : buf[0]);
	show_control(&m);
}

/* The kernel has packets stamped some time after the first socket wants it, and for all: here one wants it all the time. */
UNUSED static void settle(void)
{
	char control[100];
	struct sockaddr_in a = in4("127.0.0.1", 0);
	struct iovec v = { buf, 1 };
	struct msghdr m;
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	bind(s, ADDR(&a), sizeof(a));
	a = in4("127.0.0.1", port_of(s));
	setsockopt(s, SOL_SOCKET, SO_TIMESTAMPING, &(int){ RX | SOFT }, sizeof(int));
	do {
		sendto(s, "x", 1, 0, ADDR(&a), sizeof(a));
		m = (struct msghdr){ .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	} while (recvmsg(s, &m, 0) == 1 && !m.msg_controllen);
}

#endif
