/* The lan link, as an ordinary user: members, addresses, members and switches that die, members that lie. */
#include "link/lan.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "link/lan_bell.h"
#include "link/lan_dir.h"
#include "link/lan_proto.h"
#include "link/sharedmem.h"
#include "link/sharedmem_ring.h"
#include "net.h"

enum { MEMBERS = 3 };

static struct clock clk;
static struct pkt_pool *pool;
static char dir[64];
static struct link *member[MEMBERS];
static struct lan_lease lease[MEMBERS];
static char error[LAN_ERROR_MAX];
static int ngot[MEMBERS];

static void set_clock(void)
{
	struct timespec m, w;

	clock_gettime(CLOCK_MONOTONIC, &m);
	clock_gettime(CLOCK_REALTIME, &w);
	clock_set(&clk, m.tv_sec * NS_PER_SEC + m.tv_nsec, w.tv_sec * NS_PER_SEC + w.tv_nsec);
}

/* The process that serves the network: it is none of ours, but has our directory open. */
static pid_t switch_pid(void)
{
	char path[300], to[PATH_MAX];
	struct dirent *e;
	DIR *proc = opendir("/proc");
	pid_t pid = 0;

	while ((e = readdir(proc))) {
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/%s/fd/3", e->d_name);
		n = readlink(path, to, sizeof(to) - 1);
		if (n > 0 && (to[n] = 0, strcmp(to, dir) == 0) && atoi(e->d_name) != getpid()) {
			char comm[32] = "";
			FILE *f;

			snprintf(path, sizeof(path), "/proc/%s/comm", e->d_name);
			f = fopen(path, "r");
			if (f && fgets(comm, sizeof(comm), f) && !strcmp(comm, "sockshim-lan\n"))
				pid = atoi(e->d_name);
			if (f)
				fclose(f);
		}
	}
	closedir(proc);
	return pid;
}

/* Looks again every few milliseconds until it is so, ten seconds at most. */
#define eventually(what) do { \
	int tries_ = 0; \
	while (!(what) && tries_++ < 2000) \
		poll(NULL, 0, 5); \
	cr_assert(what); \
} while (0)

static void init(void)
{
	if (geteuid() == 0 && (setgroups(0, NULL) || setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534)))
		cr_skip_test("no other user here");
	prctl(PR_SET_DUMPABLE, 1);	/* else nobody may look into /proc for it any more */
	snprintf(dir, sizeof(dir), "/tmp/lan-test-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	clock_init(&clk, 0, 0);
	set_clock();
	pool = pkt_pool_new();
}

static void fini(void)
{
	char cmd[128];

	for (int i = 0; i < MEMBERS; i++)
		link_close(member[i]);
	eventually(switch_pid() == 0);
	cr_assert_eq(pkt_pool_live(pool), 0);
	pkt_pool_unref(pool);
	snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	cr_assert_eq(system(cmd), 0);
}

TestSuite(lan, .init = init, .fini = fini);

static void sink_rx(struct link_sink *k, struct pkt *p);
static struct link_sink sinks[MEMBERS] = { { sink_rx }, { sink_rx }, { sink_rx } };

/* Counts the test's own frames, not the switch's advertisements. */
static void sink_rx(struct link_sink *k, struct pkt *p)
{
	ngot[k - sinks] += p->len == 60;
	pkt_free(p);
}

static struct lan_config config(void)
{
	return (struct lan_config){ .name = "test", .clock = &clk, .pool = pool, .dir = dir };
}

static void join(int i)
{
	struct lan_config c = config();

	cr_assert_eq(lan_join(&c, &member[i], &lease[i], error), 0, "%s", error);
	link_attach(member[i], &sinks[i]);
}

/* What happens within @ms, or until @n frames have come to member @i; how many came. */
static int frames(int i, int n, int ms)
{
	struct timespec start, now;

	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		struct pollfd p[MEMBERS];

		for (int k = 0; k < MEMBERS; k++)
			p[k] = (struct pollfd){ .fd = member[k] ? lan_fd(member[k]) : -1, .events = POLLIN };
		poll(p, MEMBERS, 5);
		set_clock();
		for (int k = 0; k < MEMBERS; k++)
			if (p[k].revents)
				lan_rx(member[k], 64);
		clock_run(&clk);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (ngot[i] < n && (now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 < ms);
	return ngot[i];
}

static void send_frame(int from, int to)
{
	uint8_t f[60] = { 0 };

	if (to < 0)
		memset(f, 0xff, 6);
	else
		memcpy(f, lease[to].mac.b, 6);
	memcpy(f + 6, lease[from].mac.b, 6);
	f[12] = 0x88;
	f[13] = 0xb5;
	link_write(member[from], pkt_from_bytes(pool, f, sizeof(f)));
}

Test(lan, members_get_addresses_and_hear_one_another)
{
	struct lan_info info;

	for (int i = 0; i < MEMBERS; i++)
		join(i);
	for (uint32_t i = 0; i < MEMBERS; i++) {
		cr_assert_eq(lease[i].number, i + 1);
		cr_assert(lease[i].v4.prefix_len == 24 && lease[i].mtu == 1500 && member[i]->mtu == 1500);
		cr_assert(memcmp(lease[i].v4.addr.b, (uint8_t[]){ 10, 77, 0, (uint8_t)(i + 1) }, 4) == 0);
		cr_assert(lease[i].mac.b[5] == i + 1 && link_addr_equal(&lease[i].mac, &member[i]->addr));
		cr_assert(lease[i].v6.addr.b[0] == 0xfd && addr_equal(&lease[i].v6.addr, &lease[0].v6.addr));
	}
	send_frame(0, 1);
	cr_assert_eq(frames(1, 1, 5000), 1);
	send_frame(1, -1);
	cr_assert_eq(frames(2, 1, 5000), 1);
	cr_assert_eq(frames(0, 1, 5000), 1);
	cr_assert_eq(ngot[1], 1);
	cr_assert_eq(lan_get_info(dir, "test", 2, &info), 0);
	cr_assert(info.members == 3 && info.sent == 1 && info.received >= 2 && info.full == 0);
}

Test(lan, the_switch_leaves_with_the_last_member_and_numbers_are_used_again)
{
	char path[128];

	join(0);
	join(1);
	cr_assert_neq(switch_pid(), 0);
	link_close(member[0]);
	member[0] = NULL;
	eventually(lan_get_info(dir, "test", 1, &(struct lan_info){ 0 }) == -ENOENT);
	join(0);
	cr_assert_eq(lease[0].number, 1);
	link_close(member[0]);
	link_close(member[1]);
	member[0] = member[1] = NULL;
	eventually(switch_pid() == 0);
	snprintf(path, sizeof(path), "%s/test.sock", dir);
	cr_assert_eq(access(path, F_OK), -1);
	join(0);
	cr_assert_eq(lease[0].number, 1);
}

Test(lan, a_member_that_is_killed_harms_nobody)
{
	pid_t pid;
	int status, ready[2], got;
	char c;

	join(0);
	join(1);
	cr_assert_eq(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		struct lan_config lc = config();
		struct link *l;
		struct lan_lease ll;

		if (lan_join(&lc, &l, &ll, error) || ll.number != 3 || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			link_write(l, pkt_from_bytes(pool, "\2ss\0\0\1\2ss\0\0\3\x88\xb5" "a flood that ends in mid-air", 42));
	}
	cr_assert_eq(read(ready[0], &c, 1), 1);
	/* What finds a member's ring full of the flood is lost, as in any switch. */
	for (int i = 0; i < 1000 && frames(1, 1, 5) < 1; i++)
		send_frame(0, 1);
	cr_assert_geq(ngot[1], 1);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	eventually(lan_get_info(dir, "test", 3, &(struct lan_info){ 0 }) == -ENOENT);
	got = frames(1, INT_MAX, 50);
	for (int i = 0; i < 1000 && frames(1, got + 1, 5) <= got; i++)
		send_frame(0, 1);
	cr_assert_gt(ngot[1], got);
	join(2);
	cr_assert_eq(lease[2].number, 3);
}

Test(lan, when_the_switch_is_killed_members_start_another)
{
	struct lan_lease before;
	pid_t pid;

	for (int i = 0; i < MEMBERS; i++)
		join(i);
	before = lease[1];
	pid = switch_pid();
	cr_assert_neq(pid, 0);
	kill(pid, SIGKILL);
	for (int i = 0; i < 1000; i++) {
		frames(0, INT_MAX, 5);
		if (lan_is_joined(member[0]) && lan_is_joined(member[1]) && lan_is_joined(member[2]) && i > 5)
			break;
	}
	cr_assert(switch_pid() != 0 && switch_pid() != pid);
	cr_assert(link_addr_equal(&member[1]->addr, &before.mac));
	send_frame(0, 1);
	cr_assert_eq(frames(1, 1, 5000), 1);
}

Test(lan, many_who_join_at_once_all_get_in)
{
	enum { N = 8 };
	int fds[N][2], hold[2];
	uint32_t seen = 0;

	cr_assert_eq(pipe(hold), 0);
	for (int i = 0; i < N; i++) {
		cr_assert_eq(pipe(fds[i]), 0);
		if (fork() == 0) {
			struct lan_config c = config();
			struct lan_lease l = { 0 };
			struct link *link;
			char end;

			close(hold[1]);
			lan_join(&c, &link, &l, error);
			if (write(fds[i][1], &l.number, 4) != 4 || read(hold[0], &end, 1) != 0)
				_exit(1);
			_exit(0);
		}
	}
	for (int i = 0; i < N; i++) {
		uint32_t number = 0;

		cr_assert_eq(read(fds[i][0], &number, 4), 4);
		cr_assert(number >= 1 && number <= N, "%u", number);
		cr_assert_eq(seen & 1u << number, 0, "one each");
		seen |= 1u << number;
	}
	close(hold[1]);
	for (int i = 0; i < N; i++)
		wait(NULL);
}

static int raw_fds[LAN_JOIN_FDS];

/* A member of our own making: the socket, the memory and the bells, to do with as we like. */
static int raw_member(struct sharedmem_region *r, struct lan_reply *reply)
{
	struct lan_request q = { .magic = LAN_MAGIC, .version = LAN_VERSION, .op = LAN_OP_JOIN };
	union {
		struct cmsghdr h;
		char space[CMSG_SPACE(sizeof(raw_fds))];
	} control;
	struct iovec iov = { reply, sizeof(*reply) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	int dirfd = lan_dir_open(dir), sock = lan_dir_connect(dirfd, "test", 5000);

	close(dirfd);
	cr_assert_geq(sock, 0);
	cr_assert_eq(send(sock, &q, sizeof(q), 0), (ssize_t)sizeof(q));
	cr_assert_eq(recvmsg(sock, &m, 0), (ssize_t)sizeof(*reply));
	cr_assert_eq(reply->err, 0);
	cr_assert_eq(CMSG_FIRSTHDR(&m)->cmsg_len, CMSG_LEN(sizeof(raw_fds)));
	memcpy(raw_fds, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(raw_fds));
	cr_assert_eq(sharedmem_region_map(r, raw_fds[LAN_FD_REGION]), 0);
	return sock;
}

static void raw_leave(int sock, struct sharedmem_region *r)
{
	close(sock);
	close(raw_fds[LAN_FD_RING]);
	close(raw_fds[LAN_FD_EAR]);
	sharedmem_region_free(r);
}

/* Until the switch has closed the connection. */
static void expect_thrown_out(int sock, const char *what)
{
	char buf[256];
	ssize_t n;

	while ((n = recv(sock, buf, sizeof(buf), 0)) > 0)
		;
	cr_assert(n == 0 || errno == ECONNRESET, "%s", what);
}

Test(lan, nonsense_in_the_rings_ends_the_liar_alone)
{
	static const char *const kinds[] = { "index", "length", "everything", "the other ring" };

	join(0);
	join(1);
	for (int kind = 0; kind < 4; kind++) {
		struct sharedmem_region r;
		struct lan_reply reply;
		int sock = raw_member(&r, &reply);
		struct sharedmem_ring_shared *out = (void *)(r.mem + SHAREDMEM_RING_HEAD + r.ring_bytes);
		struct sharedmem_ring_shared *in = (void *)r.mem;

		switch (kind) {
		case 0:	/* an index far away */
			out->tail = 0x7fffffff;
			break;
		case 1:	/* a length beyond all */
			memset(r.mem + 2 * SHAREDMEM_RING_HEAD + r.ring_bytes, 0xff, 64);
			out->tail = 64;
			break;
		case 2:	/* everything */
			memset(r.mem, 0xa5, r.len);
			break;
		default:	/* the other ring, which the switch writes: found at its next frame for us */
			in->head = 0x12345678;
			out->tail = 1;
			break;
		}
		lan_bell_ring(raw_fds[LAN_FD_RING]);
		expect_thrown_out(sock, kinds[kind]);
		raw_leave(sock, &r);
		send_frame(0, 1);
		cr_assert_eq(frames(1, kind + 1, 5000), kind + 1);
	}
}

Test(lan, nonsense_on_the_socket_ends_the_liar_alone)
{
	struct lan_request q = { .magic = LAN_MAGIC, .version = LAN_VERSION + 1, .op = LAN_OP_JOIN };
	static char large[4096];
	int dirfd, sock;

	join(0);
	join(1);
	dirfd = lan_dir_open(dir);
	for (int kind = 0; kind < 3; kind++) {
		sock = lan_dir_connect(dirfd, "test", 5000);
		if (kind == 0)
			send(sock, &q, sizeof(q), 0);
		else
			send(sock, large, kind == 1 ? 2 : sizeof(large), 0);
		expect_thrown_out(sock, "a message");
		close(sock);
	}
	close(dirfd);
	send_frame(0, 1);
	cr_assert_eq(frames(1, 1, 5000), 1);
}

Test(lan, a_member_that_reads_nothing_loses_its_own_frames)
{
	struct sharedmem_region r;
	struct lan_reply reply;
	struct lan_info info;
	int sock, sent = 0;

	join(0);
	join(1);
	sock = raw_member(&r, &reply);
	/* More than its ring holds; member 1 hears each. */
	while (sent < 20000) {
		for (int i = 0; i < 50; i++, sent++)
			send_frame(0, -1);
		cr_assert_eq(frames(1, sent, 5000), sent);
	}
	cr_assert_eq(lan_get_info(dir, "test", reply.number, &info), 0);
	cr_assert_gt(info.full, 0);
	cr_assert_eq(lan_get_info(dir, "test", 2, &info), 0);
	cr_assert_eq(info.full, 0);
	raw_leave(sock, &r);
}

/* It may do with the bells what it likes: the switch waits for none. */
Test(lan, a_member_that_holds_a_bell_holds_up_nobody)
{
	uint64_t most = UINT64_MAX - 1;
	struct sharedmem_region r;
	struct lan_reply reply;
	struct pollfd ear;
	int sock;

	join(0);
	join(1);
	sock = raw_member(&r, &reply);
	ear = (struct pollfd){ .fd = raw_fds[LAN_FD_EAR], .events = POLLIN };
	cr_assert_eq(fcntl(raw_fds[LAN_FD_RING], F_SETFL, 0), 0);
	cr_assert_eq(write(raw_fds[LAN_FD_EAR], &most, sizeof(most)), -1, "it can be waited for, and nothing else");
	send_frame(0, -1);
	cr_assert_eq(frames(1, 1, 5000), 1);
	cr_assert_eq(poll(&ear, 1, 5000), 1);
	/* Full, and then empty again, as fast as it can be, while the switch looks. */
	for (int i = 2; i < 500; i++) {
		lan_bell_hush(raw_fds[LAN_FD_RING]);
		cr_assert_eq(write(raw_fds[LAN_FD_RING], &most, sizeof(most)), (ssize_t)sizeof(most));
		lan_bell_hush(raw_fds[LAN_FD_RING]);
		send_frame(0, -1);
		cr_assert_eq(frames(1, i, 5000), i);
	}
	raw_leave(sock, &r);
	send_frame(0, 1);
	cr_assert_eq(frames(1, 500, 5000), 500);
}

Test(lan, impairment_of_one_port)
{
	struct impair_dir half = { .loss = 500000 };
	struct lan_info info;
	int heard;

	for (int i = 0; i < MEMBERS; i++)
		join(i);
	cr_assert_eq(lan_impair(dir, "test", 2, NULL, &half), 0);
	for (int i = 1; i <= 400; i++) {
		send_frame(0, -1);
		cr_assert_eq(frames(2, i, 5000), i);
	}
	heard = ngot[1];
	cr_assert(heard > 140 && heard < 260, "%d", heard);
	cr_assert_eq(lan_get_info(dir, "test", 2, &info), 0);
	cr_assert_geq(info.lost, 140);
	half.delay_ns = -1;
	cr_assert_eq(lan_impair(dir, "test", 2, &half, NULL), -EINVAL);
	cr_assert_eq(lan_impair(dir, "test", 9, NULL, NULL), -ENOENT);
	cr_assert_eq(lan_impair(dir, "nosuch", 1, NULL, NULL), -ENOENT);
}

Test(lan, joining_says_what_is_wrong)
{
	static const char *const names[] = { NULL, "", "a/b", "..", "a b", "0123456789012345678901234567890123" };
	struct lan_config c = config();
	struct lan_lease l;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		c.name = names[i];
		cr_assert_eq(lan_join(&c, &member[1], &l, error), -EINVAL);
	}
	c = config();
	c.net = (struct addr_prefix){ sim_parse("10.1.2.3"), 31 };
	cr_assert_eq(lan_join(&c, &member[1], &l, error), -EINVAL);
	c.net.prefix_len = 29;
	cr_assert_eq(lan_join(&c, &member[0], &lease[0], error), 0, "%s", error);
	link_attach(member[0], &sinks[0]);
	cr_assert(memcmp(lease[0].v4.addr.b, (uint8_t[]){ 10, 1, 2, 1 }, 4) == 0 && lease[0].v4.prefix_len == 29);
	c.net.prefix_len = 24;
	cr_assert_eq(lan_join(&c, &member[1], &l, error), -EEXIST);
	cr_assert_str_eq(error, "test: cannot join: it has another subnet: File exists");
	c.mtu = 17000;
	cr_assert_eq(lan_join(&c, &member[1], &l, error), -EINVAL);
	c = config();
	cr_assert_eq(chmod(dir, 0777), 0);
	cr_assert_eq(lan_join(&c, &member[1], &l, error), -EACCES);
	cr_assert_eq(chmod(dir, 0700), 0);
	c.dir = "/nosuch/dir";
	cr_assert_eq(lan_join(&c, &member[1], &l, error), -ENOENT);
}

Test(lan, a_full_network_is_full)
{
	struct lan_config c = config();
	struct link *l[6];
	struct lan_lease ll;

	c.net = (struct addr_prefix){ sim_parse("10.0.0.0"), 29 };
	for (int i = 0; i < 6; i++)
		cr_assert_eq(lan_join(&c, &l[i], &ll, error), 0, "%s", error);
	cr_assert_eq(lan_join(&c, &member[0], &ll, error), -ENOSPC);
	for (int i = 0; i < 6; i++)
		link_close(l[i]);
}

/* Stacks with what they were given: UDP over IPv4, and over IPv6 with addresses from the advertisements. */
Test(lan, stacks_speak_with_the_addresses_they_get)
{
	struct stack *stack[2];
	struct endpoint *ep[2];
	struct nic *nic[2];
	struct addr v6[2] = { 0 };
	struct full_addr from, local = { .port = 7 };
	bool heard4 = false, heard6 = false;
	char buf[100];

	for (int i = 0; i < 2; i++) {
		struct lan_config c = config();
		struct stack_config sc = netstack_config();
		struct route_row row = { .nic = 1 };

		cr_assert_eq(lan_join(&c, &member[i], &lease[i], error), 0, "%s", error);
		sc.clock = &clk;
		sc.pool = pool;
		sc.seed[0] = (uint8_t)(i + 1);
		cr_assert_eq(stack_new(&sc, &stack[i]), NS_OK);
		cr_assert_eq(nic_create(stack[i], 1, NULL, ether_new(member[i], &lease[i].mac), &nic[i]), NS_OK);
		cr_assert_eq(nic_add_addr(nic[i], &lease[i].v4, ADDR_MANUAL, NULL), NS_OK);
		row.destination = subnet_of(&lease[i].v4);
		cr_assert_eq(route_add(stack[i], &row), NS_OK);
		cr_assert_eq(endpoint_new(stack[i], NET_IPV6, IP_PROTO_UDP, &ep[i]), NS_OK);
		local.addr = addr_v6_any;
		cr_assert_eq(endpoint_bind(ep[i], &local), NS_OK);
	}
	for (int round = 0; round < 1000 && !(heard4 && heard6); round++) {
		struct pollfd p[2] = { { .fd = lan_fd(member[0]), .events = POLLIN }, { .fd = lan_fd(member[1]), .events = POLLIN } };
		struct subnet net = subnet_of(&lease[0].v6);

		poll(p, 2, 10);
		set_clock();
		for (int i = 0; i < 2; i++) {
			lan_rx(member[i], 64);
			stack_run(stack[i]);
			list_for_each(n, &nic[i]->addrs) {
				struct nic_addr *a = container_of(n, struct nic_addr, list);

				if (subnet_contains(&net, &a->addr) && a->state == ADDR_PREFERRED)
					v6[i] = a->addr;
			}
		}
		if (round % 20 == 0) {
			char text[ADDR_STR_MAX];

			sim_send(ep[0], "::ffff:10.77.0.2", 7, "four", 4);
			if (v6[1].len)
				sim_send(ep[0], addr_format(&v6[1], text), 7, "six", 3);
		}
		for (ssize_t n; (n = sim_recv(ep[1], buf, sizeof(buf), &from, NULL)) > 0;) {
			heard4 |= n == 4;
			heard6 |= n == 3;
		}
	}
	cr_assert(heard4);
	cr_assert(heard6);
	for (int i = 0; i < 2; i++) {
		endpoint_close(ep[i]);
		stack_free(stack[i]);
		member[i] = NULL;
	}
}
