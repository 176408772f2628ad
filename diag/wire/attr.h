/* Route attributes: walking them within bounds, and the numbers and request bits diag uses. */
#ifndef DIAG_WIRE_ATTR_H
#define DIAG_WIRE_ATTR_H

#include <linux/inet_diag.h>
#include <linux/rtnetlink.h>
#include <linux/unix_diag.h>
#include <stdint.h>
#include <string.h>

#include "wire/err.h"

/*
 * The attribute numbers are the kernel's own (INET_DIAG_*, UNIX_DIAG_*, UDIAG_SHOW_*, from the
 * headers above). What a request asks with is another set: bit (number - 1) of idiag_ext, eight
 * of them. They are spelled out here because taking one for the other is a mistake that gets
 * answered, with the wrong attributes.
 */
enum diag_ext {
	DIAG_EXT_MEMINFO = 1 << (INET_DIAG_MEMINFO - 1),
	DIAG_EXT_INFO = 1 << (INET_DIAG_INFO - 1),
	DIAG_EXT_VEGASINFO = 1 << (INET_DIAG_VEGASINFO - 1), /* and DCTCPINFO, BBRINFO */
	DIAG_EXT_CONG = 1 << (INET_DIAG_CONG - 1),
	DIAG_EXT_TOS = 1 << (INET_DIAG_TOS - 1),
	DIAG_EXT_TCLASS = 1 << (INET_DIAG_TCLASS - 1), /* and CLASS_ID */
	DIAG_EXT_SKMEMINFO = 1 << (INET_DIAG_SKMEMINFO - 1),
	DIAG_EXT_SHUTDOWN = 1 << (INET_DIAG_SHUTDOWN - 1), /* always sent, asked or not */
};

/* One past the last attribute number known here; higher ones are skipped. */
#define DIAG_INET_ATTRS (INET_DIAG_SOCKOPT + 1)
#define DIAG_UNIX_ATTRS (UNIX_DIAG_UID + 1)

/* A cookie that matches any socket, both words. */
#define DIAG_NOCOOKIE INET_DIAG_NOCOOKIE

/** struct diag_attr - one attribute's payload, borrowed from the message; absent when data is NULL */
struct diag_attr {
	const uint8_t *data;
	uint16_t len;
	uint16_t type; /* without NLA_F_NESTED and NLA_F_NET_BYTEORDER */
};

/** diag_rta_length - bytes of an attribute with @len bytes of payload, padding left out (RTA_LENGTH) */
size_t diag_rta_length(size_t len);

/** diag_rta_payload - payload bytes an attribute claims (RTA_PAYLOAD); 0 when it is shorter than its header */
size_t diag_rta_payload(const struct rtattr *rta);

/**
 * diag_attr_next - takes the attribute at the front
 * @pos:  where to read; moved behind the attribute and its padding
 * @left: bytes there; reduced
 * @out:  receives the attribute; its data are borrowed from @pos
 *
 * The last attribute may lack its padding. Fewer than four bytes left are trailing bytes, which
 * the kernel ignores too.
 *
 * Return: 1 with an attribute; 0 at the end; -1 when a length is below the header's or beyond @left.
 */
static inline int diag_attr_next(const uint8_t **pos, size_t *left, struct diag_attr *out)
{
	struct rtattr rta;
	size_t step;

	if (*left < sizeof(rta))
		return 0;
	memcpy(&rta, *pos, sizeof(rta));
	if (rta.rta_len < sizeof(rta) || rta.rta_len > *left)
		return -1;
	out->data = *pos + sizeof(rta);
	out->len = (uint16_t)(rta.rta_len - sizeof(rta));
	out->type = rta.rta_type & (uint16_t)~0xc000; /* NLA_TYPE_MASK */
	step = RTA_ALIGN(rta.rta_len);
	if (step > *left)
		step = *left;
	*pos += step;
	*left -= step;
	return 1;
}

/**
 * diag_attr_table - sorts attributes into a table by number
 * @attrs: the bytes after a message's fixed part
 * @len:   how many
 * @table: @count entries; all are written. Of two with one number the last is kept
 * @count: numbers from @count up are skipped
 *
 * Return: DIAG_OK, or DIAG_NLE_ATTRSIZE for a length that does not fit (what came before it is in the table).
 */
struct diag_err diag_attr_table(const void *attrs, size_t len, struct diag_attr *table, size_t count);

/** diag_attr_u8, _u32, _u64 - the number in an attribute, or @absent when it is missing or too short */
static inline uint8_t diag_attr_u8(const struct diag_attr *a, uint8_t absent)
{
	return a->data && a->len >= 1 ? a->data[0] : absent;
}

static inline uint32_t diag_attr_u32(const struct diag_attr *a, uint32_t absent)
{
	uint32_t v = absent;

	if (a->data && a->len >= sizeof(v))
		memcpy(&v, a->data, sizeof(v));
	return v;
}

static inline uint64_t diag_attr_u64(const struct diag_attr *a, uint64_t absent)
{
	uint64_t v = absent;

	if (a->data && a->len >= sizeof(v))
		memcpy(&v, a->data, sizeof(v));
	return v;
}

#endif
