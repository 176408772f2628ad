/* stress.c - redirected sockets under what programs do to descriptors, threads and signals.
 *
 *	stress closes | threads | signals | jumps | vforks | forks
 */
#include "../../diff/log.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <sys/syscall.h>

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

#define CHECK(x) check(x, #x)

/* A datagram to ourselves. */
static void works(void)
{
	struct sockaddr_in a = in4("127.0.0.1", 0);
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	char c = 0;

	CHECK(s >= 0);
	CHECK(bind(s, ADDR(&a), sizeof(a)) == 0);
	a = in4("127.0.0.1", port_of(s));
	CHECK(sendto(s, "x", 1, 0, ADDR(&a), sizeof(a)) == 1);
	CHECK(recv(s, &c, 1, 0) == 1 && c == 'x');
	CHECK(close(s) == 0);
}

static void closes(void)
{
	int keep, s[2];
	struct rlimit { unsigned long a, b; };

	works();
	connection(s);
	for (int fd = 3; fd < 1100; fd++)	/* what daemons do */
		if (fd != s[0] && fd != s[1])
			close(fd);
	works();
	keep = s[0] > s[1] ? s[0] : s[1];
	CHECK(syscall(SYS_close_range, keep + 1, ~0u, 0) == 0);
	works();
	closefrom(keep + 1);
	works();
	for (int fd = keep + 1; fd < 1100; fd++)	/* by calls that nobody sees */
		syscall(SYS_close, fd);
	works();
	for (int fd = 900; fd < 1024; fd++)
		CHECK(dup2(1, fd) == fd);
	works();
	for (int fd = 900; fd < 1024; fd++)
		CHECK(close(fd) == 0);
	works();
	for (int fd = 3; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			syscall(SYS_dup3, 1, fd, 0);
	CHECK(send(s[0], "y", 1, 0) == 1 && recv(s[1], &(char){ 0 }, 1, 0) == 1);
}

static void *many(void *arg)
{
	for (int i = 0; i < 150; i++)
		works();
	return NULL;
}

static void threads(void)
{
	pthread_t t[48];

	for (int i = 0; i < 48; i++)
		CHECK(pthread_create(&t[i], NULL, many, NULL) == 0);
	for (int i = 0; i < 48; i++)
		pthread_join(t[i], NULL);
}

static atomic_int handled;
static sigjmp_buf jump;
static volatile sig_atomic_t may_jump;

static void on_alarm(int signo)
{
	int saved = errno;

	works();
	handled++;
	errno = saved;
	if (may_jump)
		siglongjmp(jump, 1);
}

static void with_alarms(int flags)
{
	struct sigaction sa = { .sa_handler = on_alarm, .sa_flags = flags };
	struct itimerval t = { { 0, 1500 }, { 0, 1500 } };

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &t, NULL);
}

static void no_alarms(void)
{
	struct itimerval none = { { 0, 0 }, { 0, 0 } };

	setitimer(ITIMER_REAL, &none, NULL);
}

static void signals(void)
{
	with_alarms(SA_RESTART);
	for (int i = 0; i < 3000 || (handled < 20 && i < 100000); i++)
		works();
	no_alarms();
	CHECK(handled >= 20);
}

/* Handlers that never return: what they leave must be given back all the same. */
static void jumps(void)
{
	volatile int n = 0;

	may_jump = 1;
	sigsetjmp(jump, 1);
	with_alarms(SA_NODEFER);
	while (n++ < 3000)
		close(socket(AF_INET, SOCK_DGRAM, 0));
	may_jump = 0;
	no_alarms();
	for (int i = 0; i < 100; i++)
		works();
}

static void vforks(void)
{
	int status, s[2];

	connection(s);
	for (int i = 0; i < 50; i++) {
		pid_t pid = vfork();

		if (pid == 0) {
			close(s[0]);
			close(s[1]);
			closefrom(3);
			execl("/bin/true", "true", NULL);
			_exit(1);
		}
		CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	}
	CHECK(send(s[0], "y", 1, 0) == 1 && recv(s[1], &(char){ 0 }, 1, 0) == 1);
	works();
}

static void *working(void *stop)
{
	while (!*(atomic_bool *)stop)
		works();
	return NULL;
}

/* While other threads are in the middle of requests. */
static void forks(void)
{
	atomic_bool stop = false;
	pthread_t t[4];
	int status;

	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, working, &stop);
	for (int i = 0; i < 60; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			alarm(20);
			works();
			works();
			_exit(0);
		}
		CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	}
	stop = true;
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	works();
}

int main(int argc, char **argv)
{
	static const struct { const char *name; void (*fn)(void); } all[] = {
		{ "closes", closes }, { "threads", threads }, { "signals", signals }, { "jumps", jumps }, { "vforks", vforks },
		{ "forks", forks },
	};

	for (size_t i = 0; argc > 1 && i < sizeof(all) / sizeof(all[0]); i++)
		if (!strcmp(argv[1], all[i].name)) {
			all[i].fn();
			puts("well");
			return 0;
		}
	return 2;
}
