/* walk.c - random walks over a few descriptors, with a count of its own of what the library must have counted.
 *
 * walk FIRST LAST: a process for each seed. walk SEED: one walk; forked processes go on from there, each with counts of its own. */
#include "prog.h"

#include <dlfcn.h>
#include <sys/syscall.h>

#include "sockshim.h"

#define FDS	400
#define SPAN	10	/* descriptors from `base` on, of those a walk chooses itself */
#define STEPS	250
#define KINDS	6

enum { NOTHING = -1, A_FILE = -2 };

static const int kinds[KINDS][2] = {
	{ AF_INET, SOCK_STREAM }, { AF_INET, SOCK_DGRAM }, { AF_UNIX, SOCK_STREAM }, { AF_UNIX, SOCK_DGRAM },
	{ AF_INET, SOCK_STREAM | SOCK_NONBLOCK }, { AF_INET, SOCK_DGRAM | SOCK_CLOEXEC },
};
#define LOCAL_KIND	2
#define LISTENER_KIND	4

static struct { int refs, kind; bool listens; } sockets[20 * STEPS];
static struct { unsigned long opened, accepted, closed, accept_failed, listened; } counts[KINDS];
static int entries[FDS];		/* an index of sockets, or NOTHING, A_FILE */
static int n_sockets, base, depth;
static bool detached;			/* forked, and no call made yet that the library counts */
static uint64_t state;

static struct sockshim_switch *(*get_switch)(void);
static size_t (*get_stats)(struct sockshim_switch *, struct sockshim_stat *, size_t);

static unsigned any_below(unsigned n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 11) % n;
}

static sockshim_cookie cookie(int kind)
{
	return sockshim_cookie_make(kinds[kind][0], kinds[kind][1], 0);
}

/* Whatever the descriptor was, it is no more. What a child closes before it makes a socket is its parent's affair. */
static void gone(int fd)
{
	int s = entries[fd];

	entries[fd] = NOTHING;
	if (s >= 0 && --sockets[s].refs == 0 && !detached)
		counts[sockets[s].kind].closed++;
}

static void entered(int fd, int kind)
{
	CHECK(fd >= 0 && fd < FDS && entries[fd] == NOTHING);
	detached = false;
	sockets[n_sockets].refs = 1;
	sockets[n_sockets].kind = kind;
	sockets[n_sockets].listens = false;
	entries[fd] = n_sockets++;
}

static void opens(int fd, int kind)
{
	entered(fd, kind);
	counts[kind].opened++;
}

/* One of the descriptors that are open, -1: there is none. */
static int some_fd(bool socket, bool listener)
{
	int found[FDS], n = 0;

	for (int fd = base; fd < FDS; fd++)
		if (entries[fd] != NOTHING && (!socket || entries[fd] >= 0) &&
		    (!listener || (entries[fd] >= 0 && sockets[entries[fd]].listens)))
			found[n++] = fd;
	return n ? found[any_below((unsigned)n)] : -1;
}

static int open_fds(void)
{
	int n = 0;

	for (int fd = base; fd < FDS; fd++)
		n += entries[fd] != NOTHING;
	return n;
}

static void duplicate(void)
{
	int fd = some_fd(false, false), to = any_below(10) ? base + (int)any_below(SPAN) : 300 + (int)any_below(4), r;

	if (fd < 0)
		return;
	switch (any_below(4)) {
	case 0:
		r = dup(fd);
		break;
	case 1:
		r = fcntl(fd, F_DUPFD_CLOEXEC, to);
		break;
	case 2:
		r = to == fd ? fd : dup3(fd, to, O_CLOEXEC);
		break;
	default:
		r = dup2(fd, to);
	}
	CHECK(r >= 0 && r < FDS);
	if (r == fd)
		return;
	gone(r);
	entries[r] = entries[fd];
	if (entries[fd] >= 0)
		sockets[entries[fd]].refs++;
}

static void close_one(void)
{
	int fd = some_fd(any_below(4), false);
	FILE *file;

	if (fd < 0)
		return;
	switch (any_below(5)) {
	case 0:
		CHECK((file = fdopen(fd, "r")) && fclose(file) == 0);
		break;
	case 1:
		CHECK(syscall(SYS_close, fd) == 0);
		break;
	default:
		CHECK(close(fd) == 0);
	}
	gone(fd);
}

/* Sockets of one kind, now and then of another, one after the other. */
static void open_and_close(void)
{
	int kind = (int)any_below(KINDS);

	for (unsigned n = any_below(6); n > 0; n--) {
		int k = any_below(3) ? kind : (int)any_below(KINDS), fd = socket(kinds[k][0], kinds[k][1], 0);

		opens(fd, k);
		CHECK(close(fd) == 0);
		gone(fd);
	}
}

static void listen_and_accept(void)
{
	int l = some_fd(true, true), c;
	struct sockaddr_in a;
	socklen_t len = sizeof(a);

	if (l < 0) {
		l = listener(&a);
		CHECK(fcntl(l, F_SETFL, O_NONBLOCK) == 0);
		opens(l, 0);
		sockets[entries[l]].listens = true;
		counts[0].listened++;
	}
	for (unsigned n = any_below(3); n > 0; n--) {
		CHECK(accept(l, NULL, NULL) == -1 && errno == EAGAIN);
		detached = false;
		counts[0].accept_failed++;
	}
	if (any_below(2))
		return;
	c = socket(AF_INET, SOCK_STREAM, 0);
	opens(c, 0);
	CHECK(getsockname(l, (struct sockaddr *)&a, &len) == 0 && connect(c, (struct sockaddr *)&a, sizeof(a)) == 0);
	c = accept(l, NULL, NULL);
	entered(c, 0);
	counts[0].accepted++;
}

static void check(unsigned seed)
{
	struct sockshim_stat stats[KINDS + 1] = { 0 };
	size_t n = get_stats(get_switch(), stats, KINDS + 1);

	detached = false;
	CHECK(n <= KINDS);
	for (int k = 0; k < KINDS; k++) {
		struct sockshim_stat *s = &stats[KINDS];

		for (size_t i = 0; i < n; i++)
			if (stats[i].cookie == cookie(k))
				s = &stats[i];
		if (s->opened == counts[k].opened && s->accepted == counts[k].accepted && s->closed == counts[k].closed &&
		    s->accept_failed == counts[k].accept_failed && s->listened == counts[k].listened)
			continue;
		printf("seed %u, fork %d, kind %d: opened %ju for %lu, accepted %ju for %lu, closed %ju for %lu, "
		       "acceptfailed %ju for %lu, listened %ju for %lu\n", seed, depth, k, (uintmax_t)s->opened, counts[k].opened,
		       (uintmax_t)s->accepted, counts[k].accepted, (uintmax_t)s->closed, counts[k].closed,
		       (uintmax_t)s->accept_failed, counts[k].accept_failed, (uintmax_t)s->listened, counts[k].listened);
		exit(1);
	}
}

/* Whether this is the child. */
static bool forks(void)
{
	int status;
	pid_t pid;

	CHECK((pid = fork()) >= 0);
	if (pid == 0) {
		depth++;
		detached = true;
		state ^= 0x1234567u;
		memset(counts, 0, sizeof(counts));
		return true;
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	if (status)
		exit(1);
	return false;
}

static void walk(unsigned seed)
{
	static const int bases[] = { 3, 60, 252 };	/* from the first on, where two chunks meet, and where the low ones end */
	int steps = STEPS, fd[2];

	state = seed * 0x9e3779b97f4a7c15ull + 12345;
	for (int i = 0; i < 10; i++)
		any_below(2);
	base = bases[any_below(3)];
	for (int i = 3; i < FDS; i++)
		close(i);
	for (int i = 0; i < FDS; i++)
		entries[i] = i < base ? A_FILE : NOTHING;
	while ((fd[0] = open("/dev/null", O_RDONLY)) < base)
		CHECK(fd[0] >= 0);
	CHECK(close(fd[0]) == 0);
	for (int step = 0; step < steps; step++) {
		unsigned what = any_below(100);
		int kind = (int)any_below(KINDS);

		if (what < 45 && open_fds() > SPAN)
			what = 50;
		if (what < 15) {
			opens(socket(kinds[kind][0], kinds[kind][1], 0), kind);
		} else if (what < 23) {
			CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
			opens(fd[0], LOCAL_KIND);
			opens(fd[1], LOCAL_KIND);
		} else if (what < 27) {
			CHECK((fd[0] = open("/dev/null", O_RDONLY)) >= 0 && entries[fd[0]] == NOTHING);
			entries[fd[0]] = A_FILE;
		} else if (what < 38) {
			duplicate();
		} else if (what < 45) {
			listen_and_accept();
		} else if (what < 75) {
			close_one();
		} else if (what < 96) {
			open_and_close();
		} else if (what < 98 && depth < 3) {
			if (forks())
				steps = step + 1 + (int)any_below(60);
		} else {
			check(seed);
		}
	}
	check(seed);
}

int main(int argc, char **argv)
{
	get_switch = (struct sockshim_switch *(*)(void))dlsym(RTLD_DEFAULT, "sockshim_default_switch");
	get_stats = (size_t (*)(struct sockshim_switch *, struct sockshim_stat *, size_t))dlsym(RTLD_DEFAULT, "sockshim_stats");
	CHECK(get_switch && get_stats && argc > 1);
	if (argc == 2) {
		walk((unsigned)atoi(argv[1]));
		return 0;
	}
	for (int seed = atoi(argv[1]); seed <= atoi(argv[2]); seed++) {
		char number[16];
		int status;
		pid_t pid;

		snprintf(number, sizeof(number), "%d", seed);
		CHECK((pid = fork()) >= 0);
		if (pid == 0)
			execl("/proc/self/exe", argv[0], number, NULL);
		CHECK(waitpid(pid, &status, 0) == pid);
		if (status) {
			printf("seed %d: status %x\n", seed, (unsigned)status);
			return 1;
		}
	}
	return 0;
}
