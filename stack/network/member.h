/* Reporting multicast memberships to routers: what IGMP and MLD have in common. */
#ifndef STACK_NETWORK_MEMBER_H
#define STACK_NETWORK_MEMBER_H

#include "core/stack.h"
#include "header/group.h"

struct member_nic;

/**
 * struct member_ops - the family's part
 * @newest:      version spoken when no older querier was heard: the one with sources
 * @report_type, @report_to: its reports' message type, and where they go
 * @reportable:  whether routers care for @group
 * @old_type:    message type in an older @version of being in a group, or leaving it; 0: it has no word for that
 * @old_leave_to: where it is said that a group is left; that one is in it is said to the group
 * @old_emit:    writes such a message, of @old_len bytes
 * @send:        takes @pkt, a message of @type
 */
struct member_ops {
	uint8_t newest, report_type, old_len;
	const struct addr *report_to, *old_leave_to;
	bool (*reportable)(const struct addr *group);
	uint8_t (*old_type)(bool leave, uint8_t version);
	void (*old_emit)(uint8_t type, uint16_t max_resp, const struct addr *group, uint8_t *p);
	void (*send)(struct nic *nic, struct pkt *pkt, uint8_t type, const struct addr *to);
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
