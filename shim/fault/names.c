/* names.c - tables of names, and what is nearest to a misspelt one. */
#include "fault/names.h"

#include <string.h>

#define WORD_MAX 24	/* longer words are near to nothing */

static const struct fault_call_name calls[] = {
	{ "socket", SOCKSHIM_SOCKET, false },
	{ "connect", SOCKSHIM_CONNECT, false },
	{ "listen", SOCKSHIM_LISTEN, false },
	{ "accept", SOCKSHIM_ACCEPT, false },
	{ "getsockopt", SOCKSHIM_GETSOCKOPT_INT, false },
	{ "close", SOCKSHIM_CLOSE, false },
	{ "bind", SOCKSHIM_BIND, false },
	{ "shutdown", SOCKSHIM_SHUTDOWN, false },
	{ "setsockopt", SOCKSHIM_SETSOCKOPT, false },
	{ "send", SOCKSHIM_SEND, false },
	{ "recv", SOCKSHIM_RECV, false },
	{ "poll", SOCKSHIM_POLL, false },
	{ "resolve", SOCKSHIM_RESOLVE, false },
	{ "socketpair", SOCKSHIM_SOCKET, true },
	{ "accept4", SOCKSHIM_ACCEPT, true },
	{ "close_range", SOCKSHIM_CLOSE, true },
	{ "closefrom", SOCKSHIM_CLOSE, true },
	{ "sendto", SOCKSHIM_SEND, true },
	{ "sendmsg", SOCKSHIM_SEND, true },
	{ "sendmmsg", SOCKSHIM_SEND, true },
	{ "write", SOCKSHIM_SEND, true },
	{ "writev", SOCKSHIM_SEND, true },
	{ "sendfile", SOCKSHIM_SEND, true },
	{ "recvfrom", SOCKSHIM_RECV, true },
	{ "recvmsg", SOCKSHIM_RECV, true },
	{ "recvmmsg", SOCKSHIM_RECV, true },
	{ "read", SOCKSHIM_RECV, true },
	{ "readv", SOCKSHIM_RECV, true },
	{ "ppoll", SOCKSHIM_POLL, true },
	{ "select", SOCKSHIM_POLL, true },
	{ "pselect", SOCKSHIM_POLL, true },
	{ "epoll_wait", SOCKSHIM_POLL, true },
	{ "epoll_pwait", SOCKSHIM_POLL, true },
	{ "epoll_pwait2", SOCKSHIM_POLL, true },
	{ "getaddrinfo", SOCKSHIM_RESOLVE, true },
};

static const char *name_at(const void *table, size_t stride, size_t i)
{
	return (const char *)table + i * stride;
}

const void *fault_name_find(const void *table, size_t stride, size_t n, const struct fault_word *w)
{
	for (size_t i = 0; i < n; i++)
		if (fault_word_is(w, name_at(table, stride, i)))
			return name_at(table, stride, i);
	return NULL;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

/* Letters to insert, delete, replace, or swap with their neighbour to make one word of the other.
 * Both are at most WORD_MAX long. */
static unsigned distance(const char *a, size_t n, const char *b, size_t m)
{
	unsigned rows[3][WORD_MAX + 1];
	unsigned *before = rows[0], *last = rows[1], *row = rows[2];

	for (size_t j = 0; j <= m; j++)
		last[j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		unsigned *t = before;

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			char x = lower(a[i - 1]), y = lower(b[j - 1]);

			row[j] = min3(last[j] + 1, row[j - 1] + 1, last[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == lower(b[j - 2]) && y == lower(a[i - 2]) &&
			    before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
		before = last;
		last = row;
		row = t;
	}
	return last[m];
}

struct fault_nearest fault_nearest_to(const struct fault_word *w)
{
	struct fault_nearest nearest = { .word = w };

	if (w->n >= 2 && w->n <= WORD_MAX)
		nearest.limit = (unsigned)(w->n + 1) / 4 + 1;
	return nearest;
}

void fault_nearest_offer(struct fault_nearest *nearest, const char *name)
{
	size_t n = strlen(name);
	unsigned d;

	if (!nearest->limit || n > WORD_MAX)
		return;
	d = distance(nearest->word->s, nearest->word->n, name, n);
	if (d < nearest->limit) {
		nearest->limit = d;
		nearest->name = name;
	}
}

const char *fault_name_nearest(const void *table, size_t stride, size_t n, const struct fault_word *w)
{
	struct fault_nearest nearest = fault_nearest_to(w);

	for (size_t i = 0; i < n; i++)
		fault_nearest_offer(&nearest, name_at(table, stride, i));
	return nearest.name;
}

const struct fault_call_name *fault_call_find(const struct fault_word *w)
{
	return fault_name_find(FAULT_TABLE(calls), w);
}

const char *fault_call_nearest(const struct fault_word *w)
{
	return fault_name_nearest(FAULT_TABLE(calls), w);
}

const struct fault_call_name *fault_call_at(size_t i)
{
	return i < sizeof(calls) / sizeof(calls[0]) ? &calls[i] : NULL;
}
