/*
 * Which sockets a request is about: selection in a dump, and the best match in a look-up.
 *
 * Look-ups score every socket that the table proposes the way the kernel's compute_score() functions do
 * (net/ipv4/inet_hashtables.c, udp.c, and their IPv6 siblings). A v4-mapped IPv6 socket is found
 * by IPv4 addresses too: in a kernel it carries both.
 */
#include "server/match.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "wire/bytecode.h"
#include "wire/copy.h"
#include "wire/state.h"

static bool is_mapped(const uint32_t a_be[4])
{
	return !a_be[0] && !a_be[1] && a_be[2] == htonl(0xffff);
}

static bool is_any6(const uint32_t a_be[4])
{
	return !(a_be[0] | a_be[1] | a_be[2] | a_be[3]);
}

static uint32_t state_bit(const struct sock_entry *e)
{
	switch (e->kind) {
	case SOCK_KIND_REQUEST:
		return DIAG_STATE_BIT(DIAG_TCP_NEW_SYN_RECV);
	case SOCK_KIND_BOUND:
		return DIAG_STATE_BIT(DIAG_TCP_BOUND_INACTIVE);
	default:
		return DIAG_STATE_BIT(e->msg.idiag_state & 31);
	}
}

/* The states a query selects in its table, as that table's own dump function reads them. */
static bool match_state(const struct diag_inet_query *q, const struct sock_entry *e)
{
	uint32_t states = q->req.idiag_states;

	if (q->protocol == IPPROTO_RAW)
		return true; /* raw_diag_dump() does not look */
	if (q->protocol != IPPROTO_TCP)
		return states & state_bit(e);
	/* Who asks for SYN-RECV means connections being asked for as well. */
	if (states & DIAG_STATE_BIT(DIAG_TCP_SYN_RECV))
		states |= DIAG_STATE_BIT(DIAG_TCP_NEW_SYN_RECV);
	return states & state_bit(e);
}

static bool match_ports(const struct diag_inet_query *q, const struct sock_entry *e)
{
	const struct inet_diag_sockid *want = &q->req.id, *have = &e->msg.id;

	if (e->kind == SOCK_KIND_BOUND)
		return true; /* tcp_diag_dump() filters these by program alone */
	/* A listener has no peer, so who names one means no listener. */
	if (want->idiag_dport && want->idiag_dport != have->idiag_dport)
		return false;
	return !want->idiag_sport || want->idiag_sport == have->idiag_sport;
}

bool match_filter(const struct diag_inet_query *q, const struct sock_entry *e)
{
	struct diag_bc_entry bc;

	if (q->req.sdiag_family != AF_UNSPEC && q->req.sdiag_family != e->msg.idiag_family)
		return false;
	if (!match_ports(q, e))
		return false;
	if (!q->code.data)
		return true;
	bc = (struct diag_bc_entry){
		.saddr_be = e->msg.id.idiag_src,
		.daddr_be = e->msg.id.idiag_dst,
		.sport = ntohs(e->msg.id.idiag_sport),
		.dport = ntohs(e->msg.id.idiag_dport),
		.family = e->msg.idiag_family,
		.ifindex = e->msg.id.idiag_if,
		.mark = e->mark,
	};
	if (e->kind == SOCK_KIND_FULL || e->kind == SOCK_KIND_BOUND) {
		bc.bound_port = e->bound_port;
		bc.cgroup_id = e->cgroup_id;
	}
	return diag_bc_run(q->code.data, q->code.len, &bc);
}

bool match_dump(const struct diag_inet_query *q, const struct sock_entry *e)
{
	return match_state(q, e) && match_filter(q, e);
}

/* Whether @e can be reached under @s's family, and its addresses as that family has them. */
static bool view(const struct sock_entry *e, uint8_t family, const uint32_t **local_be, const uint32_t **peer_be,
		 bool *local_any, bool *peer_any)
{
	const struct inet_diag_sockid *id = &e->msg.id;

	if (family == AF_INET6) {
		*local_be = id->idiag_src;
		*peer_be = id->idiag_dst;
		*local_any = is_any6(*local_be);
		*peer_any = is_any6(*peer_be);
		return e->msg.idiag_family == AF_INET6;
	}
	if (e->msg.idiag_family == AF_INET6) {
		/* Of an IPv6 socket the IPv4 side shows when it is mapped, or open to both. */
		bool any = is_any6(id->idiag_src), peerless = is_any6(id->idiag_dst);

		if (e->v6only || (!any && !is_mapped(id->idiag_src)) || (!peerless && !is_mapped(id->idiag_dst)))
			return false;
		*local_be = id->idiag_src + 3;
		*peer_be = id->idiag_dst + 3;
	} else {
		*local_be = id->idiag_src;
		*peer_be = id->idiag_dst;
	}
	*local_any = **local_be == 0;
	*peer_any = **peer_be == 0;
	return true;
}

/* A score of how well @e fits: 0 for not at all, and the higher the better. */
static int score(const struct sock_key *s, uint32_t protocol, const struct sock_entry *e)
{
	const struct inet_diag_sockid *id = &e->msg.id;
	size_t n = s->family == AF_INET ? 4 : 16;
	const uint32_t *local_be, *peer_be;
	bool local_any, peer_any;
	int points;

	if (!view(e, s->family, &local_be, &peer_be, &local_any, &peer_any) || e->kind == SOCK_KIND_BOUND)
		return 0;
	if (protocol == IPPROTO_RAW ? e->raw_protocol != s->raw_protocol : id->idiag_sport != s->lport_be)
		return 0;
	if (id->idiag_if && id->idiag_if != s->ifindex)
		return 0;
	if (!local_any && memcmp(local_be, s->local_be, n))
		return 0;
	if (!peer_any && memcmp(peer_be, s->peer_be, n))
		return 0;
	if (protocol != IPPROTO_RAW && id->idiag_dport && id->idiag_dport != s->pport_be)
		return 0;
	/* Exact local addresses come before the unspecified one, whatever else there is. */
	points = local_any ? 1 : 100;
	if (protocol == IPPROTO_TCP && e->msg.idiag_state != DIAG_TCP_LISTEN)
		points += 1000; /* connections before listeners */
	if (!peer_any)
		points += 10;
	if (id->idiag_dport)
		points += 10;
	if (id->idiag_if)
		points += 4;
	return points + (e->msg.idiag_family == s->family ? 2 : 0);
}

static void seek(const struct diag_inet_query *q, bool swapped, struct sock_key *s)
{
	const struct inet_diag_sockid *id = &q->req.id;

	*s = (struct sock_key){ .family = q->req.sdiag_family, .ifindex = id->idiag_if, .raw_protocol = q->req.pad };
	s->lport_be = swapped ? id->idiag_dport : id->idiag_sport;
	s->pport_be = swapped ? id->idiag_sport : id->idiag_dport;
	memcpy(s->local_be, swapped ? id->idiag_dst : id->idiag_src, sizeof(s->local_be));
	s->cookie = id->idiag_cookie[0] | (uint64_t)id->idiag_cookie[1] << 32;
	memcpy(s->peer_be, swapped ? id->idiag_src : id->idiag_dst, sizeof(s->peer_be));
	/* Two mapped addresses are two IPv4 addresses; a UDP look-up alone does not see that. */
	if (s->family == AF_INET6 && !swapped && is_mapped(s->local_be) && is_mapped(s->peer_be)) {
		s->family = AF_INET;
		s->local_be[0] = s->local_be[3];
		s->peer_be[0] = s->peer_be[3];
	}
}

int match_find(const struct sock_source_ops *ops, void *source, const struct diag_inet_query *q, bool swapped,
	       struct sock_entry *e)
{
	struct sock_cursor at = { .family = 0 };
	struct sock_entry candidate;
	struct sock_key s;
	int best = 0;

	seek(q, swapped, &s);
	if (s.family != AF_INET && s.family != AF_INET6)
		return -EINVAL;
	for (;;) {
		int points, found;

		diag_clear(&candidate, sizeof(candidate));
		found = ops->find ? ops->find(source, q->protocol, &s, &at, &candidate) :
				    ops->next(source, q->protocol, &at, &candidate);
		if (!found)
			break;
		if (found == SOCK_LEFT_OUT)
			continue;
		points = score(&s, q->protocol, &candidate);
		if (points > best) {
			best = points;
			diag_copy(e, &candidate, sizeof(*e));
		}
	}
	if (!ops->find && ops->end)
		ops->end(source, &at);
	return best ? 0 : -ENOENT;
}

bool match_cookie(const struct diag_inet_query *q, const struct sock_entry *e)
{
	const uint32_t *want = q->req.id.idiag_cookie, *have = e->msg.id.idiag_cookie;

	return (want[0] == DIAG_NOCOOKIE && want[1] == DIAG_NOCOOKIE) || (want[0] == have[0] && want[1] == have[1]);
}
