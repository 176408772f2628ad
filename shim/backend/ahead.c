/* ahead.c - sockets asked for ahead of their time. */
#include "backend/ahead.h"

#include <string.h>

#include "run/sys.h"

#define IN_A_ROW 3	/* sockets of a kind, until another is taken for likely */

enum { NOTHING, ASKED, BUSY };

static struct {
	uint32_t state;
	int kind[3];
	unsigned in_a_row;
	struct channel *channel;
} ahead;

static bool claim(uint32_t state)
{
	return __atomic_compare_exchange_n(&ahead.state, &state, BUSY, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static void let_go(uint32_t state)
{
	__atomic_store_n(&ahead.state, state, __ATOMIC_RELEASE);
}

/* Gives the channel back, whose signals are held back only from here on. */
static void give_back(void)
{
	struct channel *c = ahead.channel;

	ahead.channel = NULL;
	if (c->fd >= 0 && !channel_is_ours(c))
		c->fd = -1;
	channel_release(c);
}

bool ahead_fetch(struct client_request *q)
{
	uint64_t signals;
	bool got = false;
	int fd = -1;

	if (__atomic_load_n(&ahead.state, __ATOMIC_RELAXED) != ASKED || channel_sandboxed)
		return false;
	sys_hold_signals(&signals);
	if (!claim(ASKED)) {
		sys_release_signals(&signals);
		return false;
	}
	ahead.channel->signals = signals;
	if (channel_is_ours(ahead.channel) && channel_receive(ahead.channel, &fd) == 0) {
		const struct stack_msg *m = &ahead.channel->msg;

		got = m->err == 0 && fd >= 0 && ahead.kind[0] == q->arg[0] && ahead.kind[1] == q->arg[1] &&
		      ahead.kind[2] == q->arg[2];
		if (got) {
			q->cookie = m->cookie;
			memcpy(q->arg, m->arg, sizeof(q->arg));
			q->fd = fd;
		} else if (fd >= 0) {
			sys(SYS_close, fd);
		}
	}
	give_back();
	let_go(NOTHING);
	return got;
}

bool ahead_give_up(void)
{
	int fd = -1;

	if (!claim(ASKED))
		return false;
	ahead.channel->signals = ~0ull;
	if (channel_is_ours(ahead.channel) && channel_receive(ahead.channel, &fd) == 0 && fd >= 0)
		sys(SYS_close, fd);
	ahead.in_a_row = 0;
	give_back();
	let_go(NOTHING);
	return true;
}

void ahead_ask(int domain, int type, int protocol)
{
	struct channel *c;
	uint64_t signals;

	if (channel_sandboxed || !claim(NOTHING))
		return;
	if (ahead.kind[0] != domain || ahead.kind[1] != type || ahead.kind[2] != protocol)
		ahead.in_a_row = 0;
	ahead.kind[0] = domain;
	ahead.kind[1] = type;
	ahead.kind[2] = protocol;
	if (++ahead.in_a_row < IN_A_ROW || !(c = client_channel())) {
		let_go(NOTHING);
		return;
	}
	signals = c->signals;
	memset(&c->msg, 0, STACK_MSG_HEAD);
	c->msg.op = STACK_OP_SOCKET;
	c->msg.arg[0] = domain;
	c->msg.arg[1] = type;
	c->msg.arg[2] = protocol;
	ahead.channel = c;
	if (channel_send(c, -1) == 0) {
		let_go(ASKED);
		sys_release_signals(&signals);
		return;
	}
	let_go(NOTHING);
	channel_release(c);
}

void ahead_after_fork(void)
{
	memset(&ahead, 0, sizeof(ahead));
}
