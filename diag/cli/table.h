/* Columns: rows laid out with the widths their contents need. */
#ifndef DIAG_CLI_TABLE_H
#define DIAG_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/out.h"

/*
 * Widths come from the first rows, which are kept until there are TABLE_WINDOW_BYTES of them (or
 * the end); from then on rows go straight out, and a column only grows. So a list of ordinary
 * length is laid out exactly, and one of a million rows takes no more memory than that.
 */
#define TABLE_COLUMNS 8
#define TABLE_WINDOW_BYTES (256 * 1024)

enum table_column {
	COL_NETID,
	COL_STATE,
	COL_RECVQ,
	COL_SENDQ,
	COL_LADDR,
	COL_LPORT,
	COL_RADDR,
	COL_RPORT,
};

/**
 * struct table - a listing being written
 * @row: where the caller writes the current row: for each shown column in order its text followed
 *       by table_cell_end(), then whatever stands behind the columns, each piece after a blank
 *       or on a line of its own, then table_row_end()
 */
struct table {
	struct out row;
	struct out *to;
	struct out kept;      /* rows waiting for widths */
	bool settled;
	bool shown[TABLE_COLUMNS];
	uint16_t width[TABLE_COLUMNS];
	uint16_t len[TABLE_COLUMNS]; /* of the current row's cells */
	unsigned int column;  /* the one being written */
	size_t cell_start;
};

/** table_open - begins a listing into @to, borrowed until table_close(), with the columns named by bits of @columns */
void table_open(struct table *t, struct out *to, uint32_t columns);

/** table_header - writes the heading as the first row */
void table_header(struct table *t);

/** table_row_begin - begins a row */
void table_row_begin(struct table *t);

/** table_cell_end - ends the current column's text and goes on to the next shown one */
void table_cell_end(struct table *t);

/** table_row_end - lays the row out, or keeps it until widths are known */
void table_row_end(struct table *t);

/** table_flush - writes the kept rows with the widths seen so far, as before waiting for more */
void table_flush(struct table *t);

/** table_close - writes what is kept and frees everything but @to */
void table_close(struct table *t);

#endif
