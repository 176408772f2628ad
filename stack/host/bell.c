/* Bells. */
#include "host/bell.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "host/relay.h"

enum { BELLS_MAX = 64, FOR_ALL = 0 };

struct bell {
	struct list node;
	int fd;
	uint32_t id;
	bool rung;
};

static bool wanted(const struct relay *r)
{
	const struct stack_board_entry *e = board_look(&r->host->board, r->board);

	return e->error || (e->flags & STACK_BOARD_ERRQUEUE);
}

static void ring(struct bell *b, bool again)
{
	uint64_t one = 1;

	if (again || !b->rung)
		b->rung |= write(b->fd, &one, sizeof(one)) > 0;
}

static void still(struct bell *b)
{
	uint64_t count;

	if (b->rung && read(b->fd, &count, sizeof(count)) > 0)
		b->rung = false;
}

static void drop(struct relay *r, struct bell *b)
{
	list_remove(&b->node);
	close(b->fd);
	free(b);
	r->nbells--;
}

static struct bell *find(struct relay *r, uint32_t id)
{
	list_for_each(n, &r->bells) {
		struct bell *b = container_of(n, struct bell, node);

		if (b->id == id)
			return b;
	}
	return NULL;
}

static int make(struct relay *r, uint32_t id)
{
	struct bell *b = calloc(1, sizeof(*b));

	if (!b) {
		r->host->counters.out_of_memory++;
		return -ENOMEM;
	}
	b->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (b->fd < 0) {
		free(b);
		return -ENFILE;
	}
	b->id = id;
	list_push_back(&r->bells, &b->node);
	r->nbells++;
	if (wanted(r))
		ring(b, false);
	return b->fd;
}

int bell_for_all(struct relay *r)
{
	struct bell *b = find(r, FOR_ALL);

	return b ? b->fd : make(r, FOR_ALL);
}

int bell_new(struct relay *r, uint32_t *id)
{
	if (r->nbells >= BELLS_MAX)
		drop(r, container_of(r->bells.next, struct bell, node));
	*id = ++r->last_bell ? r->last_bell : ++r->last_bell;
	return make(r, *id);
}

void bell_remove(struct relay *r, uint32_t id)
{
	struct bell *b = id == FOR_ALL ? NULL : find(r, id);

	if (b)
		drop(r, b);
}

void bell_free(struct relay *r)
{
	while (!list_empty(&r->bells))
		drop(r, container_of(r->bells.next, struct bell, node));
}

void bell_ring(struct relay *r, bool again)
{
	list_for_each(n, &r->bells)
		if (wanted(r))
			ring(container_of(n, struct bell, node), again);
}

void bell_still(struct relay *r)
{
	list_for_each(n, &r->bells)
		if (!wanted(r))
			still(container_of(n, struct bell, node));
}
