/* What the parts of the driver share. */
#ifndef TESTS_PACKETDRILL_DRIVER_H
#define TESTS_PACKETDRILL_DRIVER_H

#include <pthread.h>
#include <sys/socket.h>

#include "base/addr.h"
#include "packetdrill/table.h"
#include "script.h"

enum { MAX_FDS = 64, MAX_TS = 512 };

/**
 * struct driver - a script's run
 * @fds: the live descriptor of each of the script's, -1 none
 * @side: which way the connection under test was opened, and how far that is
 * @local_isn: of the stack's side, once @has_isn; what the script calls 0
 * @remote_isn: of ours; the script counts from it once its SYN has gone
 * @ts: the stack's timestamps as the script calls them, and as they were
 */
struct driver {
	struct packetdrill_interface t;
	struct script script;
	int at;
	bool verbose;
	bool is_kernel;			/* leaves checksums to the device */
	int fds[MAX_FDS];
	enum { SIDE_NONE, SIDE_LISTENING, SIDE_PASSIVE, SIDE_ACTIVE } side;
	int under_test;			/* script's descriptor */
	struct addr local, remote;
	uint16_t lport, rport, next_rport;
	uint32_t local_isn, remote_isn;
	bool has_isn, has_remote_isn;
	struct { uint32_t script, live; } ts[MAX_TS];
	int nts;
	int64_t start_us, script_us, anchor_us;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	const struct event *blocking;	/* the second thread's call, NULL none */
	bool thread_done, quit;
	pid_t tid;
	int64_t thread_end_us, thread_want_us;
};

/** fail_at() - the script's line is not what happened */
void fail_at(const struct driver *d, const struct event *e, const char *fmt, ...)
	__attribute__((format(printf, 3, 4), noreturn));

int64_t driver_now(struct driver *d);

/** call_run() - make the call and check what it returns */
void call_run(struct driver *d, const struct event *e);

/** packet_send() - put the script's segment on the wire; packet_expect() - it must be what comes next */
void packet_send(struct driver *d, const struct event *e);
void packet_expect(struct driver *d, const struct event *e, int64_t want_us, int64_t want_end_us);

/** control_make() - of [{cmsg_level=, cmsg_type=, cmsg_data=}, ...] the bytes in @buf, as sendmsg() takes them; returns
 * how many. control_check() - what came back in @m must be that; dies otherwise */
size_t control_make(const struct value *list, void *buf, size_t room);
void control_check(const struct driver *d, const struct event *e, const struct value *list, struct msghdr *m);

/** code_check() - the assertions of a code section */
void code_check(struct driver *d, const struct event *e);

/** kernel_settings() - enter a namespace with the settings scripts expect, which the adapter reads; false if
 * that is not allowed */
bool kernel_settings(void);

/** kernel_command() - of a script's command, the settings in it: net.ipv4.NAME=VALUE and /proc/sys/...=VALUE */
void kernel_command(const char *text);

/** kernel_table() - the same table served by the kernel's own stack over a TUN device */
void kernel_table(struct packetdrill_interface *t);

#endif
