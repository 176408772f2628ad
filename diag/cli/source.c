/* Where sockets are read from: a conversation in sock_diag, or a recording of one. */
#include "cli/source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Read rather than mapped: a file that shrinks under a mapping kills its reader. */
static struct diag_err read_recording(struct source *s)
{
	FILE *in = fopen(s->name, "re");
	size_t room = 0, n;
	struct diag_err e = DIAG_OK;

	if (!in)
		return diag_err_sys(errno);
	do {
		if (s->recording_len == room) {
			void *grown = realloc(s->recording, room ? 2 * room : 65536);

			if (!grown) {
				e = diag_err_sys(ENOMEM);
				break;
			}
			room = room ? 2 * room : 65536;
			s->recording = grown;
		}
		n = fread((char *)s->recording + s->recording_len, 1, room - s->recording_len, in);
		s->recording_len += n;
	} while (n);
	if (ferror(in))
		e = diag_err_sys(errno);
	fclose(in);
	return e;
}

struct diag_err source_connect(struct source *s)
{
	switch (s->kind) {
	case SOURCE_KERNEL:
		diag_conn_close(&s->conn);
		return diag_conn_open(&s->conn);
	case SOURCE_SOCKET:
		diag_conn_close(&s->conn);
		return diag_conn_open_path(&s->conn, s->name);
	case SOURCE_RECORDING:
		break;
	}
	return DIAG_OK;
}

struct diag_err source_find(struct source *s, const char *name)
{
	struct stat st;

	memset(s, 0, sizeof(*s));
	s->conn.fd = -1;
	s->name = name;
	if (!strcmp(name, "kernel"))
		s->kind = SOURCE_KERNEL;
	else if (stat(name, &st) < 0)
		return diag_err_sys(errno);
	else
		s->kind = S_ISSOCK(st.st_mode) ? SOURCE_SOCKET : SOURCE_RECORDING;
	return s->kind == SOURCE_RECORDING ? read_recording(s) : DIAG_OK;
}

void source_close(struct source *s)
{
	diag_conn_close(&s->conn);
	free(s->recording);
	s->recording = NULL;
}
