/* surroundings.c - programs that confine themselves, or whose surroundings lack something. */
#include "prog.h"

#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

/* Something of each kind, on new sockets. */
static void use(void)
{
	int tcp[2], u[2], d;
	char c;

	tcp_pair(tcp);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, u) == 0);
	CHECK(send(tcp[0], "x", 1, 0) == 1 && recv(tcp[1], &c, 1, 0) == 1);
	CHECK(write(u[0], "y", 1) == 1 && read(u[1], &c, 1) == 1);
	CHECK((d = dup(tcp[0])) >= 0 && close(d) == 0);
	CHECK(close(tcp[0]) == 0 && close(tcp[1]) == 0 && close(u[0]) == 0 && close(u[1]) == 0);
}

static void plain(int argc, char **argv)
{
	use();
	puts("used");
}

/* Puts something of its own in the place of standard error, and says what comes into it. */
static void reuse(int argc, char **argv)
{
	FILE *file;
	int fd[2], u[2], n;

	close(2);
	file = tmpfile();
	CHECK(file && fileno(file) == 2);
	use();
	printf("in the file: %ld\n", (long)lseek(2, 0, SEEK_END));
	CHECK(fclose(file) == 0);
	tcp_pair(u);
	CHECK(dup2(u[0], 2) == 2);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
	n = (int)recv(u[1], &fd, sizeof(fd), MSG_DONTWAIT);
	printf("on the network: %d\n", n);
}

/* The same, for a program that starts with a socket there. */
static void network(int argc, char **argv)
{
	int u[2];
	char c;

	if (argc < 3) {
		char number[16];

		tcp_pair(u);
		CHECK(dup2(u[0], 2) == 2);
		snprintf(number, sizeof(number), "%d", u[1]);
		execl("/proc/self/exe", argv[0], "network", "x", number, NULL);
	}
	use();
	printf("on the network: %zd\n", recv(atoi(argv[2]), &c, 1, MSG_DONTWAIT));
}

/* So many sockets that the table outgrows what there is room for. */
static void many(int argc, char **argv)
{
	static int fd[600];

	for (int i = 0; i < 600; i++)
		CHECK((fd[i] = socket(AF_INET, SOCK_STREAM, 0)) >= 0);
	use();
	for (int i = 0; i < 600; i++)
		CHECK(close(fd[i]) == 0);
	use();
	puts("used");
}

/* Fills the run's file system when the file is there already. argv[1]: a file on it. */
static void fill(int argc, char **argv)
{
	static char block[4096];
	char path[256];
	int fd;

	use();
	if (argc > 1 && getenv("SOCKSHIM_DIR")) {
		snprintf(path, sizeof(path), "%s/ballast", getenv("SOCKSHIM_DIR"));
		fd = open(path, O_CREAT | O_WRONLY, 0600);
		CHECK(fd >= 0);
		while (write(fd, block, sizeof(block)) > 0)
			;
		close(fd);
	}
	many(0, NULL);
}

/* Goes to another directory, as daemons do, and forks there. */
static void wander(int argc, char **argv)
{
	pid_t pid;

	use();
	CHECK(chdir("elsewhere") == 0);
	for (int i = 0; i < 300; i++)
		CHECK(socket(AF_INET, SOCK_STREAM, 0) >= 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		for (int i = 0; i < 300; i++)
			CHECK(socket(AF_INET, SOCK_STREAM, 0) >= 0);
		use();
		exit(0);
	}
	reap(pid);
	for (int i = 0; i < 300; i++)
		CHECK(socket(AF_INET, SOCK_STREAM, 0) >= 0);
	for (int i = 0; i < 300; i++)
		CHECK(socket(AF_INET, SOCK_STREAM, 0) >= 0);
}

static void root_changed(int argc, char **argv)
{
	bool before = strcmp(argv[1], "before") == 0;
	char path[64];
	int outside = open("/", O_RDONLY | O_DIRECTORY);

	if (before)
		use();
	strcpy(path, "/tmp/sockshim-root-XXXXXX");
	CHECK(mkdtemp(path) && chdir(path) == 0 && chroot(path) == 0 && chdir("/") == 0);
	many(0, NULL);
	/* Nothing has been left in the new root. */
	CHECK(fchdir(outside) == 0 && rmdir(path + 1) == 0);
}

static void user_changed(int argc, char **argv)
{
	bool before = strcmp(argv[1], "before") == 0;

	if (before)
		use();
	CHECK(setgroups(0, NULL) == 0 && setgid(65534) == 0 && setuid(65534) == 0);
	CHECK(setuid(0) == -1 && errno == EPERM);
	many(0, NULL);
}

/* A worker as servers have them: forked, then another user, before its first call on a socket. */
static void worker(int argc, char **argv)
{
	struct sockaddr_in a;
	int l = listener(&a), s;
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		CHECK(setgroups(0, NULL) == 0 && setgid(65534) == 0 && setuid(65534) == 0);
		s = accept(l, NULL, NULL);
		CHECK(s >= 0 && close(s) == 0);
		printf("worker=%d\n", (int)getpid());
		exit(0);
	}
	s = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect(s, (struct sockaddr *)&a, sizeof(a)) == 0);
	reap(pid);
}

#define ALLOW(name) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

/* What sshd allows the child that talks to strangers; all else kills. */
static const struct sock_filter strict[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	ALLOW(read), ALLOW(write), ALLOW(close), ALLOW(poll), ALLOW(ppoll), ALLOW(exit), ALLOW(exit_group),
	ALLOW(clock_gettime), ALLOW(mmap), ALLOW(munmap), ALLOW(rt_sigreturn), ALLOW(sendto), ALLOW(recvfrom),
	ALLOW(accept), ALLOW(dup),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
};

/* A container's: what reads other processes' memory is refused. */
static const struct sock_filter container[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_writev, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

#define CONFINE(filter, how) confine(filter, sizeof(filter) / sizeof((filter)[0]), how)

static void confine(const struct sock_filter *f, size_t n, const char *how)
{
	struct sock_fprog p = { .len = (unsigned short)n, .filter = (struct sock_filter *)f };

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	if (strcmp(how, "syscall") == 0)
		CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p) == 0);
	else
		CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p) == 0);
}

static void tell(int fd, const char *text)
{
	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

/* What such a child does with the sockets that it has. */
static void confined_life(int s, int l, int p)
{
	struct pollfd pfd = { s, POLLIN, 0 };
	struct timespec ts;
	char buf[16];
	int n;

	CHECK(poll(&pfd, 1, 5000) == 1);
	n = (int)read(s, buf, 3);
	if (n == 2) {
		tell(1, "cut short\n");
		n += (int)read(s, buf, 1);
	}
	CHECK(n == 3 && write(s, "reply", 5) == 5);
	CHECK(send(s, "!", 1, 0) == 1 && recv(s, buf, 1, 0) == 1);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	n = accept(l, NULL, NULL);
	CHECK(n >= 0 && close(n) == 0);
	n = dup(s);
	CHECK(n >= 0 && write(n, "dup", 3) == 3 && close(n) == 0);
	CHECK(read(p, buf, 1) == 1);		/* what came later than the look at all descriptors */
	tell(1, "confined\n");
	CHECK(close(s) == 0);
	_exit(0);
}

/* sandbox HOW WHEN: a child confines itself that has used its sockets before, or never. */
static void sandbox(int argc, char **argv)
{
	struct sockaddr_in a;
	int l = listener(&a), fd[2], p[2], s;
	char buf[16];
	pid_t pid;

	tcp_pair(fd);
	/* A number that the table has not seen, when it looks at the low ones. */
	CHECK(pipe(p) == 0 && by_hand(SYS_dup3, p[0], 700, 0) == 700);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		alarm(5);
		close(fd[0]);
		if (strcmp(argv[2], "used") == 0)
			CHECK(send(fd[1], "", 0, 0) == 0);
		CONFINE(strict, argv[1]);
		confined_life(fd[1], l, 700);
	}
	close(fd[1]);
	s = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect(s, (struct sockaddr *)&a, sizeof(a)) == 0);
	CHECK(write(fd[0], "askx", 4) == 4 && write(p[1], "p", 1) == 1);
	reap(pid);
	for (int got = 0; got < 9; got++)
		CHECK(recv(fd[0], buf, 1, 0) == 1);
}

/* The same in the program itself, which has made no call on a socket before, with sockets that it inherited. */
static void sandboxed_heir(int argc, char **argv)
{
	CONFINE(strict, argv[1]);
	confined_life(10, 11, 12);
}

static void sandbox_heir(int argc, char **argv)
{
	struct sockaddr_in a;
	char self[512];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int l = listener(&a), fd[2], p[2], s;
	pid_t pid;

	self[n > 0 ? n : 0] = 0;
	tcp_pair(fd);
	CHECK(pipe(p) == 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		CHECK(dup2(fd[1], 10) == 10 && dup2(l, 11) == 11 && dup2(p[0], 12) == 12);
		execl(self, self, "heir", argv[1], NULL);
		_exit(127);
	}
	s = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect(s, (struct sockaddr *)&a, sizeof(a)) == 0);
	CHECK(write(fd[0], "askx", 4) == 4 && write(p[1], "p", 1) == 1);
	reap(pid);
}

/* In a container that refuses process_vm_readv, addresses are read all the same. */
static void contained(int argc, char **argv)
{
	struct sockaddr_in a;
	int l, s = socket(AF_INET, SOCK_STREAM, 0);

	CONFINE(container, "prctl");
	l = listener(&a);
	errno = 0;
	printf("%d", connect(s, (struct sockaddr *)&a, sizeof(a)));
	printf(" %s", strerrorname_np(errno));
	errno = 0;
	printf(" %d", connect(s, (struct sockaddr *)4096, sizeof(a)));
	printf(" %s\n", strerrorname_np(errno));
	close(l);
}

PROG({ "plain", plain }, { "reuse", reuse }, { "network", network }, { "many", many }, { "fill", fill }, { "wander", wander }, { "root", root_changed }, { "user", user_changed },
     { "worker", worker }, { "sandbox", sandbox }, { "heir", sandboxed_heir }, { "sandboxheir", sandbox_heir },
     { "contained", contained })
