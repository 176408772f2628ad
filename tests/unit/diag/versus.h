/* The kernel and the server beside one another: sockets in the same state, the same request to both. */
#ifndef TESTS_DIAG_VERSUS_H
#define TESTS_DIAG_VERSUS_H

#include <stddef.h>
#include <stdint.h>

#include "server/session.h"
#include "table.h"

#define MESSAGES 256

/* What one side answered: its messages, one behind the other. */
struct answer {
	size_t len;
	_Alignas(8) uint8_t bytes[1 << 17];
};

extern struct table table;
extern struct diag_session session; /* of a client with this process's rights */
extern struct answer from_kernel, from_server;

/** populate - sockets of every kind the server knows, in a namespace of the test's own and in the table */
void populate(void);

/** open_kernel - new conversations with both, under the rights this process has now */
void open_kernel(void);

/** ask_kernel, ask_server - send a request and gather what comes back */
void ask_kernel(const void *req, size_t len);
void ask_server(const void *req, size_t len);

/** append - a session_reply_fn that adds to the struct answer at @arg */
void append(const void *data, size_t len, void *arg);

/** split - the messages of an answer; gives how many */
size_t split(struct answer *a, struct nlmsghdr *list[MESSAGES]);

/** by_cookie - an order of messages: sockets by cookie, everything else behind them */
int by_cookie(const void *a, const void *b);

/** agree - asks both and fails the test unless they say the same; gives how many messages each sent */
size_t agree(const void *req, size_t len, const char *what);

#endif
