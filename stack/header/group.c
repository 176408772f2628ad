/* Group membership messages. */
#include "header/group.h"

#include "base/byteorder.h"
#include "base/cksum.h"
#include "header/icmp.h"

/* RFC 3376, 4.1.1: from 128 on a mantissa and exponent; RFC 3810, 5.1.3 the same on 16 bits. */
static uint32_t float8(uint8_t code)
{
	return code < 128 ? code : ((code & 0xfu) | 0x10) << (((code >> 4) & 7) + 3);
}

static uint32_t float16(uint16_t code)
{
	return code < 32768 ? code : ((code & 0xfffu) | 0x1000) << (((code >> 12) & 7) + 3);
}

/* The number at @p + @at and the sources behind it; false if there are fewer. */
static bool query_sources(struct group_query *q, const uint8_t *p, size_t len, size_t at)
{
	q->nsources = be16_load(p + at);
	q->sources = p + at + 2;
	return (len - at - 2) / q->group.len >= q->nsources;
}

bool igmp_query_parse(struct group_query *q, const uint8_t *p, size_t len)
{
	if (len < IGMP_LEN || p[0] != IGMP_QUERY)
		return false;
	q->sources = NULL;
	q->nsources = 0;
	q->group = addr_from_bytes(p + 4, ADDR_LEN_V4);
	/* RFC 3376, 7.1: the version is told by length and code. */
	if (len >= IGMPV3_QUERY_LEN) {
		q->version = 3;
		q->max_resp_ms = float8(p[1]) * 100;
		return query_sources(q, p, len, 10);
	} else if (p[1] == 0) {
		q->version = 1;
		q->max_resp_ms = 10000;		/* RFC 2236, 4 */
	} else {
		q->version = 2;
		q->max_resp_ms = p[1] * 100u;
	}
	return len == IGMP_LEN;
}

void igmp_set_cksum(uint8_t *p, size_t len)
{
	uint16_t sum;

	p[2] = p[3] = 0;
	sum = (uint16_t)~cksum_add(0, p, len);
	memcpy(p + 2, &sum, 2);
}

void igmp_emit(uint8_t type, uint16_t max_resp_code, const struct addr *group, uint8_t *p)
{
	p[0] = type;
	p[1] = (uint8_t)max_resp_code;
	memcpy(p + 4, group->b, 4);
	igmp_set_cksum(p, IGMP_LEN);
}

bool mld_query_parse(struct group_query *q, const uint8_t *p, size_t len)
{
	if (len < MLD_LEN || p[0] != ICMPV6_MLD_QUERY)
		return false;
	q->version = len >= MLDV2_QUERY_LEN ? 2 : 1;
	q->max_resp_ms = q->version == 2 ? float16(be16_load(p + 4)) : be16_load(p + 4);
	q->group = addr_from_bytes(p + 8, ADDR_LEN_V6);
	q->sources = NULL;
	q->nsources = 0;
	return len == MLD_LEN || (len >= MLDV2_QUERY_LEN && query_sources(q, p, len, 26));
}

void mld_emit(uint8_t type, uint16_t max_resp_ms, const struct addr *group, uint8_t *p)
{
	memset(p, 0, 8);
	p[0] = type;
	be16_store(p + 4, max_resp_ms);
	memcpy(p + 8, group->b, 16);
}

void group_report_emit(uint8_t msg_type, enum group_record type, const struct addr *group,
		       const struct addr *sources, uint16_t n, uint8_t *p)
{
	memset(p, 0, GROUP_REPORT_LEN);
	p[0] = msg_type;
	be16_store(p + 6, 1);
	/* The record: its type, number of sources, group and sources. */
	p += GROUP_REPORT_LEN;
	p[0] = (uint8_t)type;
	p[1] = 0;
	be16_store(p + 2, n);
	p += 4;
	memcpy(p, group->b, group->len);
	for (uint16_t i = 0; i < n; i++)
		memcpy(p + (i + 1u) * group->len, sources[i].b, group->len);
}
