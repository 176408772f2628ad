/* Endpoints that are released: events, and the history of connections. */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "host/diag.h"
#include "wire/state.h"

/* Keeps what a connection was, in the place of the oldest. */
static void keep(struct diag *d, const struct sock_entry *e, const struct diag_record *r,
		 const struct diag_tcp_info *info)
{
	struct diag_past *p;

	/* A socket that never tried to connect was no connection. */
	if (!d->past_max || !e->msg.id.idiag_dport)
		return;
	p = &d->past[d->past_total++ % d->past_max];
	p->entry = *e;
	p->entry.msg.idiag_inode = p->entry.msg.idiag_rqueue = p->entry.msg.idiag_wqueue = 0;
	p->entry.handle = NULL;
	p->entry.cong = NULL;
	p->past.info = *info;
	p->past.ended = (struct diag_stack_ended){
		.opened_ns = r->opened_ns,
		.ended_ns = (uint64_t)d->host->stack->clock->wall_ns,
	};
}

void diag_gone(void *ctx, struct endpoint *ep)
{
	struct diag *d = ctx;
	uint32_t protocol = diag_protocol_of(ep), group;
	_Alignas(8) uint8_t event[FILL_MAX];
	struct diag_tcp_info info;
	struct sock_entry e;

	memset(&e, 0, sizeof(e));
	if ((protocol == IPPROTO_TCP || protocol == IPPROTO_UDP) && diag_describe(d, ep, true, &e)) {
		e.msg.idiag_state = DIAG_TCP_CLOSE;
		if (protocol == IPPROTO_TCP) {
			diag_tcp_info(ep, &info);
			keep(d, &e, diag_record_of(ep), &info);
		}
		group = diag_event_group(e.msg.idiag_family, (uint8_t)protocol);
		diag_tell(d, group, event, diag_event_build(event, &e, (uint8_t)protocol,
							    protocol == IPPROTO_TCP ? &info : NULL));
	}
	free(ep->books);
	ep->books = NULL;
}

int diag_past_next(void *source, struct sock_cursor *c, struct sock_entry *e, struct sock_past *p)
{
	struct diag *d = source;
	uint64_t oldest = d->past_total > d->past_max ? d->past_total - d->past_max : 0;
	const struct diag_past *from;

	/* What ends while it is being told of is for the next one who asks. */
	if (!c->at[1]) {
		c->at[0] = oldest;
		c->at[1] = d->past_total + 1;
	}
	if (c->at[0] < oldest)
		c->at[0] = oldest;
	if (c->at[0] + 1 >= c->at[1])
		return 0;
	from = &d->past[c->at[0]++ % d->past_max];
	*e = from->entry;
	*p = from->past;
	return 1;
}
