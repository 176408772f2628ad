/* Numbers, ports, addresses, names: what the options of rules are made of. */
#include <ctype.h>
#include <string.h>

#include "base/subnet.h"
#include "filter/parse.h"

bool scan_take(struct scan *s, char c)
{
	if (*s->at != c || !c)
		return false;
	s->at++;
	return true;
}

bool scan_end(struct scan *s, const char *what)
{
	return *s->at == '\0' || scan_fail(s, "%s", what);
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

bool scan_number(struct scan *s, uint64_t max, const char *what, uint64_t *out)
{
	const char *start = s->at;
	uint64_t v = 0;
	int base = 10;

	if (start[0] == '0' && (start[1] | 0x20) == 'x' && digit_of(start[2]) < 16) {
		base = 16;
		s->at += 2;
	} else if (start[0] == '0' && start[1] >= '0' && start[1] <= '7') {
		base = 8;
	}
	if (digit_of(*s->at) >= base)
		return scan_fail(s, "%s", what);
	for (; digit_of(*s->at) < base; s->at++) {
		uint64_t d = (uint64_t)digit_of(*s->at);

		if (v > (max - d) / (uint64_t)base) {
			s->at = start;
			return scan_fail(s, "%s", what);
		}
		v = v * (uint64_t)base + d;
	}
	*out = v;
	return true;
}

bool scan_port_range(struct scan *s, char sep, bool open, uint16_t out[2])
{
	static const char what[] = "a port number from 0 to 65535";
	const char *start = s->at;
	uint64_t v = 0;

	if (!(open && *s->at == sep) && !scan_number(s, 65535, what, &v))
		return false;
	out[0] = out[1] = (uint16_t)v;
	if (!scan_take(s, sep))
		return true;
	v = 65535;
	if (!(open && *s->at == '\0') && !scan_number(s, 65535, what, &v))
		return false;
	out[1] = (uint16_t)v;
	if (out[1] >= out[0])
		return true;
	s->at = start;
	return scan_fail(s, "a range whose end is not below its start");
}

bool scan_word(struct scan *s, char *buf, size_t size)
{
	size_t n = 0;

	while (isalnum((unsigned char)s->at[n]) || s->at[n] == '-' || s->at[n] == '_')
		n++;
	if (n == 0 || n >= size)
		return false;
	memcpy(buf, s->at, n);
	buf[n] = '\0';
	s->at += n;
	return true;
}

static const char *family(const struct parser *p)
{
	return p->net == NET_IPV4 ? "an IPv4 address" : "an IPv6 address";
}

bool scan_addr(struct scan *s, const char *stop, struct addr *out)
{
	char buf[ADDR_STR_MAX];
	size_t n = strcspn(s->at, stop);

	if (n >= sizeof(buf))
		return scan_fail(s, "%s", family(s->p));
	memcpy(buf, s->at, n);
	buf[n] = '\0';
	if (!addr_parse(buf, out) || net_index_of(out) != s->p->net)
		return scan_fail(s, "%s", family(s->p));
	s->at += n;
	return true;
}

bool scan_net(struct scan *s, struct rule_addr *out)
{
	unsigned bits = s->p->net == NET_IPV4 ? 32 : 128;
	uint64_t v;

	if (!scan_addr(s, "/", &out->id))
		return false;
	out->mask = addr_mask_of(bits, out->id.len);
	if (scan_take(s, '/')) {
		if (strpbrk(s->at, ".:")) {
			if (!scan_addr(s, "", &out->mask))
				return false;
		} else {
			if (!scan_number(s, bits, bits == 32 ? "a prefix length from 0 to 32, or a mask"
						 : "a prefix length from 0 to 128, or a mask", &v))
				return false;
			out->mask = addr_mask_of((unsigned)v, out->id.len);
		}
	}
	for (int i = 0; i < 2; i++)
		out->id.q[i] &= out->mask.q[i];
	return scan_end(s, "the end of the address");
}

void rule_addr_print(const struct rule_addr *a, bool host, struct text *t)
{
	char id[ADDR_STR_MAX], mask[ADDR_STR_MAX];
	unsigned bits = addr_mask_prefix(&a->mask);
	struct addr plain = addr_mask_of(bits, a->mask.len);

	text_add(t, "%s", addr_format(&a->id, id));
	if (!addr_equal(&plain, &a->mask))
		text_add(t, "/%s", addr_format(&a->mask, mask));
	else if (host || bits != a->mask.len * 8u)
		text_add(t, "/%u", bits);
}

const struct name_value *name_find(const struct name_value *table, const char *name)
{
	for (; table->name; table++)
		if (!strcasecmp(table->name, name))
			return table;
	return NULL;
}

const char *name_of(const struct name_value *table, uint32_t value)
{
	for (; table->name; table++)
		if (table->value == value)
			return table->name;
	return NULL;
}

bool scan_names(struct scan *s, const struct name_value *table, const char *what, uint32_t *bits)
{
	const struct name_value *v;
	char name[32];

	do {
		const char *start = s->at;

		if (!scan_word(s, name, sizeof(name)) || !(v = name_find(table, name))) {
			s->at = start;
			return scan_fail(s, "%s", what);
		}
		*bits |= v->value;
	} while (scan_take(s, ','));
	return scan_end(s, "a comma or the end of the list");
}

void names_print(const struct name_value *table, uint32_t bits, struct text *t)
{
	const char *sep = "";

	for (; table->name; table++) {
		if (!(bits & table->value))
			continue;
		text_add(t, "%s%s", sep, table->name);
		bits &= ~table->value;
		sep = ",";
	}
}

/* The first name of a number is the one printed: those of /etc/protocols, as iptables-save has them. */
static const struct name_value protos[] = {
	{ "tcp", 6 }, { "udp", 17 }, { "udplite", 136 }, { "icmp", 1 }, { "ipv6-icmp", 58 },
	{ "icmpv6", 58 }, { "icmp6", 58 }, { "esp", 50 }, { "ah", 51 }, { "sctp", 132 },
	{ "dccp", 33 }, { "gre", 47 }, { "igmp", 2 }, { "ipencap", 4 }, { "ipip", 94 },
	{ "ipv6", 41 }, { "ospf", 89 }, { "pim", 103 }, { "vrrp", 112 }, { "l2tp", 115 },
	{ "all", 0 }, { NULL, 0 },
};

bool proto_parse(const char *s, uint8_t *out)
{
	const struct name_value *v = name_find(protos, s);
	unsigned n = 0;

	if (v) {
		*out = (uint8_t)v->value;
		return true;
	}
	if (!*s || strlen(s) > 3 || s[strspn(s, "0123456789")])
		return false;
	for (; *s; s++)
		n = n * 10 + (unsigned)(*s - '0');
	*out = (uint8_t)n;
	return n < 256;
}

void proto_print(uint8_t proto, struct text *t)
{
	const char *name = proto ? name_of(protos, proto) : NULL;

	if (name)
		text_add(t, "%s", name);
	else
		text_add(t, "%u", proto);
}
