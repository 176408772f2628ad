/* Reporting multicast memberships to routers: what IGMP and MLD have in common. */
#ifndef STACK_NETWORK_MEMBER_H
#define STACK_NETWORK_MEMBER_H

#include "core/stack.h"
#include "header/group.h"

struct member_nic;

/**
 * struct member_ops - the family's part
 * @newest:     version spoken when no older querier was heard: the one with sources
 * @reportable: whether routers care for @group
 * @report:     in the newest version, one record of at most GROUP_MAX_SOURCES sources
 * @old_report: in an older @version, that we are in @group or that we leave it
 */
struct member_ops {
	uint8_t newest;
	bool (*reportable)(const struct addr *group);
	void (*report)(struct nic *nic, enum group_record type, const struct addr *group,
		       const struct addr *sources, uint16_t n);
	void (*old_report)(struct nic *nic, const struct addr *group, bool leave, uint8_t version);
};

/**
 * struct member_nic - of one NIC and family
 * @members: struct member, those being left too
 * @older_until_ns, @older: an older querier is about (RFC 3376 7.2, RFC 3810 8.2)
 */
struct member_nic {
	const struct member_ops *ops;
	struct nic *nic;
	enum net_index net;
	struct list members;
	int64_t older_until_ns;
	uint8_t older;
};

void member_init(struct member_nic *m, struct nic *nic, enum net_index net,
		 const struct member_ops *ops);
void member_fini(struct member_nic *m);

/** member_enabled() - the NIC came up: report all groups; or went down: forget the timers */
void member_enabled(struct member_nic *m, bool enabled);

/** member_changed() - what the members of a group want may be another thing now */
void member_changed(struct member_nic *m, const struct nic_group *g);

/** member_query() - a router asks */
void member_query(struct member_nic *m, const struct group_query *q);

/** member_heard() - another host reported @group: in the old versions we need not */
void member_heard(struct member_nic *m, const struct addr *group);

/** member_version() - the version to speak now */
uint8_t member_version(struct member_nic *m);

#endif
