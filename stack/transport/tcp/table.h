/* The table of connections: from addresses and ports to whatever is there. */
#ifndef STACK_TRANSPORT_TCP_TABLE_H
#define STACK_TRANSPORT_TCP_TABLE_H

#include "base/htab.h"
#include "core/demux.h"

/** enum tcp_tuple_kind - in what a tuple is embedded */
enum tcp_tuple_kind { TUPLE_CONN, TUPLE_REQ, TUPLE_TW };

/** struct tcp_tuple - an entry; @nic: only packets received there, 0 for all */
struct tcp_tuple {
	struct htab_node node;
	struct addr local, remote;
	uint32_t nic;
	uint16_t lport, rport;
	uint8_t kind;
	bool entered;
};

struct tcp_proto;

/** tcp_table_add() - enter @t, all but @node and @entered filled in; false without memory. The caller has
 * made sure that there is none like it. */
bool tcp_table_add(struct tcp_proto *p, struct tcp_tuple *t);

/** tcp_table_remove() - take @t out, if it is in */
void tcp_table_remove(struct tcp_proto *p, struct tcp_tuple *t);

/** tcp_table_find() - the entry for a packet with these addresses, NULL if there is none */
struct tcp_tuple *tcp_table_find(struct tcp_proto *p, const struct demux_key *k);

#endif
