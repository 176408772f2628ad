/* packet.c - packet sockets: their options, their rings, and when poll and epoll say that there is something in one. */
#include "log.h"
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define PAGES 4096
#define BLOCK (2 * PAGES)

static int udp, sink;
static struct sockaddr_in to;

static void send_one(size_t n)
{
	static char data[3000];

	if (sendto(udp, data, n, 0, ADDR(&to), sizeof(to)) != (ssize_t)n)
		perror("sendto");
}

static int version_len(int version)
{
	socklen_t len = sizeof(version);
	int r = getsockopt(udp, SOL_PACKET, PACKET_HDRLEN, &version, &len);

	return r < 0 ? -errno : version;
}

static int set(int fd, int option, int value)
{
	return setsockopt(fd, SOL_PACKET, option, &value, sizeof(value));
}

static int ring(int fd, unsigned size, unsigned n, unsigned frame, unsigned frames)
{
	struct tpacket_req3 q = { .tp_block_size = size, .tp_block_nr = n, .tp_frame_size = frame, .tp_frame_nr = frames,
				  .tp_retire_blk_tov = 30 };

	return setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &q, sizeof(q));
}

static int filter(int fd, struct sock_filter *code, unsigned short n)
{
	struct sock_fprog p = { n, code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p));
}

static int watch(int fd)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = (int)if_nametoindex("lo") };

	set(fd, PACKET_IGNORE_OUTGOING, 1);
	return bind(fd, ADDR(&ll), sizeof(ll));
}

static void options(void)
{
	struct sock_filter endless[] = { BPF_STMT(BPF_JMP | BPF_JA, (unsigned)-1), BPF_STMT(BPF_RET, 0) }, none[1];
	int fd = FD(socket(AF_PACKET, SOCK_RAW, 0));
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_ifindex = 4711 };

	DO(option_of(fd, SOL_SOCKET, SO_TYPE));
	DO(set(fd, PACKET_VERSION, 3));
	DO(set(fd, PACKET_VERSION, TPACKET_V3));
	DO(option_of(fd, SOL_PACKET, PACKET_VERSION));
	DO(set(fd, PACKET_RESERVE, 4));
	DO(option_of(fd, SOL_PACKET, PACKET_RESERVE));
	DO(set(fd, PACKET_AUXDATA, 1));
	DO(option_of(fd, SOL_PACKET, PACKET_AUXDATA));
	DO(bind(fd, ADDR(&ll), sizeof(ll)));
	DO(mmap(NULL, BLOCK, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED);
	DO(ring(fd, BLOCK, 1, BLOCK, 2));
	DO(ring(fd, BLOCK + 1, 1, BLOCK, 1));
	DO(ring(fd, BLOCK, 1, 32, BLOCK / 32));
	DO(ring(fd, BLOCK, 1, BLOCK, 1));
	DO(ring(fd, BLOCK, 1, BLOCK, 1));
	DO(set(fd, PACKET_VERSION, TPACKET_V2));
	DO(mmap(NULL, PAGES, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED);
	DO(mmap(NULL, BLOCK, PROT_READ, MAP_SHARED, fd, PAGES) == MAP_FAILED);
	DO(ring(fd, 0, 0, 0, 0));
	DO(filter(fd, endless, 2));
	DO(filter(fd, none, 0));
	DO(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &ll, sizeof(ll)));
	close(fd);
	FD(socket(AF_PACKET, SOCK_STREAM, 0));
}

static void lengths(void)
{
	udp = FD(socket(AF_PACKET, SOCK_DGRAM, 0));
	DO(version_len(TPACKET_V1));
	DO(version_len(TPACKET_V2));
	DO(version_len(TPACKET_V3));
	DO(version_len(7));
	close(udp);
}

/* What poll and epoll say, at most half a second later. */
static void ready(int fd, int ep)
{
	struct pollfd p = { fd, POLLIN, 0 };
	struct epoll_event e = { 0 };
	int n = poll(&p, 1, 500), m = epoll_wait(ep, &e, 1, 0);

	printf("poll %d%s, epoll %d%s\n", n, p.revents & POLLIN ? " in" : "", m > 0, e.events & EPOLLIN ? " in" : "");
}

/* Waits for a frame. */
static void arrives(const uint32_t *status)
{
	for (int i = 0; i < 1000 && !(__atomic_load_n(status, __ATOMIC_ACQUIRE) & TP_STATUS_USER); i++)
		usleep(1000);
}

static void frames(void)
{
	int fd = FD(socket(AF_PACKET, SOCK_RAW, 0)), ep = epoll_create1(0);
	struct epoll_event e = { .events = EPOLLIN };
	struct tpacket2_hdr *h[4];
	char *mem;

	DO(set(fd, PACKET_VERSION, TPACKET_V2));
	DO(ring(fd, BLOCK, 1, BLOCK / 4, 4));
	mem = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	DO(mem == MAP_FAILED);
	DO(watch(fd));
	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
	for (int i = 0; i < 4; i++)
		h[i] = (struct tpacket2_hdr *)(mem + i * BLOCK / 4);
	send_one(100);
	send_one(2500);
	arrives(&h[1]->tp_status);
	ready(fd, ep);
	ready(fd, ep);
	for (int i = 0; i < 4; i++)
		printf("%d: %d, length %u, here %u, at %u, %u\n", i, h[i]->tp_status & TP_STATUS_USER, h[i]->tp_len, h[i]->tp_snaplen,
		       h[i]->tp_mac, h[i]->tp_net);
	h[0]->tp_status = TP_STATUS_KERNEL;
	ready(fd, ep);
	h[1]->tp_status = TP_STATUS_KERNEL;
	ready(fd, ep);
	send_one(1);
	ready(fd, ep);
	printf("%d\n", h[2]->tp_status & TP_STATUS_USER);
	munmap(mem, BLOCK);
	close(fd);
	close(ep);
}

static void blocks(void)
{
	int fd = FD(socket(AF_PACKET, SOCK_DGRAM, 0)), ep = epoll_create1(0);
	struct epoll_event e = { .events = EPOLLIN };
	struct tpacket_block_desc *b;
	struct tpacket_stats_v3 st;
	socklen_t len = sizeof(st);
	char *mem;

	DO(set(fd, PACKET_VERSION, TPACKET_V3));
	DO(ring(fd, BLOCK, 2, BLOCK, 2));
	mem = mmap(NULL, 2 * BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	DO(mem == MAP_FAILED);
	DO(watch(fd));
	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
	send_one(100);
	send_one(200);
	ready(fd, ep);
	b = (struct tpacket_block_desc *)mem;
	printf("%d packets, first at %u\n", b->hdr.bh1.num_pkts, b->hdr.bh1.offset_to_first_pkt);
	for (uint32_t i = 0, at = b->hdr.bh1.offset_to_first_pkt; i < b->hdr.bh1.num_pkts; i++) {
		struct tpacket3_hdr *h = (struct tpacket3_hdr *)(mem + at);
		struct sockaddr_ll *ll = (struct sockaddr_ll *)((char *)h + TPACKET_ALIGN(sizeof(*h)));

		printf("length %u, here %u, at %u, %u, next %u, protocol %#x, %u, interface %d\n", h->tp_len, h->tp_snaplen, h->tp_mac,
		       h->tp_net, h->tp_next_offset, ntohs(ll->sll_protocol), ll->sll_hatype, ll->sll_ifindex);
		at += h->tp_next_offset;
	}
	b->hdr.bh1.block_status = TP_STATUS_KERNEL;
	ready(fd, ep);
	DO(getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &st, &len));
	printf("%u bytes: %u packets, %u dropped\n", len, st.tp_packets, st.tp_drops);
	munmap(mem, 2 * BLOCK);
	close(fd);
	close(ep);
}

/* Without a ring, but with a filter and PACKET_AUXDATA, which counts when the packet is read. */
static void reads(void)
{
	struct sock_filter some[] = { BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 200, 1, 0),
				      BPF_STMT(BPF_RET, 40), BPF_STMT(BPF_RET, 0) };
	union { struct cmsghdr head; char room[256]; } control;
	int fd = FD(socket(AF_PACKET, SOCK_RAW, 0));
	char data[4000];
	struct sockaddr_ll from;
	struct iovec iov = { data, sizeof(data) };
	struct msghdr m = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = &control, .msg_controllen = sizeof(control) };
	struct tpacket_auxdata aux;

	DO(filter(fd, some, 4));
	DO(watch(fd));
	send_one(500);
	send_one(100);
	send_one(100);
	POLL(fd, POLLIN);
	DO(recvmsg(fd, &m, 0));
	printf("told %d\n", m.msg_controllen > 0);
	m.msg_controllen = sizeof(control);
	DO(set(fd, PACKET_AUXDATA, 1));
	DO(recvmsg(fd, &m, 0));
	printf("%d %u %d %d\n", from.sll_family, m.msg_namelen, ntohs(from.sll_protocol), from.sll_pkttype);
	if (m.msg_controllen >= CMSG_LEN(sizeof(aux)) && control.head.cmsg_type == PACKET_AUXDATA) {
		memcpy(&aux, CMSG_DATA(&control.head), sizeof(aux));
		printf("length %u, here %u, at %u, %u\n", aux.tp_len, aux.tp_snaplen, aux.tp_mac, aux.tp_net);
	}
	DO(recv(fd, data, sizeof(data), MSG_DONTWAIT));
	close(fd);
}

int main(void)
{
	socklen_t len = sizeof(to);

	lengths();
	options();
	sink = FD(socket(AF_INET, SOCK_DGRAM, 0));
	to = in4("127.0.0.1", 0);
	DO(bind(sink, ADDR(&to), sizeof(to)));
	getsockname(sink, ADDR(&to), &len);
	udp = FD(socket(AF_INET, SOCK_DGRAM, 0));
	frames();
	blocks();
	reads();
	return 0;
}
