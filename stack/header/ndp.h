/* Neighbour Discovery messages and options (RFC 4861). */
#ifndef STACK_HEADER_NDP_H
#define STACK_HEADER_NDP_H

#include <stdbool.h>

#include "base/addr.h"

enum { NDP_HOP_LIMIT = 255 };

/* Lengths of the messages before their options, ICMP header included. */
enum { NDP_RS_LEN = 8, NDP_RA_LEN = 16, NDP_NS_LEN = 24, NDP_NA_LEN = 24, NDP_REDIRECT_LEN = 40 };

enum ndp_opt {
	NDP_OPT_SOURCE_LINK = 1, NDP_OPT_TARGET_LINK = 2, NDP_OPT_PREFIX = 3, NDP_OPT_REDIRECTED = 4,
	NDP_OPT_MTU = 5, NDP_OPT_RDNSS = 25,
};

enum { NDP_OPT_LINK_LEN = 8, NDP_OPT_PREFIX_LEN = 32, NDP_OPT_MTU_LEN = 8 };

/** struct ndp_prefix - a prefix information option; lifetimes in seconds, all ones for ever */
struct ndp_prefix {
	uint8_t len;
	bool on_link, autonomous;
	uint32_t valid_s, preferred_s;
	struct addr prefix;
};

/** struct ndp_router_advert - the fixed part; 0 means "not said" */
struct ndp_router_advert {
	uint8_t hop_limit;
	bool managed, other;
	uint16_t lifetime_s;
	uint32_t reachable_ms, retransmit_ms;
};

/** struct ndp_neighbor_advert - the fixed part */
struct ndp_neighbor_advert {
	bool router, solicited, override;
	struct addr target;
};

/** struct ndp_opt_iter - where a walk over options is */
struct ndp_opt_iter {
	const uint8_t *p, *end;
	uint8_t type;
	const uint8_t *opt;		/* the option, type byte first */
	size_t len;
	bool bad;
};

struct ndp_opt_iter ndp_opts(const uint8_t *p, size_t len);

/** ndp_opt_next() - false at the end, with @bad set if an option has length 0 or is cut short
 * (then the whole message is to be dropped: RFC 4861, 4.6) */
bool ndp_opt_next(struct ndp_opt_iter *it);

/** ndp_opts_ok() - whether a walk would end well */
bool ndp_opts_ok(const uint8_t *p, size_t len);

/** ndp_find_link_addr() - the link address option of @type; false if there is none */
bool ndp_find_link_addr(const uint8_t *p, size_t len, uint8_t type, struct link_addr *out);

/** ndp_prefix_parse() - of an option the iterator is at; false if too short or nonsense */
bool ndp_prefix_parse(struct ndp_prefix *x, const uint8_t *opt, size_t len);
void ndp_prefix_emit(const struct ndp_prefix *x, uint8_t *p);

/** ndp_link_addr_emit() - write NDP_OPT_LINK_LEN bytes */
void ndp_link_addr_emit(uint8_t type, const struct link_addr *a, uint8_t *p);

bool ndp_ra_parse(struct ndp_router_advert *a, const uint8_t *p, size_t len);
void ndp_ra_emit(const struct ndp_router_advert *a, uint8_t *p);
bool ndp_na_parse(struct ndp_neighbor_advert *a, const uint8_t *p, size_t len);

/** ndp_na_emit() - write NDP_NA_LEN bytes, the checksum zero */
void ndp_na_emit(const struct ndp_neighbor_advert *a, uint8_t *p);
/** struct ndp_redirect - the fixed part; @target equals @dst if that is on the link itself */
struct ndp_redirect {
	struct addr target, dst;
};

bool ndp_redirect_parse(struct ndp_redirect *r, const uint8_t *p, size_t len);

/** ndp_redirect_emit() - write NDP_REDIRECT_LEN bytes, the checksum zero */
void ndp_redirect_emit(const struct ndp_redirect *r, uint8_t *p);
bool ndp_ns_parse(struct addr *target, const uint8_t *p, size_t len);
void ndp_ns_emit(const struct addr *target, uint8_t *p);

#endif
