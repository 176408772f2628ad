/* hatch.c - how descendants get to the stack host that could not connect; the theory of operation is in the header. */
#include "backend/hatch.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>

#include "backend/channel.h"
#include "run/sys.h"

static struct {
	const char *path;
	int fd;			/* 0: none */
	uint64_t cookie;
	bool glanced, looked;	/* whether one came with exec: at the usual place, anywhere */
} hatch;

void hatch_expect(const char *path)
{
	hatch.path = path;
}

/* The highest number that there is, of those that programs with the usual limit have. */
static int usual_place(void)
{
	struct rlimit limit = { CHANNEL_FDS_TOP, CHANNEL_FDS_TOP };

	sys(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
	return (int)(limit.rlim_cur < CHANNEL_FDS_TOP ? limit.rlim_cur : CHANNEL_FDS_TOP) - 1;
}

void hatch_keep(int fd)
{
	int high = (int)sys(SYS_fcntl, fd, F_DUPFD, usual_place());

	if (high >= 0)
		sys(SYS_close, fd);
	else
		sys(SYS_fcntl, fd, F_SETFD, 0);
	hatch.fd = high >= 0 ? high : fd;
	hatch.cookie = channel_cookie_of(hatch.fd);
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Whether fd is a connection to a host of that name. The directory may be another user's by now. */
static bool leads_to(int fd, const char *path)
{
	struct sockaddr_un peer = { .sun_family = AF_UNSPEC };
	char name[sizeof(peer.sun_path) + 1];
	socklen_t len = sizeof(peer);
	int type = 0;
	socklen_t size = sizeof(type);

	if (sys(SYS_getpeername, fd, &peer, &len) != 0 || peer.sun_family != AF_UNIX ||
	    len <= offsetof(struct sockaddr_un, sun_path) || len > sizeof(peer) || peer.sun_path[0] != '/' ||
	    sys(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_SEQPACKET)
		return false;
	len -= (socklen_t)offsetof(struct sockaddr_un, sun_path);
	memcpy(name, peer.sun_path, len);
	name[len] = 0;
	return strcmp(last_part(name), last_part(path)) == 0;
}

static bool adopt(int fd)
{
	if (!leads_to(fd, hatch.path))
		return false;
	hatch.cookie = channel_cookie_of(fd);
	hatch.fd = fd;
	return true;
}

/* Whether it is known that there is one, which has been open since the program was started perhaps. */
static bool known(void)
{
	int usual;

	if (hatch.fd > 0 || hatch.glanced || !hatch.path)
		return hatch.fd > 0;
	hatch.glanced = true;
	usual = usual_place();
	return adopt(CHANNEL_FDS_TOP - 1) || (usual != CHANNEL_FDS_TOP - 1 && adopt(usual));
}

bool hatch_is_open(void)
{
	return known() && channel_cookie_of(hatch.fd) == hatch.cookie;
}

static bool find(void)
{
	if (hatch_is_open())
		return true;
	hatch.fd = 0;
	for (int fd = CHANNEL_FDS_TOP - 1; fd > 2 && !hatch.looked && !adopt(fd); fd--)
		;
	hatch.looked = true;
	return hatch.fd > 0;
}

int hatch_join(int *pid)
{
	static const struct stack_msg join = { .version = STACK_PROTO_VERSION, .op = STACK_OP_JOIN };
	struct ucred host = { 0 };
	socklen_t len = sizeof(host);
	int pair[2], err;

	if (!find() || sys(SYS_getsockopt, hatch.fd, SOL_SOCKET, SO_PEERCRED, &host, &len) != 0)
		return -ENOENT;
	err = (int)sys(SYS_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
	if (err)
		return err;
	err = channel_transmit(hatch.fd, &join, pair[1]);
	sys(SYS_close, pair[1]);
	if (err) {
		sys(SYS_close, pair[0]);
		return err;
	}
	*pid = host.pid;
	return pair[0];
}

bool hatch_owns(int fd)
{
	return known() && hatch.fd == fd;
}

bool hatch_next(unsigned first, unsigned last, unsigned *fd)
{
	if (!known() || (unsigned)hatch.fd < first || (unsigned)hatch.fd > last)
		return false;
	*fd = (unsigned)hatch.fd;
	return true;
}

void hatch_give_way(int fd)
{
	long other;

	if (!hatch_owns(fd))
		return;
	other = sys(SYS_fcntl, fd, F_DUPFD, fd + 1);
	hatch.fd = other < 0 ? 0 : (int)other;
}
