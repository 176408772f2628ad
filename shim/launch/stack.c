/* stack.c - stacks for programs to run on. */
#include "launch/stack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launch/message.h"
#include "launch/rundir.h"
#include "launch/self.h"

#define PROGRAM "sockshim-stackd"

bool stack_is_name(const char *s)
{
	if (!s[0] || strcmp(s, "lo") == 0 || strcmp(s, "user") == 0)
		return false;
	return s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.")] == '\0';
}

int stack_dir(char path[PATH_MAX], bool make)
{
	char base[PATH_MAX];
	int fd;

	if (!rundir_base(base)) {
		message_error("the directory for runs has too long a name; set SOCKSHIM_DIR to a shorter one");
		return -1;
	}
	fd = rundir_open_base(base, make);
	if (fd < 0)
		return fd == -2 && snprintf(path, PATH_MAX, "%s/" RUNDIR_STACKS, base) < PATH_MAX ? 0 : -1;
	close(fd);
	if (snprintf(path, PATH_MAX, "%s/" RUNDIR_STACKS, base) >= PATH_MAX)
		return -1;
	if (make && mkdir(path, 0700) < 0 && errno != EEXIST) {
		message_error("%s: cannot make the directory for stacks: %s", path, strerror(errno));
		return -1;
	}
	return 0;
}

int stack_path(char path[PATH_MAX], const char *name)
{
	char dir[PATH_MAX];

	if (stack_dir(dir, true) < 0)
		return -1;
	if (snprintf(path, PATH_MAX, "%s/%s.sock", dir, name) < (int)sizeof(((struct sockaddr_un *)0)->sun_path))
		return 0;
	message_error("%s/%s.sock: too long for the name of a socket; set SOCKSHIM_DIR to a shorter directory", dir, name);
	return -1;
}

/* As a host that leaves does: nobody else may hold the lock, and it goes last. */
static void clean_one(int dir, const char *lock)
{
	static const char *const suffixes[] = { ".diag", ".sock", ".sock.lock" };
	int fd = openat(dir, lock, O_RDWR | O_CLOEXEC | O_NOFOLLOW), len = (int)(strlen(lock) - strlen(suffixes[2]));
	char name[NAME_MAX + 1];
	struct stat mine, there;

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &mine) == 0 && fstatat(dir, lock, &there, 0) == 0 &&
	    mine.st_ino == there.st_ino)
		for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
			if (snprintf(name, sizeof(name), "%.*s%s", len, lock, suffixes[i]) < (int)sizeof(name))
				unlinkat(dir, name, 0);
	if (fd >= 0)
		close(fd);
}

void stack_clean(void)
{
	char path[PATH_MAX];
	DIR *d = stack_dir(path, false) == 0 ? opendir(path) : NULL;

	for (struct dirent *e; d && (e = readdir(d));) {
		const char *at = strstr(e->d_name, ".sock.lock");

		if (at && !at[strlen(".sock.lock")])
			clean_one(dirfd(d), e->d_name);
	}
	if (d)
		closedir(d);
}

/* The host's program: given, beside ours, or along $PATH. */
static bool find_program(char path[PATH_MAX])
{
	static const char *const places[] = { "/" PROGRAM, "/../libexec/" PROGRAM, "/../libexec/sockshim/" PROGRAM };
	const char *given = getenv("SOCKSHIM_STACKD");
	char self[PATH_MAX];
	bool known = self_directory(self);

	if (given && given[0])
		return snprintf(path, PATH_MAX, "%s", given) < PATH_MAX;
	for (size_t i = 0; known && i < sizeof(places) / sizeof(places[0]); i++)
		if (snprintf(path, PATH_MAX, "%s%s", self, places[i]) < PATH_MAX && access(path, X_OK) == 0)
			return true;
	return snprintf(path, PATH_MAX, "%s", PROGRAM) > 0;
}

/* In the child: becomes the host. */
static void become_host(const char *program, const char *path, const char *spec, bool keep, int status)
{
	char number[16];
	const char *argv[9] = { PROGRAM, "--socket", path, "--status-fd", number };
	int n = 5, null = open("/dev/null", O_RDWR);

	snprintf(number, sizeof(number), "%d", status);
	fcntl(status, F_SETFD, 0);
	if (keep)
		argv[n++] = "--keep";
	argv[n] = spec;
	unsetenv("LD_PRELOAD");
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	execvp(program, (char *const *)argv);
	dprintf(status, "error cannot start %s: %s; say where it is in SOCKSHIM_STACKD\n", program, strerror(errno));
	_exit(127);
}

int stack_start(const char *path, const char *spec, bool keep)
{
	char program[PATH_MAX], text[STACK_ERROR_MAX] = "";
	int status[2], rc;
	ssize_t n = 0;
	pid_t pid;
	FILE *f;

	find_program(program);
	if (pipe2(status, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		message_error("cannot start the stack host: %s", strerror(errno));
		return -1;
	}
	if (pid == 0)
		become_host(program, path, spec, keep, status[1]);
	close(status[1]);
	f = fdopen(status[0], "r");
	if (f && fgets(text, sizeof(text), f))
		n = (ssize_t)strcspn(text, "\n");
	text[n] = '\0';
	if (f)
		fclose(f);
	while (waitpid(pid, &rc, 0) < 0 && errno == EINTR)
		;
	/* Its pid; 0: another one serves there. */
	if (strncmp(text, "ready ", 6) == 0)
		return strncmp(text + 6, "0 ", 2) == 0;
	message_error("the stack cannot be started: %s",
		      strncmp(text, "error ", 6) == 0 ? text + 6 : n ? text : "its host has ended without a word");
	return -1;
}

int stack_ask(struct stack_link *link, struct stack_msg *m, int send_fd, int *fd)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .head = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	struct iovec iov = { m, STACK_MSG_HEAD + m->len };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	uint16_t op = m->op;
	ssize_t n;
	int got = -1;

	m->version = STACK_PROTO_VERSION;
	m->seq = ++link->seq;
	if (send_fd >= 0) {
		memcpy(CMSG_DATA(&control.head), &send_fd, sizeof(send_fd));
		h.msg_control = &control;
		h.msg_controllen = sizeof(control.room);
	}
	if (sendmsg(link->fd, &h, MSG_NOSIGNAL) < 0)
		return -errno;
	iov.iov_len = sizeof(*m);
	h = (struct msghdr){ .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	do
		n = recvmsg(link->fd, &h, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n > 0 && h.msg_controllen >= CMSG_LEN(sizeof(int)) && control.head.cmsg_type == SCM_RIGHTS)
		memcpy(&got, CMSG_DATA(&control.head), sizeof(got));
	if (fd)
		*fd = got;
	else if (got >= 0)
		close(got);
	if (n <= 0)
		return n < 0 ? -errno : -ECONNRESET;
	if (n < (ssize_t)STACK_MSG_HEAD || m->op != op || m->seq != link->seq ||
	    m->len != (size_t)n - STACK_MSG_HEAD || m->err > 0)
		return -EPROTO;
	return m->err;
}

/* As the kernel says it: what another version says may mean something else. */
static int peer_pid(int fd)
{
	struct ucred peer = { 0 };
	socklen_t len = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 ? peer.pid : 0;
}

int stack_connect(struct stack_link *link, const char *path)
{
	struct stack_msg *m = calloc(1, sizeof(*m));
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int err;

	*link = (struct stack_link){ .fd = -1 };
	if (!m || strlen(path) >= sizeof(sun.sun_path)) {
		free(m);
		return m ? -ENAMETOOLONG : -ENOMEM;
	}
	strcpy(sun.sun_path, path);
	link->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	err = link->fd < 0 || connect(link->fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 ? -errno : 0;
	if (!err) {
		m->op = STACK_OP_HELLO;
		m->arg[0] = STACK_PROTO_VERSION;
		m->arg[1] = getpid();
		err = stack_ask(link, m, -1, NULL);
		link->pid = m->arg[1];
		memcpy(link->name, m->data, m->len < sizeof(link->name) - 1 ? m->len : sizeof(link->name) - 1);
		if ((!err || err == -EPROTO) && m->op == STACK_OP_HELLO && m->arg[0] != STACK_PROTO_VERSION) {
			err = -EPROTONOSUPPORT;
			link->seq = (uint32_t)m->arg[0];
			link->pid = peer_pid(link->fd);
		}
	}
	free(m);
	if (err)
		stack_disconnect(link);
	return err;
}

void stack_disconnect(struct stack_link *link)
{
	if (link->fd >= 0)
		close(link->fd);
	link->fd = -1;
}

int stack_say_unreachable(const char *name, const struct stack_link *link, int err)
{
	if (err == -EPROTONOSUPPORT)
		message_error("stack %s: its host speaks version %u of the protocol, this is version %d; end it (sockshim stack down) and start it again",
			      name, link->seq, STACK_PROTO_VERSION);
	else if (err == -ENOENT || err == -ECONNREFUSED)
		message_error("stack %s is not up; start it: sockshim stack up %s SPECIFICATION", name, name);
	else
		message_error("stack %s: cannot be reached: %s", name, strerror(-err));
	return -1;
}

int stack_for_run(struct stack_link *link, char path[PATH_MAX], const char *text, const char *id)
{
	bool name = stack_is_name(text);
	int err;

	if (stack_path(path, name ? text : id) < 0)
		return -1;
	if (!name && stack_start(path, text, false) < 0)
		return -1;
	err = stack_connect(link, path);
	return err ? stack_say_unreachable(name ? text : id, link, err) : 0;
}
