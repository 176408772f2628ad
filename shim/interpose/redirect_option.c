/* redirect_option.c - options and ioctls of redirected sockets: which the pair has, which the table knows, which the
 * host is asked for. */
#include "interpose/redirect_ring.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "interpose/memory.h"
#include "interpose/redirect_bell.h"
#include "run/sys.h"

#define VALUE_MAX 1024

enum { TIMESTAMPING_NEW = 65 };
#define FILTER_SHORT (STACK_MSG_DATA / sizeof(struct sock_filter))

/* With 64-bit times there are two numbers for each. */
static bool is_timeout(int option)
{
	return option == SO_RCVTIMEO || option == SO_SNDTIMEO || option == 66 /* SO_RCVTIMEO_NEW */ ||
	       option == 67 /* SO_SNDTIMEO_NEW */;
}

/* Where peeking is on, the pair knows, of a stream: that has no headers. */
static bool is_peek_offset(const struct target *t, int level, int option)
{
	return level == SOL_SOCKET && option == SO_PEEK_OFF && redirect_is_stream(t->s);
}

/* Options of SOL_SOCKET that the pair must have as well, for the kernel to act by them. */
static bool on_pair_too(int option)
{
	return is_timeout(option) || option == SO_RCVLOWAT || option == SO_OOBINLINE;
}

static int protocol_of(const struct run_socket *s)
{
	int protocol = sockshim_cookie_protocol(s->cookie);
	int type = sockshim_cookie_type(s->cookie) & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (protocol || sockshim_cookie_family(s->cookie) == AF_PACKET)
		return protocol;
	return type == SOCK_STREAM ? IPPROTO_TCP : type == SOCK_DGRAM ? IPPROTO_UDP : 0;
}

/* Options whose value needs no asking. Whether `option` is one. */
static bool known_here(const struct target *t, int option, int *value)
{
	switch (option) {
	case SO_TYPE:
		*value = sockshim_cookie_type(t->s->cookie) & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
		return true;
	case SO_DOMAIN: *value = sockshim_cookie_family(t->s->cookie); return true;
	case SO_PROTOCOL: *value = protocol_of(t->s); return true;
	case SO_ACCEPTCONN: *value = t->e && board_state(t->e) == STACK_BOARD_LISTENING; return true;
	case SO_ERROR:
		*value = 0;
		return t->e && !__atomic_load_n(&t->e->error, __ATOMIC_ACQUIRE) && !client_host_gone();
	default: return false;
	}
}

/* As the kernel: what there is of the value, as far as there is room. */
static long give_value(const uint64_t *a, const void *value, size_t n)
{
	socklen_t room;

	if (!memory_read(&room, (const void *)a[4], sizeof(room)))
		return -EFAULT;
	if ((int)room < 0)
		return -EINVAL;
	if (room > n)
		room = (socklen_t)n;
	if (room && !memory_write((void *)a[3], value, room))
		return -EFAULT;
	return memory_write((void *)a[4], &room, sizeof(room)) ? 0 : -EFAULT;
}

/* The value says which version is meant, and is then its header's length. */
static long ring_header(const uint64_t *a, socklen_t room)
{
	int value;

	if (room < sizeof(value))
		return -EINVAL;
	if (!memory_read(&value, (const void *)a[3], sizeof(value)))
		return -EFAULT;
	value = redirect_ring_header((uint32_t)value);
	return value < 0 ? value : give_value(a, &value, sizeof(value));
}

long redirect_getsockopt(enum call_id id, const struct target *t, const uint64_t *a)
{
	int level = (int)a[1], option = (int)a[2], known;
	uint8_t value[VALUE_MAX];
	struct client_request q = { .op = STACK_OP_GETOPT, .cookie = t->s->stack_cookie, .out = value,
				    .room = sizeof(value) };
	socklen_t room;
	int err;

	if (level == SOL_SOCKET && known_here(t, option, &known))
		return give_value(a, &known, sizeof(known));
	if (level == SOL_SOCKET && (option == SO_COOKIE || is_timeout(option) || is_peek_offset(t, level, option)))
		return LIBC(getsockopt)(t->fd, level, option, (void *)a[3], (socklen_t *)a[4]) < 0 ? -errno : 0;
	if (!memory_read(&room, (const void *)a[4], sizeof(room)))
		return -EFAULT;
	if ((int)room < 0)
		return -EINVAL;
	if (level == SOL_PACKET && option == PACKET_HDRLEN)
		return ring_header(a, room);
	q.arg[0] = level;
	q.arg[1] = option;
	q.arg[2] = room < sizeof(value) ? room : sizeof(value);
	err = client_ask(&q);
	if (!err && level == SOL_SOCKET && option == SO_ERROR)
		redirect_error_taken(t);
	return err ? err : give_value(a, value, q.out_len < sizeof(value) ? q.out_len : sizeof(value));
}

/* What has no room in a message is sent in a file. */
static long attach_long(struct client_request *q, const struct sock_fprog *prog)
{
	int fd = (int)sys(SYS_memfd_create, "filter", MFD_CLOEXEC);
	long n = fd < 0 ? fd : sys(SYS_write, fd, prog->filter, q->len);

	if (n == (long)q->len) {
		q->len = 0;
		q->send_fd = fd;
		n = client_ask(q);
	} else if (n >= 0) {
		n = -EFAULT;
	}
	if (fd >= 0)
		sys(SYS_close, fd);
	return n;
}

/* A filter is sent itself, and not where it is in our memory. */
static long attach_filter(const struct target *t, const uint64_t *a)
{
	struct sock_filter code[FILTER_SHORT];
	struct client_request q = { .op = STACK_OP_SETOPT, .cookie = t->s->stack_cookie, .arg = { SOL_SOCKET, (int)a[2] },
				    .data = code };
	struct sock_fprog prog;

	if (a[4] != sizeof(prog))
		return -EINVAL;
	if (!memory_read(&prog, (const void *)a[3], sizeof(prog)))
		return -EFAULT;
	q.len = prog.len * sizeof(code[0]);
	if (!prog.filter || !prog.len || prog.len > BPF_MAXINSNS)
		return -EINVAL;
	if (prog.len > FILTER_SHORT)
		return attach_long(&q, &prog);
	return memory_read(code, prog.filter, q.len) ? client_ask(&q) : -EFAULT;
}

long redirect_setsockopt(enum call_id id, const struct target *t, const uint64_t *a)
{
	int level = (int)a[1], option = (int)a[2];
	socklen_t len = (socklen_t)a[4];
	uint8_t value[VALUE_MAX];
	int err;
	struct client_request q = { .op = STACK_OP_SETOPT, .cookie = t->s->stack_cookie, .arg = { level, option },
				    .data = value, .len = len };

	if (level == SOL_SOCKET && option == SO_ATTACH_FILTER)
		return attach_filter(t, a);
	if (is_peek_offset(t, level, option))
		return LIBC(setsockopt)(t->fd, level, option, (const void *)a[3], len) < 0 ? -errno : 0;
	if ((int)len < 0 || len > sizeof(value))
		return -EINVAL;
	if (len && !memory_read(value, (const void *)a[3], len))
		return -EFAULT;
	if (level == SOL_SOCKET && on_pair_too(option)) {
		err = (int)sys(SYS_setsockopt, t->fd, level, option, value, len);

		/* Of what an older kernel's unix sockets lack, the host has its own idea. */
		if (err && (err != -EOPNOTSUPP && err != -ENOPROTOOPT))
			return err;
	}
	t->s->stack_checked = 0;
	err = client_ask(&q);
	if (!err && level == SOL_SOCKET && (option == SO_TIMESTAMPING || option == TIMESTAMPING_NEW || option == SO_ZEROCOPY) && redirect_is_stream(t->s))
		redirect_bells_for(t->s);
	return err;
}

/* The length of the next datagram. */
static long next_datagram(const struct target *t, int *out)
{
	struct stack_dgram d;
	long n;

	*out = 0;
	do
		n = sys(SYS_recvfrom, t->fd, &d, sizeof(d), MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
	while (n == -EINTR);
	if (n >= (long)sizeof(d) && !(d.flags & STACK_DGRAM_ERROR))
		*out = (int)(n - (long)sizeof(d));
	return 0;
}

static long out_queue(const struct target *t, bool unsent, int *out)
{
	struct client_request q = { .op = STACK_OP_OUTQ, .cookie = t->s->stack_cookie };
	int err = client_ask(&q);

	*out = err ? 0 : (int)q.arg[unsent];
	return err;
}

/* SIOCGIFCONF: the IPv4 addresses, as far as there is room; with no buffer the room that they take. */
static long interface_list(void *arg)
{
	struct client_request q = { .op = STACK_OP_IFADDRS };
	struct stack_ifaddr list[STACK_MSG_DATA / sizeof(struct stack_ifaddr)];
	struct ifconf conf;
	int used = 0, err;

	if (!memory_read(&conf, arg, sizeof(conf)))
		return -EFAULT;
	do {
		q.op = STACK_OP_IFADDRS;
		q.cookie = 0;
		q.out = list;
		q.room = sizeof(list);
		int64_t skip = q.arg[2];
		q.arg[0] = skip;
		err = client_ask(&q);
		if (err)
			return err;
		q.arg[2] = skip + q.arg[0];
		for (int64_t i = 0; i < q.arg[0] && (size_t)(i + 1) * sizeof(list[0]) <= q.out_len && (size_t)i < sizeof(list) / sizeof(list[0]); i++) {
			struct ifreq r = { 0 };

			if (list[i].addr.len != sizeof(struct sockaddr_in))
				continue;
			memcpy(r.ifr_name, list[i].name, IFNAMSIZ - 1);
			memcpy(&r.ifr_addr, list[i].addr.bytes, sizeof(struct sockaddr_in));
			if (conf.ifc_buf && used + (int)sizeof(r) > conf.ifc_len)
				break;
			if (conf.ifc_buf && !memory_write(conf.ifc_buf + used, &r, sizeof(r)))
				return -EFAULT;
			used += (int)sizeof(r);
		}
	} while (q.arg[1] && q.arg[0] > 0);
	conf.ifc_len = used;
	return memory_write(arg, &conf, sizeof(conf)) ? 0 : -EFAULT;
}

/* Requests about interfaces, whose argument is a struct ifreq. */
static long interface_request(const struct target *t, unsigned long request, void *arg)
{
	struct ifreq r;
	struct client_request q = { .op = STACK_OP_IOCTL, .cookie = t->s->stack_cookie, .arg = { (int64_t)request },
				    .data = &r, .len = sizeof(r), .out = &r, .room = sizeof(r) };
	int err;

	if (!memory_read(&r, arg, sizeof(r)))
		return -EFAULT;
	err = client_ask(&q);
	if (err)
		return err;
	return memory_write(arg, &r, sizeof(r)) ? 0 : -EFAULT;
}

/* Whether a request about an interface changes nothing. */
static bool is_question(unsigned long request)
{
	static const unsigned short questions[] = {
		SIOCGIFNAME, SIOCGIFFLAGS, SIOCGIFADDR, SIOCGIFDSTADDR, SIOCGIFBRDADDR, SIOCGIFNETMASK, SIOCGIFMETRIC,
		SIOCGIFMTU, SIOCGIFHWADDR, SIOCGIFINDEX, SIOCGIFTXQLEN,
	};
	size_t i = 0;

	while (i < sizeof(questions) / sizeof(questions[0]) && questions[i] != request)
		i++;
	return i < sizeof(questions) / sizeof(questions[0]);
}

/* What is asked of drivers, which a stack's interfaces have none of. The kernel would answer for an interface of its own that
 * has the same name, as a TAP device has. */
static bool is_about_driver(const struct target *t, unsigned long request, void *arg)
{
	struct ifreq r;
	struct client_request q = { .op = STACK_OP_IOCTL, .cookie = t->s->stack_cookie, .arg = { SIOCGIFINDEX },
				    .data = &r, .len = sizeof(r), .out = &r, .room = sizeof(r) };

	return (request == SIOCETHTOOL || request == SIOCGHWTSTAMP || request == SIOCSHWTSTAMP || request == SIOCBONDINFOQUERY ||
		(request >= SIOCGMIIPHY && request <= SIOCSMIIREG)) &&
	       memory_read(&r, arg, sizeof(r)) && client_ask(&q) == 0;
}

long redirect_ioctl(enum call_id id, const struct target *t, const uint64_t *a)
{
	unsigned long request = a[1];
	void *arg = (void *)a[2];
	bool stream = redirect_is_stream(t->s);
	int value = 0;
	long err;

	switch (request) {
	case FIONREAD:
		if (stream && t->e && board_state(t->e) == STACK_BOARD_LISTENING)
			return -EINVAL;
		if (stream)
			break;
		err = next_datagram(t, &value);
		return err ? err : memory_write(arg, &value, sizeof(value)) ? 0 : -EFAULT;
	case TIOCOUTQ:
	case SIOCOUTQNSD:
		err = out_queue(t, request == SIOCOUTQNSD, &value);
		return err ? err : memory_write(arg, &value, sizeof(value)) ? 0 : -EFAULT;
	case SIOCGIFCONF:
		return interface_list(arg);
	default:
		if ((request >= SIOCGIFNAME && request <= SIOCGIFCOUNT) ||
		    (request >= SIOCGIFPFLAGS && request <= SIOCSIFTXQLEN)) {
			err = interface_request(t, request, arg);
			/* Who reads the kernel's list over netlink asks about the interfaces in it. */
			if (err != -ENODEV || !is_question(request))
				return err;
			return LIBC(ioctl)(t->fd, request, (long)a[2]) < 0 ? err : 0;
		}
		if (is_about_driver(t, request, arg))
			return -EOPNOTSUPP;
		break;
	}
	return LIBC(ioctl)(t->fd, request, (long)a[2]) < 0 ? -errno : 0;
}
