/* Making a stack what its specification says. */
#include "host/setup.h"

#include <errno.h>
#include <string.h>
#include <stdio.h>
#include <stdlib.h>

#include "host/device.h"
#include "host/rules.h"

/** struct rows - routes, to be put in the order in which they are looked at */
struct rows {
	struct route_row row[(SPEC_NICS + 1) * (SPEC_ADDRS + SPEC_ROUTES + SPEC_GATEWAYS)];
	size_t n;
};

static void add_row(struct rows *rows, uint32_t nic, const struct subnet *to, const struct addr *gateway)
{
	struct route_row row = { .destination = *to, .nic = nic };

	if (gateway)
		row.gateway = *gateway;
	rows->row[rows->n++] = row;
}

/* The longest prefix first: the first row that fits is taken. Among equals, as they were written. */
static void sort_rows(struct rows *rows)
{
	for (size_t i = 1; i < rows->n; i++) {
		struct route_row r = rows->row[i];
		unsigned len = subnet_prefix(&r.destination);
		size_t j = i;

		for (; j > 0 && subnet_prefix(&rows->row[j - 1].destination) < len; j--)
			rows->row[j] = rows->row[j - 1];
		rows->row[j] = r;
	}
}

static int fail(char *error, const char *what, const char *value, enum ns_err err)
{
	snprintf(error, SPEC_ERROR_MAX, "%s%s: %s", what, value, ns_err_str(err));
	return -ns_err_errno(err);
}

static int add_addr(struct nic *nic, const struct addr_prefix *a, struct rows *rows, char *error)
{
	struct subnet s = subnet_of(a);
	char text[ADDR_STR_MAX];
	enum ns_err err = nic_add_addr(nic, a, ADDR_MANUAL, NULL);

	if (err)
		return fail(error, "addr=", addr_format(&a->addr, text), err);
	add_row(rows, nic->id, &s, NULL);
	return 0;
}

static int make_loopback(struct host *h, struct rows *rows, char *error)
{
	static const struct addr_prefix v4 = { { .b = { 127, 0, 0, 1 }, .len = ADDR_LEN_V4 }, 8 };
	static const struct addr_prefix v6 = { { .b = { [15] = 1 }, .len = ADDR_LEN_V6 }, 128 };
	struct link *link = loopback_new(h->stack->clock);
	struct nic *nic;
	enum ns_err err;

	if (!link)
		return -ENOMEM;
	err = nic_create(h->stack, LOOPBACK_NIC, "lo", link, &nic);
	if (err)
		return fail(error, "lo", "", err);
	return add_addr(nic, &v4, rows, error) ? -EINVAL : add_addr(nic, &v6, rows, error);
}

static int add_gateway(struct nic *nic, const struct addr *gw, struct rows *rows)
{
	struct addr_prefix all = { { .len = gw->len }, 0 };
	struct subnet s = subnet_of(&all);

	add_row(rows, nic->id, &s, gw);
	return 0;
}

static bool has_v4(const struct spec_nic *n)
{
	for (size_t i = 0; i < n->naddrs; i++)
		if (n->addrs[i].addr.len == ADDR_LEN_V4)
			return true;
	return false;
}

static int make_nic(struct host *h, uint32_t id, const struct spec_nic *n, struct rows *rows, char *error)
{
	const char *name = n->name[0] ? n->name : n->device[0] ? n->device : "eth0";
	struct addr_prefix lease;
	struct link *link;
	struct nic *nic;
	enum ns_err nerr;
	int err = device_open(h, n, &link, &lease, error);

	if (err)
		return err;
	nerr = nic_create(h->stack, id, name, link, &nic);
	if (nerr)
		return fail(error, "the NIC ", name, nerr);
	device_attach(h, nic);
	for (size_t i = 0; i < n->naddrs && !err; i++)
		err = add_addr(nic, &n->addrs[i], rows, error);
	if (lease.addr.len && !has_v4(n) && !err)
		err = add_addr(nic, &lease, rows, error);
	for (size_t i = 0; i < n->nroutes && !err; i++)
		add_row(rows, id, &n->routes[i].to, n->routes[i].gateway.len ? &n->routes[i].gateway : NULL);
	for (size_t i = 0; i < n->ngateways && !err; i++)
		err = add_gateway(nic, &n->gateways[i], rows);
	if (n->forwarding) {
		nic_set_forwarding(nic, NET_IPV4, true);
		nic_set_forwarding(nic, NET_IPV6, true);
	}
	return err;
}

static int set_congestion_control(struct host *h, char *error)
{
	const char *cc = h->spec.cc;
	enum ns_err err;

	if (!cc[0])
		return 0;
	err = stack_set_trans_option(h->stack, IP_PROTO_TCP, SOCKOPT_CONGESTION_CONTROL, cc, strlen(cc) + 1);
	if (!err)
		return 0;
	snprintf(error, SPEC_ERROR_MAX, "cc=%s: no such congestion control: expected cubic or reno", cc);
	return -EINVAL;
}

static int set_fastopen(struct host *h, char *error)
{
	int64_t v = h->spec.fastopen;
	enum ns_err err = v < 0 ? NS_OK : stack_set_trans_option(h->stack, IP_PROTO_TCP, SOCKOPT_FASTOPEN, &v, sizeof(v));

	return err ? fail(error, "fastopen", "", err) : 0;
}

int setup_stack(struct host *h, char error[SPEC_ERROR_MAX])
{
	struct ipv6_config v6 = ipv6_config_get(h->stack);
	struct rows *rows = calloc(1, sizeof(*rows));
	enum ns_err nerr;
	int err;

	if (!rows)
		return -ENOMEM;
	/* The addresses are to be usable when the first program starts. */
	v6.dad_transmits = 0;
	ipv6_config_set(h->stack, &v6);
	err = set_congestion_control(h, error);
	if (!err)
		err = set_fastopen(h, error);
	if (!err)
		err = make_loopback(h, rows, error);
	for (size_t i = 0; i < h->spec.nnics && !err; i++)
		err = make_nic(h, (uint32_t)(LOOPBACK_NIC + 1 + i), &h->spec.nics[i], rows, error);
	sort_rows(rows);
	if (!err) {
		nerr = route_set_table(h->stack, rows->row, rows->n);
		err = nerr ? fail(error, "routes", "", nerr) : 0;
	}
	free(rows);
	return err ? err : rules_load_files(h, error);
}

void setup_free(struct host *h)
{
	device_close_all(h);
}
