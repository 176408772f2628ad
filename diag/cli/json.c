/* Sockets as JSON: one document (--json), or one object a line (--ndjson). */
#include <linux/sock_diag.h>
#include <stdlib.h>

#include "cli/cgroup.h"
#include "cli/jsonout.h"
#include "cli/names.h"
#include "cli/procs.h"
#include "cli/sink.h"
#include "cli/source.h"
#include "wire/state.h"
#include "wire/tcpinfo.h"

struct json {
	struct sink sink;
	bool document; /* one value, not lines */
	bool first;
	struct out gaps; /* what is missing, as JSON strings */
};

static void begin(struct json *j, enum kind table, const char *family, uint8_t state, const struct source *source)
{
	struct out *o = j->sink.out;

	if (j->document && !j->first)
		out_lit(o, ",\n");
	j->first = false;
	out_lit(o, "{\"netid\":\"");
	out_str(o, sink_netid(table));
	out_lit(o, "\",\"family\":\"");
	out_str(o, family);
	out_lit(o, "\",\"state\":\"");
	out_str(o, diag_state_short(state));
	out_lit(o, "\"");
	if (source)
		json_text(o, "source", source->name);
}

static void finish(struct json *j)
{
	if (j->document)
		out_lit(j->sink.out, "}");
	else
		out_lit(j->sink.out, "}\n");
}

static void put_end(struct out *o, const char *key, uint8_t family, const uint32_t addr_be[4], uint16_t port)
{
	out_lit(o, ",\"");
	out_str(o, key);
	out_lit(o, "\":{\"address\":\"");
	out_room(o, 64);
	o->len = (size_t)((family == AF_INET6 ? put_ip6(o->buf + o->len, addr_be) :
						put_ip4(o->buf + o->len, addr_be)) -
			  o->buf);
	out_lit(o, "\"");
	json_u64(o, "port", port);
	out_lit(o, "}");
}

static void put_process(struct out *o, bool first, const char *name, int pid, int fd)
{
	if (!first)
		out_lit(o, ",");
	out_lit(o, "{\"name\":");
	json_string(o, name, strlen(name));
	json_u64(o, "pid", (uint64_t)pid);
	if (fd >= 0)
		json_u64(o, "fd", (uint64_t)fd);
	out_lit(o, "}");
}

/* Those that hold it, or else the one that @made it. */
static void put_processes(struct json *j, uint32_t inode, const struct diag_stack_process *made)
{
	struct out *o = j->sink.out;
	struct procs_user u;
	bool first = true;

	if (!j->sink.opts->processes)
		return;
	out_lit(o, ",\"processes\":[");
	for (uint32_t at = j->sink.procs ? procs_first(j->sink.procs, inode, &u) : 0; at;
	     at = procs_next(j->sink.procs, at, &u), first = false)
		put_process(o, first, u.name, u.pid, u.fd);
	if (first && made)
		put_process(o, true, made->comm, (int)made->pid, -1);
	out_lit(o, "]");
}

/* Seconds since 1970, to the millisecond. */
static void put_time(struct out *o, const char *key, uint64_t ns)
{
	out_printf(o, ",\"%s\":%llu.%03llu", key, (unsigned long long)(ns / 1000000000),
		   (unsigned long long)(ns / 1000000 % 1000));
}

static void put_skmem(struct out *o, const struct diag_attr *a)
{
	static const char *const names[SK_MEMINFO_VARS] = {
		"rmem_alloc", "rcvbuf", "wmem_alloc", "sndbuf", "fwd_alloc",
		"wmem_queued", "optmem", "backlog", "drops",
	};

	if (!a->data || a->len < 4)
		return;
	out_lit(o, ",\"skmem\":{");
	for (size_t i = 0; i < SK_MEMINFO_VARS && 4 * i + 4 <= a->len; i++) {
		uint32_t v;

		memcpy(&v, a->data + 4 * i, sizeof(v));
		out_printf(o, "%s\"%s\":%u", i ? "," : "", names[i], v);
	}
	out_lit(o, "}");
}

static void put_tcp_info(struct out *o, const struct diag_attr *a)
{
	struct diag_tcp_info ti;
	size_t len;

	if (!a->data)
		return;
	len = diag_tcp_info_read(&ti, a->data, a->len);
	out_lit(o, ",\"tcp_info\":{");
	for (size_t i = 0, n = 0; i < DIAG_TCP_FIELDS; i++) {
		const struct diag_tcp_field *f = &diag_tcp_fields[i];

		/* A field this kernel does not have is absent, not zero. */
		if (f->offset + (size_t)f->size > len)
			break;
		if (n++)
			out_lit(o, ",\"");
		else
			out_lit(o, "\"");
		out_str(o, f->name);
		out_lit(o, "\":");
		out_u64(o, diag_tcp_field_value(&ti, f));
	}
	out_lit(o, "}");
}

static void put_congestion(struct out *o, const struct diag_inet *s)
{
	const struct diag_attr *cong = &s->attrs[INET_DIAG_CONG], *bbr = &s->attrs[INET_DIAG_BBRINFO];
	const struct diag_attr *dctcp = &s->attrs[INET_DIAG_DCTCPINFO], *vegas = &s->attrs[INET_DIAG_VEGASINFO];

	if (cong->data) {
		out_lit(o, ",\"congestion\":");
		json_string(o, (const char *)cong->data, strnlen((const char *)cong->data, cong->len));
	}
	if (bbr->data && bbr->len >= sizeof(struct tcp_bbr_info)) {
		struct tcp_bbr_info b;

		memcpy(&b, bbr->data, sizeof(b));
		out_printf(o, ",\"bbr\":{\"bw\":%llu,\"min_rtt\":%u,\"pacing_gain\":%u,\"cwnd_gain\":%u}",
			   (unsigned long long)(b.bbr_bw_lo | (uint64_t)b.bbr_bw_hi << 32), b.bbr_min_rtt,
			   b.bbr_pacing_gain, b.bbr_cwnd_gain);
	}
	if (dctcp->data && dctcp->len >= sizeof(struct tcp_dctcp_info)) {
		struct tcp_dctcp_info d;

		memcpy(&d, dctcp->data, sizeof(d));
		out_printf(o, ",\"dctcp\":{\"enabled\":%u,\"ce_state\":%u,\"alpha\":%u,\"ab_ecn\":%u,\"ab_tot\":%u}",
			   d.dctcp_enabled, d.dctcp_ce_state, d.dctcp_alpha, d.dctcp_ab_ecn, d.dctcp_ab_tot);
	}
	if (vegas->data && vegas->len >= sizeof(struct tcpvegas_info)) {
		struct tcpvegas_info v;

		memcpy(&v, vegas->data, sizeof(v));
		out_printf(o, ",\"vegas\":{\"enabled\":%u,\"rttcnt\":%u,\"rtt\":%u,\"minrtt\":%u}", v.tcpv_enabled,
			   v.tcpv_rttcnt, v.tcpv_rtt, v.tcpv_minrtt);
	}
}

static void put_cgroup(const struct json *j, const struct diag_attr *a)
{
	struct out *o = j->sink.out;
	const char *path;

	if (!a->data)
		return;
	json_u64(o, "cgroup_id", diag_attr_u64(a, 0));
	path = j->sink.opts->cgroup ? cgroup_path_of(diag_attr_u64(a, 0)) : NULL;
	if (path)
		json_text(o, "cgroup", path);
}

/* Attributes that are one number, present only when the kernel sent them. */
static void put_numbers(struct out *o, const struct diag_inet *s)
{
	static const struct {
		uint16_t attr;
		const char *key;
	} numbers[] = {
		{ INET_DIAG_SHUTDOWN, "shutdown" }, { INET_DIAG_MARK, "mark" },	     { INET_DIAG_SKV6ONLY, "v6only" },
		{ INET_DIAG_TOS, "tos" },	    { INET_DIAG_TCLASS, "tclass" },  { INET_DIAG_CLASS_ID, "class_id" },
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		const struct diag_attr *a = &s->attrs[numbers[i].attr];

		if (a->data)
			json_u64(o, numbers[i].key, a->len >= 4 ? diag_attr_u32(a, 0) : diag_attr_u8(a, 0));
	}
}

/* The names of those that are set. */
static void put_sockopt(struct out *o, const struct diag_attr *a)
{
	bool first = true;

	if (!a->data || a->len < sizeof(struct inet_diag_sockopt))
		return;
	out_lit(o, ",\"inet_sockopt\":[");
	for (unsigned int i = 0; names_sockopt(i); i++)
		if (a->data[i / 8] >> (i % 8) & 1) {
			out_str(o, first ? "\"" : ",\"");
			out_str(o, names_sockopt(i));
			out_lit(o, "\"");
			first = false;
		}
	out_lit(o, "]");
}

/* The sockets of connections that wait to be accepted. */
static void put_pending(struct out *o, const struct diag_attr *a)
{
	if (!a->data)
		return;
	out_lit(o, ",\"pending_inodes\":[");
	for (size_t i = 0; i + 4 <= a->len; i += 4) {
		uint32_t inode;

		memcpy(&inode, a->data + i, sizeof(inode));
		out_str(o, i ? "," : "");
		out_u64(o, inode);
	}
	out_lit(o, "]");
}

static void json_inet(struct sink *sink, const struct inet_view *v)
{
	struct json *j = (struct json *)sink;
	const struct inet_diag_msg *m = &v->s->msg;
	struct out *o = sink->out;

	begin(j, v->table, m->idiag_family == AF_INET6 ? "inet6" : "inet", m->idiag_state, v->source);
	json_u64(o, "recv_q", m->idiag_rqueue);
	json_u64(o, "send_q", m->idiag_wqueue);
	put_end(o, "local", m->idiag_family, m->id.idiag_src, diag_inet_src_port(m));
	put_end(o, "peer", m->idiag_family, m->id.idiag_dst, diag_inet_dst_port(m));
	if (m->id.idiag_if)
		json_text(o, "dev", names_device(m->id.idiag_if));
	json_u64(o, "uid", m->idiag_uid);
	json_u64(o, "inode", m->idiag_inode);
	/* As text: the upper bits of 64 get lost in readers that make numbers doubles. */
	out_lit(o, ",\"cookie\":\"");
	out_hex(o, diag_inet_cookie(m));
	out_lit(o, "\"");
	if (m->idiag_timer) {
		out_lit(o, ",\"timer\":{\"name\":\"");
		out_str(o, names_timer(m->idiag_timer));
		out_lit(o, "\"");
		json_u64(o, "expires_ms", m->idiag_expires);
		json_u64(o, "retrans", m->idiag_retrans);
		out_lit(o, "}");
	}
	put_numbers(o, v->s);
	put_cgroup(j, &v->s->attrs[INET_DIAG_CGROUP_ID]);
	if (sink->opts->sockopt)
		put_sockopt(o, &v->s->attrs[INET_DIAG_SOCKOPT]);
	put_skmem(o, &v->s->attrs[INET_DIAG_SKMEMINFO]);
	put_congestion(o, v->s);
	put_tcp_info(o, &v->s->attrs[INET_DIAG_INFO]);
	put_processes(j, m->idiag_inode, v->made);
	if (v->ended && v->ended->opened_ns)
		put_time(o, "opened", v->ended->opened_ns);
	if (v->ended)
		put_time(o, "ended", v->ended->ended_ns);
	finish(j);
}

static void json_unix(struct sink *sink, const struct unix_view *v)
{
	struct json *j = (struct json *)sink;
	const struct diag_unix *s = v->s;
	const struct diag_attr *q = &s->attrs[UNIX_DIAG_RQLEN], *vfs = &s->attrs[UNIX_DIAG_VFS];
	struct out *o = sink->out;

	begin(j, v->table, "unix", s->msg.udiag_state, v->source);
	if (q->data && q->len >= sizeof(struct unix_diag_rqlen)) {
		struct unix_diag_rqlen n;

		memcpy(&n, q->data, sizeof(n));
		json_u64(o, "recv_q", n.udiag_rqueue);
		json_u64(o, "send_q", n.udiag_wqueue);
	}
	if (s->name_len) {
		out_lit(o, ",\"name\":");
		json_string(o, s->name, s->name_len);
	}
	json_u64(o, "inode", s->msg.udiag_ino);
	if (s->attrs[UNIX_DIAG_PEER].data)
		json_u64(o, "peer_inode", diag_attr_u32(&s->attrs[UNIX_DIAG_PEER], 0));
	out_lit(o, ",\"cookie\":\"");
	out_hex(o, s->msg.udiag_cookie[0] | (uint64_t)s->msg.udiag_cookie[1] << 32);
	out_lit(o, "\"");
	if (s->attrs[UNIX_DIAG_UID].data)
		json_u64(o, "uid", diag_attr_u32(&s->attrs[UNIX_DIAG_UID], 0));
	if (s->attrs[UNIX_DIAG_SHUTDOWN].data)
		json_u64(o, "shutdown", diag_attr_u8(&s->attrs[UNIX_DIAG_SHUTDOWN], 0));
	if (vfs->data && vfs->len >= sizeof(struct unix_diag_vfs)) {
		struct unix_diag_vfs f;

		memcpy(&f, vfs->data, sizeof(f));
		json_u64(o, "file_inode", f.udiag_vfs_ino);
		json_u64(o, "file_dev", f.udiag_vfs_dev);
	}
	put_pending(o, &s->attrs[UNIX_DIAG_ICONS]);
	put_skmem(o, &s->attrs[UNIX_DIAG_MEMINFO]);
	put_processes(j, s->msg.udiag_ino, NULL);
	finish(j);
}

static void json_pause(struct sink *sink)
{
	out_flush(sink->out);
}

static void json_gap(struct sink *sink, const char *why)
{
	struct json *j = (struct json *)sink;

	if (j->gaps.len)
		out_lit(&j->gaps, ",");
	json_string(&j->gaps, why, strlen(why));
}

static void json_end(struct sink *sink, bool complete)
{
	struct json *j = (struct json *)sink;
	struct out *o = sink->out;

	if (j->document)
		out_lit(o, "],\n");
	else if (!complete)
		out_lit(o, "{");
	if (j->document || !complete) {
		out_str(o, complete ? "\"complete\":true,\"errors\":[" : "\"complete\":false,\"errors\":[");
		out_bytes(o, j->gaps.buf, j->gaps.len);
		out_lit(o, "]}\n");
	}
	out_close(&j->gaps);
	free(j);
}

static const struct sink_ops json_ops = {
	.inet = json_inet,
	.unix_socket = json_unix,
	.pause = json_pause,
	.gap = json_gap,
	.end = json_end,
};

struct sink *json_sink(const struct opts *opts, const struct procs *procs, struct out *out)
{
	struct json *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->sink = (struct sink){ .ops = &json_ops, .opts = opts, .procs = procs, .out = out };
	if (opts->info)
		j->sink.ext |= DIAG_EXT_INFO | DIAG_EXT_VEGASINFO | DIAG_EXT_CONG;
	if (opts->memory)
		j->sink.ext |= DIAG_EXT_SKMEMINFO;
	if (opts->tos)
		j->sink.ext |= DIAG_EXT_TOS | DIAG_EXT_TCLASS;
	j->sink.show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN | UDIAG_SHOW_UID;
	if (opts->extended)
		j->sink.show |= UDIAG_SHOW_VFS | UDIAG_SHOW_ICONS;
	if (opts->memory)
		j->sink.show |= UDIAG_SHOW_MEMINFO;
	j->document = opts->format == FORMAT_JSON;
	j->first = true;
	out_open(&j->gaps, -1);
	if (j->document)
		out_lit(out, "{\"version\":1,\"sockets\":[\n");
	return &j->sink;
}
