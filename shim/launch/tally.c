/* tally.c - sums over processes, and the words for what they hold. */
#include "launch/tally.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>

#include "run/clock.h"

const char *const tally_count_names[RUN_COUNTS] = {
	"opened", "connected", "listened", "accepted", "closed",
	"openfailed", "connectfailed", "listenfailed", "acceptfailed", "closefailed",
};

/* Where each count is, in the order of enum run_count. */
static const size_t count_offsets[RUN_COUNTS] = {
	offsetof(struct sockshim_stat, opened), offsetof(struct sockshim_stat, connected),
	offsetof(struct sockshim_stat, listened), offsetof(struct sockshim_stat, accepted),
	offsetof(struct sockshim_stat, closed), offsetof(struct sockshim_stat, open_failed),
	offsetof(struct sockshim_stat, connect_failed), offsetof(struct sockshim_stat, listen_failed),
	offsetof(struct sockshim_stat, accept_failed), offsetof(struct sockshim_stat, close_failed),
};

uint64_t tally_count(const struct sockshim_stat *s, enum run_count which)
{
	uint64_t v;

	memcpy(&v, (const char *)s + count_offsets[which], sizeof(v));
	return v;
}

static void add_count(struct sockshim_stat *s, enum run_count which, uint64_t n)
{
	uint64_t v = tally_count(s, which) + n;

	memcpy((char *)s + count_offsets[which], &v, sizeof(v));
}

/* The entry of a cookie, made in its place if there is none. */
static struct sockshim_stat *entry(struct tally *t, sockshim_cookie cookie)
{
	size_t i = 0;
	void *p;

	while (i < t->n_stats && t->stats[i].cookie < cookie)
		i++;
	if (i < t->n_stats && t->stats[i].cookie == cookie)
		return &t->stats[i];
	p = reallocarray(t->stats, t->n_stats + 1, sizeof(*t->stats));
	if (!p)
		return NULL;
	t->stats = p;
	memmove(&t->stats[i + 1], &t->stats[i], (t->n_stats - i) * sizeof(*t->stats));
	t->n_stats++;
	memset(&t->stats[i], 0, sizeof(t->stats[i]));
	t->stats[i].cookie = cookie;
	return &t->stats[i];
}

int tally_add(struct tally *t, const struct run_image *image)
{
	const struct run_file *f = image->file;

	for (size_t i = 0; i < RUN_STATS; i++) {
		const struct run_stat *from = &f->stats[i];
		struct sockshim_stat *to;

		if (from->cookie_plus_one == 0)
			continue;
		to = entry(t, from->cookie_plus_one - 1);
		if (!to)
			return -ENOMEM;
		for (int k = 0; k < RUN_COUNTS; k++)
			add_count(to, (enum run_count)k, from->count[k]);
		for (int k = 0; k < SOCKSHIM_FILTER_TYPES; k++)
			to->injected[k] += from->injected[k];
	}
	for (size_t i = 0; i < RUN_RULES; i++) {
		t->rules[i].matched += f->rules[i].matched;
		t->rules[i].fired += f->rules[i].fired;
	}
	t->untracked += f->sockets_untracked;
	t->fates[image->fate]++;
	return 0;
}

int tally_add_all(struct tally *t, const struct run_images *images)
{
	for (size_t i = 0; i < images->n; i++)
		if (tally_add(t, images->v[i]) < 0)
			return -ENOMEM;
	return 0;
}

void tally_free(struct tally *t)
{
	free(t->stats);
	memset(t, 0, sizeof(*t));
}

void tally_cookie(struct tally_cookie *out, sockshim_cookie cookie)
{
	memset(out, 0, sizeof(*out));
	sockshim_cookie_format(out->text, sizeof(out->text), cookie);
	sscanf(out->text, "(%23[^,], %47[^,], %23[^)])", out->family, out->type, out->protocol);
}

const char *tally_socket_state(const struct run_socket *s)
{
	static const struct { uint32_t flag; const char *name; } states[] = {
		{ RUN_SOCK_RESET, "reset" }, { RUN_SOCK_LISTENING, "listening" },
		{ RUN_SOCK_PENDING, "connecting" }, { RUN_SOCK_CONNECTED, "connected" },
		{ RUN_SOCK_ACCEPTED, "accepted" }, { RUN_SOCK_PAIR, "pair" },
	};

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (s->flags & states[i].flag)
			return states[i].name;
	return "open";
}

static char *unix_address(char *buf, size_t n, const struct run_addr *a)
{
	char path[sizeof(a->data) + 1] = "";
	size_t len = a->len - offsetof(struct sockaddr_un, sun_path);

	memcpy(path, a->data + offsetof(struct sockaddr_un, sun_path), len);
	if (len == 0) {
		snprintf(buf, n, "(unnamed)");
	} else if (path[0] == '\0') {
		for (size_t i = 0; i < len; i++)	/* abstract names may hold NULs */
			path[i] = path[i] ? path[i] : '@';
		run_text_clean(path, sizeof(path));
		snprintf(buf, n, "%s", path);
	} else {
		run_text_clean(path, sizeof(path));
		snprintf(buf, n, "%s%s", path, len == sizeof(a->data) - 2 && path[len - 1] ? "..." : "");
	}
	return buf;
}

char *tally_address(char *buf, size_t n, const struct run_addr *a)
{
	char text[INET6_ADDRSTRLEN];
	struct sockaddr_in6 in6;
	struct sockaddr_in in;
	sa_family_t family;

	if (!a || a->len < sizeof(family) || a->len > sizeof(a->data)) {
		snprintf(buf, n, "-");
		return buf;
	}
	memcpy(&family, a->data, sizeof(family));
	if (family == AF_INET && a->len >= sizeof(in)) {
		memcpy(&in, a->data, sizeof(in));
		snprintf(buf, n, "%s:%u", inet_ntop(AF_INET, &in.sin_addr, text, sizeof(text)), ntohs(in.sin_port));
	} else if (family == AF_INET6 && a->len >= sizeof(in6)) {
		memcpy(&in6, a->data, sizeof(in6));
		inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof(text));
		if (in6.sin6_scope_id)
			snprintf(buf, n, "[%s%%%u]:%u", text, in6.sin6_scope_id, ntohs(in6.sin6_port));
		else
			snprintf(buf, n, "[%s]:%u", text, ntohs(in6.sin6_port));
	} else if (family == AF_UNIX) {
		return unix_address(buf, n, a);
	} else {
		snprintf(buf, n, "(family %u)", family);
	}
	return buf;
}

static int64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* When a socket was opened, on CLOCK_MONOTONIC, by the rate at which the processor's counter has run since the process
 * started. */
static bool opened_ns(const struct run_file *f, const struct run_socket *s, int64_t now_ns, int64_t *opened)
{
	uint64_t now = run_clock_ticks();
	double ticks = (double)now - (double)f->started_ticks, ns = (double)now_ns - (double)f->started_mono_ns, since;

	if (!s->opened_ticks || !f->started_ticks || s->opened_ticks > now || f->started_mono_ns > (uint64_t)now_ns ||
	    ticks <= 0 || ns <= 0)
		return false;
	since = (double)(int64_t)(s->opened_ticks - f->started_ticks) * (ns / ticks);
	if (since < -(double)now_ns || since > (double)now_ns)
		return false;
	*opened = (int64_t)f->started_mono_ns + (int64_t)since;
	return true;
}

int64_t tally_socket_age_ns(const struct run_image *image, const struct run_socket *s)
{
	int64_t monotonic = clock_ns(CLOCK_MONOTONIC), end = monotonic, opened, age;
	uint64_t ended = image->file->ended_ns;

	if (image->fate != RUN_FATE_RUNNING) {
		if (ended == 0 || ended > INT64_MAX)
			return -1;		/* it was killed: nobody knows when */
		end = (int64_t)ended - (clock_ns(CLOCK_REALTIME) - monotonic);
	}
	if (!opened_ns(image->file, s, monotonic, &opened) || __builtin_sub_overflow(end, opened, &age))
		return -1;
	/* Where the clock was slewed meanwhile it may be a little off; more than that is from before a reboot. */
	return age >= 0 ? age : age > -20000000 ? 0 : -1;
}
