/* The processes of a run of the shim, and which sockets are theirs. */
#include "cli/run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/opts.h"
#include "cli/procs.h"

struct run {
	int *pids;
	size_t n;
	struct procs *procs;
};

/* When a process began, in seconds since 1970; 0 if it is gone. */
static double began(int pid)
{
	char path[40], text[1024], *p;
	unsigned long long ticks = 0;
	struct timespec now, up;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	p = fgets(text, sizeof(text), f) ? strrchr(text, ')') : NULL; /* the name before it may hold anything */
	fclose(f);
	if (!p || sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
			 &ticks) != 1)
		return 0;
	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_BOOTTIME, &up);
	return (double)now.tv_sec - (double)up.tv_sec + (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

/* Whether the process is still the one that made the file: a number that was given again began later. */
static bool is_same(int dir, const char *name, int pid)
{
	double start = began(pid);
	struct statx st;

	if (start == 0)
		return false;
	if (statx(dir, name, AT_SYMLINK_NOFOLLOW, STATX_BTIME, &st) < 0 || !(st.stx_mask & STATX_BTIME))
		return true;
	return start <= (double)st.stx_btime.tv_sec + 2;
}

/* "12-4711" to 4711; 0 for other names. */
static int pid_of(const char *name)
{
	unsigned int n, pid;
	int end = 0;

	return sscanf(name, "%u-%u%n", &n, &pid, &end) == 2 && !name[end] && pid <= INT_MAX ? (int)pid : 0;
}

static bool take(struct run *r, int pid)
{
	int *grown = reallocarray(r->pids, r->n + 1, sizeof(*grown));

	if (!grown)
		return false;
	r->pids = grown;
	r->pids[r->n++] = pid;
	return true;
}

int run_find(struct run **out, const char *id)
{
	char base[PATH_MAX], path[PATH_MAX + NAME_MAX + 2];
	struct run *r = calloc(1, sizeof(*r));
	struct dirent *e;
	bool good = r != NULL;
	DIR *d = NULL;

	*out = r;
	errno = ENAMETOOLONG;
	if (good && id[0] && id[0] != '.' && !strchr(id, '/') && source_base(base) && strlen(id) <= NAME_MAX) {
		snprintf(path, sizeof(path), "%s/%s", base, id);
		d = opendir(path);
	} else if (good) {
		fprintf(stderr, "sockdiag: source 'run:%s': expected a run's id after 'run:'\n", id);
		return EXIT_USAGE;
	}
	if (good && !d) {
		fprintf(stderr, "sockdiag: source 'run:%s': no such run (%s: %s)\n", id, path, strerror(errno));
		return EXIT_FAILED;
	}
	while (good && (e = readdir(d))) {
		int pid = pid_of(e->d_name);

		if (pid && is_same(dirfd(d), e->d_name, pid))
			good = take(r, pid);
	}
	if (d)
		closedir(d);
	if (good)
		r->procs = procs_load(r->pids, r->n);
	if (!good || !r->procs) {
		fputs("sockdiag: out of memory\n", stderr);
		return EXIT_FAILED;
	}
	return 0;
}

bool run_has(const struct run *r, uint32_t inode, const struct diag_stack_process *made)
{
	struct procs_user u;

	if (procs_first(r->procs, inode, &u))
		return true;
	for (size_t i = 0; made && i < r->n; i++)
		if (r->pids[i] == (int)made->pid)
			return true;
	return false;
}

void run_free(struct run *r)
{
	if (!r)
		return;
	procs_free(r->procs);
	free(r->pids);
	free(r);
}
