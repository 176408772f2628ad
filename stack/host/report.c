/* What a host says of itself: INFO and STATS. */
#include <unistd.h>

#include "host/host.h"
#include "host/json.h"

static void report_nic(const struct nic *nic, struct json *j)
{
	char text[ADDR_STR_MAX];

	json_open(j, NULL, '{');
	json_string(j, "name", nic->name);
	json_number(j, "index", nic->id);
	json_bool(j, "up", nic->enabled);
	json_number(j, "mtu", nic->link->mtu);
	if (nic->link->addr.len)
		json_string(j, "mac", link_addr_format(&nic->link->addr, text));
	json_open(j, "addresses", '[');
	list_for_each(n, &nic->addrs) {
		const struct nic_addr *a = container_of(n, struct nic_addr, list);

		json_string(j, NULL, addr_prefix_format(&(struct addr_prefix){ a->addr, a->prefix_len }, text));
	}
	json_close(j, ']');
	json_number(j, "rx_packets", stat_value(&nic->stats.rx_packets));
	json_number(j, "rx_bytes", stat_value(&nic->stats.rx_bytes));
	json_number(j, "tx_packets", stat_value(&nic->stats.tx_packets));
	json_number(j, "tx_bytes", stat_value(&nic->stats.tx_bytes));
	json_close(j, '}');
}

void report_info(const struct host *h, struct json *j)
{
	json_open(j, NULL, '{');
	json_string(j, "name", h->name);
	json_number(j, "pid", (uint64_t)getpid());
	json_number(j, "protocol", STACK_PROTO_VERSION);
	json_string(j, "version", SOCKSHIM_VERSION);
	json_string(j, "spec", h->spec.text);
	json_number(j, "uptime_s", (uint64_t)((h->stack->clock->now_ns - h->started_ns) / NS_PER_SEC));
	json_bool(j, "keep", h->keep);
	json_number(j, "clients", h->nclients);
	json_number(j, "sockets", h->nrelays);
	json_open(j, "nics", '[');
	list_for_each(n, &h->stack->nics)
		report_nic(container_of(n, struct nic, list), j);
	json_close(j, ']');
	json_close(j, '}');
}

static void report_counter(void *ctx, const char *name, const struct stat_counter *c)
{
	json_number(ctx, name, stat_value(c));
}

void report_stats(const struct host *h, struct json *j)
{
	json_open(j, NULL, '{');
	json_open(j, "stack", '{');
	stats_walk(&h->stack->stats, report_counter, j);
	json_close(j, '}');
	json_open(j, "host", '{');
#define REPORT(name) json_number(j, #name, h->counters.name);
	HOST_COUNTERS(REPORT)
#undef REPORT
	json_number(j, "turns", h->loop.turns);
	json_number(j, "sleeps", h->loop.sleeps);
	json_number(j, "clients", h->nclients);
	json_number(j, "sockets", h->nrelays);
	json_number(j, "packet_memory_in_use", pkt_pool_live(h->stack->pool));
	json_close(j, '}');
	json_open(j, "nics", '[');
	list_for_each(n, &h->stack->nics)
		report_nic(container_of(n, struct nic, list), j);
	json_close(j, ']');
	json_close(j, '}');
}
