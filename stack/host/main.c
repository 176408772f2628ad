/*
 * sockshim-stackd: a TCP/IP stack that programs use through the preloaded library.
 *
 *	sockshim-stackd [--foreground] [--fd N] [--name NAME | --socket PATH] [--status-fd N]
 *	                [--log FILE] [--keep] SPECIFICATION
 *
 * Exits when the host is ready to serve (0; also if another serves at that place already), or cannot be
 * (1, after saying why). The line "ready PID PATH" or "error TEXT" goes to --status-fd as well.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "host/client.h"
#include "host/confine.h"
#include "host/daemon.h"
#include "host/diag.h"
#include "host/place.h"

/** struct options - the command line; descriptors are -1 if not given */
struct options {
	const char *name, *path, *log, *spec;
	int client_fd, status_fd;
	bool foreground, keep;
};

static const char usage[] =
	"usage: sockshim-stackd [--foreground] [--fd N] [--name NAME | --socket PATH] [--status-fd N]\n"
	"                       [--log FILE] [--keep] SPECIFICATION\n";

static int number(const char *s)
{
	char *end;
	long v = strtol(s, &end, 10);

	if (!*s || *end || v < 0 || v > INT32_MAX) {
		fprintf(stderr, "sockshim-stackd: %s: expected the number of a descriptor\n", s);
		exit(2);
	}
	return (int)v;
}

static void parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "foreground", no_argument, NULL, 'f' }, { "fd", required_argument, NULL, 'd' },
		{ "name", required_argument, NULL, 'n' }, { "socket", required_argument, NULL, 's' },
		{ "status-fd", required_argument, NULL, 't' }, { "log", required_argument, NULL, 'l' },
		{ "keep", no_argument, NULL, 'k' }, { "help", no_argument, NULL, 'h' }, { 0 },
	};
	int c;

	*o = (struct options){ .client_fd = -1, .status_fd = -1 };
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'f': o->foreground = true; break;
		case 'd': o->client_fd = number(optarg); break;
		case 'n': o->name = optarg; break;
		case 's': o->path = optarg; break;
		case 't': o->status_fd = number(optarg); break;
		case 'l': o->log = optarg; break;
		case 'k': o->keep = true; break;
		case 'h': fputs(usage, stdout); exit(0);
		default: fputs(usage, stderr); exit(2);
		}
	}
	if (optind != argc - 1 || (o->name && o->path) || (!o->name && !o->path && o->client_fd < 0)) {
		fputs(usage, stderr);
		exit(2);
	}
	o->spec = argv[optind];
}

static void close_others(const struct options *o, const struct spec *spec)
{
	int keep[SPEC_NICS + 2], n = 0;

	keep[n++] = o->client_fd;
	keep[n++] = o->status_fd;
	for (size_t i = 0; i < spec->nnics; i++)
		if (spec->nics[i].link == SPEC_LINK_FD)
			keep[n++] = spec->nics[i].fd;
	daemon_close_others(keep, (size_t)n);
}

/** struct stop - SIGTERM and SIGINT, as a source of the loop */
struct stop {
	struct source src;
	struct host *host;
	int fd;
};

static void stop_turn(struct source *s)
{
	struct stop *stop = container_of(s, struct stop, src);

	stop->host->down = true;
}

static int catch_signals(struct stop *stop, struct host *h)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	source_init(&stop->src, stop_turn);
	stop->host = h;
	stop->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return stop->fd < 0 ? -errno : loop_add(&h->loop, stop->fd, EPOLLIN, &stop->src);
}

static int serve_at(struct host *h, const struct options *o, struct place *place, char *error)
{
	int err = 0, fd;

	if (o->name || o->path) {
		fd = place_listen(place, error);
		err = fd < 0 ? fd : host_listen(h, fd);
		fd = err ? err : place_listen_diag(place, error);
		err = fd < 0 ? fd : diag_listen(h->diag, fd);
	}
	if (!err && o->client_fd >= 0)
		err = client_new(h, o->client_fd);
	return err;
}

static unsigned needs(const struct spec *spec)
{
	unsigned more = 0;

	for (size_t i = 0; i < spec->nnics; i++)
		more |= spec->nics[i].link == SPEC_LINK_LAN ? CONFINE_LAN :
			spec->nics[i].link == SPEC_LINK_USER ? CONFINE_USER : 0;
	return more;
}

/* Everything up to being ready; 0, 1 if another one serves, or -errno with @error. */
static int start(const struct options *o, const struct spec *spec, struct place *place, struct stop *stop,
		 struct host **h, char *error)
{
	const char *name = o->name ? o->name : "";
	int err = 0;

	*h = NULL;
	if (o->name || o->path) {
		err = place_find(o->name, o->path, place, error);
		if (!err)
			err = place_take(place, error);
		if (err <= 0)
			return err == 0 ? 1 : err;
	}
	err = host_new(spec, name, h, error);
	if (err)
		return err;
	(*h)->keep = o->keep;
	err = catch_signals(stop, *h);
	if (!err)
		err = serve_at(*h, o, place, error);
	if (!err)
		err = daemon_detach(o->log);
	if (!err)
		err = confine(needs(spec));
	if (err && !error[0])
		snprintf(error, SPEC_ERROR_MAX, "cannot start: %s", strerror(-err));
	return err;
}

static int run(const struct options *o, const struct spec *spec, int status)
{
	char error[SPEC_ERROR_MAX] = "", ready[PATH_MAX];
	struct place place = { .lock = -1 };
	struct stop stop;
	struct host *h;
	int r = start(o, spec, &place, &stop, &h, error);

	if (r < 0) {
		if (status < 0)
			fprintf(stderr, "sockshim-stackd: %s\n", error);
		place_leave(&place);
		daemon_report(status, "error", error);
		return 1;
	}
	snprintf(ready, sizeof(ready), "%d %s", r ? 0 : (int)getpid(), place.path[0] ? place.path : "-");
	daemon_report(status, "ready", ready);
	if (r)
		return 0;
	host_run(h);
	place_leave(&place);
	host_free(h);
	return 0;
}

int main(int argc, char **argv)
{
	char error[SPEC_ERROR_MAX];
	struct options o;
	static struct spec spec;
	int status;

	parse(argc, argv, &o);
	status = o.status_fd;
	if (spec_parse(o.spec, &spec, error)) {
		fprintf(stderr, "sockshim-stackd: %s\n", error);
		daemon_report(status, "error", error);
		return 1;
	}
	close_others(&o, &spec);
	daemon_raise_limits();
	if (!o.foreground && daemon_start(o.status_fd, &status) < 0) {
		daemon_report(o.status_fd, "error", "cannot start a process");
		return 1;
	}
	return run(&o, &spec, status);
}
