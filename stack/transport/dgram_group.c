/*
 * Datagram endpoints: multicast memberships and their source filters (RFC 3678).
 *
 * A membership is by NIC and group. Each has a filter: a plain one excludes nobody, one for sources
 * includes those alone. A source option on the wrong kind is an error, but a filter that excludes
 * nobody yet may become one that includes, as Linux's ip_mc_source() has it.
 */
#include <stdlib.h>

#include "transport/dgram.h"

/* The NIC a membership is for: the one named, the one with the address, or where a route leads. */
static struct nic *membership_nic(struct dgram *d, uint32_t id, const struct addr *iface,
				  const struct addr *group)
{
	struct stack *s = d->ep.stack;
	struct route_key key = { .remote = *group };
	struct nic_addr *a;
	struct route r;

	if (id)
		return nic_find(s, id);
	if (!addr_is_any(iface)) {
		a = stack_find_addr(s, iface, 0);
		return a ? a->nic : NULL;
	}
	if (d->ep.opts.mcast_nic)
		return nic_find(s, d->ep.opts.mcast_nic);
	if (route_find(s, &key, &r))
		return NULL;
	id = r.nic->id;
	route_release(&r);
	return nic_find(s, id);
}

static struct dgram_membership *membership_find(const struct dgram *d, uint32_t nic,
						const struct addr *group)
{
	list_for_each(n, &d->memberships) {
		struct dgram_membership *m = container_of(n, struct dgram_membership, list);

		if (m->nic == nic && addr_equal(&m->group, group))
			return m;
	}
	return NULL;
}

static struct source_filter filter_of(const struct dgram_membership *m)
{
	return (struct source_filter){ m->exclude, m->n, m->sources };
}

bool dgram_wants_source(const struct dgram *d, const struct nic *nic, const struct addr *group,
			const struct addr *source)
{
	struct dgram_membership *m = nic ? membership_find(d, nic->id, group) : NULL;
	struct source_filter f;

	if (!m)
		return d->ep.opts.multicast_all || !addr_is_multicast(group);
	f = filter_of(m);
	return group_wants(&f, source);
}

static enum ns_err membership_add(struct dgram *d, struct nic *nic, const struct addr *group,
				  const struct source_filter *f)
{
	struct dgram_membership *m;
	enum ns_err err;

	if (membership_find(d, nic->id, group))
		return NS_ERR_PORT_IN_USE;	/* EADDRINUSE, as ip(7) says */
	m = calloc(1, sizeof(*m));
	if (!m)
		return NS_ERR_NO_MEMORY;
	err = nic_change_group(nic, group, NULL, f);
	if (err) {
		free(m);
		return err;
	}
	m->nic = nic->id;
	m->group = *group;
	m->exclude = f->exclude;
	m->n = f->n;
	if (f->n)
		memcpy(m->sources, f->sources, f->n * sizeof(m->sources[0]));
	list_push_back(&d->memberships, &m->list);
	return NS_OK;
}

static void membership_drop(struct dgram *d, struct dgram_membership *m)
{
	struct nic *nic = nic_find(d->ep.stack, m->nic);
	struct source_filter f = filter_of(m);

	if (nic)
		nic_change_group(nic, &m->group, &f, NULL);
	list_remove(&m->list);
	free(m);
}

void dgram_leave_groups(struct dgram *d)
{
	while (!list_empty(&d->memberships))
		membership_drop(d, container_of(d->memberships.next, struct dgram_membership, list));
}

/* Puts another filter in place of a membership's; INCLUDE {} leaves. */
static enum ns_err membership_change(struct dgram *d, struct nic *nic, struct dgram_membership *m,
				     const struct source_filter *to)
{
	struct source_filter from = filter_of(m);
	enum ns_err err;

	if (!to->exclude && to->n == 0) {
		membership_drop(d, m);
		return NS_OK;
	}
	err = nic_change_group(nic, &m->group, &from, to);
	if (err)
		return err;
	m->exclude = to->exclude;
	m->n = to->n;
	if (to->n)
		memmove(m->sources, to->sources, to->n * sizeof(m->sources[0]));
	return NS_OK;
}

/* One more source in the membership's list, which has @exclude's sense. */
static enum ns_err source_list(struct dgram *d, struct nic *nic, struct dgram_membership *m,
			       bool exclude, const struct addr *source)
{
	struct addr list[GROUP_MAX_SOURCES];
	struct source_filter f = { exclude, 0, list };

	if (m->exclude != exclude && m->n)
		return NS_ERR_INVALID_OPTION_VALUE;
	for (uint16_t i = 0; i < m->n; i++)
		if (addr_equal(&m->sources[i], source))
			return NS_ERR_BAD_LOCAL_ADDRESS;
	if (m->n == GROUP_MAX_SOURCES)
		return NS_ERR_NO_BUFFER_SPACE;
	if (m->n)
		memcpy(list, m->sources, m->n * sizeof(list[0]));
	list[m->n] = *source;
	f.n = (uint16_t)(m->n + 1);
	return membership_change(d, nic, m, &f);
}

static enum ns_err source_unlist(struct dgram *d, struct nic *nic, struct dgram_membership *m,
				 bool exclude, const struct addr *source)
{
	struct addr list[GROUP_MAX_SOURCES];
	struct source_filter f = { exclude, 0, list };

	if (m->exclude != exclude)
		return NS_ERR_INVALID_OPTION_VALUE;
	for (uint16_t i = 0; i < m->n; i++)
		if (!addr_equal(&m->sources[i], source))
			list[f.n++] = m->sources[i];
	if (f.n == m->n)
		return NS_ERR_BAD_LOCAL_ADDRESS;
	return membership_change(d, nic, m, &f);
}

static enum ns_err set_source(struct dgram *d, enum sockopt opt,
			      const struct sockopt_source_membership *o)
{
	struct source_filter only = { false, 1, &o->source };
	struct dgram_membership *m;
	struct nic *nic;

	if (!addr_is_multicast(&o->group) || o->source.len != o->group.len ||
	    addr_is_any(&o->source) || addr_is_multicast(&o->source))
		return NS_ERR_INVALID_OPTION_VALUE;
	nic = membership_nic(d, o->nic, &o->iface, &o->group);
	if (!nic)
		return NS_ERR_UNKNOWN_DEVICE;
	m = membership_find(d, nic->id, &o->group);
	if (!m)
		return opt == SOCKOPT_ADD_SOURCE_MEMBERSHIP ? membership_add(d, nic, &o->group, &only)
							    : NS_ERR_INVALID_OPTION_VALUE;
	switch (opt) {
	case SOCKOPT_ADD_SOURCE_MEMBERSHIP:
		return source_list(d, nic, m, false, &o->source);
	case SOCKOPT_REMOVE_SOURCE_MEMBERSHIP:
		return source_unlist(d, nic, m, false, &o->source);
	case SOCKOPT_BLOCK_SOURCE:
		return source_list(d, nic, m, true, &o->source);
	default:
		return source_unlist(d, nic, m, true, &o->source);
	}
}

static enum ns_err set_filter(struct dgram *d, const struct sockopt_mcast_filter *o)
{
	struct source_filter f = { o->exclude, o->n, o->sources };
	struct dgram_membership *m;
	struct nic *nic;

	if (!addr_is_multicast(&o->group) || o->n > GROUP_MAX_SOURCES)
		return NS_ERR_INVALID_OPTION_VALUE;
	for (uint16_t i = 0; i < o->n; i++) {
		if (o->sources[i].len != o->group.len)
			return NS_ERR_INVALID_OPTION_VALUE;
		for (uint16_t j = 0; j < i; j++)
			if (addr_equal(&o->sources[i], &o->sources[j]))
				return NS_ERR_INVALID_OPTION_VALUE;
	}
	nic = membership_nic(d, o->nic, &o->iface, &o->group);
	m = nic ? membership_find(d, nic->id, &o->group) : NULL;
	if (!nic)
		return NS_ERR_UNKNOWN_DEVICE;
	return m ? membership_change(d, nic, m, &f) : NS_ERR_INVALID_OPTION_VALUE;
}

static enum ns_err set_group(struct dgram *d, enum sockopt opt, const struct sockopt_membership *o)
{
	struct dgram_membership *m;
	struct nic *nic;

	if (opt == SOCKOPT_ADD_MEMBERSHIP && !addr_is_multicast(&o->group))
		return NS_ERR_INVALID_OPTION_VALUE;
	nic = membership_nic(d, o->nic, &o->iface, &o->group);
	if (!nic)
		return NS_ERR_UNKNOWN_DEVICE;
	if (opt == SOCKOPT_ADD_MEMBERSHIP)
		return membership_add(d, nic, &o->group, &group_any);
	m = membership_find(d, nic->id, &o->group);
	if (!m)
		return NS_ERR_BAD_LOCAL_ADDRESS;
	membership_drop(d, m);
	return NS_OK;
}

enum ns_err dgram_set_membership(struct dgram *d, enum sockopt opt, const void *val, size_t len)
{
	union {
		struct sockopt_membership group;
		struct sockopt_source_membership source;
		struct sockopt_mcast_filter filter;
	} o;
	size_t size;

	switch (opt) {
	case SOCKOPT_ADD_MEMBERSHIP:
	case SOCKOPT_REMOVE_MEMBERSHIP:
		size = sizeof(o.group);
		break;
	case SOCKOPT_ADD_SOURCE_MEMBERSHIP:
	case SOCKOPT_REMOVE_SOURCE_MEMBERSHIP:
	case SOCKOPT_BLOCK_SOURCE:
	case SOCKOPT_UNBLOCK_SOURCE:
		size = sizeof(o.source);
		break;
	case SOCKOPT_MULTICAST_FILTER:
		size = sizeof(o.filter);
		break;
	default:
		return NS_ERR_UNKNOWN_PROTOCOL_OPTION;
	}
	if (len < size)
		return NS_ERR_INVALID_OPTION_VALUE;
	memcpy(&o, val, size);
	if (size == sizeof(o.group))
		return set_group(d, opt, &o.group);
	return size == sizeof(o.source) ? set_source(d, opt, &o.source) : set_filter(d, &o.filter);
}

enum ns_err dgram_get_filter(struct dgram *d, void *val, size_t *len)
{
	struct sockopt_mcast_filter *o = val;
	struct dgram_membership *m;
	struct nic *nic;

	if (*len < sizeof(*o))
		return NS_ERR_INVALID_OPTION_VALUE;
	nic = membership_nic(d, o->nic, &o->iface, &o->group);
	m = nic ? membership_find(d, nic->id, &o->group) : NULL;
	if (!m)
		return NS_ERR_BAD_LOCAL_ADDRESS;
	o->exclude = m->exclude;
	o->n = m->n;
	if (m->n)
		memcpy(o->sources, m->sources, m->n * sizeof(o->sources[0]));
	*len = sizeof(*o);
	return NS_OK;
}
