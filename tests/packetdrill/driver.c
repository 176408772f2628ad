/*
 * Runs scripts in a subset of packetdrill's language against a stack in a shared object.
 *
 *	driver [-6] [-v] [-k | -s LIBRARY] SCRIPT...
 *
 * -6: over IPv6; -v: say when each segment left; -k: against the kernel instead, to see whether a script is right. Each script runs in a
 * process of its own. Calls that a script says block run on a second thread, as packetdrill has it, and the
 * library is opened and called as packetdrill does.
 */
#include "driver.h"

#include <dlfcn.h>
#include <libgen.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define FLAGS "addr=192.168.0.1/16,gw=192.168.0.2,addr=fd3d:fa7b:d17d::1/48,gw=fd3d:fa7b:d17d::2,mtu=1500"

/* Its timers are coarse, and the time is real. */
enum { KERNEL_TOLERANCE_US = 100000 };

static const char *library;
static bool use_kernel, use_v6, verbose;

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	_exit(1);
}

void fail_at(const struct driver *d, const struct event *e, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s:%d: ", d->script.path, e->line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	_exit(1);
}

int64_t driver_now(struct driver *d)
{
	struct timeval tv;

	d->t.gettimeofday(d->t.userdata, &tv, NULL);
	return tv.tv_sec * 1000000ll + tv.tv_usec;
}

static void wait_until(struct driver *d, const struct event *e, int64_t us)
{
	int64_t now;

	while ((now = driver_now(d)) < us) {
		if (us - now > 20) {
			pthread_mutex_unlock(&d->lock);
			d->t.usleep(d->t.userdata, (useconds_t)(us - now - 20));
			pthread_mutex_lock(&d->lock);
		}
	}
	if (e->at != AT_ANY && now > us + d->script.tolerance_us)
		fail_at(d, e, "%.6f has passed", (double)(us - d->start_us) / 1e6);
}

/* The second thread: runs what it is given. */
static void *blocking_thread(void *ctx)
{
	struct driver *d = ctx;

	pthread_mutex_lock(&d->lock);
	d->tid = (pid_t)syscall(SYS_gettid);
	pthread_cond_broadcast(&d->changed);
	for (;;) {
		const struct event *e;

		while (!d->blocking && !d->quit)
			pthread_cond_wait(&d->changed, &d->lock);
		if (d->quit)
			break;
		e = d->blocking;
		pthread_mutex_unlock(&d->lock);
		call_run(d, e);
		pthread_mutex_lock(&d->lock);
		d->blocking = NULL;
		if (d->thread_end_us < d->thread_want_us - d->script.tolerance_us ||
		    d->thread_end_us > d->thread_want_us + d->script.tolerance_us)
			fail_at(d, e, "%s ended at %.6f, expected at %.6f", e->call.name,
				(double)(d->thread_end_us - d->start_us) / 1e6,
				(double)(d->thread_want_us - d->start_us) / 1e6);
		pthread_cond_broadcast(&d->changed);
	}
	pthread_mutex_unlock(&d->lock);
	return NULL;
}

static bool asleep(pid_t tid)
{
	char path[64], state = '?';
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%*d %*[^)]) %c", &state) != 1)
		die("%s: cannot read it", path);
	fclose(f);
	return state == 'S';
}

/* Hands a call to the second thread, and waits until that sleeps in it or is done. */
static void run_blocking(struct driver *d, const struct event *e, int64_t from_us)
{
	while (d->blocking)
		pthread_cond_wait(&d->changed, &d->lock);
	d->blocking = e;
	d->thread_want_us = from_us + e->block_us;
	pthread_cond_broadcast(&d->changed);
	for (int calm = 0; d->blocking == e && calm < 3;) {
		struct timespec ms = { 0, 1000000 };

		pthread_mutex_unlock(&d->lock);
		nanosleep(&ms, NULL);
		calm = asleep(d->tid) ? calm + 1 : 0;
		pthread_mutex_lock(&d->lock);
	}
}

static void run_event(struct driver *d, const struct event *e)
{
	int64_t base = d->start_us, want, want_end;

	if (e->at != AT_ABSOLUTE)
		base = d->anchor_us ? d->anchor_us : driver_now(d);
	d->anchor_us = 0;
	want = base + e->us;
	want_end = base + e->us_end;
	/* Calls on the first thread come after those on the second. */
	if (e->kind == EV_CALL)
		while (d->blocking) {
			struct timespec ms = { 0, 1000000 };

			if (driver_now(d) < want)
				break;
			pthread_mutex_unlock(&d->lock);
			nanosleep(&ms, NULL);
			pthread_mutex_lock(&d->lock);
		}
	switch (e->kind) {
	case EV_CALL:
		wait_until(d, e, want);
		/* One on the second thread that is over may still be on its way back. */
		for (int ms = 0; ms < 100 && d->blocking; ms++) {
			pthread_mutex_unlock(&d->lock);
			usleep(1000);
			pthread_mutex_lock(&d->lock);
		}
		if (e->block_us >= 0)
			run_blocking(d, e, want);
		else
			call_run(d, e);
		break;
	case EV_IN:
		wait_until(d, e, want);
		packet_send(d, e);
		d->anchor_us = 0;
		break;
	case EV_OUT:
		packet_expect(d, e, want, want_end);
		break;
	case EV_CODE:
		wait_until(d, e, want);
		code_check(d, e);
		break;
	case EV_COMMAND:
		kernel_command(e->text);
		break;
	}
}

static void open_library(struct driver *d)
{
	void (*init)(const char *flags, struct packetdrill_interface *t);
	void *h = dlopen(library, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE | RTLD_DEEPBIND);

	if (!h)
		die("%s", dlerror());
	*(void **)&init = dlsym(h, "packetdrill_interface_init");
	if (!init)
		die("%s", dlerror());
	init(FLAGS, &d->t);
}

static int run_script(const char *path)
{
	struct driver *d = calloc(1, sizeof(*d));

	script_read(&d->script, path);
	if (use_kernel)
		d->script.tolerance_us += KERNEL_TOLERANCE_US;
	for (int i = 0; i < MAX_FDS; i++)
		d->fds[i] = -1;
	addr_parse(use_v6 ? "fd3d:fa7b:d17d::1" : "192.168.0.1", &d->local);
	addr_parse(use_v6 ? "fd3d:fa7b:d17d:8888::2" : "192.0.2.1", &d->remote);
	d->rport = SCRIPT_PORT;
	d->lport = d->script.port;
	d->next_rport = 33000;
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->changed, NULL);
	d->is_kernel = use_kernel;
	d->verbose = verbose;
	if (use_kernel)
		kernel_table(&d->t);
	else
		open_library(d);
	pthread_mutex_lock(&d->lock);
	pthread_create(&d->thread, NULL, blocking_thread, d);
	while (!d->tid)
		pthread_cond_wait(&d->changed, &d->lock);
	d->start_us = driver_now(d);
	for (d->at = 0; d->at < d->script.count; d->at++)
		run_event(d, &d->script.events[d->at]);
	while (d->blocking) {
		struct timespec ms = { 0, 1000000 };

		pthread_mutex_unlock(&d->lock);
		nanosleep(&ms, NULL);
		pthread_mutex_lock(&d->lock);
	}
	d->quit = true;
	pthread_cond_broadcast(&d->changed);
	pthread_mutex_unlock(&d->lock);
	pthread_join(d->thread, NULL);
	for (int i = 0; i < MAX_FDS; i++)
		if (d->fds[i] >= 0 && close(d->fds[i]))
			die("%s: the script's descriptor %d is none", path, i);
	d->t.free(d->t.userdata);
	script_free(&d->script);
	free(d);
	return 0;
}

int main(int argc, char **argv)
{
	int opt, bad = 0;

	while ((opt = getopt(argc, argv, "6kvs:")) != -1) {
		if (opt == '6')
			use_v6 = true;
		else if (opt == 'k')
			use_kernel = true;
		else if (opt == 'v')
			verbose = true;
		else if (opt == 's')
			library = optarg;
		else
			return 2;
	}
	if (!kernel_settings()) {
		printf("skip packetdrill: no network namespace\n");
		return 0;
	}
	for (int i = optind; i < argc; i++) {
		int status;
		pid_t pid;

		fflush(NULL);
		pid = fork();
		if (pid == 0) {
			signal(SIGPIPE, SIG_IGN);	/* calls tell by EPIPE */
			alarm(60);	/* a hang is a failure */
			exit(run_script(argv[i]));
		}
		waitpid(pid, &status, 0);
		bad += status != 0;
		if (WIFSIGNALED(status))
			fprintf(stderr, "%s: signal %d\n", argv[i], WTERMSIG(status));
		printf("%s packetdrill%s %s\n", status ? "not ok" : "ok", use_v6 ? " ipv6" : "", basename(argv[i]));
	}
	return bad != 0;
}
