/* signals.c - socket calls in signal handlers, left by siglongjmp, cancelled, and in many threads. */
#include "prog.h"

#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "run/layout.h"

static volatile sig_atomic_t handled;
static int ready[2];		/* a pair with a byte in it */

static volatile sig_atomic_t over;

/* The next signal comes some time after the handler is done: the program gets on, on a slow machine too. */
static void again_in(long us)
{
	struct itimerval t = { { 0, 0 }, { 0, us } };

	if (!over)
		CHECK(setitimer(ITIMER_REAL, &t, NULL) == 0);
}

/* No handler runs any more when this returns. */
static void calm(void)
{
	struct itimerval never = { { 0, 0 }, { 0, 0 } };

	over = 1;
	CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
}

/* Some of everything, as a handler that must not know what it interrupts. */
static void handler(int sig)
{
	int saved = errno, fd[2], v;
	socklen_t n = sizeof(v);
	char c;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0) {
		CHECK(send(fd[0], "x", 1, 0) == 1 && recv(fd[1], &c, 1, 0) == 1);
		CHECK(getsockopt(fd[0], SOL_SOCKET, SO_ERROR, &v, &n) == 0);
		CHECK(close(fd[0]) == 0 && close(fd[1]) == 0);
		handled++;
	}
	errno = saved;
}

static void on(int sig, void (*fn)(int), int flags)
{
	struct sigaction sa = { .sa_handler = fn, .sa_flags = flags };

	CHECK(sigaction(sig, &sa, NULL) == 0);
}

/* The library's very first call is made by a handler. */
static void first_call(int argc, char **argv)
{
	on(SIGUSR1, handler, 0);
	raise(SIGUSR1);
	printf("handled %d\n", (int)handled);
}

static void storming(int sig)
{
	handler(sig);
	again_in(5 + handled * 7 % 60);
}

/* A timer that interrupts every few microseconds, in the program's first socket call too. */
static void storm(int argc, char **argv)
{
	int made = 0, v;
	socklen_t n = sizeof(v);
	char c;

	on(SIGALRM, storming, SA_RESTART);
	again_in(5);
	while (handled < 1500) {
		int s = socket(AF_INET, SOCK_STREAM, 0), fd[2], d;

		CHECK(s >= 0);
		CHECK(getsockopt(s, SOL_SOCKET, SO_TYPE, &v, &n) == 0);
		CHECK((d = dup(s)) >= 0 && close(d) == 0 && close(s) == 0);
		CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
		CHECK(write(fd[0], "y", 1) == 1 && read(fd[1], &c, 1) == 1 && c == 'y');
		CHECK(close(fd[0]) == 0 && close(fd[1]) == 0);
		made++;
	}
	calm();
	printf("inet=%d\nlocal=%d\n", made, made + (int)handled);
}

/* Forks wherever the program is, and the child goes on from there by itself. */
static void forker(int sig)
{
	int saved = errno, fd[2];
	pid_t pid = fork();
	char c;

	CHECK(pid >= 0);
	if (pid == 0) {
		alarm(5);
		CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
		CHECK(send(fd[0], "x", 1, 0) == 1 && recv(fd[1], &c, 1, 0) == 1);
		CHECK(close(fd[0]) == 0 && close(fd[1]) == 0);
		_exit(0);
	}
	reap(pid);
	handled++;
	again_in(50 + handled * 7 % 200);
	errno = saved;
}

static void fork_storm(int argc, char **argv)
{
	on(SIGALRM, forker, SA_RESTART);
	again_in(50);
	while (handled < 120) {
		int s = socket(AF_INET, SOCK_STREAM, 0), d = dup(s);

		CHECK(s >= 0 && d >= 0 && close(s) == 0 && close(d) == 0);
	}
	calm();
	puts("done");
}

static sigjmp_buf back;

static void jump(int sig)
{
	siglongjmp(back, 1);
}

/* Leaves a blocked receive `times` times by siglongjmp. */
static void leave_blocked(volatile int times)
{
	char c;

	on(SIGALRM, jump, 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ready) == 0);
	for (; times > 0; times--) {
		struct itimerval soon = { { 0, 0 }, { 0, 500 } };

		if (sigsetjmp(back, 1) == 0) {
			CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
			recv(ready[0], &c, 1, 0);
			CHECK(!"received");
		}
	}
	signal(SIGALRM, SIG_DFL);
	alarm(PROG_SECONDS);
}

static void longjmp_out(int argc, char **argv)
{
	int datagrams[2];
	char c = 0;

	leave_blocked(30);
	CHECK(send(ready[1], "z", 1, 0) == 1 && recv(ready[0], &c, 1, 0) == 1);
	CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, datagrams) == 0 && send(datagrams[1], "z", 1, 0) == 1);
	errno = 0;
	printf("recv %zd", recv(datagrams[0], &c, 1, 0));
	printf(" errno %d\n", errno);
}

/* Maps the control block of the run file that the environment's directory holds. */
static struct run_control *control(void)
{
	struct run_control *c;
	struct run_file *f;
	struct stat st;
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/plain/0", getenv("SOCKSHIM_DIR"));
	fd = open(path, O_RDWR);
	CHECK(fd >= 0 && fstat(fd, &st) == 0);
	f = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(f != MAP_FAILED);
	close(fd);
	c = (struct run_control *)((char *)f + f->control_start);
	CHECK(c->magic == RUN_CONTROL_MAGIC);
	return c;
}

static void set_rules(struct run_control *c, const char *text)
{
	__atomic_add_fetch(&c->generation, 1, __ATOMIC_ACQ_REL);
	c->rules_bytes = (uint32_t)strlen(text);
	strcpy(c->rules, text);
	__atomic_add_fetch(&c->generation, 1, __ATOMIC_ACQ_REL);
}

/* Rules are changed between one jump and the next, more often than there are sets of them. */
static void longjmp_and_change(int argc, char **argv)
{
	struct run_control *c;
	char text[64], byte;

	leave_blocked(1);
	c = control();
	for (int i = 0; i < 40; i++) {
		snprintf(text, sizeof(text), "%d fail recv with ENOMEM on 1000000th\n", i + 1);
		set_rules(c, text);
		leave_blocked(1);
	}
	set_rules(c, "99 fail recv with ENOMEM\n");
	errno = 0;
	printf("recv %zd", recv(ready[0], &byte, 1, MSG_DONTWAIT));
	printf(" errno %d\n", errno);
}

static volatile int cleaned;
static volatile int entered;

static void clean(void *arg)
{
	cleaned++;
}

static void *blocked_recv(void *arg)
{
	char c;

	pthread_cleanup_push(clean, NULL);
	entered = 1;
	recv(*(int *)arg, &c, 1, 0);
	pthread_cleanup_pop(0);
	return NULL;
}

static void *blocked_read(void *arg)
{
	char c;

	pthread_cleanup_push(clean, NULL);
	entered = 1;
	while (read(*(int *)arg, &c, 1) >= 0)
		;
	pthread_cleanup_pop(0);
	return NULL;
}

static void *blocked_accept(void *arg)
{
	struct sockaddr_in a;

	pthread_cleanup_push(clean, NULL);
	entered = 1;
	accept(listener(&a), NULL, NULL);
	pthread_cleanup_pop(0);
	return NULL;
}

static void *blocked_poll(void *arg)
{
	struct pollfd p = { *(int *)arg, POLLIN, 0 };

	pthread_cleanup_push(clean, NULL);
	entered = 1;
	poll(&p, 1, -1);
	pthread_cleanup_pop(0);
	return NULL;
}

static void *sender(void *arg)
{
	pthread_cleanup_push(clean, NULL);
	entered = 1;
	/* Under a rule this is delayed by far longer than the test may take. */
	for (;;)
		if (send(*(int *)arg, "x", 1, MSG_NOSIGNAL) < 0)
			break;
	pthread_cleanup_pop(0);
	return NULL;
}

static void *closer(void *arg)
{
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	pthread_cancel(pthread_self());
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	close(-1);		/* a cancellation point */
	return NULL;
}

/* Whether the thread sleeps in the kernel. */
static bool asleep(int tid)
{
	char path[64], text[256];
	FILE *f;
	char *p;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	f = fopen(path, "r");
	CHECK(f && fgets(text, sizeof(text), f));
	fclose(f);
	p = strrchr(text, ')');
	return p && p[2] == 'S';
}

static int newest_task(void)
{
	int newest = 0;
	char text[256];
	FILE *p = popen("ls /proc/$PPID/task | sort -n | tail -n 1", "r");

	CHECK(p && fgets(text, sizeof(text), p));
	newest = atoi(text);
	pclose(p);
	return newest;
}

static void cancel_in(const char *what, void *(*fn)(void *))
{
	int fd[2];
	pthread_t t;
	void *ret;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
	cleaned = entered = 0;
	CHECK(pthread_create(&t, NULL, fn, &fd[0]) == 0);
	while (!entered)
		sched_yield();
	for (int tid = newest_task(); !asleep(tid);)
		sched_yield();
	CHECK(pthread_cancel(t) == 0 && pthread_join(t, &ret) == 0);
	printf("%s: cancelled %d cleaned %d\n", what, ret == PTHREAD_CANCELED, cleaned);
	close(fd[0]);
	close(fd[1]);
}

static void cancel(int argc, char **argv)
{
	pthread_t t;
	void *ret;

	cancel_in("recv", blocked_recv);
	cancel_in("read", blocked_read);
	cancel_in("accept", blocked_accept);
	cancel_in("poll", blocked_poll);
	CHECK(pthread_create(&t, NULL, closer, NULL) == 0 && pthread_join(t, &ret) == 0);
	printf("close: cancelled %d\n", ret == PTHREAD_CANCELED);
}

static void say_cancelled(void *arg)
{
	printf("self: cancelled in %s\n", (const char *)arg);
	fflush(stdout);
	_exit(0);
}

/* The only thread there is cancels itself. */
static void cancel_self(int argc, char **argv)
{
	char byte;
	int fd[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
	CHECK(send(fd[1], "ab", 2, 0) == 2 && recv(fd[0], &byte, 1, 0) == 1);
	pthread_cleanup_push(say_cancelled, (void *)(intptr_t)argv[1]);
	pthread_cancel(pthread_self());
	if (strcmp(argv[1], "recv") == 0)
		recv(fd[0], &byte, 1, 0);
	else
		close(fd[0]);
	printf("self: not cancelled in %s\n", argv[1]);
	pthread_cleanup_pop(0);
}

static void cancel_delayed(int argc, char **argv)
{
	cancel_in("send", sender);
}

/* Threads that do everything at once, each checking its own results. */
#define THREADS 8
#define ROUNDS 400

static struct sockaddr_in shared_address;
static int shared_listener;

static void *work(void *arg)
{
	char c;

	for (int i = 0; i < ROUNDS; i++) {
		int u[2], s = socket(AF_INET, SOCK_STREAM, 0), a, d;

		CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, u) == 0);
		CHECK(write(u[0], "a", 1) == 1 && recv(u[1], &c, 1, 0) == 1 && c == 'a');
		CHECK(connect(s, (struct sockaddr *)&shared_address, sizeof(shared_address)) == 0);
		CHECK((a = accept(shared_listener, NULL, NULL)) >= 0);
		CHECK((d = dup(s)) >= 0 && close(s) == 0 && close(a) == 0 && close(d) == 0);
		CHECK(close(u[0]) == 0 && close(u[1]) == 0);
	}
	return NULL;
}

static void threads(int argc, char **argv)
{
	pthread_t t[THREADS];

	shared_listener = listener(&shared_address);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_create(&t[i], NULL, work, NULL) == 0);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_join(t[i], NULL) == 0);
	close(shared_listener);
	puts("done");
}

/* Calls that fail, and say why. */
static void fails(int argc, char **argv)
{
	struct sockaddr_in a;
	int fd[2], l;
	char c;

	CHECK(socket(77, SOCK_STREAM, 0) == -1 && errno == EAFNOSUPPORT);	/* the first call of all */
	CHECK(socketpair(AF_INET, SOCK_STREAM, 0, fd) == -1 && errno == EOPNOTSUPP);
	l = listener(&a);
	CHECK(fcntl(l, F_SETFL, O_NONBLOCK) == 0);
	for (int i = 0; i < 3; i++) {
		errno = 0;
		CHECK(socket(77, SOCK_STREAM, 0) == -1 && errno == EAFNOSUPPORT);
		CHECK(socketpair(AF_INET, SOCK_STREAM, 0, fd) == -1 && errno == EOPNOTSUPP);
		CHECK(accept(l, NULL, NULL) == -1 && errno == EAGAIN);
		CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
		CHECK(recv(fd[0], &c, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
		CHECK(listen(fd[0], 1) == -1 && errno == EINVAL);
		CHECK(close(fd[0]) == 0 && close(fd[1]) == 0);
		CHECK(close(fd[0]) == -1 && errno == EBADF);
	}
	puts("failed");
}

/* The first calls of all on the smallest stacks that there are: an alternate one, and a thread's. */
static void small_stacks(int argc, char **argv)
{
	bool in_handler = strcmp(argv[1], "handler") == 0;
	pthread_attr_t attr;
	pthread_t t;
	void *page = mmap(NULL, 4096 + 12288, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stack_t ss = { .ss_sp = (char *)page + 4096, .ss_size = 12288 };

	/* A guard page below the handler's. */
	CHECK(page != MAP_FAILED && mprotect(ss.ss_sp, ss.ss_size, PROT_READ | PROT_WRITE) == 0);
	if (in_handler) {
		CHECK(sigaltstack(&ss, NULL) == 0);
		on(SIGUSR1, handler, SA_ONSTACK);
		raise(SIGUSR1);
		printf("handled %d\n", (int)handled);
		return;
	}
	pthread_attr_init(&attr);
	CHECK(pthread_attr_setstacksize(&attr, 16384) == 0);
	on(SIGUSR1, handler, 0);
	CHECK(pthread_create(&t, &attr, (void *(*)(void *))(void *)raise, (void *)(long)SIGUSR1) == 0);
	CHECK(pthread_join(t, NULL) == 0);
	printf("handled %d\n", (int)handled);
}

static volatile pid_t forked = -2;

static void fork_in_handler(int sig)
{
	forked = fork();
}

/* accept is interrupted by a handler that forks, and fails in both processes. */
static void fork_in_wait(int argc, char **argv)
{
	struct sockaddr_in a;
	int l = listener(&a);

	on(SIGALRM, fork_in_handler, 0);
	again_in(20000);
	CHECK(accept(l, NULL, NULL) < 0 && errno == EINTR);
	for (int i = 0; forked == 0 && i < 5; i++)
		CHECK(close(socket(AF_INET, SOCK_STREAM, 0)) == 0);
	if (forked > 0)
		reap(forked);
}

static sigjmp_buf out_of_close;

static void leave_close(int sig)
{
	siglongjmp(out_of_close, 1);
}

/* The last close of a socket that has been duplicated lingers, and is left. */
static void lingering_close(int argc, char **argv)
{
	struct linger l = { 1, 10 };
	char b[65536] = { 0 };
	int fd[2], d;

	tcp_pair(fd);
	CHECK((d = dup(fd[0])) >= 0 && close(fd[0]) == 0);
	while (send(d, b, sizeof(b), MSG_DONTWAIT) > 0)
		;
	CHECK(setsockopt(d, SOL_SOCKET, SO_LINGER, &l, sizeof(l)) == 0);
	on(SIGALRM, leave_close, 0);
	again_in(20000);
	if (sigsetjmp(out_of_close, 1) == 0)
		printf("close %d\n", close(d));
	CHECK(close(fd[1]) == 0);
}

/* The library blocks signals while it starts. */
static void reset_signal_mask(int argc, char **argv)
{
	sigset_t before, after;
	int fd;

	sigemptyset(&before);
	sigaddset(&before, SIGUSR2);
	sigprocmask(SIG_SETMASK, &before, NULL);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	sigprocmask(SIG_SETMASK, NULL, &after);
	printf("mask kept %d, fd %d\n", memcmp(&before, &after, 8) == 0, fd);
}

PROG({ "first", first_call }, { "storm", storm }, { "longjmp", longjmp_out }, { "change", longjmp_and_change },
     { "cancel", cancel }, { "cancel-self", cancel_self }, { "delayed", cancel_delayed }, { "threads", threads }, { "fails", fails }, { "mask", reset_signal_mask },
     { "stack", small_stacks },
     { "forkstorm", fork_storm }, { "forkwait", fork_in_wait }, { "lingering", lingering_close })
