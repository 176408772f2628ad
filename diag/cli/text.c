/* Sockets as text, in the columns and words of ss(8). */
#include <stdlib.h>
#include <time.h>

#include "cli/cgroup.h"
#include "cli/names.h"
#include "cli/procs.h"
#include "cli/sink.h"
#include "cli/source.h"
#include "cli/table.h"
#include "cli/tcptext.h"
#include "cli/utf8.h"
#include "wire/state.h"

struct text {
	struct sink sink;
	struct table table;
};

static const struct sink_ops text_ops;

/*
 * What others chose (names of files, processes, hosts) must not reach the terminal as commands:
 * neither control characters, nor those of C1 (0xc2 0x80 to 0x9f in UTF-8), nor bytes that are no
 * characters, some of which an eight-bit terminal takes for C1.
 */
static void put_foreign(struct out *o, const char *text, size_t n)
{
	const unsigned char *s = (const unsigned char *)text;

	out_room(o, n);
	for (size_t i = 0, len; i < n; i += len) {
		len = utf8_length(s + i, n - i);
		if (!len || s[i] < 0x20 || s[i] == 0x7f || (s[i] == 0xc2 && s[i + 1] < 0xa0)) {
			o->buf[o->len++] = '?';
			len = len ? len : 1;
		} else {
			memcpy(o->buf + o->len, s + i, len);
			o->len += len;
		}
	}
}

static void begin_row(struct text *t, enum kind table, uint8_t state, uint32_t rqueue, uint32_t wqueue)
{
	struct out *o = &t->table.row;

	table_row_begin(&t->table);
	if (t->table.shown[COL_NETID]) {
		out_str(o, sink_netid(table));
		table_cell_end(&t->table);
	}
	if (t->table.shown[COL_STATE]) {
		out_str(o, diag_state_short(state));
		table_cell_end(&t->table);
	}
	out_u64(o, rqueue);
	table_cell_end(&t->table);
	out_u64(o, wqueue);
	table_cell_end(&t->table);
}

/* "10.0.0.1:", "[fe80::1]%eth0:", "*:" and then the port. */
static void put_end(struct text *t, const struct inet_view *v, const uint32_t addr_be[4], uint16_t port, uint32_t dev,
		    bool v6only)
{
	uint8_t family = v->s->msg.idiag_family;
	const struct opts *opts = t->sink.opts;
	struct out *o = &t->table.row;
	const char *name = NULL;

	out_room(o, 64);
	if (family == AF_INET6 && !v6only && diag_inet_is_any(family, addr_be))
		name = "*";
	else if (opts->resolve && !diag_inet_is_any(family, addr_be))
		name = names_host(family, addr_be);
	if (name) {
		put_foreign(o, name, strlen(name));
	} else if (family == AF_INET6) {
		out_lit(o, "[");
		o->len = (size_t)(put_ip6(o->buf + o->len, addr_be) - o->buf);
		out_lit(o, "]");
	} else {
		o->len = (size_t)(put_ip4(o->buf + o->len, addr_be) - o->buf);
	}
	if (dev) {
		out_lit(o, "%");
		out_str(o, names_device(dev));
	}
	out_lit(o, ":");
	table_cell_end(&t->table);

	name = NULL;
	if (!port)
		name = "*";
	else if (!opts->numeric)
		name = v->table == KIND_RAW ? names_protocol(port) :
					       names_service(v->table == KIND_UDP ? "udp" : "tcp", port);
	if (name)
		out_str(o, name);
	else
		out_u64(o, port);
	table_cell_end(&t->table);
}

static void put_user(struct out *o, bool first, const char *name, int pid, int fd)
{
	if (!first)
		out_lit(o, ",");
	out_lit(o, "(\"");
	put_foreign(o, name, strlen(name));
	out_lit(o, "\",pid=");
	out_u64(o, (uint64_t)pid);
	if (fd >= 0) {
		out_lit(o, ",fd=");
		out_u64(o, (uint64_t)fd);
	}
	out_lit(o, ")");
}

/* ss prints "users:((...))" behind the columns: those that hold it, or else the one that @made it. */
static void put_users(struct text *t, uint32_t inode, const struct diag_stack_process *made)
{
	const struct procs *procs = t->sink.procs;
	struct out *o = &t->table.row;
	struct procs_user u;
	uint32_t at = procs ? procs_first(procs, inode, &u) : 0;

	if (!at && (!made || !t->sink.opts->processes))
		return;
	out_lit(o, " users:(");
	if (!at)
		put_user(o, true, made->comm, (int)made->pid, -1);
	for (bool first = true; at; at = procs_next(procs, at, &u), first = false)
		put_user(o, first, u.name, u.pid, u.fd);
	out_lit(o, ")");
}

/* Whose it is, where the columns of ss have no place for that. */
static void put_source(struct text *t, const struct source *source)
{
	if (!t->sink.several || !source || source->kind == SOURCE_KERNEL)
		return;
	out_lit(&t->table.row, " ");
	put_foreign(&t->table.row, source->name, strlen(source->name));
}

/* 83500 as "1min23sec", 1230 as "1.230ms": as ss has it. */
static void put_duration(struct out *o, uint32_t ms)
{
	uint32_t minutes = ms / 60000, seconds = ms / 1000 % 60, rest = ms % 1000;

	if (minutes) {
		out_printf(o, "%umin", minutes);
		rest = 0;
		if (minutes > 9)
			seconds = 0;
	}
	if (seconds) {
		if (seconds > 9)
			rest = 0;
		out_printf(o, "%u%s", seconds, rest ? "." : "sec");
	}
	if (rest)
		out_printf(o, "%03ums", rest);
}

/* When, in local time, and how long it was there. */
static void put_ended(struct out *o, const struct diag_stack_ended *ended)
{
	time_t seconds = (time_t)(ended->ended_ns / 1000000000);
	struct tm tm;
	char text[32];

	if (!localtime_r(&seconds, &tm) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm))
		return;
	out_printf(o, " ended:%s.%03u", text, (unsigned int)(ended->ended_ns / 1000000 % 1000));
	if (ended->opened_ns && ended->opened_ns <= ended->ended_ns)
		out_printf(o, " lasted:%.3fs", (double)(ended->ended_ns - ended->opened_ns) / 1e9);
}

static void put_timer(struct out *o, const struct inet_diag_msg *m)
{
	if (!m->idiag_timer)
		return;
	out_lit(o, " timer:(");
	out_str(o, names_timer(m->idiag_timer));
	out_lit(o, ",");
	put_duration(o, m->idiag_expires);
	out_lit(o, ",");
	out_u64(o, m->idiag_retrans);
	out_lit(o, ")");
}

static void put_shutdown(struct out *o, const struct diag_attr *a)
{
	static const char *const arrows[] = { " <->", " -->", " <--", " ---" };

	if (a->data && a->len)
		out_str(o, arrows[a->data[0] & 3]);
}

static void put_cgroup(struct out *o, const struct diag_attr *a)
{
	const char *path;
	uint64_t id;

	if (!a->data)
		return;
	id = diag_attr_u64(a, 0);
	path = cgroup_path_of(id);
	out_lit(o, " cgroup:");
	if (path) {
		put_foreign(o, path, strlen(path));
	} else {
		out_lit(o, "unreachable:");
		out_hex(o, id);
	}
}

static void put_v6only(struct out *o, const struct diag_inet *s)
{
	const struct diag_attr *v6only = &s->attrs[INET_DIAG_SKV6ONLY];

	if (v6only->data && s->msg.idiag_family == AF_INET6)
		out_printf(o, " v6only:%u", diag_attr_u8(v6only, 0));
}

static void put_details(struct text *t, const struct diag_inet *s)
{
	struct out *o = &t->table.row;

	if (s->msg.idiag_uid) {
		out_lit(o, " uid:");
		out_u64(o, s->msg.idiag_uid);
	}
	out_lit(o, " ino:");
	out_u64(o, s->msg.idiag_inode);
	if (diag_inet_cookie(&s->msg)) { /* a file of /proc names none */
		out_lit(o, " sk:");
		out_hex(o, diag_inet_cookie(&s->msg));
	}
	if (diag_attr_u32(&s->attrs[INET_DIAG_MARK], 0)) {
		out_lit(o, " fwmark:0x");
		out_hex(o, diag_attr_u32(&s->attrs[INET_DIAG_MARK], 0));
	}
	put_cgroup(o, &s->attrs[INET_DIAG_CGROUP_ID]);
	put_v6only(o, s);
	put_shutdown(o, &s->attrs[INET_DIAG_SHUTDOWN]);
}

static void put_tos(struct out *o, const struct diag_inet *s)
{
	static const struct {
		uint16_t attr;
		const char *name;
	} shown[] = { { INET_DIAG_TOS, " tos:" }, { INET_DIAG_TCLASS, " tclass:" }, { INET_DIAG_CLASS_ID, " class_id:" } };

	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
		const struct diag_attr *a = &s->attrs[shown[i].attr];

		if (a->data)
			out_printf(o, "%s%#x", shown[i].name, a->len >= 4 ? diag_attr_u32(a, 0) : diag_attr_u8(a, 0));
	}
}

static void put_sockopt(struct out *o, const struct diag_attr *a)
{
	if (!a->data || a->len < sizeof(struct inet_diag_sockopt))
		return;
	out_lit(o, "inet-sockopt: (");
	for (unsigned int i = 0; names_sockopt(i); i++)
		if (a->data[i / 8] >> (i % 8) & 1) {
			out_lit(o, " ");
			out_str(o, names_sockopt(i));
		}
	out_lit(o, ")");
}

/* What stands on lines of its own, unless -O. Lines that would be empty are left out. */
static void put_lines(struct text *t, const struct inet_view *v)
{
	const struct opts *opts = t->sink.opts;
	const struct diag_inet *s = v->s;
	struct out *o = &t->table.row;
	size_t start, text;

	if (opts->sockopt) {
		start = o->len;
		out_str(o, opts->oneline ? " " : "\n\t");
		text = o->len;
		put_sockopt(o, &s->attrs[INET_DIAG_SOCKOPT]);
		if (o->len == text)
			o->len = start;
	}
	if (opts->memory || opts->info) {
		start = o->len;
		out_str(o, opts->oneline ? " " : "\n\t");
		text = o->len;
		if (opts->memory)
			tcptext_memory(o, &s->attrs[INET_DIAG_SKMEMINFO], &s->attrs[INET_DIAG_MEMINFO]);
		if (opts->info && !opts->memory && opts->oneline)
			o->len = text = start; /* the internals bring their own blank */
		if (opts->info)
			tcptext_put(o, s, opts->timers, opts->numeric);
		if (o->len == text)
			o->len = start;
	}
}

static void text_inet(struct sink *sink, const struct inet_view *v)
{
	struct text *t = (struct text *)sink;
	const struct opts *opts = sink->opts;
	const struct inet_diag_msg *m = &v->s->msg;
	struct out *o = &t->table.row;
	bool v6only = diag_attr_u8(&v->s->attrs[INET_DIAG_SKV6ONLY], 0);

	begin_row(t, v->table, m->idiag_state, m->idiag_rqueue, m->idiag_wqueue);
	put_end(t, v, m->id.idiag_src, diag_inet_src_port(m), m->id.idiag_if, v6only);
	put_end(t, v, m->id.idiag_dst, diag_inet_dst_port(m), 0, v6only);
	put_users(t, m->idiag_inode, v->made);
	put_source(t, v->source);
	if (v->ended)
		put_ended(o, v->ended);
	if (opts->timers)
		put_timer(o, m);
	if (opts->extended)
		put_details(t, v->s);
	if (opts->tos)
		put_tos(o, v->s);
	if (opts->cgroup && !opts->extended)
		put_cgroup(o, &v->s->attrs[INET_DIAG_CGROUP_ID]);
	put_lines(t, v);
	table_row_end(&t->table);
}

static void put_unix_details(struct text *t, const struct diag_unix *s)
{
	const struct diag_attr *vfs = &s->attrs[UNIX_DIAG_VFS], *icons = &s->attrs[UNIX_DIAG_ICONS];
	struct out *o = &t->table.row;
	uint32_t uid = diag_attr_u32(&s->attrs[UNIX_DIAG_UID], 0);

	if (uid)
		out_printf(o, " uid:%u", uid);
	put_shutdown(o, &s->attrs[UNIX_DIAG_SHUTDOWN]);
	if (vfs->data && vfs->len >= sizeof(struct unix_diag_vfs)) {
		struct unix_diag_vfs f;

		memcpy(&f, vfs->data, sizeof(f));
		/* The kernel's device number: 20 bits of minor below the major. */
		out_printf(o, " ino:%u dev:%u/%u", f.udiag_vfs_ino, f.udiag_vfs_dev >> 20, f.udiag_vfs_dev & 0xfffff);
	}
	if (icons->data) {
		out_lit(o, " peers:");
		for (size_t i = 0; i + 4 <= icons->len; i += 4) {
			uint32_t peer;

			memcpy(&peer, icons->data + i, sizeof(peer));
			out_lit(o, " ");
			out_u64(o, peer);
		}
	}
}

static void text_unix(struct sink *sink, const struct unix_view *v)
{
	struct text *t = (struct text *)sink;
	const struct diag_unix *s = v->s;
	const struct diag_attr *rqlen = &s->attrs[UNIX_DIAG_RQLEN];
	struct unix_diag_rqlen q = { 0 };
	struct out *o = &t->table.row;
	char path[256];

	if (rqlen->data && rqlen->len >= sizeof(q))
		memcpy(&q, rqlen->data, sizeof(q));
	begin_row(t, v->table, s->msg.udiag_state, q.udiag_rqueue, q.udiag_wqueue);
	diag_unix_path(s, path, sizeof(path));
	if (s->name_len)
		put_foreign(o, path, strlen(path));
	else
		out_lit(o, "*");
	out_lit(o, " ");
	table_cell_end(&t->table);
	out_u64(o, s->msg.udiag_ino);
	table_cell_end(&t->table);
	out_lit(o, "* ");
	table_cell_end(&t->table);
	out_u64(o, diag_attr_u32(&s->attrs[UNIX_DIAG_PEER], 0));
	table_cell_end(&t->table);
	put_users(t, s->msg.udiag_ino, NULL);
	if (sink->opts->memory) {
		out_lit(o, " ");
		tcptext_memory(o, &s->attrs[UNIX_DIAG_MEMINFO], NULL);
	}
	if (sink->opts->extended)
		put_unix_details(t, s);
	table_row_end(&t->table);
}

static void text_pause(struct sink *sink)
{
	table_flush(&((struct text *)sink)->table);
	out_flush(sink->out);
}

/* What is wrong goes to standard error, and the table ends as it stands. */
static void text_gap(struct sink *sink, const char *why)
{
}

static void text_end(struct sink *sink, bool complete)
{
	table_close(&((struct text *)sink)->table);
	free(sink);
}

static const struct sink_ops text_ops = {
	.inet = text_inet,
	.unix_socket = text_unix,
	.pause = text_pause,
	.gap = text_gap,
	.end = text_end,
};

/* More than one bit. */
static bool several(uint32_t bits)
{
	return bits & (bits - 1);
}

struct sink *text_sink(const struct opts *opts, const struct procs *procs, struct out *out)
{
	struct text *t = calloc(1, sizeof(*t));
	uint32_t columns = (1 << TABLE_COLUMNS) - 1;

	if (!t)
		return NULL;
	t->sink = (struct sink){ .ops = &text_ops, .opts = opts, .procs = procs, .out = out };
	if (opts->info)
		t->sink.ext |= DIAG_EXT_INFO | DIAG_EXT_VEGASINFO | DIAG_EXT_CONG;
	if (opts->memory)
		t->sink.ext |= DIAG_EXT_MEMINFO | DIAG_EXT_SKMEMINFO;
	if (opts->tos)
		t->sink.ext |= DIAG_EXT_TOS | DIAG_EXT_TCLASS;
	t->sink.show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN;
	if (opts->extended)
		t->sink.show |= UDIAG_SHOW_VFS | UDIAG_SHOW_ICONS | UDIAG_SHOW_UID;
	if (opts->memory)
		t->sink.show |= UDIAG_SHOW_MEMINFO;
	if (!several(opts->tables))
		columns &= ~(1u << COL_NETID);
	if (!several(opts->states))
		columns &= ~(1u << COL_STATE);
	table_open(&t->table, out, columns);
	if (opts->header)
		table_header(&t->table);
	return &t->sink;
}
