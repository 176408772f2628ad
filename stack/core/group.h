/* Multicast groups of a NIC, and from which sources they are wanted (RFC 3376, RFC 3810). */
#ifndef STACK_CORE_GROUP_H
#define STACK_CORE_GROUP_H

#include "base/htab.h"
#include "core/netproto.h"

enum { GROUP_MAX_SOURCES = 64 };	/* per group: of one member, and of all together */

/**
 * struct source_filter - from which sources a member wants a group
 * @exclude: from all but @sources, else from @sources alone
 */
struct source_filter {
	bool exclude;
	uint16_t n;
	const struct addr *sources;
};

extern const struct source_filter group_any;	/* from everybody: EXCLUDE {} */

/** struct group_source - a source that members named, with the number that did, by their mode */
struct group_source {
	struct addr addr;
	uint32_t includes, excludes;
};

/**
 * struct nic_group - a multicast group a NIC is in
 * @refs:     its members
 * @excludes: those of them whose filter excludes
 * @sources:  all that members name, @n of them
 */
struct nic_group {
	struct htab_node node;
	struct addr addr;
	uint32_t refs, excludes;
	uint16_t n;
	struct group_source *sources;
};

/**
 * nic_change_group() - a member joins (@from NULL), leaves (@to NULL), or wants other sources
 *
 * @from is what it wanted before. BAD_ADDRESS, UNKNOWN_PROTOCOL, NO_MEMORY; NO_BUFFER_SPACE if its
 * members would name more than GROUP_MAX_SOURCES; BAD_LOCAL_ADDRESS if it was not in the group.
 */
enum ns_err nic_change_group(struct nic *nic, const struct addr *group,
			     const struct source_filter *from, const struct source_filter *to);

/** nic_join_group(), nic_leave_group() - nic_change_group() for members that want all sources */
enum ns_err nic_join_group(struct nic *nic, const struct addr *group);
enum ns_err nic_leave_group(struct nic *nic, const struct addr *group);

struct nic_group *nic_find_group(const struct nic *nic, const struct addr *group);

/** nic_wants_group() - whether a packet from @source to @group passes the members' filters, taken
 * together (RFC 3376, 3.2) */
bool nic_wants_group(const struct nic *nic, const struct addr *group, const struct addr *source);

/** nic_drop_groups() - forget all memberships, as the NIC goes away */
void nic_drop_groups(struct nic *nic);

/** group_wants() - whether a member with this filter wants what @source sends */
bool group_wants(const struct source_filter *f, const struct addr *source);

/** group_merged() - what the members want taken together (RFC 3376, 3.2); the sources are written to
 * @sources, which has room for GROUP_MAX_SOURCES */
struct source_filter group_merged(const struct nic_group *g, struct addr *sources);

#endif
