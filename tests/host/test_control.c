/* The control protocol: who may say what, and what becomes of those who say something else. */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/futex.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "peer.h"

static char dir[] = "/tmp/sockshim-test-XXXXXX";
static char path[100];

/* A host with a socket to connect to; returns its process. */
static pid_t start_named(const char *keep)
{
	int fds[2];
	char number[16], line[300] = "";
	pid_t pid;
	int shown = 0;

	cr_assert(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/s", dir);
	cr_assert_eq(pipe(fds), 0);
	snprintf(number, sizeof(number), "%d", fds[1]);
	pid = fork();
	if (pid == 0) {
		execl(HOST_PROGRAM, HOST_PROGRAM, "--foreground", "--status-fd", number, "--socket", path, "lo",
		      keep, NULL);
		_exit(127);
	}
	close(fds[1]);
	cr_assert_gt(read(fds[0], line, sizeof(line) - 1), 0);
	cr_assert_eq(sscanf(line, "ready %d", &shown), 1, "%s", line);
	cr_assert_eq(shown, pid);
	close(fds[0]);
	return pid;
}

static int connect_to(const char *where)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", where);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		close(fd);
		return -errno;
	}
	return fd;
}

static struct peer join(void)
{
	struct peer p = { .ctl = connect_to(path) };

	cr_assert_geq(p.ctl, 0);
	peer_hello(&p);
	return p;
}

static void wait_gone(pid_t pid)
{
	int status = -1;

	for (int i = 0; i < 10000 && waitpid(pid, &status, WNOHANG) != pid; i++)
		usleep(1000);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", status);
	cr_assert_lt(access(path, F_OK), 0, "the socket's file is still there");
	cr_assert_eq(rmdir(dir), 0, "something was left behind");
}

static bool ended(int fd)
{
	char byte;

	return wait_events(fd, POLLIN) && recv(fd, &byte, 1, 0) <= 0;
}

static uint64_t counter(struct peer *p, const char *name)
{
	static char text[65536];
	char key[80], *at;
	ssize_t n;

	cr_assert_eq(peer_call(p, STACK_OP_STATS, 0, 0, 0, 0, NULL, 0), 0);
	n = pread(p->reply_fd, text, sizeof(text) - 1, 0);
	cr_assert_gt(n, 0);
	text[n] = '\0';
	close(p->reply_fd);
	snprintf(key, sizeof(key), "\"%s\":", name);
	at = strstr(text, key);
	cr_assert(at != NULL, "no %s in %s", name, text);
	return strtoull(at + strlen(key), NULL, 10);
}

Test(control, malformed_messages_end_their_connection_alone)
{
	pid_t pid = start_named("--keep");
	struct peer good = join();
	struct stack_msg m = { .version = STACK_PROTO_VERSION, .op = STACK_OP_INFO };
	struct { size_t bytes; uint16_t op; uint32_t len; uint16_t version; bool hello; } bad[] = {
		{ 3, STACK_OP_INFO, 0, STACK_PROTO_VERSION, true },
		{ STACK_MSG_HEAD, STACK_OP_INFO, 9, STACK_PROTO_VERSION, true },
		{ STACK_MSG_HEAD + 8, STACK_OP_INFO, 0, STACK_PROTO_VERSION, true },
		{ STACK_MSG_HEAD, STACK_OP_COUNT, 0, STACK_PROTO_VERSION, true },
		{ STACK_MSG_HEAD, 0, 0, STACK_PROTO_VERSION, true },
		{ STACK_MSG_HEAD, UINT16_MAX, 0, STACK_PROTO_VERSION, true },
		{ STACK_MSG_HEAD, STACK_OP_INFO, 0, STACK_PROTO_VERSION + 1, true },
		{ STACK_MSG_HEAD, STACK_OP_INFO, 0, STACK_PROTO_VERSION, false },
		{ STACK_MSG_HEAD, STACK_OP_HELLO, 0, STACK_PROTO_VERSION, true },
		{ STACK_MSG_HEAD, STACK_OP_RESOLVE, 0, STACK_PROTO_VERSION, true },
		{ STACK_MSG_HEAD + 8, STACK_OP_RESOLVE, 8, STACK_PROTO_VERSION, true },
		{ STACK_MSG_HEAD, STACK_OP_INFO, UINT32_MAX, STACK_PROTO_VERSION, true },
		{ STACK_MSG_HEAD, STACK_OP_JOIN, 0, STACK_PROTO_VERSION, true },
	};

	memset(m.data, 'a', sizeof(m.data));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct peer p = { .ctl = connect_to(path) };

		if (bad[i].hello)
			peer_hello(&p);
		m.op = bad[i].op;
		m.len = bad[i].len;
		m.version = bad[i].version;
		cr_assert_eq(send(p.ctl, &m, bad[i].bytes, 0), (ssize_t)bad[i].bytes);
		cr_assert(ended(p.ctl), "case %zu", i);
		close(p.ctl);
	}
	cr_assert_eq(counter(&good, "messages_malformed"), sizeof(bad) / sizeof(bad[0]));
	cr_assert_eq(peer_call(&good, STACK_OP_DOWN, 0, 0, 0, 0, NULL, 0), 0);
	cr_assert(ended(good.ctl));
	wait_gone(pid);
}

Test(control, descriptors_that_nobody_asked_for)
{
	pid_t pid = start_named("--keep");
	struct peer good = join(), p = join();
	struct stack_msg m = { .version = STACK_PROTO_VERSION, .op = STACK_OP_INFO };
	struct iovec iov = { &m, STACK_MSG_HEAD };
	char control[CMSG_SPACE(2 * sizeof(int))] __attribute__((aligned(8))) = { 0 };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);
	int fds[2];

	cr_assert_eq(pipe(fds), 0);
	*c = (struct cmsghdr){ CMSG_LEN(sizeof(fds)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(c), fds, sizeof(fds));
	cr_assert_gt(sendmsg(p.ctl, &h, 0), 0);
	cr_assert(ended(p.ctl));
	/* And the host has not kept them: the pipe has no other writer. */
	close(fds[1]);
	cr_assert(wait_events(fds[0], POLLIN) & POLLHUP);
	cr_assert_eq(peer_call(&good, STACK_OP_DOWN, 0, 0, 0, 0, NULL, 0), 0);
	wait_gone(pid);
}

/* Sends a descriptor through the connection for the host to take for another one. */
static void send_through(struct peer *p, int fd)
{
	peer_send_fd(p, STACK_OP_JOIN, 0, fd);
	close(fd);
}

static int held(struct peer *p, const struct sockp *s, int fd)
{
	peer_send_fd(p, STACK_OP_HELD, s->cookie, fd);
	return peer_wait(p);
}

Test(control, who_has_a_connection_lets_others_in)
{
	pid_t pid = start_named("--keep"), child;
	struct peer p = join(), other = { 0 };
	int pair[2], pipes[2], status;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	send_through(&p, pair[1]);
	other.ctl = pair[0];
	peer_hello(&other);
	close(peer_socket(&other, AF_INET, SOCK_STREAM).fd);
	/* The connection that it came through has no reply, and goes on. */
	close(peer_socket(&p, AF_INET, SOCK_STREAM).fd);

	/* Other descriptors are closed. */
	cr_assert_eq(pipe(pipes), 0);
	send_through(&p, pipes[1]);
	cr_assert(ended(pipes[0]));
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	send_through(&p, pair[1]);
	cr_assert(ended(pair[0]));
	cr_assert_eq(counter(&p, "clients_refused"), 2);

	/* Another user has sockets, and no say in what becomes of the stack. */
	child = geteuid() == 0 ? fork() : -1;
	if (child == 0) {
		cr_assert_eq(seteuid(65534), 0);
		cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
		send_through(&p, pair[1]);
		other.ctl = pair[0];
		peer_hello(&other);
		close(peer_socket(&other, AF_INET, SOCK_STREAM).fd);
		_exit(peer_call(&other, STACK_OP_KEEP, 0, 0, 0, 0, NULL, 0) != -EPERM ||
		      peer_call(&other, STACK_OP_RULES, 0, AF_INET, 0, 0, NULL, 0) != -EPERM ||
		      peer_call(&other, STACK_OP_DOWN, 0, 0, 0, 0, NULL, 0) != -EPERM);
	}
	if (child > 0)
		cr_assert(waitpid(child, &status, 0) == child && status == 0, "%#x", status);
	cr_assert_eq(peer_call(&p, STACK_OP_DOWN, 0, 0, 0, 0, NULL, 0), 0);
	wait_gone(pid);
}

/* A connection that this process, whoever it is now, makes through p's. */
static struct peer join_through(struct peer *p)
{
	struct peer other = { 0 };
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	send_through(p, pair[1]);
	other.ctl = pair[0];
	peer_hello(&other);
	return other;
}

/* In a process of its own, which is of another user from before or after it has joined; its verdict. */
static bool as_nobody(bool (*try)(struct peer *p, const struct sockp *s), bool own, struct peer *p, const struct sockp *s)
{
	pid_t child = fork();
	int status = -1;

	if (child == 0) {
		struct peer other = *p;

		if (setresuid(65534, 65534, 65534) < 0)
			_exit(1);
		if (own)
			other = join_through(p);
		_exit(!try(&other, s));
	}
	return waitpid(child, &status, 0) == child && status == 0;
}

static int set_nodelay(struct peer *p, const struct sockp *s)
{
	const int on = 1;

	return peer_call(p, STACK_OP_SETOPT, s->cookie, IPPROTO_TCP, TCP_NODELAY, 0, &on, sizeof(on));
}

/* Criterion hears nothing of a child's asserts. */
#define TRY(what) do { if (!(what)) { fprintf(stderr, "not so: %s\n", #what); return false; } } while (0)

static bool is_kept_out(struct peer *p, const struct sockp *s)
{
	struct sockp mine = peer_socket(p, AF_INET, SOCK_STREAM);

	TRY(set_nodelay(p, &mine) == 0);
	TRY(set_nodelay(p, s) == -ENOKEY);
	TRY(peer_call(p, STACK_OP_GETOPT, s->cookie, SOL_SOCKET, SO_ERROR, 4, NULL, 0) == -ENOKEY);
	TRY(peer_call(p, STACK_OP_ABORT, s->cookie, 0, 0, 0, NULL, 0) == -ENOKEY);
	TRY(peer_call(p, STACK_OP_SHUTDOWN, s->cookie, SHUT_RDWR, 0, 0, NULL, 0) == -ENOKEY);
	TRY(peer_call(p, STACK_OP_LISTEN, s->cookie, 1, 0, 0, NULL, 0) == -ENOKEY);
	TRY(peer_call(p, STACK_OP_KILL, s->cookie, 0, 0, 0, NULL, 0) == -EPERM);
	TRY(peer_call(p, STACK_OP_DOWN, 0, 0, 0, 0, NULL, 0) == -EPERM);
	/* Another's descriptor shows nothing. */
	TRY(held(p, s, mine.fd) == -EPERM);
	TRY(set_nodelay(p, s) == -ENOKEY);
	return peer_call(p, STACK_OP_LOOKUP, s->cookie, 0, 0, 0, NULL, 0) == 0;
}

static bool is_let_in(struct peer *p, const struct sockp *s)
{
	struct sockaddr_in at = v4("127.0.0.1", 7777);
	struct stack_accept a;
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { &a, sizeof(a) };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct sockp to, from = peer_socket(p, AF_INET, SOCK_STREAM);

	TRY(held(p, s, s->fd) == 0);
	TRY(set_nodelay(p, s) == 0);
	/* And so what is accepted there. */
	TRY(peer_call(p, STACK_OP_LISTEN, s->cookie, 8, 0, 0, NULL, 0) == 0);
	TRY(peer_call(p, STACK_OP_CONNECT, from.cookie, 0, 0, 0, &at, sizeof(at)) == -EINPROGRESS);
	TRY(wait_events(s->fd, POLLIN));
	TRY(recvmsg(s->fd, &h, 0) > 0);
	to.cookie = a.cookie;
	return set_nodelay(p, &to) == 0;
}

Test(control, a_socket_is_for_its_owner_and_who_holds_it)
{
	pid_t pid;
	struct peer p;
	struct sockaddr_in at = v4("127.0.0.1", 7777);
	struct sockp s;

	if (geteuid() != 0)
		cr_skip_test("it takes root to be another user");
	pid = start_named("--keep");
	p = join();
	s = peer_socket(&p, AF_INET, SOCK_STREAM);
	cr_assert_eq(peer_bind(&p, &s, &at), 0);
	/* On a connection of its own, and on one that root has opened. */
	cr_assert(as_nobody(is_kept_out, true, &p, &s));
	cr_assert(as_nobody(is_kept_out, false, &p, &s));
	cr_assert(as_nobody(is_let_in, true, &p, &s));
	cr_assert_eq(set_nodelay(&p, &s), 0);
	cr_assert_eq(peer_call(&p, STACK_OP_DOWN, 0, 0, 0, 0, NULL, 0), 0);
	wait_gone(pid);
}

Test(control, on_a_hatch_nothing_is_asked)
{
	pid_t pid = start_named("--keep");
	struct peer p = { .ctl = connect_to(path) }, other;

	cr_assert_eq(peer_call(&p, STACK_OP_HELLO, 0, STACK_PROTO_VERSION, getpid(), 1, NULL, 0), 0);
	other = join_through(&p);
	close(peer_socket(&other, AF_INET, SOCK_STREAM).fd);
	peer_send(&p, STACK_OP_DOWN, 0, 0, 0, 0, NULL, 0);
	cr_assert(ended(p.ctl));
	cr_assert_eq(peer_call(&other, STACK_OP_DOWN, 0, 0, 0, 0, NULL, 0), 0);
	wait_gone(pid);
}

Test(control, another_version_is_told_ours)
{
	pid_t pid = start_named("--keep");
	struct peer p = { .ctl = connect_to(path) };

	cr_assert_eq(peer_call(&p, STACK_OP_HELLO, 0, STACK_PROTO_VERSION + 1, 0, 0, NULL, 0), -EPROTO);
	cr_assert_eq(p.reply.arg[0], STACK_PROTO_VERSION);
	cr_assert_eq(kill(pid, SIGTERM), 0);
	wait_gone(pid);
}

Test(control, sockets_outlive_the_connection_they_were_made_on)
{
	pid_t pid = start_named(NULL);
	struct peer a = join(), b;
	struct sockp s = peer_socket(&a, AF_INET, SOCK_DGRAM);
	struct sockaddr_in name = v4("127.0.0.1", 7777);

	close(a.ctl);
	b = join();
	cr_assert_eq(peer_call(&b, STACK_OP_LOOKUP, s.cookie, 0, 0, 0, NULL, 0), 0);
	cr_assert_eq(b.reply.arg[0], AF_INET);
	cr_assert_eq(b.reply.arg[1], SOCK_DGRAM);
	cr_assert_eq(b.reply.arg[3], s.board);
	cr_assert_eq(peer_bind(&b, &s, &name), 0);
	cr_assert_eq(peer_bind(&b, &s, &name), -EINVAL);
	close(b.ctl);
	/* The last client has gone, the last socket has not. */
	usleep(400000);
	cr_assert_eq(waitpid(pid, NULL, WNOHANG), 0);
	b = join();
	cr_assert_eq(peer_call(&b, STACK_OP_LOOKUP, s.cookie, 0, 0, 0, NULL, 0), 0);
	close(b.ctl);
	close(s.fd);
	wait_gone(pid);
}

Test(control, a_killed_host_is_an_end_of_file)
{
	struct peer p;
	struct sockp d, t;
	char byte;

	peer_start(&p, "lo");
	d = peer_socket(&p, AF_INET, SOCK_DGRAM);
	t = peer_socket(&p, AF_INET, SOCK_DGRAM);
	cr_assert_eq(p.board->alive, (uint32_t)p.pid | FUTEX_WAITERS);
	kill(p.pid, SIGKILL);
	cr_assert(wait_events(d.fd, POLLIN) & POLLHUP);
	cr_assert_leq(recv(d.fd, &byte, 1, 0), 0);
	cr_assert_leq(recv(t.fd, &byte, 1, 0), 0);
	cr_assert_lt(send(d.fd, &byte, 1, MSG_NOSIGNAL), 0);
	cr_assert(ended(p.ctl));
	waitpid(p.pid, NULL, 0);
	cr_assert(p.board->alive & FUTEX_OWNER_DIED);
	cr_assert_eq(p.board->gone, 0);
}

Test(control, a_host_told_to_leave_says_so_on_the_board)
{
	struct peer p;
	struct sockp s;

	peer_start(&p, "lo");
	s = peer_socket(&p, AF_INET, SOCK_DGRAM);
	cr_assert_eq(p.board->gone, 0);
	cr_assert_eq(peer_call(&p, STACK_OP_DOWN, 0, 0, 0, 0, NULL, 0), 0);
	peer_wait_state(&p, &s, STACK_BOARD_CLOSED);
	cr_assert_eq(p.board->gone, 1);
	peer_stop(&p);
}

Test(control, any_number_started_at_once_make_one_host)
{
	enum { N = 8 };
	pid_t pids[N];
	char lines[N][300];
	int fds[N][2], hosts = 0, host = 0, fd;

	cr_assert(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/s", dir);
	for (int i = 0; i < N; i++) {
		char number[16];

		cr_assert_eq(pipe(fds[i]), 0);
		snprintf(number, sizeof(number), "%d", fds[i][1]);
		pids[i] = fork();
		if (pids[i] == 0) {
			execl(HOST_PROGRAM, HOST_PROGRAM, "--status-fd", number, "--socket", path, "lo", NULL);
			_exit(127);
		}
		close(fds[i][1]);
	}
	for (int i = 0; i < N; i++) {
		int pid = -1, status;
		ssize_t n = read(fds[i][0], lines[i], sizeof(lines[i]) - 1);

		cr_assert_gt(n, 0);
		lines[i][n] = '\0';
		cr_assert_eq(sscanf(lines[i], "ready %d", &pid), 1, "%s", lines[i]);
		hosts += pid > 0;
		host = pid > 0 ? pid : host;
		cr_assert_eq(waitpid(pids[i], &status, 0), pids[i]);
		cr_assert_eq(status, 0);
	}
	cr_assert_eq(hosts, 1);
	fd = connect_to(path);
	cr_assert_geq(fd, 0);
	close(fd);
	/* Its client has gone, and nobody needs it. */
	for (int i = 0; i < 10000 && access(path, F_OK) == 0; i++)
		usleep(1000);
	for (int i = 0; i < 1000 && rmdir(dir) < 0; i++)
		usleep(1000);
	cr_assert_lt(access(dir, F_OK), 0);
}

Test(control, interfaces_are_listed)
{
	struct peer p;
	struct stack_ifaddr e;

	peer_start(&p, "lo");
	cr_assert_eq(peer_call(&p, STACK_OP_IFADDRS, 0, 0, 0, 0, NULL, 0), 0);
	cr_assert_eq(p.reply.arg[0], 3);
	cr_assert_eq(p.reply.len, 3 * sizeof(e));
	memcpy(&e, p.reply.data + sizeof(e), sizeof(e));
	cr_assert_str_eq(e.name, "lo");
	cr_assert_eq(e.prefix_len, 8);
	cr_assert_eq(peer_call(&p, STACK_OP_IFADDRS, 0, 2, 0, 0, NULL, 0), 0);
	cr_assert_eq(p.reply.arg[0], 1);
	peer_stop(&p);
}

/* RULES with a text, or with none; the reply's text in @out. */
static int rules(struct peer *p, const char *text, char *out, size_t size)
{
	struct stack_msg m = { .version = STACK_PROTO_VERSION, .op = STACK_OP_RULES, .seq = ++p->seq,
			       .arg = { AF_INET, 1 } };
	struct iovec iov = { &m, STACK_MSG_HEAD };
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = { 0 };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fd = text ? memfd_create("rules", 0) : -1, err;
	ssize_t n;

	if (text) {
		cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
		h.msg_control = control;
		h.msg_controllen = sizeof(control);
		*CMSG_FIRSTHDR(&h) = (struct cmsghdr){ CMSG_LEN(sizeof(fd)), SOL_SOCKET, SCM_RIGHTS };
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&h)), &fd, sizeof(fd));
	}
	cr_assert_gt(sendmsg(p->ctl, &h, 0), 0);
	err = peer_wait(p);
	if (fd >= 0)
		close(fd);
	if (err) {
		snprintf(out, size, "%.*s", (int)p->reply.len, (char *)p->reply.data);
		return err;
	}
	n = pread(p->reply_fd, out, size - 1, 0);
	cr_assert_geq(n, 0);
	out[n] = '\0';
	close(p->reply_fd);
	return 0;
}

Test(control, rules_go_in_and_come_out)
{
	struct sockaddr_in to = v4("127.0.0.1", 9);
	char text[4096];
	struct peer p;
	struct sockp s;

	peer_start(&p, "lo");
	cr_assert_eq(rules(&p, "*filter\n-A OUTPUT -p udp --dport 9 -j DROP\nCOMMIT\n", text, sizeof(text)), 0, "%s", text);
	cr_assert(strstr(text, "--dport 9 -j DROP") != NULL, "%s", text);
	cr_assert_eq(rules(&p, "*filter\n-A NOWHERE -j DROP\nCOMMIT\n", text, sizeof(text)), -EINVAL);
	cr_assert(strstr(text, "line 2") != NULL, "%s", text);
	s = peer_socket(&p, AF_INET, SOCK_DGRAM);
	cr_assert_eq(dgram_send(s.fd, &to, "x", 1), 1);
	do
		cr_assert_eq(rules(&p, NULL, text, sizeof(text)), 0);
	while (!strstr(text, "[1:29] -A OUTPUT"));
	close(s.fd);
	peer_stop(&p);
}

Test(control, replies_that_are_not_fetched_stop_only_their_client)
{
	pid_t pid = start_named("--keep");
	struct peer greedy = join(), p = join();
	struct stack_msg m = { .version = STACK_PROTO_VERSION, .op = STACK_OP_INFO };
	int sent = 0;

	while (send(greedy.ctl, &m, STACK_MSG_HEAD, MSG_DONTWAIT) > 0)
		sent++;
	cr_assert_gt(sent, 100);
	cr_assert_eq(peer_call(&p, STACK_OP_INFO, 0, 0, 0, 0, NULL, 0), 0);
	/* Each is answered once there is room. */
	for (int i = 0; i < sent; i++) {
		char buf[sizeof(m)];

		cr_assert(wait_events(greedy.ctl, POLLIN), "reply %d of %d", i, sent);
		cr_assert_gt(recv(greedy.ctl, buf, sizeof(buf), 0), 0);
	}
	cr_assert_eq(peer_call(&p, STACK_OP_DOWN, 0, 0, 0, 0, NULL, 0), 0);
	wait_gone(pid);
}
