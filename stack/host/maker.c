/*
 * Makers of sockets.
 *
 * Theory of operation. A pair takes a descriptor of the host's, of which there are only so many, and a program that
 * leaks its sockets would take them all, while its own limit lets it. So nobody gets more than four times what is left: one who
 * leaks ends with four fifths of all, another one with four fifths of the rest, and he who has few always finds one. Some
 * are set aside, for control connections and for the host itself.
 */
#include "host/maker.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "host/relay.h"

enum { SHARE = 4, OWN_FILES = 16, ASIDE_MAX = 256 };

void maker_init(struct host *h)
{
	struct rlimit r = { .rlim_cur = BOARD_ENTRIES };
	size_t files, aside;

	htab_init(&h->makers);
	getrlimit(RLIMIT_NOFILE, &r);
	files = r.rlim_cur < BOARD_ENTRIES ? r.rlim_cur : BOARD_ENTRIES;
	aside = OWN_FILES + (files / 16 < ASIDE_MAX ? files / 16 : ASIDE_MAX);
	h->room = files > aside ? files - aside : 0;
}

void maker_fini(struct host *h)
{
	htab_fini(&h->makers);
}

static uint64_t pid_hash(pid_t pid)
{
	return hash_mix((uint64_t)pid ^ 0x9e3779b97f4a7c15ull, 0xd1b54a32d192ed03ull);
}

struct maker *maker_get(struct host *h, pid_t pid)
{
	struct maker *m;

	htab_for_each_match(n, &h->makers, pid_hash(pid)) {
		m = container_of(n, struct maker, by_pid);
		if (m->pid == pid)
			return m;
	}
	m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	m->pid = pid;
	if (htab_insert(&h->makers, &m->by_pid, pid_hash(pid)))
		return m;
	free(m);
	return NULL;
}

void maker_put(struct host *h, struct maker *m)
{
	if (m->nsockets)
		return;
	htab_remove(&h->makers, &m->by_pid);
	free(m);
}

bool maker_may(const struct host *h, const struct maker *m)
{
	size_t used = h->nrelays + h->nclients;

	return !m || (used < h->room && m->nsockets <= SHARE * (h->room - used));
}

void maker_own(struct maker *m, struct relay *r)
{
	r->maker = m;
	if (m)
		m->nsockets++;
}

void maker_disown(struct relay *r)
{
	struct maker *m = r->maker;

	if (!m)
		return;
	r->maker = NULL;
	m->nsockets--;
	maker_put(r->host, m);
}
