/* process.c - fork, vfork, spawn, exec and the ends of processes. */
#include "prog.h"

#include <pthread.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>

extern char **environ;

static volatile bool stop;

static void *busy(void *arg)
{
	char c;

	/* Of this thread alone: the children are to get on. */
	setpriority(PRIO_PROCESS, 0, 10);
	while (!stop) {
		int fd[2], s = socket(AF_INET, SOCK_STREAM, 0);

		CHECK(s >= 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
		recv(fd[0], &c, 1, MSG_DONTWAIT);
		CHECK(send(fd[0], "x", 1, 0) == 1 && read(fd[1], &c, 1) == 1);
		close(fd[0]);
		close(fd[1]);
		close(s);
	}
	return NULL;
}

/* In a child: the calls of a process that goes on by itself. */
static void live(void)
{
	struct sockaddr_in a;
	int l = listener(&a), s = socket(AF_INET, SOCK_STREAM, 0), n;

	alarm(5);		/* hangs in the child are what it is about */
	CHECK(connect(s, (struct sockaddr *)&a, sizeof(a)) == 0 && (n = accept(l, NULL, NULL)) >= 0);
	CHECK(write(s, "x", 1) == 1 && close(s) == 0 && close(n) == 0 && close(l) == 0);
}

/* Forks while four threads are somewhere inside calls. */
static void fork_in_threads(int argc, char **argv)
{
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		CHECK(pthread_create(&t[i], NULL, busy, NULL) == 0);
	for (int i = 0; i < 100; i += 20) {
		pid_t pid[20];

		for (int k = 0; k < 20; k++) {
			pid[k] = fork();
			CHECK(pid[k] >= 0);
			if (pid[k] == 0) {
				live();
				_exit(0);
			}
		}
		for (int k = 0; k < 20; k++)
			reap(pid[k]);
	}
	stop = true;
	for (int i = 0; i < 4; i++)
		CHECK(pthread_join(t[i], NULL) == 0);
	puts("done");
}

/* A child's closes and duplicates are its own, before and after its first call on a socket. */
static void fork_then_close(int argc, char **argv)
{
	int tcp[2], keep;
	char c;
	pid_t pid;

	tcp_pair(tcp);
	keep = dup(tcp[0]);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		CHECK(close(tcp[0]) == 0 && dup2(tcp[1], keep) == keep && close(tcp[1]) == 0);
		CHECK(write(keep, "c", 1) == 1);
		printf("child=%d\n", (int)getpid());
		exit(0);
	}
	reap(pid);
	CHECK(read(tcp[0], &c, 1) == 1 && c == 'c');
	CHECK(write(tcp[0], "p", 1) == 1 && read(tcp[1], &c, 1) == 1 && c == 'p');
	CHECK(close(keep) == 0);
	printf("parent=%d\n", (int)getpid());
}

/* stdio's close of a socket in a child that has made no call yet. */
static void fork_then_fclose(int argc, char **argv)
{
	int s = socket(AF_INET, SOCK_STREAM, 0), fd;
	FILE *f = fdopen(s, "w");
	pid_t pid = fork();

	CHECK(f && pid >= 0);
	if (pid == 0) {
		fclose(f);
		fd = open("/dev/null", O_RDONLY);
		CHECK(fd == s);
		live();
		printf("child=%d\n", (int)getpid());
		exit(0);
	}
	reap(pid);
	fclose(f);
}

/* Forks that no function of libc's makes. */
static void fork_by_hand(int argc, char **argv)
{
	bool by_number = strcmp(argv[1], "number") == 0;
	int s = socket(AF_INET, SOCK_STREAM, 0);
	pid_t pid = (pid_t)(by_number ? syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) : by_hand(SYS_fork, 0, 0, 0));

	CHECK(pid >= 0);
	if (pid == 0) {
		CHECK(close(s) == 0);
		live();
		printf("child=%d\n", (int)by_hand(SYS_getpid, 0, 0, 0));
		exit(0);
	}
	reap(pid);
	printf("still open %d\n", fcntl(s, F_GETFD) >= 0);
}

/* What a vforked child does to its descriptors is none of the parent's. */
static void vfork_then_exec(int argc, char **argv)
{
	struct sockaddr_in a;
	int l = listener(&a), s = socket(AF_INET, SOCK_STREAM, 0), other = dup(s), n;
	volatile int lv = l;
	char c;
	pid_t pid = vfork();

	CHECK(pid >= 0);
	if (pid == 0) {
		char *args[] = { "sh", "-c", "echo from the child", NULL };

		close(s);
		close(lv);
		dup2(1, other);
		fcntl(1, F_DUPFD, 100);
		close_range(3, ~0u, 0);
		execv("/bin/sh", args);
		_exit(127);
	}
	reap(pid);
	CHECK(connect(s, (struct sockaddr *)&a, sizeof(a)) == 0 && (n = accept(l, NULL, NULL)) >= 0);
	CHECK(write(other, "x", 1) == 1 && read(n, &c, 1) == 1);
	puts("connected");
}

/* A vforked child that execs nothing, which exits or fails to exec; and the parent's errno and return. */
static void vfork_then_exit(int argc, char **argv)
{
	int s = socket(AF_INET, SOCK_STREAM, 0), status;
	pid_t pid;

	for (volatile int i = 0; i < 50; i++) {
		pid = vfork();
		CHECK(pid >= 0);
		if (pid == 0) {
			char *args[] = { "nothing", NULL };

			close(s);
			execv("/nowhere/nothing", args);
			execve("/nowhere/nothing", args, environ + 1);
			_exit(i);
		}
		CHECK(waitpid(pid, &status, 0) == pid);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == i);
	}
	printf("own exit %d\n", close(s));
}

static void say_preload(void)
{
	const char *p = getenv("LD_PRELOAD"), *d = getenv("SOCKSHIM_DIR");

	printf("preload=%d\ndir=%d\nothers=%d\n", p && strstr(p, "libsockshim") != NULL, d != NULL,
	       getenv("HOME") != NULL);
}

/* What the exec tests run: makes a socket, and says what environment it has got. */
static void made_by_exec(int argc, char **argv)
{
	int s = socket(AF_INET, SOCK_STREAM, 0);

	say_preload();
	printf("args=%d\n", argc);
	close(s);
}

static char self[512];

static void find_self(void)
{
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	CHECK(n > 0);
	self[n] = 0;
}

static void exec_by(const char *how, char **env)
{
	char *args[] = { self, "made", "a", "b", NULL };
	pid_t pid;

	if (strcmp(how, "execve") == 0)
		execve(self, args, env);
	if (strcmp(how, "execvpe") == 0)
		execvpe(self, args, env);
	if (strcmp(how, "execle") == 0)
		execle(self, self, "made", "a", "b", NULL, env);
	if (strcmp(how, "fexecve") == 0)
		fexecve(open(self, O_RDONLY | O_CLOEXEC), args, env);
	if (strcmp(how, "execveat") == 0)
		execveat(AT_FDCWD, self, args, env, 0);
	environ = env;
	if (strcmp(how, "execv") == 0)
		execv(self, args);
	if (strcmp(how, "execvp") == 0)
		execvp(self, args);
	if (strcmp(how, "execl") == 0)
		execl(self, self, "made", "a", "b", NULL);
	if (strcmp(how, "execlp") == 0)
		execlp(self, self, "made", "a", "b", NULL);
	if (strcmp(how, "posix_spawn") == 0 && posix_spawn(&pid, self, NULL, NULL, args, env) == 0) {
		reap(pid);
		return;
	}
	if (strcmp(how, "posix_spawnp") == 0 && posix_spawnp(&pid, self, NULL, NULL, args, env) == 0) {
		reap(pid);
		return;
	}
	CHECK(!"executed");
}

/* exec NAME ENVIRONMENT: empty, null, or another preload. */
static void exec_with(int argc, char **argv)
{
	static char *empty[] = { NULL };
	static char *other[] = { "LD_PRELOAD=libm.so.6", NULL };

	find_self();
	exec_by(argv[1], strcmp(argv[2], "empty") == 0 ? empty : strcmp(argv[2], "null") == 0 ? NULL :
		strcmp(argv[2], "other") == 0 ? other : environ);
}

/* Environments that can't be read. */
static void exec_bad(int argc, char **argv)
{
	char *args[] = { "x", NULL };
	char *entries[] = { (char *)4096, NULL };

	CHECK(socket(AF_INET, SOCK_STREAM, 0) >= 0);
	find_self();
	errno = 0;
	printf("%d", execve(self, args, (char **)4096));
	printf(" %d\n", errno);
	errno = 0;
	printf("%d", execve(self, args, entries));
	printf(" %d\n", errno);
	errno = 0;
	printf("%d", execve("/nowhere", args, environ));
	printf(" %d\n", errno);
	errno = 0;
	printf("%d", execve(NULL, args, environ));
	printf(" %d\n", errno);
}

static void spawn_actions(int argc, char **argv)
{
	posix_spawn_file_actions_t actions;
	struct sockaddr_in a;
	int l = listener(&a), s = socket(AF_INET, SOCK_STREAM, 0), fd[2];
	char *args[] = { "sh", "-c", "echo to the socket >&0", NULL }, buf[64] = "";
	pid_t pid;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fd[1], 0);
	posix_spawn_file_actions_addclose(&actions, s);
	posix_spawn_file_actions_addclose(&actions, l);
	CHECK(posix_spawn(&pid, "/bin/sh", &actions, NULL, args, environ) == 0);
	reap(pid);
	CHECK(read(fd[0], buf, sizeof(buf)) > 0);
	printf("got %s", buf);
	CHECK(connect(s, (struct sockaddr *)&a, sizeof(a)) == 0);
	CHECK(system("exit 3") == 3 << 8);
}

/* As daemons do: two forks, a session of its own, all descriptors closed, / as directory. The result goes
 * to a file, since there is no standard output left. */
static void daemonise(int argc, char **argv)
{
	char path[256], text[32];
	int before = socket(AF_INET, SOCK_STREAM, 0), done[2], fd;
	ssize_t n;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/result", argv[1]);
	CHECK(pipe(done) == 0 && before >= 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		CHECK(setsid() > 0);
		pid = fork();
		if (pid != 0)
			_exit(pid < 0);
		umask(077);
		CHECK(chdir("/") == 0);
		for (int i = (int)sysconf(_SC_OPEN_MAX) < 4096 ? (int)sysconf(_SC_OPEN_MAX) : 4096; i >= 0; i--)
			if (i != done[1])
				close(i);
		fd = open("/dev/null", O_RDWR);
		if (fd != 0 || dup(0) != 1 || dup(0) != 2)
			_exit(1);
		live();
		fd = open(path, O_CREAT | O_WRONLY, 0600);
		n = snprintf(text, sizeof(text), "daemon %d fd %d", (int)getpid(), fd);
		if (write(fd, text, (size_t)n) != n)
			_exit(1);
		_exit(0);
	}
	reap(pid);
	close(done[1]);
	CHECK(read(done[0], text, 1) == 0);	/* the daemon has gone */
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0 && (n = read(fd, text, sizeof(text) - 1)) > 0);
	text[n] = 0;
	printf("pid=%d\nrest %s\n", atoi(text + 7), strstr(text, "fd"));
	unlink(path);
}

/* Is killed with sockets open and counts that must be on the disk. */
static void killed(int argc, char **argv)
{
	int tcp[2];

	tcp_pair(tcp);
	CHECK(write(tcp[0], "12345", 5) == 5);
	kill(getpid(), SIGKILL);
}

static void exit_in(int argc, char **argv)
{
	int s = socket(AF_INET, SOCK_STREAM, 0);

	CHECK(s >= 0);
	if (strcmp(argv[1], "exit") == 0)
		exit(7);
	if (strcmp(argv[1], "_exit") == 0)
		_exit(7);
	if (strcmp(argv[1], "_Exit") == 0)
		_Exit(7);
	if (strcmp(argv[1], "abort") == 0)
		abort();
	if (strcmp(argv[1], "segv") == 0)
		raise(SIGSEGV);
	if (strcmp(argv[1], "thread") == 0)
		pthread_exit(NULL);
}

/* The program's random numbers are the same with the library: it neither seeds nor draws. */
static void random_numbers(int argc, char **argv)
{
	int fd[2];
	char c;

	srandom(42);
	for (int i = 0; i < 5; i++) {
		int s = socket(AF_INET, SOCK_STREAM, 0);

		CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
		if (send(fd[0], "x", 1, MSG_NOSIGNAL) == 1)
			CHECK(recv(fd[1], &c, 1, 0) == 1);
		printf("%ld %d %f\n", random(), rand(), drand48());
		close(s);
		close(fd[0]);
		close(fd[1]);
	}
}

/* A child that clears its environment, as servers do that write their title over it. */
static void cleared_environment(int argc, char **argv)
{
	find_self();
	clearenv();
	CHECK(socket(AF_INET, SOCK_STREAM, 0) >= 0);
	exec_by(argv[1], NULL);
}

/* A program that has used no socket, and one that never makes any. */
/* The first call that a child makes on a socket is its close. */
static void first_close(int argc, char **argv)
{
	int s = socket(AF_INET, SOCK_STREAM, 0), status;
	pid_t pid = fork();

	CHECK(s >= 0 && pid >= 0);
	if (pid == 0) {
		status = close(s);
		printf("child: close %d errno %d\n", status, errno);
		fflush(stdout);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void no_sockets(int argc, char **argv)
{
	char c;
	int p[2];

	CHECK(pipe(p) == 0 && write(p[1], "x", 1) == 1 && read(p[0], &c, 1) == 1 && close(p[0]) == 0);
	puts("nothing");
}

PROG({ "threads", fork_in_threads }, { "forkclose", fork_then_close }, { "forkfclose", fork_then_fclose }, { "byhand", fork_by_hand },
     { "vfork", vfork_then_exec }, { "vforkexit", vfork_then_exit }, { "made", made_by_exec }, { "exec", exec_with },
     { "badexec", exec_bad }, { "spawn", spawn_actions }, { "daemon", daemonise }, { "killed", killed },
     { "exit", exit_in }, { "random", random_numbers }, { "cleared", cleared_environment },
     { "nosockets", no_sockets }, { "firstclose", first_close })
