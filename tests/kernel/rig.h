/* A stack on a TAP whose other side is the kernel's, in a network namespace of the test's own. */
#ifndef TESTS_KERNEL_RIG_H
#define TESTS_KERNEL_RIG_H

#include <stdio.h>

#include "netstack.h"

#define KERNEL_V4 "10.77.0.1"
#define STACK_V4 "10.77.0.2"
#define KERNEL_V6 "fd00:77::1"
#define STACK_V6 "fd00:77::2"

/** struct rig - @device: the TAP's name; @capture: the sniffer's file, NULL for none */
struct rig {
	struct clock clock;
	struct stack *stack;
	struct nic *nic;
	struct link *fd_link;
	const char *device;
	FILE *capture;
	void (*idle)(struct rig *r);	/* called each round, or NULL */
	bool worked;			/* the last round received something: more may be there */
};

struct rig_config {
	bool offload;
	int queues;
	uint32_t mtu;
	const char *capture;
	bool no_addresses;	/* IPv6 comes from a router */
};

/** rig_namespace() - enter a new network namespace; why not, or NULL */
const char *rig_namespace(void);

/** rig_open(), rig_close() - the TAP, both sides configured, and the stack on it */
void rig_open(struct rig *r, const struct rig_config *c);
void rig_close(struct rig *r);

/** rig_round() - wait at most @ms for something to do, and do it */
void rig_round(struct rig *r, int ms);

/** rig_for() - rounds for @ms, or until @done(@ctx) */
bool rig_for(struct rig *r, int ms, bool (*done)(void *ctx), void *ctx);

/** rig_run() - run a shell command while the stack lives on; its exit status, output in @out */
int rig_run(struct rig *r, const char *cmd, char *out, size_t size);

/** sh() - run a shell command; dies if it fails */
void sh(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** result() - print "ok NAME" or "not ok NAME"; skip() - "skip NAME: why" */
void result(bool ok, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void skip(const char *name, const char *why);

/** have() - whether a command is installed */
bool have(const char *cmd);

extern int failures;

#endif
