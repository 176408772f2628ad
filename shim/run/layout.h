/* layout.h - what a run leaves on disk: the mapped files, as the library writes and the tools read them.
 *
 * A run is a directory.
 *	control		one struct run_control: rules and switches that can be changed while it runs
 *	N-PID		one struct run_file per process that made a socket (N: a number, unique in the run)
 *	N-PID.trace	its struct run_trace, when tracing is on
 *	meta		text, written by `sockshim run`: seed, command line, start time
 * Without `sockshim run` the directory is <base>/plain, where each process has a file named by a number
 * (0..RUN_PLAIN_FILES-1) that is counted round; `next` holds the count. The control block in a program
 * image's file serves that image and the processes that it forks.
 *
 * <base> is $XDG_RUNTIME_DIR/sockshim, or /tmp/sockshim-UID if there is none.
 *
 * All numbers are of the machine's byte order. Writers store with atomic operations, or single instructions where nobody else
 * writes, and never take a lock; a reader may find a process in the middle of a change, and must trust nothing: every offset,
 * count and string is checked (run/reader.h). A version that a reader doesn't know is refused.
 */
#ifndef SHIM_RUN_LAYOUT_H
#define SHIM_RUN_LAYOUT_H

#include <stdint.h>

#include "sockshim.h"

#define RUN_MAGIC		0x316d696873636f73ull	/* "socshim1" */
#define RUN_CONTROL_MAGIC	0x316c727463636f73ull	/* "socctrl1" */
#define RUN_TRACE_MAGIC		0x3163727463636f73ull	/* "soctrc1" */
#define RUN_VERSION		4

/* Sizes. A process costs RUN_FILE_BYTES and RUN_CHUNK_BYTES for each 64 descriptors it uses. */
#define RUN_STATS		64	/* distinct cookies; the last entry takes the rest */
#define RUN_RULES		128	/* rule numbers 1..127; 0 is "no rule" */
#define RUN_MODULES		32
#define RUN_EVENTS		64	/* recent events kept when tracing is off */
#define RUN_CHUNK_SOCKETS	64
#define RUN_CHUNKS_MAX		16384	/* 1048576 descriptors */
#define RUN_SPILL_CHUNKS	16	/* chunks of sockets whose own place is still held by a dup; first in the file */
#define RUN_RULES_TEXT		15872	/* bytes of rule text */
#define RUN_BACKTRACE		12
#define RUN_PLAIN_FILES		512	/* files kept in <base>/plain */

/* Rules and switches that hold for all processes of a run. The text is guarded by `generation`:
 * odd while a writer is at work; readers copy it and look again. Writers hold flock(LOCK_EX) on the file. */
struct run_control {
	uint64_t magic;
	uint32_t version;
	uint32_t flags;		/* RUN_TRACE... */
	uint32_t next_rule;	/* the number that the next rule added gets */
	uint64_t seed;
	uint32_t rules_bytes;	/* length of rules, without NUL */
	uint32_t backtrace;	/* frames to record per socket, 0..RUN_BACKTRACE */
	uint32_t trace_events;	/* capacity of trace files, a power of two */
	uint32_t reserved[116];
	uint32_t generation;
	/* One rule a line, each led by its number: "3 fail connect with ECONNREFUSED\n". */
	char rules[RUN_RULES_TEXT];
};

/* Never 0, which is what fork leaves of the one that the library has seen. */
#define RUN_GENERATION_FIRST	2u

#define RUN_TRACE	1u	/* every call is recorded */
#define RUN_SAID	2u	/* a process has said that something is wrong; once is enough */
#define RUN_SAID_STACK	4u	/* the same of the stack */
#define RUN_TIMES	8u	/* it is recorded when each socket was opened */

struct run_stat {
	uint64_t cookie_plus_one;	/* 0: free; claimed with one compare-and-swap */
	uint64_t count[10];		/* enum run_count */
	uint64_t injected[SOCKSHIM_FILTER_TYPES];
};

/* How often what is counted in a place (struct run_socket) has been moved to the statistics. A reader that finds the same number in
 * `done` before and in `begun` after has read both as they were at one time. */
struct run_takes {
	uint64_t begun, done;
};

enum run_count {
	RUN_OPENED, RUN_CONNECTED, RUN_LISTENED, RUN_ACCEPTED, RUN_CLOSED,
	RUN_OPEN_FAILED, RUN_CONNECT_FAILED, RUN_LISTEN_FAILED, RUN_ACCEPT_FAILED, RUN_CLOSE_FAILED,
	RUN_COUNTS
};

struct run_rule_count {
	uint64_t matched;	/* calls that met the rule's conditions but for its count and chance */
	uint64_t fired;
};

struct run_module {
	uint64_t start, end;	/* addresses [start, end); 0: free */
	uint64_t base;		/* load bias: address in the file = pc - base */
	char path[104];		/* the last 103 bytes of it */
};

/* An address as far as it fits: sockaddr_in, sockaddr_in6, and the first 29 bytes of a unix path
 * (abstract names begin with NUL). */
struct run_addr {
	uint8_t len;		/* bytes of data that are valid; 0: not known. Of a socket's, its flags say whether */
	uint8_t data[31];	/* a struct sockaddr */
};

enum run_socket_flags {
	RUN_SOCK_INHERITED = 1,	/* came by exec, SCM_RIGHTS or fork: not opened by this process */
	RUN_SOCK_ACCEPTED = 2,
	RUN_SOCK_PENDING = 4,	/* connect is in progress */
	RUN_SOCK_CONNECTED = 8,
	RUN_SOCK_LISTENING = 16,
	RUN_SOCK_RESET = 32,	/* a reset rule fired on it */
	RUN_SOCK_CLOEXEC = 64,	/* as opened */
	RUN_SOCK_PAIR = 128,	/* one end of a socketpair */
	RUN_SOCK_LATE = 256,	/* late_err is to be reported by SO_ERROR */
	RUN_SOCK_LOCAL = 512,	/* `local` is valid */
	RUN_SOCK_PEER = 1024,	/* `peer` is */
	RUN_SOCK_UNSEEN = 2048,	/* the writer's own: the object is in its memory alone, where no reader finds it */
	RUN_SOCK_APART = 4096,	/* what is counted in its place is of sockets of another cookie, `owner` */
};

/* One socket. Behind the spill, the chunks of RUN_CHUNK_SOCKETS of them are indexed by descriptor number. What making one again in the
 * same place sets is in the first 64 bytes. What has happened to the sockets of one cookie in this place since it was last added to the
 * statistics is counted here, also while there is none: it is for who reads the statistics to add (run_stat_take). */
struct run_socket {
	uint64_t cookie;	/* of the last one, if there is none */
	uint32_t refs;		/* descriptors of this process that name it; 0: free */
	uint32_t flags;		/* enum run_socket_flags */
	uint64_t opener;	/* program counter of the call that made it */
	uint32_t opened, closed, accept_failed;
	int32_t fd;		/* the descriptor it was opened as */
	int16_t err;		/* as in struct sockshim_status */
	int16_t socket_err;
	int16_t late_err;	/* what SO_ERROR must say next (fail ... late, reset) */
	int16_t reserved;
	uint64_t rx_bytes, tx_bytes;
	uint64_t opened_ticks;	/* of the processor's counter (run/clock.h), 0: not recorded */
	struct run_addr local, peer;
	uint64_t stack_cookie;	/* its name with the stack host, 0: a socket of the kernel's */
	uint32_t stack_board;	/* index of its entry on the host's board */
	uint32_t stack_flags;	/* the writer's own: what it remembers of a redirected socket */
	union {
		uint64_t stack_checked;	/* the same */
		uint64_t copied_from;	/* the writer's own, while a forked child copies its parent's */
		uint64_t owner;		/* see RUN_SOCK_APART */
	};
	uint64_t backtrace[RUN_BACKTRACE];
};

/* One call. It is complete when `seq` is its number + 1. */
struct run_event {
	uint64_t seq;
	uint64_t time_ns;	/* CLOCK_REALTIME when the call began */
	uint64_t duration_ns;
	int64_t ret;
	uint64_t args[6];	/* as passed; pointers are not followed */
	int32_t tid;
	int32_t err;		/* errno if ret says failure, else 0; EAI_* for getaddrinfo */
	uint16_t call;		/* enum call_id of interpose/calls.h */
	uint16_t rule;		/* number of the rule that fired, 0: none */
	int32_t fd;		/* the socket */
	struct run_addr addr;	/* peer or local, as the call has one; a host name for getaddrinfo */
};

enum run_state { RUN_ALIVE = 1, RUN_EXEC = 2, RUN_EXITED = 3 };

struct run_file {
	uint64_t magic;
	uint32_t version;
	uint32_t header_bytes;		/* sizeof(struct run_file) */
	int32_t pid, ppid;
	uint32_t uid;
	uint32_t state;			/* enum run_state; a process that is killed stays RUN_ALIVE */
	uint64_t started_ns, ended_ns;	/* CLOCK_REALTIME */
	uint64_t boot_ns;		/* CLOCK_BOOTTIME at the start, to tell a pid from its next owner */
	uint64_t seed;			/* of this process */
	int32_t forked_from;		/* pid whose table was copied, 0: a fresh image */
	uint32_t chunks;		/* chunks of sockets behind this struct, those of RUN_SPILL_CHUNKS included; most are holes */
	uint64_t sockets_untracked;	/* sockets that found no place */
	uint64_t events_next;		/* number of the next event */
	uint64_t started_ticks, started_mono_ns;	/* the processor's counter, and CLOCK_MONOTONIC then */
	uint64_t control_start;		/* offset of this file's own struct run_control, 0: it has none */
	uint64_t sockets_start;		/* offset of the chunks of sockets */
	char control_file[32];		/* name of the file in the directory whose control block it follows */
	char program[64];		/* basename of argv[0] */
	char command[448];		/* the command line, NUL between arguments */
	struct run_takes takes;
	char reserved[344];
	struct run_stat stats[RUN_STATS];
	struct run_rule_count rules[RUN_RULES];
	struct run_module modules[RUN_MODULES];
	struct run_event events[RUN_EVENTS];
	/* struct run_control, where control_start says so;
	 * struct run_socket[RUN_CHUNK_SOCKETS] x chunks, from sockets_start on */
};

/* The trace ring, a file of its own: capacity events follow the page-long header. */
struct run_trace {
	uint64_t magic;
	uint32_t version;
	uint32_t capacity;	/* a power of two */
	uint64_t next;		/* number of the next event */
	char reserved[4096 - 24];
};

#define RUN_PAGE(n)	(((n) + 4095) & ~4095ul)
#define RUN_FILE_BYTES	RUN_PAGE(sizeof(struct run_file))
#define RUN_CHUNK_BYTES	(RUN_CHUNK_SOCKETS * sizeof(struct run_socket))

_Static_assert(sizeof(struct run_control) == 16384, "run_control");
_Static_assert(sizeof(struct run_stat) == 192, "run_stat");
_Static_assert(sizeof(struct run_socket) == 256, "run_socket");
_Static_assert(sizeof(struct run_event) == 128, "run_event");
_Static_assert(sizeof(struct run_module) == 128, "run_module");

#endif
