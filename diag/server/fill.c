/* Answers: a socket as a netlink message. */
#include "server/fill.h"

#include <netinet/in.h>
#include <string.h>

#include "wire/attr.h"
#include "wire/copy.h"
#include "wire/state.h"

/* A message being written; FILL_MAX bytes are there, so nothing below checks for room. */
struct writer {
	uint8_t *at;
	size_t len;
};

_Static_assert(FILL_MAX > NLMSG_HDRLEN + sizeof(struct inet_diag_msg) + sizeof(struct diag_tcp_info) +
				  sizeof(union tcp_cc_info) + 4 * SK_MEMINFO_VARS +
				  sizeof(struct diag_stack_process) + sizeof(struct diag_stack_ended) + 16 * RTA_LENGTH(16),
	       "an answer with every attribute fits");

static void *put_attr(struct writer *w, uint16_t type, size_t size)
{
	struct rtattr *a = (void *)(w->at + w->len);

	a->rta_type = type;
	a->rta_len = (uint16_t)RTA_LENGTH(size);
	w->len += RTA_SPACE(size);
	if (size % 4)
		memset(w->at + w->len - 4, 0, 4); /* padding is zero, as nla_put() has it */
	return RTA_DATA(a);
}

static void put_u8(struct writer *w, uint16_t type, uint8_t v)
{
	*(uint8_t *)put_attr(w, type, sizeof(v)) = v;
}

static void put_u32(struct writer *w, uint16_t type, uint32_t v)
{
	memcpy(put_attr(w, type, sizeof(v)), &v, sizeof(v));
}

static void put_bytes(struct writer *w, uint16_t type, const void *data, size_t size)
{
	diag_copy(put_attr(w, type, size), data, size);
}

static struct inet_diag_msg *begin(struct writer *w, void *buf, const struct fill_head *h, const struct sock_entry *e)
{
	struct nlmsghdr *nlh = buf;

	w->at = buf;
	w->len = NLMSG_HDRLEN + sizeof(struct inet_diag_msg);
	nlh->nlmsg_type = h->type;
	nlh->nlmsg_flags = h->flags;
	nlh->nlmsg_seq = h->seq;
	nlh->nlmsg_pid = h->portid;
	memcpy(NLMSG_DATA(nlh), &e->msg, sizeof(e->msg));
	return NLMSG_DATA(nlh);
}

static size_t end(struct writer *w)
{
	((struct nlmsghdr *)w->at)->nlmsg_len = (uint32_t)w->len;
	return NLMSG_ALIGN(w->len);
}

/* What every full socket has (inet_diag_msg_attrs_fill()). */
static void put_common(struct writer *w, const struct sock_entry *e, uint8_t ext, bool net_admin)
{
	uint32_t idle = DIAG_STATE_BIT(DIAG_TCP_LISTEN) | DIAG_STATE_BIT(DIAG_TCP_CLOSE);

	put_u8(w, INET_DIAG_SHUTDOWN, e->shutdown);
	if (ext & DIAG_EXT_TOS)
		put_u8(w, INET_DIAG_TOS, e->tos);
	if (e->msg.idiag_family == AF_INET6) {
		if (ext & DIAG_EXT_TCLASS)
			put_u8(w, INET_DIAG_TCLASS, e->tclass);
		if (DIAG_STATE_BIT(e->msg.idiag_state) & idle)
			put_u8(w, INET_DIAG_SKV6ONLY, e->v6only);
	}
	if (net_admin)
		put_u32(w, INET_DIAG_MARK, e->mark);
	if (ext & DIAG_EXT_TCLASS)
		put_u32(w, INET_DIAG_CLASS_ID, e->class_id);
	if (e->cgroup_id)
		put_bytes(w, INET_DIAG_CGROUP_ID, &e->cgroup_id, sizeof(e->cgroup_id));
	put_bytes(w, INET_DIAG_SOCKOPT, e->sockopt, sizeof(e->sockopt));
}

static void put_memory(struct writer *w, const struct sock_source_ops *ops, void *source, const struct sock_entry *e,
		       uint8_t ext)
{
	uint32_t mem[SK_MEMINFO_VARS] = { 0 };

	if (!(ext & (DIAG_EXT_MEMINFO | DIAG_EXT_SKMEMINFO)))
		return;
	ops->memory(source, e, mem);
	if (ext & DIAG_EXT_MEMINFO) {
		struct inet_diag_meminfo m = {
			.idiag_rmem = mem[SK_MEMINFO_RMEM_ALLOC],
			.idiag_wmem = mem[SK_MEMINFO_WMEM_QUEUED],
			.idiag_fmem = mem[SK_MEMINFO_FWD_ALLOC],
			.idiag_tmem = mem[SK_MEMINFO_WMEM_ALLOC],
		};

		put_bytes(w, INET_DIAG_MEMINFO, &m, sizeof(m));
	}
	if (ext & DIAG_EXT_SKMEMINFO)
		put_bytes(w, INET_DIAG_SKMEMINFO, mem, sizeof(mem));
}

static void put_tcp(struct writer *w, const struct sock_source_ops *ops, void *source, const struct sock_entry *e,
		    uint8_t ext)
{
	if (ext & DIAG_EXT_INFO) {
		/* 64-bit fields, in a message that is aligned to 4: filled in elsewhere, then copied. */
		struct diag_tcp_info ti;

		ops->info(source, e, &ti);
		put_bytes(w, INET_DIAG_INFO, &ti, sizeof(ti));
	}
	if ((ext & DIAG_EXT_CONG) && e->cong) {
		/* TCP_CA_NAME_MAX is 16, and the terminator is sent. */
		size_t n = strnlen(e->cong, 15);
		char *name = put_attr(w, INET_DIAG_CONG, n + 1);

		memcpy(name, e->cong, n);
		name[n] = '\0';
	}
	if ((ext & DIAG_EXT_VEGASINFO) && ops->congestion && e->msg.idiag_state < DIAG_TCP_TIME_WAIT) {
		union tcp_cc_info cc;
		uint16_t attr = 0, size = ops->congestion(source, e, &cc, &attr);

		if (size && size <= sizeof(cc))
			put_bytes(w, attr, &cc, size);
	}
}

static void put_process(struct writer *w, const struct sock_entry *e)
{
	if (e->process.pid)
		put_bytes(w, DIAG_STACK_PROCESS, &e->process, sizeof(e->process));
}

size_t fill_socket(void *buf, const struct fill_head *h, const struct sock_source_ops *ops, void *source,
		   const struct sock_entry *e, uint32_t protocol, uint8_t ext, bool net_admin, uint32_t want)
{
	struct writer w;

	begin(&w, buf, h, e);
	if (e->kind == SOCK_KIND_TIMEWAIT || e->kind == SOCK_KIND_REQUEST) {
		if (net_admin)
			put_u32(&w, INET_DIAG_MARK, e->mark);
		return end(&w);
	}
	put_common(&w, e, ext, net_admin);
	put_memory(&w, ops, source, e, ext);
	if (protocol == IPPROTO_RAW)
		put_u8(&w, INET_DIAG_PROTOCOL, e->raw_protocol);
	if (protocol == IPPROTO_TCP && e->kind == SOCK_KIND_FULL)
		put_tcp(&w, ops, source, e, ext);
	if (want & DIAG_STACK_WANT_PROCESS)
		put_process(&w, e);
	return end(&w);
}

size_t fill_past(void *buf, const struct fill_head *h, const struct sock_entry *e, const struct sock_past *p)
{
	struct writer w;

	begin(&w, buf, h, e);
	put_u8(&w, INET_DIAG_PROTOCOL, IPPROTO_TCP);
	put_bytes(&w, INET_DIAG_INFO, &p->info, sizeof(p->info));
	put_process(&w, e);
	put_bytes(&w, DIAG_STACK_ENDED, &p->ended, sizeof(p->ended));
	return end(&w);
}

size_t fill_event(void *buf, const struct sock_entry *e, uint8_t protocol, const struct diag_tcp_info *info)
{
	/* An event is nobody's answer: no flags, sequence number or port id. */
	struct fill_head h = { .type = SOCK_DIAG_BY_FAMILY };
	struct inet_diag_msg *m;
	struct writer w;

	m = begin(&w, buf, &h, e);
	m->idiag_timer = m->idiag_retrans = 0;
	m->idiag_expires = 0;
	m->idiag_uid = m->idiag_inode = 0; /* there is no owner any more */
	put_u8(&w, INET_DIAG_PROTOCOL, protocol);
	if (info)
		put_bytes(&w, INET_DIAG_INFO, info, sizeof(*info));
	return end(&w);
}
