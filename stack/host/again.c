/*
 * Requests that are tried again.
 *
 * Theory of operation. A program that closes a socket and then binds another to its port has done the one
 * before the other, but we hear of the close by the pair and of the bind by the control connection, in either
 * order. So a port that is in use is no answer yet: whatever was closed before the request came is an
 * event by now, has its turn in the next round of the loop, and may have let go of the port by the one
 * after it.
 */
#include "host/again.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/relay.h"

enum { AGAIN_ROUNDS = 3 };

struct again {
	struct source src;
	struct client *client;
	int (*run)(struct request *q);
	int rounds;
	struct stack_msg in, out;
};

static void again_cancel(struct client *c)
{
	struct again *a = c->later;

	list_remove(&a->src.node);
	free(a);
}

static void again_turn(struct source *s)
{
	struct again *a = container_of(s, struct again, src);
	struct host *h = a->client->host;
	struct request q = {
		.host = h, .client = a->client, .relay = relay_find(h, a->in.cookie), .in = &a->in, .out = &a->out,
		.fd_in = -1, .fd_out = -1,
	};

	a->out.err = q.relay ? a->run(&q) : -ENOENT;
	if (a->out.err == -EADDRINUSE && ++a->rounds < AGAIN_ROUNDS) {
		loop_wake(&h->loop, s);
		return;
	}
	client_reply(a->client, &a->out, q.fd_out);
	free(a);
}

bool again_later(struct request *q, int (*run)(struct request *q))
{
	struct again *a = malloc(sizeof(*a));

	if (!a)
		return false;
	source_init(&a->src, again_turn);
	a->client = q->client;
	a->run = run;
	a->rounds = 0;
	memcpy(&a->in, q->in, STACK_MSG_HEAD + q->in->len);
	memcpy(&a->out, q->out, STACK_MSG_HEAD);
	q->client->later = a;
	q->client->cancel = again_cancel;
	q->later = true;
	loop_wake(&q->host->loop, &a->src);
	return true;
}
