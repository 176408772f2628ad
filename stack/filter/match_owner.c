/* The owner match: whose endpoint a packet comes from, and addrtype: what kind of address it has. */
#include "base/byteorder.h"
#include "filter/conn.h"
#include "filter/parse.h"
#include "header/icmp.h"

enum { OPT_UID, OPT_GID, OPT_EXISTS };

struct owner {
	uint32_t uid[2], gid[2];
	bool set_uid, not_uid, set_gid, not_gid, set_exists, not_exists;
};

static const struct ext_option owner_options[] = {
	{ "--uid-owner", OPT_UID, 1, true }, { "--gid-owner", OPT_GID, 1, true },
	{ "--socket-exists", OPT_EXISTS, 0, true }, { 0 },
};

static bool scan_ids(struct parser *p, uint32_t out[2])
{
	static const char what[] = "a numeric id, or a range: from-to";
	struct scan s = scan_of(p, p->arg[0]);
	uint64_t v[2];

	if (!scan_number(&s, UINT32_MAX - 1, what, &v[0]))
		return false;
	v[1] = v[0];
	if (scan_take(&s, '-') && !scan_number(&s, UINT32_MAX - 1, what, &v[1]))
		return false;
	if (v[1] < v[0])
		return parser_fail(p, p->arg[0], 0, "a range whose end is not below its start");
	out[0] = (uint32_t)v[0];
	out[1] = (uint32_t)v[1];
	return scan_end(&s, what);
}

static bool owner_option(struct parser *p, void *data, unsigned id, bool negated)
{
	struct owner *m = data;

	if (id == OPT_EXISTS) {
		m->set_exists = true;
		m->not_exists = negated;
		return true;
	}
	if (id == OPT_UID) {
		m->set_uid = true;
		m->not_uid = negated;
		return scan_ids(p, m->uid);
	}
	m->set_gid = true;
	m->not_gid = negated;
	return scan_ids(p, m->gid);
}

/*
 * The endpoint that would receive the answer: it is the one that sent, but for endpoints that share a
 * port. Translation may have changed where the packet goes since it left; then its connection knows.
 */
static struct endpoint *sender(struct filter_pkt *k)
{
	struct demux_key key = {
		.local = k->pkt->src, .remote = k->pkt->dst, .net = (uint8_t)k->net, .proto = k->proto,
		.nic = k->out ? k->out->id : 0,
	};
	const uint8_t *p = packet_l4(k);
	struct stack_trans *trans = stack_trans(k->stack, k->proto);
	const struct tuple *t = k->conn ? &k->conn->way[k->reply].tuple : NULL;

	if (k->later_fragment || k->l4_len < ICMP_HDR_LEN)
		return NULL;
	if (t && k->state != CONN_RELATED) {
		key.local = t->src;
		key.remote = t->dst;
		key.lport = t->sport;
		key.rport = t->dport;
	} else if (k->proto == IP_PROTO_ICMP || k->proto == IP_PROTO_ICMPV6) {
		key.lport = be16_load(p + 4);
	} else {
		key.lport = be16_load(p);
		key.rport = be16_load(p + 2);
	}
	if (k->proto == IP_PROTO_ICMP || k->proto == IP_PROTO_ICMPV6)
		key.rport = 0;
	return trans && trans->ops->find ? trans->ops->find(k->stack, &key) : demux_find(k->stack, &key);
}

static bool in_ids(const uint32_t ids[2], uint32_t id)
{
	return id >= ids[0] && id <= ids[1];
}

static bool owner_eval(void *data, struct filter_pkt *k)
{
	const struct owner *m = data;
	const struct endpoint *ep = sender(k);

	if (m->set_exists && (ep != NULL) == m->not_exists)
		return false;
	if (!ep)		/* as Netfilter: of nobody's packet, only negations are true */
		return (!m->set_uid || m->not_uid) && (!m->set_gid || m->not_gid);
	if (m->set_uid && (ep->has_cred && in_ids(m->uid, ep->uid)) == m->not_uid)
		return false;
	return !m->set_gid || (ep->has_cred && in_ids(m->gid, ep->gid)) != m->not_gid;
}

static void print_ids(const char *name, const uint32_t ids[2], bool negated, struct text *t)
{
	text_add(t, "%s %s %u", negated ? " !" : "", name, ids[0]);
	if (ids[1] != ids[0])
		text_add(t, "-%u", ids[1]);
}

static void owner_print(const void *data, struct text *t)
{
	const struct owner *m = data;

	if (m->set_exists)
		text_add(t, "%s --socket-exists", m->not_exists ? " !" : "");
	if (m->set_uid)
		print_ids("--uid-owner", m->uid, m->not_uid, t);
	if (m->set_gid)
		print_ids("--gid-owner", m->gid, m->not_gid, t);
}

const struct ext_ops match_owner = {
	.name = "owner", .size = sizeof(struct owner), .nets = 3,
	.hooks = 1 << HOOK_OUTPUT | 1 << HOOK_POSTROUTING,
	.options = owner_options, .one_of = 7,
	.option = owner_option, .match = owner_eval, .print = owner_print,
};
