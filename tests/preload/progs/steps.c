/* steps.c - a signal at every instruction of one call: its handler forks, and both processes go on from there.
 *
 * steps CALL: for each of a number of instructions, all of them if there are no more, a child is stepped to it and let
 * go with the signal.
 * steps again CALL: whether the call takes as many instructions after a vfork as before. */
#include "prog.h"

#include <sys/ptrace.h>

#define TRIES 200	/* two processes each leave a file */

static volatile pid_t forked = -2;
static int listening, spare[3], pair[2];

static void handler(int sig)
{
	int saved = errno;

	forked = fork();
	errno = saved;
}

static int call_socket(void) { return socket(AF_INET, SOCK_STREAM, 0); }
static int call_socketpair(void)
{
	int p[2];

	return socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0 && p[1] > p[0] ? p[0] : -1;
}
/* Of two processes that take the same, one may find that it is gone. */
static int call_accept(void) { return accept(listening, NULL, NULL) >= 0 || errno == EAGAIN ? 0 : -1; }
static int call_accept_again(void)
{
	accept(listening, NULL, NULL);
	return accept(listening, NULL, NULL) < 0 && errno == EAGAIN ? 0 : -1;
}
static int call_close(void) { return close(spare[0]); }
static int call_close_shared(void) { return close(spare[1]); }
static int call_dup(void) { return dup(spare[2]); }
static int call_send(void) { return send(pair[0], "b", 1, 0) == 1 ? 0 : -1; }
static int call_recv(void)
{
	char c;

	return recv(pair[1], &c, 1, MSG_DONTWAIT) == 1 ? c - 'a' : errno == EAGAIN ? 0 : -1;
}

static const struct call {
	const char *name;
	int (*make)(void);
} calls[] = {
	{ "socket", call_socket }, { "socketpair", call_socketpair }, { "accept", call_accept }, { "accept-again", call_accept_again },
	{ "close", call_close }, { "close-shared", call_close_shared }, { "dup", call_dup }, { "send", call_send }, { "recv", call_recv },
};

/* Each call has been made before, so that it goes the way that such a call goes. */
static void prepare(void)
{
	struct sockaddr_in a;
	int c, p[2];
	char b;

	signal(SIGUSR1, handler);
	listening = listener(&a);
	CHECK(fcntl(listening, F_SETFL, O_NONBLOCK) == 0);
	CHECK((c = socket(AF_INET, SOCK_STREAM, 0)) >= 0 && connect(c, (struct sockaddr *)&a, sizeof(a)) == 0);
	CHECK(close(accept(listening, NULL, NULL)) == 0 && accept(listening, NULL, NULL) < 0 && close(c) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0 && close(p[0]) == 0 && close(p[1]) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	CHECK(send(pair[0], "xa", 2, 0) == 2 && recv(pair[1], &b, 1, 0) == 1);
	CHECK((spare[0] = socket(AF_INET, SOCK_STREAM, 0)) >= 0);
	CHECK((spare[2] = socket(AF_INET, SOCK_STREAM, 0)) >= 0 && (spare[1] = dup(spare[2])) >= 0);
	CHECK((c = dup(spare[2])) >= 0 && close(c) == 0);
	CHECK((c = socket(AF_INET, SOCK_STREAM, 0)) >= 0 && connect(c, (struct sockaddr *)&a, sizeof(a)) == 0);
}

static bool after_vfork;

/* The one that is stepped. It says by SIGCONT, which does nothing, that the call is over. */
static void stepped(const struct call *call)
{
	int status, r;

	prepare();
	if (after_vfork) {
		pid_t pid = vfork();

		if (pid == 0)
			_exit(0);
		CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	}
	CHECK(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
	raise(SIGSTOP);
	r = call->make();
	raise(SIGCONT);
	CHECK(r >= 0);
	for (int i = 0; i < 4; i++)
		CHECK((r = call_socket()) >= 0 && close(r) == 0);
	for (int fd = 3; fd < 32; fd++)
		close(fd);
	CHECK((r = call_socket()) >= 0 && close(r) == 0);
	if (forked > 0)
		CHECK(waitpid(forked, &status, 0) == forked && status == 0);
	_exit(0);
}

/* Steps a child `n` instructions into the call, and lets it go with the signal. Whether the call has so many; *ok: how it ended. */
static bool try(const struct call *call, long n, bool *ok)
{
	int status;
	pid_t pid;

	*ok = false;
	CHECK((pid = fork()) >= 0);
	if (pid == 0)
		stepped(call);
	CHECK(waitpid(pid, &status, 0) == pid);
	if (!WIFSTOPPED(status))
		return true;
	for (long i = 0; i < n; i++) {
		CHECK(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) == 0 && waitpid(pid, &status, 0) == pid);
		if (!WIFSTOPPED(status) || WSTOPSIG(status) == SIGCONT) {
			CHECK(!WIFSTOPPED(status) || (ptrace(PTRACE_KILL, pid, NULL, NULL) == 0 && waitpid(pid, &status, 0) == pid));
			return false;
		}
	}
	CHECK(ptrace(PTRACE_DETACH, pid, NULL, SIGUSR1) == 0 && waitpid(pid, &status, 0) == pid);
	*ok = status == 0;
	return true;
}

static void steps(const struct call *call)
{
	long n = 1, bad = 0;
	bool ok;

	/* How many there are, to the power of two. */
	while (n < 1 << 14 && try(call, n, &ok))
		n *= 2;
	for (long i = 0, k; i < TRIES && (k = 1 + i * (n > TRIES ? n : TRIES) / TRIES) < n; i++)
		if (try(call, k, &ok) && !ok)
			bad++;
	printf("%s: %ld ended otherwise\n", call->name, bad);
}

/* How many instructions the call takes, and what leads to it and away from it. */
static long length(const struct call *call)
{
	long n = 0;
	int status;
	pid_t pid;

	CHECK((pid = fork()) >= 0);
	if (pid == 0)
		stepped(call);
	CHECK(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
	do {
		n++;
		CHECK(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) == 0 && waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
	} while (WSTOPSIG(status) != SIGCONT);
	CHECK(ptrace(PTRACE_KILL, pid, NULL, NULL) == 0 && waitpid(pid, &status, 0) == pid);
	return n;
}

static void again(const struct call *call)
{
	long before = length(call), after;

	after_vfork = true;
	after = length(call);
	printf("%s: %s\n", call->name, after <= before ? "no longer" : "longer");
}

int main(int argc, char **argv)
{
	const char *name = argc > 2 ? argv[2] : argc > 1 ? argv[1] : "";

	alarm(60);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (strcmp(name, calls[i].name) == 0)
			(argc > 2 ? again : steps)(&calls[i]);
	return 0;
}
