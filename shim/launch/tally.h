/* tally.h - what the processes of a run come to together: statistics, rules, sockets. */
#ifndef SHIM_LAUNCH_TALLY_H
#define SHIM_LAUNCH_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "run/reader.h"

struct tally {
	struct sockshim_stat *stats;	/* by cookie, sorted */
	size_t n_stats;
	struct run_rule_count rules[RUN_RULES];
	uint64_t untracked;
	size_t fates[RUN_FATES];	/* images of each fate */
};

/* Adds an image, or all of them. 0 or -ENOMEM. The caller releases with tally_free. */
int tally_add(struct tally *t, const struct run_image *image);
int tally_add_all(struct tally *t, const struct run_images *images);
void tally_free(struct tally *t);

/* The ten counts of a statistic in the order of enum run_count, and their names ("opened", "openfailed"). */
uint64_t tally_count(const struct sockshim_stat *s, enum run_count which);
extern const char *const tally_count_names[RUN_COUNTS];

/* Splits the text of a cookie, "(inet4, stream|nonblock, tcp)", into its three parts. */
struct tally_cookie {
	char text[96];
	char family[24], type[48], protocol[24];
};
void tally_cookie(struct tally_cookie *out, sockshim_cookie cookie);

/* What an image says of a socket's state: "listening", "connected", ... */
const char *tally_socket_state(const struct run_socket *s);

/* The addresses of a socket, NULL where not known. */
static inline const struct run_addr *tally_local(const struct run_socket *s)
{
	return s->flags & RUN_SOCK_LOCAL ? &s->local : NULL;
}

static inline const struct run_addr *tally_peer(const struct run_socket *s)
{
	return s->flags & RUN_SOCK_PEER ? &s->peer : NULL;
}

/* An address: "127.0.0.1:80", "[::1]:80", "/run/x.sock", "@abstract", "-" if it is not known (NULL). Returns buf. */
char *tally_address(char *buf, size_t n, const struct run_addr *a);

/* How long a socket has been open, or was when its process ended; -1: it does not say. */
int64_t tally_socket_age_ns(const struct run_image *image, const struct run_socket *s);

#endif
