/* Group membership messages: IGMPv1-v3 (RFC 1112, 2236, 3376), MLDv1 and v2 (RFC 2710, 3810). */
#ifndef STACK_HEADER_GROUP_H
#define STACK_HEADER_GROUP_H

#include <stdbool.h>

#include "base/addr.h"

enum igmp_type {
	IGMP_QUERY = 0x11, IGMP_V1_REPORT = 0x12, IGMP_V2_REPORT = 0x16, IGMP_LEAVE = 0x17,
	IGMP_V3_REPORT = 0x22,
};

enum {
	IGMP_LEN = 8, IGMPV3_QUERY_LEN = 12, MLD_LEN = 24, MLDV2_QUERY_LEN = 28, GROUP_REPORT_LEN = 8,
};

/** enum group_record - types of the records in version 3 (MLD: 2) reports */
enum group_record {
	GROUP_MODE_IS_INCLUDE = 1, GROUP_MODE_IS_EXCLUDE = 2, GROUP_TO_INCLUDE = 3,
	GROUP_TO_EXCLUDE = 4, GROUP_ALLOW = 5, GROUP_BLOCK = 6,
};

/**
 * struct group_query - a query of either family
 * @version:      of the protocol: 1 to 3 for IGMP, 1 or 2 for MLD
 * @max_resp_ms:  within which to answer
 * @group:        unspecified in a general query
 * @sources, @nsources: IGMPv3 and MLDv2: the sources asked for, as they lie in the message; borrowed
 */
struct group_query {
	uint8_t version;
	uint32_t max_resp_ms;
	struct addr group;
	const uint8_t *sources;
	uint16_t nsources;
};

/** group_query_source() - the @i-th source of a query */
static inline struct addr group_query_source(const struct group_query *q, uint16_t i)
{
	return addr_from_bytes(q->sources + (size_t)i * q->group.len, q->group.len);
}

/** igmp_query_parse() - a query of any version; false if it is none or cut short */
bool igmp_query_parse(struct group_query *q, const uint8_t *p, size_t len);

/** igmp_emit() - a message of version 1 or 2, IGMP_LEN bytes with checksum */
void igmp_emit(uint8_t type, uint16_t max_resp_code, const struct addr *group, uint8_t *p);

/** igmp_set_cksum() - of a whole message */
void igmp_set_cksum(uint8_t *p, size_t len);

/** mld_query_parse() - a query of any version, ICMPv6 header first */
bool mld_query_parse(struct group_query *q, const uint8_t *p, size_t len);

/** mld_emit() - a version 1 message, MLD_LEN bytes, the checksum zero */
void mld_emit(uint8_t type, uint16_t max_resp_ms, const struct addr *group, uint8_t *p);

/** group_report_len() - of a report with one record of @n sources */
static inline size_t group_report_len(const struct addr *group, uint16_t n)
{
	return GROUP_REPORT_LEN + 4 + (n + (size_t)1) * group->len;
}

/** group_report_emit() - that report, IGMPv3's or MLDv2's as @msg_type says, the checksum zero */
void group_report_emit(uint8_t msg_type, enum group_record type, const struct addr *group,
		       const struct addr *sources, uint16_t n, uint8_t *p);

#endif
