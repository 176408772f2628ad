/* child.h - the program under the shim as a child: started, signalled, reaped, and its end passed on. */
#ifndef SHIM_LAUNCH_CHILD_H
#define SHIM_LAUNCH_CHILD_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct child {
	pid_t pid;
	int status;		/* as waitpid has it, once `ended` */
	bool ended;
	int signals;		/* signalfd */
	sigset_t before;	/* signal mask to give back */
	bool none_left;		/* no descendant is left to wait for */
};

/* What the program gets in its environment. */
struct child_env {
	const char *library;	/* put in front of LD_PRELOAD */
	const char *run;	/* SOCKSHIM_RUN */
	const char *stack;	/* SOCKSHIM_STACK; NULL: as it is */
	const char *only, *except;
};

/* Takes over signals, becomes the reaper of orphaned descendants, and runs argv. 0, or the errno with
 * which the program could not be executed. */
int child_start(struct child *c, char *const argv[], const struct child_env *env);

/* Handles signals until the program has ended (with `all`: until every descendant has), or at most
 * timeout_ms (-1: no limit), or fd becomes readable (-1: none). Returns whether all is over. */
bool child_wait(struct child *c, bool all, int timeout_ms, int fd);

/* Ends this process as the program ended: by the same signal, or with the exit status. */
void child_pass_on(const struct child *c) __attribute__((noreturn));

void child_free(struct child *c);

#endif
