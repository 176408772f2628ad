/* inet_diag_msg: parse, addresses, and a hash of its two ends. */
#include "wire/inet.h"

struct diag_err diag_inet_parse(const void *payload, size_t len, struct diag_inet *out)
{
	const uint8_t *p = payload;

	if (len < sizeof(out->msg)) {
		memset(out, 0, sizeof(*out));
		return diag_err_nle(DIAG_NLE_MSG_TOOSHORT);
	}
	memcpy(&out->msg, p, sizeof(out->msg));
	return diag_attr_table(p + sizeof(out->msg), len - sizeof(out->msg), out->attrs, DIAG_INET_ATTRS);
}

static const char *ip_text(uint8_t family, const uint32_t addr_be[4], char *text)
{
	if (!diag_inet_addr_len(family))
		return NULL;
	return inet_ntop(family, addr_be, text, INET6_ADDRSTRLEN);
}

const char *diag_inet_src_ip(const struct inet_diag_msg *m, char *text)
{
	return ip_text(m->idiag_family, m->id.idiag_src, text);
}

const char *diag_inet_dst_ip(const struct inet_diag_msg *m, char *text)
{
	return ip_text(m->idiag_family, m->id.idiag_dst, text);
}

static uint64_t fnv1(uint64_t hash, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++)
		hash = (hash * UINT64_C(1099511628211)) ^ p[i];
	return hash;
}

uint64_t diag_inet_fasthash(const struct inet_diag_msg *m)
{
	size_t n = diag_inet_addr_len(m->idiag_family);
	uint64_t hash = UINT64_C(14695981039346656037);

	hash = fnv1(hash, m->id.idiag_src, n);
	hash = fnv1(hash, m->id.idiag_dst, n);
	hash = fnv1(hash, &m->id.idiag_sport, sizeof(m->id.idiag_sport));
	return fnv1(hash, &m->id.idiag_dport, sizeof(m->id.idiag_dport));
}

bool diag_inet_is_any(uint8_t family, const uint32_t addr_be[4])
{
	if (family == AF_INET)
		return addr_be[0] == 0;
	return (addr_be[0] | addr_be[1] | addr_be[2] | addr_be[3]) == 0;
}
