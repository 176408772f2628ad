/* Control messages of scripts: what sendmsg() is given with its data, and what recvmsg() says with its. */
#include "driver.h"

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h>

/* struct scm_timestamping: the first of three is the only one without hardware */
struct stamps {
	struct timespec ts[3];
};

enum { STAMP_TOLERANCE_US = 1000 };

/* CMSG_LEVEL_IP and CMSG_TYPE_RECVERR are of the family that the script runs over. */
static void names_of_family(const struct driver *d, int *level, int *type)
{
	if (d->local.len != ADDR_LEN_V6 || *level != SOL_IP)
		return;
	*level = SOL_IPV6;
	*type = *type == IP_RECVERR ? IPV6_RECVERR : *type;
}

static size_t data_make(const struct value *v, void *p)
{
	int n = (int)v->n;

	memcpy(p, &n, sizeof(n));
	return sizeof(n);
}

size_t control_make(const struct value *list, void *buf, size_t room)
{
	struct msghdr m = { .msg_control = buf, .msg_controllen = room };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	size_t used = 0;

	memset(buf, 0, room);
	for (int i = 0; i < list->count && h; i++, h = CMSG_NXTHDR(&m, h)) {
		const struct value *v = &list->items[i], *data = value_field(v, "cmsg_data");
		size_t n = data && data->type == V_INT ? data_make(data, CMSG_DATA(h)) : 0;

		h->cmsg_level = (int)value_field_num(v, "cmsg_level", 0);
		h->cmsg_type = (int)value_field_num(v, "cmsg_type", 0);
		h->cmsg_len = CMSG_LEN(n);
		used += CMSG_SPACE(n);
	}
	return used;
}

static void check_error(const struct driver *d, const struct event *e, const struct value *v,
			const struct sock_extended_err *ee)
{
	const struct { const char *name; uint32_t got; } f[] = {
		{ "ee_errno", ee->ee_errno }, { "ee_origin", ee->ee_origin }, { "ee_type", ee->ee_type },
		{ "ee_code", ee->ee_code }, { "ee_info", ee->ee_info }, { "ee_data", ee->ee_data },
	};

	for (size_t i = 0; i < sizeof(f) / sizeof(f[0]); i++)
		if (value_field(v, f[i].name) && (uint32_t)value_field_num(v, f[i].name, 0) != f[i].got)
			fail_at(d, e, "%s is %u, expected %lld", f[i].name, f[i].got,
				value_field_num(v, f[i].name, 0));
}

static void check_stamp(const struct driver *d, const struct event *e, const struct value *v,
			const struct timespec *ts)
{
	int64_t us = ts->tv_sec * 1000000ll + ts->tv_nsec / 1000 - d->start_us, off;
	int64_t want = value_field_num(v, "scm_sec", 0) * 1000000 + value_field_num(v, "scm_nsec", 0) / 1000;

	off = us - want;
	if (off > STAMP_TOLERANCE_US + d->script.tolerance_us || -off > STAMP_TOLERANCE_US + d->script.tolerance_us)
		fail_at(d, e, "stamped %lld us, expected %lld", (long long)us, (long long)want);
}

static void check_data(const struct driver *d, const struct event *e, const struct value *v, const struct cmsghdr *h)
{
	const void *p = CMSG_DATA(h);
	int n;

	if (v->type == V_ELLIPSIS)
		return;
	if (v->type == V_STRUCT && value_field(v, "scm_sec")) {
		check_stamp(d, e, v, ((const struct stamps *)p)->ts);
	} else if (v->type == V_STRUCT) {
		check_error(d, e, v, p);
	} else {
		memcpy(&n, p, sizeof(n));
		if (n != v->n)
			fail_at(d, e, "a control message says %d, expected %lld", n, v->n);
	}
}

void control_check(const struct driver *d, const struct event *e, const struct value *list, struct msghdr *m)
{
	struct cmsghdr *h = CMSG_FIRSTHDR(m);

	for (int i = 0; i < list->count; i++, h = CMSG_NXTHDR(m, h)) {
		const struct value *v = &list->items[i], *data = value_field(v, "cmsg_data");
		int level = (int)value_field_num(v, "cmsg_level", 0), type = (int)value_field_num(v, "cmsg_type", 0);

		if (!h)
			fail_at(d, e, "%d control messages, expected %d", i, list->count);
		names_of_family(d, &level, &type);
		if (h->cmsg_level != level || h->cmsg_type != type)
			fail_at(d, e, "control message %d of %d, expected %d of %d", h->cmsg_type, h->cmsg_level, type,
				level);
		if (data)
			check_data(d, e, data, h);
	}
	if (h)
		fail_at(d, e, "more than %d control messages", list->count);
}
