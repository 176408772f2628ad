/* Specifications of stacks: one table of settings, read from a line or a file. */
#include "host/spec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

/**
 * struct parser - where we are
 * @nic:  the one that settings are for; NULL before the first
 * @file: NULL: a line
 */
struct parser {
	struct spec *spec;
	struct spec_nic *nic;
	const char *file;
	unsigned line, column;
	char *error;
};

/**
 * struct setting - a key
 * @set:      false: the value is not what was @expected
 * @kind:     NIC_SETTING, or STACK_SETTING: not of a NIC; and WORD: it has no value
 */
enum { NIC_SETTING = 0, STACK_SETTING = 1, WORD = 2 };

struct setting {
	const char *key, *expected;
	bool (*set)(struct parser *p, const char *value);
	int kind;
};

static bool set_text(char *to, size_t size, const char *value)
{
	return value[0] && (size_t)snprintf(to, size, "%s", value) < size;
}

static bool set_device(struct parser *p, enum spec_link link, const char *value)
{
	size_t room = link == SPEC_LINK_LAN ? SPEC_DEVICE_MAX : SPEC_NAME_MAX;

	if (p->nic->link != SPEC_LINK_NONE || strchr(value, '/'))
		return false;
	p->nic->link = link;
	return set_text(p->nic->device, room, value);
}

static bool set_tap(struct parser *p, const char *value)
{
	return set_device(p, SPEC_LINK_TAP, value);
}

static bool set_tun(struct parser *p, const char *value)
{
	return set_device(p, SPEC_LINK_TUN, value);
}

static bool set_packet(struct parser *p, const char *value)
{
	return set_device(p, SPEC_LINK_PACKET, value);
}

static bool set_lan(struct parser *p, const char *value)
{
	return set_device(p, SPEC_LINK_LAN, value);
}

static bool set_user(struct parser *p, const char *value)
{
	if (p->nic->link != SPEC_LINK_NONE)
		return false;
	p->nic->link = SPEC_LINK_USER;
	return true;
}

static bool set_forward(struct parser *p, const char *value)
{
	char why[SLIRP_ERROR_MAX];

	return p->nic->nforwards < SPEC_FORWARDS &&
	       slirp_forward_parse(value, &p->nic->forwards[p->nic->nforwards], why) && ++p->nic->nforwards;
}

static bool set_share(struct parser *p, const char *value)
{
	p->nic->share = true;
	return true;
}

static bool number(const char *s, uint64_t min, uint64_t max, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(s, &end, 10);
	return s[0] >= '0' && s[0] <= '9' && !*end && !errno && *out >= min && *out <= max;
}

static bool set_fd(struct parser *p, const char *value)
{
	uint64_t n;

	if (p->nic->link != SPEC_LINK_NONE || !number(value, 0, INT_MAX, &n))
		return false;
	p->nic->link = SPEC_LINK_FD;
	p->nic->fd = (int)n;
	return true;
}

static bool add_prefix(const char *value, struct addr_prefix *list, size_t *n)
{
	return *n < SPEC_ADDRS && addr_prefix_parse(value, &list[*n]) && ++*n;
}

static bool set_addr(struct parser *p, const char *value)
{
	return add_prefix(value, p->nic->addrs, &p->nic->naddrs);
}

static bool set_peer(struct parser *p, const char *value)
{
	return add_prefix(value, p->nic->peers, &p->nic->npeers);
}

static bool set_gateway(struct parser *p, const char *value)
{
	return p->nic->ngateways < SPEC_GATEWAYS &&
	       addr_parse(value, &p->nic->gateways[p->nic->ngateways]) && ++p->nic->ngateways;
}

static bool set_route(struct parser *p, const char *value)
{
	struct spec_route *r = &p->nic->routes[p->nic->nroutes];
	char to[ADDR_STR_MAX];
	const char *at = strchrnul(value, '@');

	if (p->nic->nroutes == SPEC_ROUTES || at - value >= (long)sizeof(to))
		return false;
	memcpy(to, value, (size_t)(at - value));
	to[at - value] = '\0';
	if (!subnet_parse(to, &r->to))
		return false;
	if (*at && (!addr_parse(at + 1, &r->gateway) || r->gateway.len != r->to.id.len))
		return false;
	p->nic->nroutes++;
	return true;
}

static bool set_mtu(struct parser *p, const char *value)
{
	uint64_t n;

	if (!number(value, 68, 65535, &n))
		return false;
	p->nic->mtu = (uint32_t)n;
	return true;
}

static bool set_txqueuelen(struct parser *p, const char *value)
{
	uint64_t n;

	if (!number(value, 1, 1000000, &n))
		return false;
	p->nic->txqueuelen = (uint32_t)n;
	return true;
}

static bool set_mac(struct parser *p, const char *value)
{
	return link_addr_parse(value, &p->nic->mac) && link_addr_is_unicast(&p->nic->mac);
}

#define SET_IMPAIR(name, parse, field) \
	static bool set_##name(struct parser *p, const char *value) \
	{ \
		p->nic->impaired = true; \
		return parse(value, &p->nic->impair.field); \
	}

SET_IMPAIR(loss, spec_ppm, loss)
SET_IMPAIR(duplicate, spec_ppm, duplicate)
SET_IMPAIR(corrupt, spec_ppm, corrupt)
SET_IMPAIR(delay, spec_time_ns, delay_ns)
SET_IMPAIR(jitter, spec_time_ns, jitter_ns)
SET_IMPAIR(rate, spec_rate_bps, rate_bps)

static bool set_reorder(struct parser *p, const char *value)
{
	p->nic->impaired = true;
	p->nic->impair.reorder_ns = 5 * NS_PER_MS;
	return spec_ppm(value, &p->nic->impair.reorder);
}

static bool set_queue(struct parser *p, const char *value)
{
	uint64_t n;

	if (!number(value, 1, 1000000, &n))
		return false;
	p->nic->impaired = true;
	p->nic->impair.queue_pkts = (uint32_t)n;
	return true;
}

static bool set_seed(struct parser *p, const char *value)
{
	return number(value, 0, UINT64_MAX, &p->nic->seed);
}

static bool set_pcap(struct parser *p, const char *value)
{
	return set_text(p->nic->pcap, sizeof(p->nic->pcap), value);
}

static bool set_forwarding(struct parser *p, const char *value)
{
	p->nic->forwarding = true;
	return true;
}

static bool set_lo(struct parser *p, const char *value)
{
	return true;	/* every stack has it: this is for one that has nothing else */
}

static bool set_dns(struct parser *p, const char *value)
{
	return p->spec->ndns < SPEC_DNS && addr_parse(value, &p->spec->dns[p->spec->ndns]) &&
	       ++p->spec->ndns;
}

static bool set_cc(struct parser *p, const char *value)
{
	return set_text(p->spec->cc, sizeof(p->spec->cc), value);
}

static bool set_rules(struct parser *p, const char *value)
{
	return set_text(p->spec->rules[NET_IPV4], sizeof(p->spec->rules[0]), value);
}

static bool set_rules6(struct parser *p, const char *value)
{
	return set_text(p->spec->rules[NET_IPV6], sizeof(p->spec->rules[0]), value);
}

static bool set_busy_poll(struct parser *p, const char *value)
{
	return spec_time_ns(value, &p->spec->busy_poll_ns) && p->spec->busy_poll_ns <= NS_PER_SEC;
}

static bool set_history(struct parser *p, const char *value)
{
	uint64_t n;

	if (!number(value, 0, 1000000, &n))
		return false;
	p->spec->history = (uint32_t)n;
	return true;
}

static bool set_fastopen(struct parser *p, const char *value)
{
	uint64_t n;

	if (!number(value, 0, UINT32_MAX, &n))
		return false;
	p->spec->fastopen = (int64_t)n;
	return true;
}

static const struct setting settings[] = {
	{ "lo", "no value", set_lo, STACK_SETTING | WORD },
	{ "tap", "a device's name of at most 15 characters, once a NIC", set_tap, NIC_SETTING },
	{ "tun", "a device's name of at most 15 characters, once a NIC", set_tun, NIC_SETTING },
	{ "fd", "the number of an open descriptor, once a NIC", set_fd, NIC_SETTING },
	{ "packet", "an interface's name, once a NIC", set_packet, NIC_SETTING },
	{ "share", "no value", set_share, NIC_SETTING | WORD },
	{ "lan", "the name of a network, once a NIC", set_lan, NIC_SETTING },
	{ "user", "no value, once a NIC", set_user, NIC_SETTING | WORD },
	{ "forward", "[tcp:|udp:][ADDRESS:]PORT:PORT, such as 8080:80 (at most 32)", set_forward, NIC_SETTING },
	{ "addr", "ADDRESS/BITS, such as 10.0.0.2/24 (at most 16)", set_addr, NIC_SETTING },
	{ "peer", "ADDRESS/BITS, such as 10.0.0.1/24 (at most 16)", set_peer, NIC_SETTING },
	{ "gw", "an address, such as 10.0.0.1 (at most 4)", set_gateway, NIC_SETTING },
	{ "route", "NETWORK/BITS or NETWORK/BITS@GATEWAY, such as 10.9.0.0/16@10.0.0.1 (at most 32)", set_route, NIC_SETTING },
	{ "mtu", "a number from 68 to 65535", set_mtu, NIC_SETTING },
	{ "mac", "the address of one station, such as 02:00:00:00:00:02", set_mac, NIC_SETTING },
	{ "txqueuelen", "a number of packets from 1 to 1000000", set_txqueuelen, NIC_SETTING },
	{ "loss", "a percentage, such as 1%", set_loss, NIC_SETTING },
	{ "duplicate", "a percentage, such as 1%", set_duplicate, NIC_SETTING },
	{ "corrupt", "a percentage, such as 0.1%", set_corrupt, NIC_SETTING },
	{ "reorder", "a percentage, such as 2%", set_reorder, NIC_SETTING },
	{ "delay", "a time up to an hour, such as 40ms", set_delay, NIC_SETTING },
	{ "jitter", "a time up to an hour, such as 5ms", set_jitter, NIC_SETTING },
	{ "rate", "bits a second, such as 10mbit", set_rate, NIC_SETTING },
	{ "queue", "a number of packets from 1 to 1000000", set_queue, NIC_SETTING },
	{ "seed", "a number", set_seed, NIC_SETTING },
	{ "pcap", "a file's name", set_pcap, NIC_SETTING },
	{ "forwarding", "no value", set_forwarding, NIC_SETTING | WORD },
	{ "dns", "an address, such as 10.0.0.1 (at most 4)", set_dns, STACK_SETTING },
	{ "cc", "the name of a congestion control, such as cubic", set_cc, STACK_SETTING },
	{ "fastopen", "a number as of net.ipv4.tcp_fastopen, such as 3", set_fastopen, STACK_SETTING },
	{ "rules", "the name of a file as iptables-save writes it", set_rules, STACK_SETTING },
	{ "rules6", "the name of a file as ip6tables-save writes it", set_rules6, STACK_SETTING },
	{ "busy-poll", "a time up to 1s, such as 50us", set_busy_poll, STACK_SETTING },
	{ "history", "a number of connections up to 1000000", set_history, STACK_SETTING },
};

static int fail(struct parser *p, const char *what, const char *expected)
{
	if (p->file)
		snprintf(p->error, SPEC_ERROR_MAX, "%s:%u: %.120s: %s", p->file, p->line, what, expected);
	else
		snprintf(p->error, SPEC_ERROR_MAX, "at character %u: %.120s: %s", p->column, what,
			 expected);
	return -EINVAL;
}

static int fail_setting(struct parser *p, const char *item, const struct setting *s)
{
	char text[160];

	snprintf(text, sizeof(text), "expected %s", s->expected);
	return fail(p, item, text);
}

static int add_nic(struct parser *p, const char *name)
{
	if (p->spec->nnics == SPEC_NICS)
		return fail(p, name, "there can be 8 NICs");
	p->nic = &p->spec->nics[p->spec->nnics++];
	snprintf(p->nic->name, sizeof(p->nic->name), "%s", name);
	return 0;
}

static int parse_item(struct parser *p, const char *item)
{
	size_t key_len = strcspn(item, "=");
	const char *value = item[key_len] ? item + key_len + 1 : NULL;
	const struct setting *s = NULL;
	int err;

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]) && !s; i++)
		if (strlen(settings[i].key) == key_len && memcmp(settings[i].key, item, key_len) == 0)
			s = &settings[i];
	if (!s)
		return fail(p, item, "no such setting; there are lo, tap=, tun=, user, lan=, packet=, fd=, addr=, peer=, gw=, "
			    "route=, mtu=, mac=, dns=, loss=, delay=, rate=, pcap= and others: see sockshim(1)");
	if (!(s->kind & STACK_SETTING) && !p->nic) {
		err = add_nic(p, "");
		if (err)
			return err;
	}
	if (!value != !!(s->kind & WORD) || !s->set(p, value))
		return fail_setting(p, item, s);
	return 0;
}

/* Settings with commas between them; @text is cut up. */
static int parse_items(struct parser *p, char *text)
{
	char *start = text;

	for (;;) {
		char *comma = strchr(text, ',');
		int err;

		if (comma)
			*comma = '\0';
		p->column = (unsigned)(text - start) + 1;
		err = text[0] ? parse_item(p, text) : fail(p, "nothing", "expected a setting");
		if (err || !comma)
			return err;
		text = comma + 1;
	}
}

static int parse_section(struct parser *p, char *line)
{
	char name[SPEC_NAME_MAX + 1], close_bracket, extra;

	if (sscanf(line, "[nic %16[^] \t]%c%c", name, &close_bracket, &extra) != 2 || close_bracket != ']' ||
	    strlen(name) >= SPEC_NAME_MAX)
		return fail(p, line, "expected [nic NAME], NAME of at most 15 characters");
	for (size_t i = 0; i < p->spec->nnics; i++)
		if (!strcmp(p->spec->nics[i].name, name))
			return fail(p, line, "there is one of that name already");
	return strcmp(name, "lo") ? add_nic(p, name) : fail(p, line, "lo is the stack's loopback");
}

static int parse_lines(struct parser *p, char *text)
{
	int err = 0;

	while (text && !err) {
		char *line = strsep(&text, "\n");
		size_t n;

		p->line++;
		line[strcspn(line, "#")] = '\0';
		line += strspn(line, " \t\r");
		for (n = strlen(line); n && strchr(" \t\r", line[n - 1]); n--)
			line[n - 1] = '\0';
		if (line[0] == '[')
			err = parse_section(p, line);
		else if (line[0])
			err = parse_items(p, line);
	}
	return err;
}

static int parse_file(struct parser *p)
{
	int fd = open(p->file, O_RDONLY | O_CLOEXEC), err;
	char *text = malloc(SPEC_FILE_MAX + 1);
	ssize_t n = fd < 0 || !text ? -1 : read(fd, text, SPEC_FILE_MAX + 1);

	if (n < 0) {
		err = -errno;
		snprintf(p->error, SPEC_ERROR_MAX, "%.200s: %s", p->file, strerror(-err));
	} else if (n > SPEC_FILE_MAX || memchr(text, 0, (size_t)n)) {
		snprintf(p->error, SPEC_ERROR_MAX, "%.200s: not a specification: expected text of at most 64 KiB",
			 p->file);
		err = -EINVAL;
	} else {
		text[n] = '\0';
		err = parse_lines(p, text);
	}
	if (fd >= 0)
		close(fd);
	free(text);
	return err;
}

static bool has_family(const struct spec_nic *n, uint8_t len)
{
	for (size_t i = 0; i < n->naddrs; i++)
		if (n->addrs[i].addr.len == len)
			return true;
	return false;
}

/* An address at both ends: the kernel would keep what is for the stack. */
static bool has_own_peer(const struct spec_nic *n)
{
	for (size_t i = 0; i < n->npeers; i++)
		for (size_t j = 0; j < n->naddrs; j++)
			if (addr_equal(&n->peers[i].addr, &n->addrs[j].addr))
				return true;
	return false;
}

/* What can only be said of the whole. */
static int check(struct parser *p)
{
	for (size_t i = 0; i < p->spec->nnics; i++) {
		const struct spec_nic *n = &p->spec->nics[i];

		p->column = 1;
		if (n->link == SPEC_LINK_NONE)
			return fail(p, n->name[0] ? n->name : "the NIC",
				    "has no link, and the loopback no settings: expected tap=, tun=, user, lan=, packet= or fd=");
		if (n->npeers && n->link != SPEC_LINK_TAP && n->link != SPEC_LINK_TUN)
			return fail(p, "peer", "there is no kernel's end to give an address: expected tap= or tun=");
		if (has_own_peer(n))
			return fail(p, "peer", "is the stack's own addr=: expected another address of its network");
		if (n->nforwards && n->link != SPEC_LINK_USER)
			return fail(p, "forward", "expected user");
		if (n->share && n->link != SPEC_LINK_PACKET)
			return fail(p, "share", "expected packet=");
		for (size_t j = 0; j < n->ngateways; j++)
			if (n->gateways[j].len == ADDR_LEN_V4 && !has_family(n, ADDR_LEN_V4) &&
			    n->link != SPEC_LINK_LAN)
				return fail(p, "gw", "the NIC has no IPv4 address to reach it from: expected addr=");
		for (size_t j = 0; j < i; j++)
			if (n->link != SPEC_LINK_FD && !strcmp(n->device, p->spec->nics[j].device))
				return fail(p, n->device, "a device makes one NIC");
	}
	return 0;
}

/* What comes with libslirp's network, unless something else was asked for. */
static void complete(struct spec *s)
{
	for (size_t i = 0; i < s->nnics; i++) {
		struct spec_nic *n = &s->nics[i];

		if (n->link != SPEC_LINK_USER)
			continue;
		if (!has_family(n, ADDR_LEN_V4) && n->naddrs < SPEC_ADDRS)
			addr_prefix_parse(SLIRP_STACK_V4, &n->addrs[n->naddrs++]);
		if (!n->ngateways)
			addr_parse(SLIRP_ROUTER_V4, &n->gateways[n->ngateways++]);
		if (!s->ndns)
			addr_parse(SLIRP_DNS_V4, &s->dns[s->ndns++]);
	}
}

int spec_parse(const char *text, struct spec *out, char error[SPEC_ERROR_MAX])
{
	struct parser p = { .spec = out, .error = error };
	char copy[sizeof(out->text)];
	int err;

	memset(out, 0, sizeof(*out));
	out->history = SPEC_HISTORY;
	out->fastopen = -1;
	error[0] = '\0';
	if (!text[0] || (size_t)snprintf(out->text, sizeof(out->text), "%s", text) >= sizeof(out->text)) {
		snprintf(error, SPEC_ERROR_MAX, "expected a specification of 1 to %zu characters, such as lo or "
			 "tap=ss0,addr=10.0.0.2/24", sizeof(out->text) - 1);
		return -EINVAL;
	}
	if (text[0] == '@' || text[0] == '/' || text[0] == '.') {
		p.file = text + (text[0] == '@');
		err = parse_file(&p);
	} else {
		memcpy(copy, out->text, sizeof(copy));
		err = parse_items(&p, copy);
	}
	if (err)
		return err;
	complete(out);
	return check(&p);
}
