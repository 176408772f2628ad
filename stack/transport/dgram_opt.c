/* Datagram endpoints: multicast options and queue sizes. */
#include <stdlib.h>

#include "transport/dgram.h"

/* The NIC a membership is for: the one named, the one with the address, or where a route leads. */
static struct nic *membership_nic(struct dgram *d, const struct sockopt_membership *m)
{
	struct stack *s = d->ep.stack;
	struct route_key key = { .remote = m->group };
	struct nic_addr *a;
	struct route r;
	uint32_t id;

	if (m->nic)
		return nic_find(s, m->nic);
	if (!addr_is_any(&m->iface)) {
		a = stack_find_addr(s, &m->iface, 0);
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

static struct dgram_membership *membership_find(struct dgram *d, uint32_t nic,
						const struct addr *group)
{
	list_for_each(n, &d->memberships) {
		struct dgram_membership *m = container_of(n, struct dgram_membership, list);

		if (m->nic == nic && addr_equal(&m->group, group))
			return m;
	}
	return NULL;
}

static enum ns_err membership_add(struct dgram *d, const struct sockopt_membership *opt)
{
	struct nic *nic = membership_nic(d, opt);
	struct dgram_membership *m;
	enum ns_err err;

	if (!addr_is_multicast(&opt->group))
		return NS_ERR_INVALID_OPTION_VALUE;
	if (!nic)
		return NS_ERR_UNKNOWN_DEVICE;
	if (membership_find(d, nic->id, &opt->group))
		return NS_ERR_PORT_IN_USE;	/* EADDRINUSE, as ip(7) says */
	m = calloc(1, sizeof(*m));
	if (!m)
		return NS_ERR_NO_MEMORY;
	err = nic_join_group(nic, &opt->group);
	if (err) {
		free(m);
		return err;
	}
	m->nic = nic->id;
	m->group = opt->group;
	list_push_back(&d->memberships, &m->list);
	return NS_OK;
}

static void membership_drop(struct dgram *d, struct dgram_membership *m)
{
	struct nic *nic = nic_find(d->ep.stack, m->nic);

	if (nic)
		nic_leave_group(nic, &m->group);
	list_remove(&m->list);
	free(m);
}

static enum ns_err membership_remove(struct dgram *d, const struct sockopt_membership *opt)
{
	struct nic *nic = membership_nic(d, opt);
	struct dgram_membership *m = nic ? membership_find(d, nic->id, &opt->group) : NULL;

	if (!nic)
		return NS_ERR_UNKNOWN_DEVICE;
	if (!m)
		return NS_ERR_BAD_LOCAL_ADDRESS;
	membership_drop(d, m);
	return NS_OK;
}

void dgram_leave_groups(struct dgram *d)
{
	while (!list_empty(&d->memberships))
		membership_drop(d, container_of(d->memberships.next, struct dgram_membership, list));
}

static enum ns_err set_mcast_if(struct dgram *d, const struct sockopt_mcast_if *opt)
{
	struct stack *s = d->ep.stack;
	uint32_t nic = opt->nic;

	if (nic && !nic_find(s, nic))
		return NS_ERR_UNKNOWN_DEVICE;
	if (!addr_is_any(&opt->addr)) {
		struct nic_addr *a = stack_find_addr(s, &opt->addr, nic);

		if (!a)
			return NS_ERR_BAD_LOCAL_ADDRESS;
		nic = a->nic->id;
	}
	d->ep.opts.mcast_nic = nic;
	d->ep.opts.mcast_addr = opt->addr;
	return NS_OK;
}

enum ns_err dgram_set_option(struct endpoint *ep, enum sockopt opt, const void *val, size_t len)
{
	struct dgram *d = dgram_of(ep);
	struct sockopt_membership m;
	struct sockopt_mcast_if mif;
	int64_t v;

	switch (opt) {
	case SOCKOPT_ADD_MEMBERSHIP:
	case SOCKOPT_REMOVE_MEMBERSHIP:
		if (len < sizeof(m))
			return NS_ERR_INVALID_OPTION_VALUE;
		memcpy(&m, val, sizeof(m));
		return opt == SOCKOPT_ADD_MEMBERSHIP ? membership_add(d, &m)
						     : membership_remove(d, &m);
	case SOCKOPT_MULTICAST_INTERFACE:
		if (len < sizeof(mif))
			return NS_ERR_INVALID_OPTION_VALUE;
		memcpy(&mif, val, sizeof(mif));
		return set_mcast_if(d, &mif);
	case SOCKOPT_CHECKSUM:
		if (len < sizeof(v))
			return NS_ERR_INVALID_OPTION_VALUE;
		memcpy(&v, val, sizeof(v));
		d->no_checksum = !v;
		return NS_OK;
	default:
		return NS_ERR_UNKNOWN_PROTOCOL_OPTION;
	}
}

enum ns_err dgram_get_option(struct endpoint *ep, enum sockopt opt, void *val, size_t *len)
{
	struct dgram *d = dgram_of(ep);
	struct pkt *first = pkt_queue_first(&d->rxq);
	struct sockopt_mcast_if mif = { d->ep.opts.mcast_nic, d->ep.opts.mcast_addr };
	int64_t v;

	switch (opt) {
	case SOCKOPT_MULTICAST_INTERFACE:
		if (*len < sizeof(mif))
			return NS_ERR_INVALID_OPTION_VALUE;
		memcpy(val, &mif, sizeof(mif));
		*len = sizeof(mif);
		return NS_OK;
	case SOCKOPT_RECEIVE_QUEUE_SIZE:	/* udp(7), FIONREAD: of the next datagram */
		v = first ? first->len : 0;
		break;
	case SOCKOPT_SEND_QUEUE_SIZE:		/* datagrams are not queued here */
		v = d->cork ? d->cork->len : 0;
		break;
	case SOCKOPT_CHECKSUM:
		v = !d->no_checksum;
		break;
	default:
		return NS_ERR_UNKNOWN_PROTOCOL_OPTION;
	}
	if (*len < sizeof(v))
		return NS_ERR_INVALID_OPTION_VALUE;
	memcpy(val, &v, sizeof(v));
	*len = sizeof(v);
	return NS_OK;
}
