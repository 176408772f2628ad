/*
 * The table served by the kernel's own stack, over a TUN device in a namespace of the driver's own: says
 * whether a script is right about Linux. In real time.
 */
#include "driver.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

enum { RECEIVE_MS = 5000 };

static int tun;

#define PASS(type, name, proto, ...) static type k_##name proto { (void)u; return name(__VA_ARGS__); }

PASS(int, socket, (void *u, int a, int b, int c), a, b, c)
PASS(int, bind, (void *u, int a, const struct sockaddr *b, socklen_t c), a, b, c)
PASS(int, listen, (void *u, int a, int b), a, b)
PASS(int, accept, (void *u, int a, struct sockaddr *b, socklen_t *c), a, b, c)
PASS(int, connect, (void *u, int a, const struct sockaddr *b, socklen_t c), a, b, c)
PASS(ssize_t, read, (void *u, int a, void *b, size_t c), a, b, c)
PASS(ssize_t, readv, (void *u, int a, const struct iovec *b, int c), a, b, c)
PASS(ssize_t, recv, (void *u, int a, void *b, size_t c, int d), a, b, c, d)
PASS(ssize_t, recvfrom, (void *u, int a, void *b, size_t c, int d, struct sockaddr *e, socklen_t *f), a, b,
     c, d, e, f)
PASS(ssize_t, recvmsg, (void *u, int a, struct msghdr *b, int c), a, b, c)
PASS(ssize_t, write, (void *u, int a, const void *b, size_t c), a, b, c)
PASS(ssize_t, writev, (void *u, int a, const struct iovec *b, int c), a, b, c)
PASS(ssize_t, send, (void *u, int a, const void *b, size_t c, int d), a, b, c, d)
PASS(ssize_t, sendto, (void *u, int a, const void *b, size_t c, int d, const struct sockaddr *e, socklen_t f),
     a, b, c, d, e, f)
PASS(ssize_t, sendmsg, (void *u, int a, const struct msghdr *b, int c), a, b, c)
PASS(int, close, (void *u, int a), a)
PASS(int, shutdown, (void *u, int a, int b), a, b)
PASS(int, getsockopt, (void *u, int a, int b, int c, void *d, socklen_t *e), a, b, c, d, e)
PASS(int, setsockopt, (void *u, int a, int b, int c, const void *d, socklen_t e), a, b, c, d, e)
PASS(int, poll, (void *u, struct pollfd *a, nfds_t b, int c), a, b, c)
PASS(int, usleep, (void *u, useconds_t a), a)
PASS(int, gettimeofday, (void *u, struct timeval *a, struct timezone *b), a, b)
PASS(int, epoll_create, (void *u, int a), a)
PASS(int, epoll_ctl, (void *u, int a, int b, int c, struct epoll_event *d), a, b, c, d)
PASS(int, epoll_wait, (void *u, int a, struct epoll_event *b, int c, int d), a, b, c, d)
PASS(int, pipe, (void *u, int a[2]), a)
PASS(ssize_t, splice, (void *u, int a, loff_t *b, int c, loff_t *d, size_t e, unsigned f), a, b, c, d, e, f)

static int k_fcntl(void *u, int fd, int cmd, ...)
{
	va_list ap;
	int arg;

	(void)u;
	va_start(ap, cmd);
	arg = va_arg(ap, int);
	va_end(ap);
	return fcntl(fd, cmd, arg);
}

static int k_ioctl(void *u, int fd, unsigned long req, ...)
{
	va_list ap;
	void *arg;

	(void)u;
	va_start(ap, req);
	arg = va_arg(ap, void *);
	va_end(ap);
	return ioctl(fd, req, arg);
}

static int k_netdev_send(void *u, const void *buf, size_t count)
{
	(void)u;
	return write(tun, buf, count) == (ssize_t)count ? 0 : -1;
}

static int k_netdev_receive(void *u, void *buf, size_t *count, long long *us)
{
	struct pollfd p = { .fd = tun, .events = POLLIN };
	struct timeval tv;
	ssize_t n = 0;

	(void)u;
	if (poll(&p, 1, RECEIVE_MS) == 1)
		n = read(tun, buf, *count);
	gettimeofday(&tv, NULL);
	*us = tv.tv_sec * 1000000ll + tv.tv_usec;
	*count = n > 0 ? (size_t)n : 0;
	return 0;
}

static void k_free(void *u)
{
	(void)u;
	close(tun);
}

static void sh(const char *cmd)
{
	if (system(cmd))
		die("failed: %s", cmd);
}

bool kernel_settings(void)
{
	if (unshare(CLONE_NEWNET))
		return false;
	sh("ip link set lo up; cd /proc/sys/net/ipv4; echo 2 > tcp_ecn; echo '4096 540000 15728640' > tcp_rmem; "
	   "echo '4096 262144 4194304' > tcp_wmem; echo 0 > tcp_slow_start_after_idle; "
	   "echo 3 > tcp_fastopen");
	return true;
}

static void write_setting(const char *path, const char *value)
{
	FILE *f = fopen(path, "we");

	if (!f || fputs(value, f) < 0 || fclose(f))
		die("%s: cannot be set to %s", path, value);
}

void kernel_command(const char *text)
{
	char *copy = strdup(text), *save = NULL;

	for (char *w = strtok_r(copy, " \t\n", &save); w; w = strtok_r(NULL, " \t\n", &save)) {
		char path[128], *value = strchr(w, '=');

		if (!value)
			continue;
		*value++ = '\0';
		if (!strncmp(w, "net.", 4)) {
			snprintf(path, sizeof(path), "/proc/sys/%s", w);
			for (char *p = path + strlen("/proc/sys/"); *p; p++)
				if (*p == '.')
					*p = '/';
			write_setting(path, value);
		} else if (!strncmp(w, "/proc/sys/", 10)) {
			write_setting(w, value);
		}
	}
	free(copy);
}

void kernel_table(struct packetdrill_interface *t)
{
	struct ifreq r = { .ifr_flags = IFF_TUN | IFF_NO_PI };

	tun = open("/dev/net/tun", O_RDWR);
	if (tun < 0)
		die("cannot have a TUN device: %s", strerror(errno));
	strcpy(r.ifr_name, "tun0");
	if (ioctl(tun, TUNSETIFF, &r))
		die("TUNSETIFF: %s", strerror(errno));
	/* Segmentation offload, as packetdrill has it: super-segments arrive whole. */
	ioctl(tun, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6);
	sh("ip addr add 192.168.0.1/16 dev tun0; ip addr add fd3d:fa7b:d17d::1/48 dev tun0 nodad; "
	   "ip link set tun0 up; ip route add default via 192.168.0.2 congctl cubic; "
	   "ip route add default via fd3d:fa7b:d17d::2 congctl cubic; tc qdisc replace dev tun0 root pfifo");
	*t = (struct packetdrill_interface){
		.free = k_free, .socket = k_socket, .bind = k_bind, .listen = k_listen, .accept = k_accept,
		.connect = k_connect, .read = k_read, .readv = k_readv, .recv = k_recv, .recvfrom = k_recvfrom,
		.recvmsg = k_recvmsg, .write = k_write, .writev = k_writev, .send = k_send, .sendto = k_sendto,
		.sendmsg = k_sendmsg, .fcntl = k_fcntl, .ioctl = k_ioctl, .close = k_close,
		.shutdown = k_shutdown, .getsockopt = k_getsockopt, .setsockopt = k_setsockopt, .poll = k_poll,
		.netdev_send = k_netdev_send, .netdev_receive = k_netdev_receive, .usleep = k_usleep,
		.gettimeofday = k_gettimeofday, .epoll_create = k_epoll_create, .epoll_ctl = k_epoll_ctl,
		.epoll_wait = k_epoll_wait, .pipe = k_pipe, .splice = k_splice,
	};
}
