/* config.c - what the environment says. */
#include "run/config.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/complain.h"
#include "run/sys.h"
#include "run/text.h"

/* All that a program's start touches lies together, and what it must be relocated for or read from elsewhere is little: a page
 * of a library costs a program that never makes a socket some microseconds. */
static struct {
	struct run_config config;
	int state;		/* 0: not read, 1: being read, 2: read */
	size_t copied;
	char copies[24576];	/* values, one after the other */
} kept;

static struct {
	char name[20];
	uint8_t offset;
	bool path;		/* if relative, from where the program starts */
} variables[] = {		/* not const: so it is with the data */
#define V(name, field) { name "=", offsetof(struct run_config, field), false }
#define P(name, field) { name "=", offsetof(struct run_config, field), true }
	P("SOCKSHIM_RUN", run), P("SOCKSHIM_DIR", dir), V("SOCKSHIM_RULES", rules),
	V("SOCKSHIM_STACK", stack), V("SOCKSHIM_ONLY", only), V("SOCKSHIM_EXCEPT", except),
	P("SOCKSHIM_STACKD", stackd),
	P("SOCKSHIM_FAULTS", faults), V("SOCKSHIM_SEED", seed), P("SOCKSHIM_DUMP", dump),
	V("SOCKSHIM_TRACE", trace), V("SOCKSHIM_BACKTRACE", backtrace),
	V("SOCKSHIM_TIMES", times),
	V("XDG_RUNTIME_DIR", runtime_dir), V("LD_PRELOAD", preload),
#undef V
#undef P
};

/* The working directory with a slash behind it, its length; 0: there is none. */
static size_t working_directory(char *to, size_t n)
{
	long len = sys(SYS_getcwd, to, n - 1);

	if (len <= 1 || to[0] != '/')
		return 0;
	to[len - 1] = '/';
	return (size_t)len;
}

/* Keeps NAME=value, of which `name_bytes` are NAME and the sign. */
static void keep(const char **field, const char *entry, size_t name_bytes, bool path)
{
	size_t n = strlen(entry) + 1, i = 0, cwd_bytes = 0;
	const char *value = entry + name_bytes;
	char cwd[512];

	if (!value[0])
		return;		/* empty is as good as not there */
	if (path && value[0] != '/' && !(value[0] == '-' && !value[1]))
		cwd_bytes = working_directory(cwd, sizeof(cwd));
	if (n + cwd_bytes > sizeof(kept.copies) - kept.copied) {
		kept.config.too_long = true;
		return;
	}
	memcpy(kept.copies + kept.copied, entry, name_bytes);
	memcpy(kept.copies + kept.copied + name_bytes, cwd, cwd_bytes);
	memcpy(kept.copies + kept.copied + name_bytes + cwd_bytes, value, n - name_bytes);
	*field = kept.copies + kept.copied + name_bytes;
	if (entry[0] != 'X') {
		while (kept.config.entries[i])
			i++;
		kept.config.entries[i] = kept.copies + kept.copied;
	}
	kept.copied += n + cwd_bytes;
}

static void read_entry(const char *e)
{
	if (e[0] != 'S' && e[0] != 'X' && e[0] != 'L')
		return;
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		size_t n = strlen(variables[i].name);
		const char **field = (const char **)((char *)&kept.config + variables[i].offset);

		if (!*field && strncmp(e, variables[i].name, n) == 0)
			keep(field, e, n, variables[i].path);
	}
}

#define EARLY_BYTES (1u << 20)

/* A program's .preinit_array runs before libc knows the environment; the kernel does. */
static void read_early_environment(void)
{
	int fd = (int)sys(SYS_openat, AT_FDCWD, "/proc/self/environ", O_RDONLY | O_CLOEXEC, 0);
	long p = fd < 0 ? fd : sys(SYS_mmap, NULL, EARLY_BYTES, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), n;
	size_t have = 0;
	char *text = (char *)p;

	if (p < 0 && p > -4096) {
		if (fd >= 0)
			sys(SYS_close, fd);
		return;
	}
	while ((n = sys(SYS_read, fd, text + have, EARLY_BYTES - 1 - have)) > 0)
		have += (size_t)n;
	for (size_t i = 0; i < have; i += strlen(text + i) + 1)
		read_entry(text + i);
	sys(SYS_munmap, text, EARLY_BYTES);
	sys(SYS_close, fd);
}

static void read_environment(void)
{
	run_complain_start();
	kept.config.secure = getauxval(AT_SECURE) != 0;
	if (kept.config.secure)
		return;
	if (!environ)
		read_early_environment();
	for (char **e = environ; e && *e; e++)
		read_entry(*e);
}

const struct run_config *run_config(void)
{
	int none = 0;

	if (__atomic_load_n(&kept.state, __ATOMIC_ACQUIRE) != 2 &&
	    __atomic_compare_exchange_n(&kept.state, &none, 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		read_environment();
		__atomic_store_n(&kept.state, 2, __ATOMIC_RELEASE);
	}
	return &kept.config;
}

/* Before the program's main can change its environment (nginx writes over it, daemons clear it). */
__attribute__((constructor)) static void config_constructor(void)
{
	__atomic_fetch_add(&kept.state, 0, __ATOMIC_RELAXED);	/* a first access that is a load would be a page fault more */
	run_config();
}

void run_config_base(struct text *t)
{
	const struct run_config *c = run_config();
	uid_t uid = (uid_t)sys(SYS_geteuid, 0);
	struct stat st;

	/* After su the variable may still name the directory of the user before. */
	if (c->dir) {
		text_str(t, c->dir);
	} else if (c->runtime_dir && stat(c->runtime_dir, &st) == 0 && st.st_uid == uid) {
		text_str(t, c->runtime_dir);
		text_str(t, "/sockshim");
	} else {
		text_str(t, "/tmp/sockshim-");
		text_uint(t, uid);
	}
}
