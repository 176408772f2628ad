/* Where sockets are read from: conversations in sock_diag, or a recording of one. */
#include "cli/source.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/opts.h"
#include "cli/run.h"

#define SUFFIX ".diag"

/* Read rather than mapped: a file that shrinks under a mapping kills its reader. */
static struct diag_err read_recording(struct source *s)
{
	FILE *in = fopen(s->path, "re");
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

static struct diag_err connect_to(const struct source *s, struct diag_conn *c)
{
	switch (s->kind) {
	case SOURCE_KERNEL:
		diag_conn_close(c);
		return diag_conn_open(c);
	case SOURCE_SOCKET:
		diag_conn_close(c);
		return diag_conn_open_path(c, s->path);
	case SOURCE_RECORDING:
		break;
	}
	return DIAG_OK;
}

struct diag_err source_connect(struct source *s)
{
	return connect_to(s, &s->conn);
}

struct diag_err source_connect_side(struct source *s)
{
	if (s->kind == SOURCE_RECORDING)
		return diag_err_sys(EOPNOTSUPP);
	return s->side.fd >= 0 ? DIAG_OK : connect_to(s, &s->side);
}

void source_drop_side(struct source *s)
{
	diag_conn_close(&s->side);
}

/* Adds one more; it is complete but for what @kind needs. */
static struct source *add(struct sources *s, enum source_kind kind, const char *name, const char *path)
{
	struct source *v = reallocarray(s->v, s->n + 1, sizeof(*v)), *new;

	if (!v)
		return NULL;
	s->v = v;
	new = &v[s->n];
	memset(new, 0, sizeof(*new));
	new->conn.fd = new->side.fd = -1;
	new->kind = kind;
	new->name = strdup(name);
	new->path = strdup(path);
	s->n++;
	return new->name && new->path ? new : NULL;
}

static int refuse(const char *name, struct diag_err e)
{
	char text[128];

	fprintf(stderr, "sockdiag: source '%s': %s\n", name, diag_err_text(e, text, sizeof(text)));
	if (!strchr(name, '/') && e.kind == DIAG_ERR_SYS && e.code == ENOENT)
		fprintf(stderr, "Sources are kernel, stack:NAME, run:ID, all, or the path of a recording or socket.\n");
	return EXIT_FAILED;
}

bool source_base(char path[PATH_MAX])
{
	const char *dir = getenv("SOCKSHIM_DIR");
	struct stat st;
	int n;

	if (dir && dir[0])
		return snprintf(path, PATH_MAX, "%s", dir) < PATH_MAX;
	dir = getenv("XDG_RUNTIME_DIR");
	/* It is often still set after su or in a container, where it is another user's or not there. */
	if (dir && dir[0] == '/' && stat(dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid())
		n = snprintf(path, PATH_MAX, "%s/sockshim", dir);
	else
		n = snprintf(path, PATH_MAX, "/tmp/sockshim-%u", (unsigned int)geteuid());
	return n < PATH_MAX;
}

static int add_path(struct sources *s, const char *name)
{
	struct source *new;
	struct diag_err e;
	struct stat st;

	if (stat(name, &st) < 0)
		return refuse(name, diag_err_sys(errno));
	new = add(s, S_ISSOCK(st.st_mode) ? SOURCE_SOCKET : SOURCE_RECORDING, name, name);
	if (!new)
		return refuse(name, diag_err_sys(ENOMEM));
	if (new->kind == SOURCE_SOCKET)
		return 0;
	e = read_recording(new);
	return diag_failed(e) ? refuse(name, e) : 0;
}

/* Whether a stack's name can be part of a path. */
static bool is_name(const char *name)
{
	return name[0] && name[0] != '.' && !strchr(name, '/') && strlen(name) <= NAME_MAX - 16;
}

static int add_stack(struct sources *s, const char *name)
{
	char base[PATH_MAX], path[PATH_MAX + NAME_MAX + 16], shown[NAME_MAX + 16];
	struct stat st;

	snprintf(shown, sizeof(shown), "stack:%.255s", name);
	if (!is_name(name)) {
		fprintf(stderr, "sockdiag: source '%s': expected a name after 'stack:'\n", shown);
		return EXIT_USAGE;
	}
	if (!source_base(base))
		return refuse(shown, diag_err_sys(ENAMETOOLONG));
	snprintf(path, sizeof(path), "%s/stack/%s" SUFFIX, base, name);
	if (stat(path, &st) < 0) {
		fprintf(stderr, "sockdiag: source '%s': %s (%s: %s)\n", shown,
			errno == ENOENT ? "no such stack is up" : "it cannot be reached", path, strerror(errno));
		return EXIT_FAILED;
	}
	return add(s, SOURCE_SOCKET, shown, path) ? 0 : refuse(shown, diag_err_sys(ENOMEM));
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct source *)a)->name, ((const struct source *)b)->name);
}

/* Every stack that answers: a file may be what a killed host left. */
static int add_stacks(struct sources *s)
{
	char base[PATH_MAX], dir[PATH_MAX + 8], name[NAME_MAX + 1];
	size_t first = s->n;
	struct dirent *e;
	int rc = 0;
	DIR *d;

	if (!source_base(base))
		return 0;
	snprintf(dir, sizeof(dir), "%s/stack", base);
	d = opendir(dir);
	while (d && !rc && (e = readdir(d))) {
		size_t len = strlen(e->d_name);

		if (len <= strlen(SUFFIX) || strcmp(e->d_name + len - strlen(SUFFIX), SUFFIX))
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)(len - strlen(SUFFIX)), e->d_name);
		if (!is_name(name))
			continue;
		rc = add_stack(s, name);
		if (!rc && source_connect(&s->v[s->n - 1]).code == ECONNREFUSED)
			free(s->v[s->n - 1].name), free(s->v[s->n - 1].path), s->n--;
	}
	if (d)
		closedir(d);
	qsort(s->v + first, s->n - first, sizeof(*s->v), by_name);
	return rc;
}

/*
 * Under the shim, in a program that has a stack, the kernel's answers have that stack's sockets among them.
 * Where stacks are asked as well they would be there twice.
 */
static void want_kernel_alone(void)
{
	void (*alone)(void) = (void (*)(void))dlsym(RTLD_DEFAULT, "sockshim_kernel_alone");

	if (alone)
		alone();
}

int sources_find(struct sources *s, const char *name)
{
	int rc;

	memset(s, 0, sizeof(*s));
	if (!strncmp(name, "stack:", 6))
		return add_stack(s, name + 6);
	if (strcmp(name, "kernel") && strcmp(name, "all") && strncmp(name, "run:", 4))
		return add_path(s, name);
	if (!add(s, SOURCE_KERNEL, "kernel", ""))
		return refuse(name, diag_err_sys(ENOMEM));
	if (!strcmp(name, "kernel"))
		return 0;
	want_kernel_alone();
	rc = add_stacks(s);
	if (!rc && name[0] == 'r')
		rc = run_find(&s->run, name + 4);
	return rc;
}

bool sources_connect(struct sources *s)
{
	size_t alive = 0;

	for (size_t i = 0; i < s->n; i++) {
		struct source *v = &s->v[i];

		if (v->conn.fd < 0 && v->kind != SOURCE_RECORDING)
			v->error = source_connect(v);
		v->dead = diag_failed(v->error);
		if (v->dead)
			refuse(v->name, v->error);
		alive += !v->dead;
	}
	return alive;
}

void sources_close(struct sources *s)
{
	for (size_t i = 0; i < s->n; i++) {
		diag_conn_close(&s->v[i].conn);
		diag_conn_close(&s->v[i].side);
		free(s->v[i].recording);
		free(s->v[i].name);
		free(s->v[i].path);
	}
	free(s->v);
	run_free(s->run);
}
