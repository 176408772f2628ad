/* meta.c - writes and reads `meta` of a run's directory. */
#include "launch/meta.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run/reader.h"

/* Appends as much of s as fits. */
static void append(char *buf, size_t size, const char *s, size_t n)
{
	size_t at = strlen(buf), room = size - 1 - at;

	n = n > room ? room : n;
	memcpy(buf + at, s, n);
	buf[at + n] = '\0';
}

static bool is_plain_word(const char *s)
{
	for (const char *p = s; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("%+,-./:=@_", *p))
			return false;
	return *s != '\0';
}

void meta_set_command(struct meta *m, char *const argv[])
{
	size_t size = sizeof(m->command);

	m->command[0] = '\0';
	for (int i = 0; argv[i]; i++) {
		if (i)
			append(m->command, size, " ", 1);
		if (is_plain_word(argv[i])) {
			append(m->command, size, argv[i], strlen(argv[i]));
			continue;
		}
		append(m->command, size, "'", 1);
		for (const char *p = argv[i]; *p; p++)
			append(m->command, size, *p == '\'' ? "'\\''" : p, *p == '\'' ? 4 : 1);
		append(m->command, size, "'", 1);
	}
	run_text_clean(m->command, size);
}

int meta_write(int dir, const struct meta *m)
{
	int fd = openat(dir, "meta", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
	int rc = 0;

	if (!f) {
		rc = -errno;
		if (fd >= 0)
			close(fd);
		return rc;
	}
	fprintf(f, "sockshim: %s\n", SOCKSHIM_VERSION);
	fprintf(f, "program: %s\ncommand: %s\ncwd: %s\n", m->program, m->command, m->cwd);
	fprintf(f, "seed: %llu\nstarted_ns: %lld\nlauncher: %d\n", (unsigned long long)m->seed,
		(long long)m->started_ns, m->launcher);
	if (fflush(f) != 0)
		rc = -errno;
	if (fclose(f) != 0 && rc == 0)
		rc = -errno;
	return rc;
}

int meta_add_pid(int dir, int pid)
{
	int fd = openat(dir, "meta", O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW), rc;

	if (fd < 0)
		return -errno;
	rc = dprintf(fd, "pid: %d\n", pid) < 0 ? -errno : 0;
	close(fd);
	return rc;
}

static void parse_line(struct meta *m, const char *line)
{
	const char *value = strstr(line, ": ");
	size_t key;

	if (!value)
		return;
	key = (size_t)(value - line);
	value += 2;
#define IS(name) (key == sizeof(name) - 1 && memcmp(line, name, key) == 0)
	if (IS("program"))
		snprintf(m->program, sizeof(m->program), "%s", value);
	else if (IS("command"))
		snprintf(m->command, sizeof(m->command), "%s", value);
	else if (IS("cwd"))
		snprintf(m->cwd, sizeof(m->cwd), "%s", value);
	else if (IS("seed"))
		m->seed = strtoull(value, NULL, 10);
	else if (IS("started_ns"))
		m->started_ns = strtoll(value, NULL, 10);
	else if (IS("launcher"))
		m->launcher = atoi(value);
	else if (IS("pid"))
		m->pid = atoi(value);
#undef IS
}

int meta_read(int dir, struct meta *m)
{
	char text[4096], *line, *rest = text;
	int fd = openat(dir, "meta", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t n;

	memset(m, 0, sizeof(*m));
	if (fd < 0)
		return -errno;
	n = pread(fd, text, sizeof(text) - 1, 0);
	close(fd);
	if (n < 0)
		return -EIO;
	text[n] = '\0';
	while ((line = strsep(&rest, "\n")) != NULL)
		parse_line(m, line);
	run_text_clean(m->program, sizeof(m->program));
	run_text_clean(m->command, sizeof(m->command));
	run_text_clean(m->cwd, sizeof(m->cwd));
	return 0;
}
