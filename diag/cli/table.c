/* Columns: rows laid out with the widths their contents need. */
#include "cli/table.h"

#include <stdlib.h>

/* How a kept row begins: its cells' lengths, then the length of all its text. */
struct kept_row {
	uint16_t len[TABLE_COLUMNS];
	uint32_t bytes;
};

static const struct {
	const char *title;
	bool right; /* addresses lean on the port behind them */
} columns[TABLE_COLUMNS] = {
	[COL_NETID] = { "Netid", false },	   [COL_STATE] = { "State", false },
	[COL_RECVQ] = { "Recv-Q", false },	   [COL_SENDQ] = { "Send-Q", false },
	[COL_LADDR] = { "Local Address:", true },  [COL_LPORT] = { "Port", false },
	[COL_RADDR] = { "Peer Address:", true },   [COL_RPORT] = { "Port", false },
};

void table_open(struct table *t, struct out *to, uint32_t shown)
{
	memset(t, 0, sizeof(*t));
	t->to = to;
	out_open(&t->row, -1);
	out_open(&t->kept, -1);
	for (unsigned int i = 0; i < TABLE_COLUMNS; i++)
		t->shown[i] = shown >> i & 1;
}

void table_row_begin(struct table *t)
{
	t->row.len = 0;
	t->cell_start = 0;
	t->column = 0;
	while (!t->shown[t->column])
		t->column++;
}

void table_cell_end(struct table *t)
{
	t->len[t->column] = (uint16_t)(t->row.len - t->cell_start);
	t->cell_start = t->row.len;
	do
		t->column++;
	while (t->column < TABLE_COLUMNS && !t->shown[t->column]);
}

void table_header(struct table *t)
{
	table_row_begin(t);
	while (t->column < TABLE_COLUMNS) {
		out_str(&t->row, columns[t->column].title);
		table_cell_end(t);
	}
	out_str(&t->row, " Process");
	table_row_end(t);
}

/* Writes one row; blanks stand between columns but not between an address and its port. */
static void lay_out(struct table *t, const uint16_t *len, const char *text, size_t bytes)
{
	const char *p = text, *end = text + bytes;
	struct out *o = t->to;
	size_t room = bytes + 1;
	char *w;

	for (int i = 0; i < TABLE_COLUMNS; i++)
		room += t->width[i] + 1u;
	out_room(o, room);
	w = o->buf + o->len;
	for (int i = 0; i < TABLE_COLUMNS; i++) {
		size_t pad;

		if (!t->shown[i])
			continue;
		pad = t->width[i] - len[i];
		if (columns[i].right) {
			memset(w, ' ', pad);
			w += pad;
		}
		memcpy(w, p, len[i]);
		w += len[i];
		p += len[i];
		if (columns[i].right)
			continue;
		/* Nothing follows the last column in most rows, so nothing is padded for it. */
		if (p == end || *p == '\n')
			break;
		if (i == COL_RPORT)
			p++; /* what stands behind the columns begins with a blank */
		memset(w, ' ', pad + 1);
		w += pad + 1;
	}
	memcpy(w, p, (size_t)(end - p));
	w += end - p;
	*w++ = '\n';
	o->len = (size_t)(w - o->buf);
}

static void keep(struct table *t)
{
	struct kept_row k = { .bytes = (uint32_t)t->row.len };

	memcpy(k.len, t->len, sizeof(k.len));
	out_bytes(&t->kept, &k, sizeof(k));
	out_bytes(&t->kept, t->row.buf, t->row.len);
}

void table_row_end(struct table *t)
{
	for (int i = 0; i < TABLE_COLUMNS; i++)
		if (t->shown[i] && t->len[i] > t->width[i])
			t->width[i] = t->len[i];
	if (t->settled) {
		lay_out(t, t->len, t->row.buf, t->row.len);
		return;
	}
	keep(t);
	if (t->kept.len >= TABLE_WINDOW_BYTES)
		table_flush(t);
}

void table_flush(struct table *t)
{
	const char *p = t->kept.buf, *end = p + t->kept.len;
	struct kept_row k;

	while (p < end) {
		memcpy(&k, p, sizeof(k));
		p += sizeof(k);
		lay_out(t, k.len, p, k.bytes);
		p += k.bytes;
	}
	t->kept.len = 0;
	t->settled = true;
}

void table_close(struct table *t)
{
	table_flush(t);
	out_close(&t->row);
	out_close(&t->kept);
}
