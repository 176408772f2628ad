/* client.c - a program that uses sockets as its arguments say, for the tests of the sockshim command.
 *
 *	tcp udp pair		open a socket (pair: two)
 *	listen			open one and listen
 *	refused			connect to a port that nobody listens on, print the outcome, close
 *	close			close the last one opened
 *	many N			open and close N sockets
 *	tell FIFO, hear FIFO	write a line, read a line: for meeting with a test
 *	fork			the child goes on, the parent waits for it and ends as it did
 *	leave			the child goes on, the parent ends
 *	exec			the rest is done by a new image of this program
 *	signal			prints the numbers of signals that come, until SIGTERM
 *	exit N, _exit N, kill N	end
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static char **words;
static int fds[64], n_fds;

static void die(const char *what)
{
	perror(what);
	exit(70);
}

static int keep(int fd)
{
	if (fd < 0)
		die("socket");
	fds[n_fds++] = fd;
	return fd;
}

static void do_tcp(void) { keep(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)); }
static void do_udp(void) { keep(socket(AF_INET, SOCK_DGRAM, 0)); }

static void do_pair(void)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		die("socketpair");
	keep(pair[0]);
	keep(pair[1]);
}

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static void do_listen(void)
{
	struct sockaddr_in in = loopback(0);
	int fd = keep(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));

	if (bind(fd, (struct sockaddr *)&in, sizeof(in)) < 0 || listen(fd, 5) < 0)
		die("listen");
}

static void do_refused(void)
{
	struct sockaddr_in in = loopback(1);
	int fd = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);

	if (fd < 0 || connect(fd, (struct sockaddr *)&in, sizeof(in)) == 0)
		die("connect");
	printf("%s\n", strerrorname_np(errno));
	fflush(stdout);
	close(fd);
}

static void do_close(void) { close(fds[--n_fds]); }

static void do_many(void)
{
	for (int i = atoi(*words++); i > 0; i--)
		close(socket(AF_INET, SOCK_STREAM, 0));
}

static void do_tell(void)
{
	int fd = open(*words, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || dprintf(fd, "%d\n", getpid()) < 0)
		die(*words);
	close(fd);
	words++;
}

static void do_hear(void)
{
	int fd = open(*words, O_RDONLY | O_CLOEXEC);
	char line[64];

	if (fd < 0 || read(fd, line, sizeof(line)) < 0)
		die(*words);
	close(fd);
	words++;
}

static void do_fork(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		return;
	waitpid(pid, &status, 0);
	exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static void do_leave(void)
{
	if (fork() > 0)
		exit(0);
}

static void do_exec(void)
{
	*--words = program_invocation_name;
	execv("/proc/self/exe", words);
	die("exec");
}

static void do_signal(void)
{
	sigset_t all;
	int signo = 0;

	sigfillset(&all);
	while (signo != SIGTERM && sigwait(&all, &signo) == 0) {
		printf("%d\n", signo);
		fflush(stdout);
	}
}

static void do_exit(void) { exit(atoi(*words)); }
static void do__exit(void) { _exit(atoi(*words)); }
static void do_kill(void) { kill(getpid(), atoi(*words++)); }

static const struct { const char *name; void (*run)(void); } acts[] = {
#define ACT(name) { #name, do_##name }
	ACT(tcp), ACT(udp), ACT(pair), ACT(listen), ACT(refused), ACT(close), ACT(many), ACT(tell), ACT(hear),
	ACT(fork), ACT(leave), ACT(exec), ACT(signal), ACT(exit), ACT(_exit), ACT(kill),
#undef ACT
};

int main(int argc, char **argv)
{
	words = argv + 1;
	for (char **w = words; *w; w++) {	/* before anybody is told to send one */
		sigset_t all;

		sigfillset(&all);
		if (!strcmp(*w, "signal"))
			sigprocmask(SIG_BLOCK, &all, NULL);
	}
	while (*words) {
		const char *word = *words++;
		size_t i = 0;

		while (i < sizeof(acts) / sizeof(acts[0]) && strcmp(acts[i].name, word))
			i++;
		if (i == sizeof(acts) / sizeof(acts[0]))
			die(word);
		acts[i].run();
	}
	return 0;
}
