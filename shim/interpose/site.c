/* site.c - call sites: finding the module of a program counter, and recording backtraces. */
#include "interpose/site.h"

#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>

#include "fault/glob.h"
#include "interpose/hook.h"
#include "interpose/object.h"
#include "interpose/symbol.h"
#include "run/sys.h"
#include "run/text.h"

static struct run_module *find(const void *pc)
{
	struct run_module *m = hook.run.file ? hook.run.file->modules : NULL;
	uint64_t a = (uint64_t)(uintptr_t)pc;

	for (int i = 0; m && i < RUN_MODULES; i++) {
		uint64_t end = __atomic_load_n(&m[i].end, __ATOMIC_ACQUIRE);

		if (end == 0)
			return NULL;
		if (a >= m[i].start && a < end)
			return &m[i];
	}
	return NULL;
}

static void copy_tail(char *to, size_t n, const char *path)
{
	size_t len = strlen(path);

	if (len >= n)
		path += len - (n - 1);
	memcpy(to, path, len >= n ? n : len + 1);
}

/* Enters a module; `end` last, since that is what makes an entry valid. */
static struct run_module *enter(uint64_t start, uint64_t end, uint64_t base, const char *path)
{
	static uint32_t lock;
	struct run_module *m = hook.run.file->modules, *mine = NULL;

	/* Two threads may find the same module at once; one that finds the table busy does without. */
	if (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
		return NULL;
	for (int i = 0; i < RUN_MODULES && !mine; i++)
		if (m[i].end == 0)
			mine = &m[i];
	if (mine) {
		mine->start = start;
		mine->base = base;
		copy_tail(mine->path, sizeof(mine->path), path);
		__atomic_store_n(&mine->end, end, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
	return mine;
}

static const char *main_program(char *buf, size_t n)
{
	long len = hook_sandboxed ? -EPERM : sys(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", buf, n - 1);
	const char *execfn = (const char *)getauxval(AT_EXECFN);

	if (len <= 0)
		return execfn ? execfn : "";
	buf[len] = 0;
	return buf;
}

static struct run_module *from_loader(const void *pc)
{
	struct object o;
	char exe[256];
	const char *name;

	if (!object_find(pc, &o))
		return NULL;
	name = o.link_map->l_name && o.link_map->l_name[0] ? o.link_map->l_name : main_program(exe, sizeof(exe));
	return enter((uint64_t)(uintptr_t)o.start, (uint64_t)(uintptr_t)o.end, o.link_map->l_addr, name);
}

static const char *parse_hex(const char *p, uint64_t *v)
{
	*v = 0;
	for (;; p++) {
		int c = *p | 32;
		int d = *p >= '0' && *p <= '9' ? *p - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;

		if (d < 0)
			return p;
		*v = *v << 4 | (unsigned)d;
	}
}

struct maps_scan {
	uint64_t pc, start, base;
	char path[256];
	struct run_module *found;
};

/* One line of /proc/self/maps: "start-end perms offset dev inode   path". */
static void maps_line(struct maps_scan *s, const char *line)
{
	uint64_t start, end, offset;
	const char *p = parse_hex(line, &start), *path = strchr(line, '/');

	if (*p++ != '-' || !path)
		return;
	p = parse_hex(p, &end);
	if (*p != ' ' || strlen(p) < 6)
		return;
	parse_hex(p + 6, &offset);
	if (strcmp(s->path, path) != 0) {
		copy_tail(s->path, sizeof(s->path), path);
		s->start = start;
		s->base = start - offset;
	}
	if (s->pc >= start && s->pc < end)
		s->found = enter(s->start, end, s->base, s->path);
}

static struct run_module *from_maps(const void *pc)
{
	struct maps_scan s = { .pc = (uint64_t)(uintptr_t)pc };
	char buf[1024];		/* the stack may be a signal handler's; of a longer line the end is lost */
	size_t have = 0;
	int fd = hook_sandboxed ? -EPERM :
		(int)sys(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
	long n;

	if (fd < 0)
		return NULL;
	while (!s.found && (n = sys(SYS_read, fd, buf + have, sizeof(buf) - 1 - have)) > 0) {
		char *line = buf, *nl;

		have += (size_t)n;
		buf[have] = 0;
		for (; !s.found && (nl = strchr(line, '\n')); line = nl + 1) {
			*nl = 0;
			maps_line(&s, line);
		}
		have = line == buf ? 0 : have - (size_t)(line - buf);
		memmove(buf, line, have);
	}
	sys(SYS_close, fd);
	return s.found;
}

static struct run_module *module_of(const void *pc)
{
	struct run_module *m = find(pc);

	if (m || !hook.run.file || hook.run.file->modules[RUN_MODULES - 1].end)
		return m;
	m = from_loader(pc);
	return m ? m : from_maps(pc);
}

/* libc's backtrace() loads the unwinder the first time, which takes memory and locks: only runs that ask for
 * backtraces pay for it. A libc without it (musl) leaves the opener alone. */
void site_note_backtrace(struct run_socket *s, const void *pc)
{
	static int (*fn)(void **, int);
	static bool looked;
	void *frames[RUN_BACKTRACE + 8];
	uint32_t k = 0;
	int n, i = 0;

	if (!looked) {
		fn = (int (*)(void **, int))libc_next("backtrace");
		looked = true;
	}
	n = fn ? fn(frames, RUN_BACKTRACE + 8) : 0;
	while (i < n && frames[i] != pc)	/* our own frames */
		i++;
	for (; i < n && k < hook.backtrace; i++, k++) {
		module_of(frames[i]);
		s->backtrace[k] = (uint64_t)(uintptr_t)frames[i];
	}
	if (k < RUN_BACKTRACE)
		s->backtrace[k] = 0;
}

void site_note_module(const void *pc)
{
	const struct run_module *m = module_of(pc);

	if (!m)
		return;
	/* If two threads are here, what is noted may be a mixture of their modules': then a third one that lies between is taken
	 * for noted, and its sockets' openers have no name until another module has come between. */
	__atomic_store_n(&hook_guard.module_bytes, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&hook_guard.module_start, m->start, __ATOMIC_RELAXED);
	__atomic_store_n(&hook_guard.module_bytes, m->end - m->start < UINT32_MAX ? (uint32_t)(m->end - m->start) : UINT32_MAX,
			 __ATOMIC_RELAXED);
}

/* libcurl.so.4 is also libcurl.so, and libcurl. */
static bool same_module(const char *path, const char *pattern)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *so = strstr(base, ".so");

	if (fault_glob_match(pattern, base, strlen(base), false))
		return true;
	return so && (so[3] == 0 || so[3] == '.') &&
	       (fault_glob_match(pattern, base, (size_t)(so - base), false) ||
		fault_glob_match(pattern, base, (size_t)(so - base) + 3, false));
}

bool site_is(const void *pc, const char *module, const char *function)
{
	struct run_module *m = module_of(pc);
	uint64_t start, bytes, at = (uint64_t)(uintptr_t)pc - 1;	/* the call is before the return address */

	if (!m || !same_module(m->path, module))
		return false;
	if (!function)
		return true;
	if (!symbol_find(m->path, function, &start, &bytes))
		return false;
	return at >= m->base + start && at < m->base + start + (bytes ? bytes : 1);
}
