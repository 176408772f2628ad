/* Datagram endpoints: options. */
#include "transport/dgram.h"

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
	struct sockopt_mcast_if mif;
	int64_t v;

	switch (opt) {
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
		return dgram_set_membership(d, opt, val, len);
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
	case SOCKOPT_MULTICAST_FILTER:
		return dgram_get_filter(d, val, len);
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
	return sockopt_put_int(val, len, v);
}
