/* client.c - asking the stack host. */
#include "backend/client.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "backend/ahead.h"
#include "backend/hatch.h"
#include "backend/start.h"
#include "run/complain.h"
#include "run/config.h"
#include "run/errno_name.h"
#include "run/layout.h"
#include "run/text.h"

struct client client;

static const char all_fail[] = "its sockets fail with ENETDOWN";

void client_say(const char *what, const char *value, const char *then)
{
	char buf[700];
	struct text t = text_to(buf, sizeof(buf));

	if (client.said && __atomic_fetch_or(client.said, RUN_SAID_STACK, __ATOMIC_RELAXED) & RUN_SAID_STACK)
		return;
	text_str(&t, "sockshim: ");
	text_str(&t, what);
	if (value && value[0]) {
		text_str(&t, ": ");
		text_str(&t, value);
	}
	text_str(&t, "; ");
	text_str(&t, then);
	text_char(&t, '\n');
	text_end(&t);
	run_complain(buf, t.len < t.n ? t.len : t.n - 1, 0);
}

static void say_gone(int err)
{
	char value[300];
	struct text t = text_to(value, sizeof(value));
	const char *name = errno_name(-err);

	if (err == -EPROTONOSUPPORT) {
		text_str(&t, "this library speaks version ");
		text_uint(&t, STACK_PROTO_VERSION);
		text_str(&t, " of the protocol, the stack host version ");
		text_int(&t, channel_host.version);
		text_end(&t);
		client_say("the stack host is of another version", value, all_fail);
		return;
	}
	text_str(&t, client.path);
	text_str(&t, ": ");
	text_str(&t, name ? name : "?");
	if (!client.spec && !board.head && (err == -ENOENT || err == -ECONNREFUSED))
		text_str(&t, " (is it up? sockshim stack list says)");
	text_end(&t);
	client_say("cannot reach the stack host", value, all_fail);
}

static bool is_name(const char *s)
{
	if (strcmp(s, "lo") == 0 || strcmp(s, "user") == 0)
		return false;
	for (; *s; s++)
		if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') || *s == '_' ||
		      *s == '-' || *s == '.'))
			return false;
	return true;
}

static void find_base(void)
{
	struct text t = text_to(client.base, sizeof(client.base));

	run_config_base(&t);
	text_end(&t);
}

static void hex(struct text *t, uint64_t v)
{
	for (int shift = 60; shift >= 0; shift -= 4)
		text_char(t, "0123456789abcdef"[v >> shift & 15]);
}

static void find_path(void)
{
	struct text t = text_to(client.path, sizeof(client.path));
	uint64_t h = 0xcbf29ce484222325ull;

	if (strncmp(client.text, "host:", 5) == 0) {
		text_str(&t, client.text + 5);
	} else {
		find_base();
		text_str(&t, client.base);
		text_str(&t, "/stack/");
		if (is_name(client.text)) {
			text_str(&t, client.text);
		} else {
			client.spec = client.text;
			for (const char *p = client.text; *p; p++)
				h = (h ^ (uint8_t)*p) * 0x100000001b3ull;
			text_str(&t, "spec-");
			hex(&t, h);
		}
		text_str(&t, ".sock");
	}
	if ((size_t)text_end(&t) >= sizeof(client.path)) {
		client_say("the name of the stack's control socket is too long", client.text, all_fail);
		client.gone = 1;
	}
}

static void parse_traffic(struct traffic_pattern *to, size_t *n, const char *list, const char *name)
{
	const char *wrong = list ? traffic_parse(to, n, list) : NULL;

	if (!wrong)
		return;
	client_say(name, wrong, all_fail);
	client.gone = 1;
}

void client_init(uint32_t *said)
{
	const struct run_config *c = run_config();

	client.said = said;
	if (client.on || c->secure || !c->stack)
		return;
	client.text = c->stack;
	find_path();
	hatch_expect(client.path);
	parse_traffic(client.traffic.only, &client.traffic.n_only, c->only, "SOCKSHIM_ONLY is wrong at");
	parse_traffic(client.traffic.except, &client.traffic.n_except, c->except, "SOCKSHIM_EXCEPT is wrong at");
	channel_wanted = ahead_give_up;
	client.on = true;
}

static void set_gone(int err)
{
	__atomic_store_n(&client.gone, 1, __ATOMIC_RELEASE);
	say_gone(err);
}

/* A host that is not there yet may be one that this process is to start. */
static bool may_start(int err)
{
	return client.spec && !board.head && (err == -ENOENT || err == -ECONNREFUSED);
}

static struct channel *claim(int *why)
{
	int err = 0;
	struct channel *c;

	*why = -ENETDOWN;
	if (__atomic_load_n(&client.gone, __ATOMIC_ACQUIRE))
		return NULL;
	c = channel_claim(client.path, false, &err);
	if (!c && may_start(err)) {
		if (start_host() != 0) {
			__atomic_store_n(&client.gone, 1, __ATOMIC_RELEASE);
			return NULL;
		}
		c = channel_claim(client.path, false, &err);
	}
	/* Out of descriptors or memory: that passes. */
	if (!c && (err == -EMFILE || err == -ENFILE || err == -ENOMEM))
		*why = err;
	else if (!c)
		set_gone(err);
	return c;
}

struct channel *client_channel(void)
{
	int why;

	return claim(&why);
}

static void fill(struct stack_msg *m, const struct client_request *q)
{
	m->op = (uint16_t)q->op;
	m->err = 0;
	m->cookie = q->cookie;
	memcpy(m->arg, q->arg, sizeof(m->arg));
	m->len = (uint32_t)(q->len < STACK_MSG_DATA ? q->len : STACK_MSG_DATA);
	if (m->len)
		memcpy(m->data, q->data, m->len);
}

static int take(const struct stack_msg *m, struct client_request *q)
{
	q->cookie = m->cookie;
	memcpy(q->arg, m->arg, sizeof(q->arg));
	q->out_len = m->len;
	if (q->out)
		memcpy(q->out, m->data, m->len < q->room ? m->len : q->room);
	if (!q->want_fd && q->fd >= 0) {
		sys(SYS_close, q->fd);
		q->fd = -1;
	}
	return m->err;
}

static int ask_apart(struct client_request *q)
{
	long p = sys(SYS_mmap, NULL, 2 * sizeof(struct stack_msg), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct stack_msg *m = (struct stack_msg *)p;
	struct channel *c;
	int err;

	if (p < 0 && p > -4096)
		return -ENOMEM;
	/* So that there is a host, and what it is has been checked. */
	c = claim(&err);
	if (c) {
		channel_release(c);
		fill(m, q);
		err = channel_call_apart(client.path, m, &q->fd);
		err = err ? -ENETDOWN : take(m, q);
	}
	sys(SYS_munmap, p, 2 * sizeof(struct stack_msg));
	return err;
}

static int ask(struct client_request *q)
{
	int err = -ENETDOWN;

	q->fd = -1;
	if (q->slow)
		return ask_apart(q);
	/* The first time a connection may turn out to be closed (by the program, by a host that has left); what
	 * the host then says is said by whether a new one can be made. */
	for (int try = 0; try < 2; try++) {
		struct channel *c = claim(&err);

		if (!c)
			return err;
		fill(&c->msg, q);
		err = channel_call(c, q->send_fd > 0 ? q->send_fd : -1, &q->fd);
		if (!err) {
			err = take(&c->msg, q);
			channel_release(c);
			return err;
		}
		channel_release(c);
		if (err == -EPROTO)
			break;
	}
	if (!__atomic_load_n(&client.gone, __ATOMIC_ACQUIRE))
		set_gone(err);
	return -ENETDOWN;
}

bool client_hold(uint64_t cookie)
{
	struct client_request q = { .op = STACK_OP_HELD, .cookie = cookie };
	int fd = client.holder && !channel_sandboxed ? client.holder(cookie) : -1;
	bool held;

	/* 0 is a descriptor like any other, but for a request. */
	q.send_fd = fd == 0 ? (int)sys(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 1) : fd;
	held = q.send_fd > 0 && ask(&q) == 0;
	if (fd == 0 && q.send_fd > 0)
		sys(SYS_close, q.send_fd);
	return held;
}

int client_ask(struct client_request *q)
{
	struct client_request again = *q;
	int err = ask(q);

	if (err != -ENOKEY || !q->cookie)
		return err;
	if (!client_hold(again.cookie))
		return -EPERM;
	*q = again;
	err = ask(q);
	return err == -ENOKEY ? -EPERM : err;
}

bool client_host_gone(void)
{
	int alive;

	if (__atomic_load_n(&client.gone, __ATOMIC_ACQUIRE))
		return true;
	alive = board_host_alive();
	/* Of a host without the means the connections tell. */
	if (alive > 0 || (alive < 0 && !channel_hung_up()))
		return false;
	set_gone(-ECONNRESET);
	return true;
}

void client_prepare(int n)
{
	if (client.on && board.head && !client.gone)
		channel_prepare(client.path, n);
}

void client_change_user(void)
{
	struct channel *c = client.on ? client_channel() : NULL;

	if (!c)
		return;
	channel_release(c);
	client_prepare(2);
	channel_keep_hatch(client.path);
}

bool client_reach(void)
{
	struct channel *c;
	int err;

	if (__atomic_load_n(&client.gone, __ATOMIC_ACQUIRE))
		return board.head != NULL;
	if (board.head)
		return true;
	c = channel_claim(client.path, false, &err);
	if (c)
		channel_release(c);
	return c != NULL;
}
