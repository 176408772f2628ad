/* ending.c - how a process image ends. */
#include "interpose/ending.h"

#include <fcntl.h>
#include <time.h>

#include "interpose/hook.h"
#include "run/clock.h"
#include "run/complain.h"
#include "run/config.h"
#include "run/stat.h"
#include "run/sys.h"
#include "run/text.h"

#define ROOM_MS 1000	/* for a reader of standard error to make some */

/* Appends the statistics, one line per cookie, each led by program and pid. */
static void dump(const char *path)
{
	static struct sockshim_stat stats[RUN_STATS];	/* the stack may be a signal handler's */
	size_t n = socktab_stats(&hook.tab, stats, RUN_STATS);
	bool said = path[0] == '-' && !path[1];
	int fd = said ? 2 : hook_sandboxed ? -EPERM :
		(int)sys(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);

	if (fd < 0 && hook_sandboxed)
		return;
	if (fd < 0) {
		run_say(&hook.run, "cannot write SOCKSHIM_DUMP", path, -fd, "there is no dump");
		return;
	}
	for (size_t i = 0; i < n; i++) {
		char line[512];
		struct text t = text_to(line, sizeof(line));

		text_str(&t, hook.run.file->program);
		text_char(&t, '[');
		text_int(&t, hook.run.file->pid);
		text_str(&t, "] ");
		if (t.len < t.n)
			t.len += (size_t)sockshim_stat_format(line + t.len, t.n - t.len, &stats[i]);
		text_char(&t, '\n');
		text_end(&t);
		t.len = t.len < t.n ? t.len : t.n - 1;
		if (!(said ? run_complain(line, t.len, ROOM_MS) : run_write(fd, line, t.len)))
			break;
	}
	if (!said)
		sys(SYS_close, fd);
}

void ending_mark(enum run_state how)
{
	struct run_file *f = hook.run.file;

	if (hook_vforked || !f || !hook_is_alive() || f->state == RUN_EXITED)
		return;
	f->ended_ns = run_clock_ns(CLOCK_REALTIME);
	__atomic_store_n(&f->state, how, __ATOMIC_RELEASE);
	if (how == RUN_EXITED && run_config()->dump)
		dump(run_config()->dump);
}

void ending_undo(void)
{
	struct run_file *f = hook.run.file;

	if (hook_vforked || !f || !hook_is_alive() || f->state != RUN_EXEC)
		return;
	__atomic_store_n(&f->state, RUN_ALIVE, __ATOMIC_RELEASE);
	f->ended_ns = 0;
}

__attribute__((destructor)) static void ending_destructor(void)
{
	if (hook.run.file)	/* asked here, where a program without sockets need not read another page of code */
		ending_mark(RUN_EXITED);
}
