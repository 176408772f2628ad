/* Operations on the stack: what it is, its counters, its interfaces, whether it stays. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/json.h"
#include "host/ops.h"

int op_hello(struct request *q)
{
	size_t len = strlen(q->host->name);

	q->out->arg[0] = STACK_PROTO_VERSION;
	q->out->arg[1] = getpid();
	if (q->in->version != STACK_PROTO_VERSION || q->in->arg[0] != STACK_PROTO_VERSION)
		return -EPROTO;
	q->client->hello = true;
	q->client->hatch = q->in->arg[2] == 1;
	memcpy(q->client->comm, q->in->data, q->in->len < sizeof(q->client->comm) - 1 ? q->in->len :
					     sizeof(q->client->comm) - 1);
	q->out->arg[2] = q->host->board.entries;
	memcpy(q->out->data, q->host->name, len);
	q->out->len = (uint32_t)len;
	q->fd_out = fcntl(q->host->board.fd, F_DUPFD_CLOEXEC, 0);
	return q->fd_out < 0 ? -ENFILE : 0;
}

/* Whether a socket is one that requests can come over: no other kind keeps messages apart. */
static bool may_be_client(int fd)
{
	int domain = 0, type = 0;
	socklen_t len = sizeof(int);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET;
}

int op_join(struct request *q)
{
	int fd = q->fd_in;

	if (fd < 0)
		return OP_MALFORMED;
	q->silent = true;
	if (!may_be_client(fd) || q->host->nclients >= HOST_CLIENTS_MAX) {
		q->host->counters.clients_refused++;
		return 0;
	}
	q->fd_in = -1;
	client_new(q->host, fd);
	return 0;
}

static void put_addr(struct stack_addr *out, const struct addr *a, uint32_t nic)
{
	struct full_addr f = { .nic = nic, .addr = *a };
	struct sockaddr_storage ss;

	out->len = sock_addr_from_full(&f, a->len == ADDR_LEN_V4 ? AF_INET : AF_INET6, &ss);
	memcpy(out->bytes, &ss, out->len);
}

static uint32_t low(const struct stat_counter *c)
{
	return (uint32_t)stat_value(c);
}

static void fill_ifaddr(const struct nic *nic, const struct nic_addr *a, struct stack_ifaddr *out)
{
	memset(out, 0, sizeof(*out));
	memcpy(out->name, nic->name, sizeof(nic->name));
	out->ifindex = nic->id;
	out->flags = sock_nic_flags(nic);
	out->mtu = nic_mtu(nic, NET_IPV4);
	out->hatype = sock_nic_hatype(nic);
	memcpy(out->mac, nic->link->addr.b, nic->link->addr.len);
	out->rx_packets = low(&nic->stats.rx_packets);
	out->tx_packets = low(&nic->stats.tx_packets);
	out->rx_bytes = low(&nic->stats.rx_bytes);
	out->tx_bytes = low(&nic->stats.tx_bytes);
	if (!a)
		return;
	out->prefix_len = a->prefix_len;
	put_addr(&out->addr, &a->addr, nic->id);
	if (a->broadcast)
		put_addr(&out->broadcast, &a->broadcast->addr, nic->id);
}

/** struct ifaddr_list - the page of the list that was asked for */
struct ifaddr_list {
	struct request *q;
	int64_t skip;
	bool more;
};

static void list_ifaddr(struct ifaddr_list *l, const struct nic *nic, const struct nic_addr *a)
{
	struct stack_ifaddr e;

	if (l->skip-- > 0)
		return;
	if (l->q->out->len + sizeof(e) > STACK_MSG_DATA) {
		l->more = true;
		return;
	}
	fill_ifaddr(nic, a, &e);
	memcpy(l->q->out->data + l->q->out->len, &e, sizeof(e));
	l->q->out->len += (uint32_t)sizeof(e);
	l->q->out->arg[0]++;
}

int op_ifaddrs(struct request *q)
{
	struct ifaddr_list l = { .q = q, .skip = q->in->arg[0] };

	list_for_each(n, &q->host->stack->nics) {
		const struct nic *nic = container_of(n, struct nic, list);

		/* As getifaddrs(3) has it: the interface itself, then its addresses. */
		list_ifaddr(&l, nic, NULL);
		list_for_each(an, &nic->addrs)
			list_ifaddr(&l, nic, container_of(an, struct nic_addr, list));
	}
	q->out->arg[1] = l.more;
	return 0;
}

int op_info(struct request *q)
{
	struct json j;

	json_init(&j);
	report_info(q->host, &j);
	if (j.failed) {
		json_free(&j);
		return -ENOMEM;
	}
	q->out->len = (uint32_t)(j.len < STACK_MSG_DATA ? j.len : STACK_MSG_DATA);
	memcpy(q->out->data, j.text, q->out->len);
	json_free(&j);
	return 0;
}

int op_stats(struct request *q)
{
	struct json j;

	json_init(&j);
	report_stats(q->host, &j);
	q->fd_out = j.failed ? -1 : request_text_fd(j.text, j.len);
	json_free(&j);
	return q->fd_out < 0 ? -ENOMEM : 0;
}

int op_keep(struct request *q)
{
	if (q->in->arg[0] != 0 && q->in->arg[0] != 1)
		return -EINVAL;
	q->host->keep = q->in->arg[0] == 1;
	return 0;
}

int op_down(struct request *q)
{
	q->host->down = true;
	return 0;
}
