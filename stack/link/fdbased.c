/* A link over descriptors that keep packet boundaries: making it, and its end. */
#include "link/fdbased.h"

#include <stdlib.h>
#include <unistd.h>

#include "header/eth.h"
#include "header/vnet.h"
#include "link/fdbased_impl.h"

int fdbased_fd(const struct link *l, int queue)
{
	const struct fdbased *f = container_of(l, struct fdbased, link);

	return queue >= 0 && queue < f->config.nfds ? f->config.fds[queue] : -1;
}

static void fdbased_close(struct link *l)
{
	struct fdbased *f = container_of(l, struct fdbased, link);

	fdbased_flush(l);
	uring_close(f->ring);
	for (int i = 0; i < f->config.nfds; i++)
		close(f->config.fds[i]);
	fdbased_rx_fini(f);
	free(f->tx);
	pkt_pool_unref(f->config.pool);
	free(f);
}

static const struct link_ops fdbased_ops = {
	.name = "fdbased",
	.write = fdbased_write,
	.close = fdbased_close,
};

struct link *fdbased_new(const struct fdbased_config *c)
{
	bool vnet = c->vnet_hdr_len != 0;
	struct fdbased *f;

	if (c->nfds < 1 || c->nfds > FDBASED_MAX_QUEUES ||
	    (vnet && c->vnet_hdr_len != VNET_HDR_LEN && c->vnet_hdr_len != VNET_HDR_MRG_LEN))
		return NULL;
	f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->config = *c;
	f->small = !c->tso && c->mtu + ETH_HDR_LEN + c->vnet_hdr_len + PKT_HEADROOM <= CHUNK_FRAME;
	pkt_pool_ref(c->pool);
	f->link.ops = &fdbased_ops;
	f->link.mtu = c->mtu;
	f->link.hdr_len = c->vnet_hdr_len;
	f->link.rx_queue_pkts = c->rx_queue_pkts;
	if (c->ethernet)
		f->link.caps |= LINK_CAP_ETHERNET;
	if (vnet && (c->tx_csum || c->tso))
		f->link.caps |= LINK_CAP_TX_CSUM;
	if (vnet && c->tso) {
		f->link.caps |= LINK_CAP_TSO4 | LINK_CAP_TSO6;
		f->link.gso_max = 65535;
	}
	return &f->link;
}

bool fdbased_batch(struct link *l)
{
	struct fdbased *f = container_of(l, struct fdbased, link);

	f->ring = uring_open(f->config.fds, (unsigned)f->config.nfds);
	f->tx = f->ring ? calloc(1, sizeof(*f->tx)) : NULL;
	if (f->tx)
		return true;
	uring_close(f->ring);
	f->ring = NULL;
	return false;
}
