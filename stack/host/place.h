/* Where a host is found: its directory, its lock, its socket. */
#ifndef STACK_HOST_PLACE_H
#define STACK_HOST_PLACE_H

#include <limits.h>
#include <stdbool.h>
#include <sys/un.h>

enum { PLACE_ERROR_MAX = 320 };

/** struct place - @lock: the descriptor that holds the lock, for as long as the host lives */
struct place {
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int lock;
};

/**
 * place_find() - the socket of the host called @name, or at @path if that is not NULL
 *
 * In $SOCKSHIM_DIR, $XDG_RUNTIME_DIR/sockshim if that is ours, or /tmp/sockshim-UID, as runs are; there
 * in stack/, which is made with mode 0700. Return: 0 or -errno with @error.
 */
int place_find(const char *name, const char *path, struct place *out, char error[PLACE_ERROR_MAX]);

/**
 * place_take() - become the host of this place, unless there is one
 *
 * Return: 1: it is ours; 0: another serves there now; -errno with @error.
 */
int place_take(struct place *p, char error[PLACE_ERROR_MAX]);

/** place_listen() - a listening socket there, for its owner alone; or -errno with @error */
int place_listen(struct place *p, char error[PLACE_ERROR_MAX]);

/** place_listen_diag() - likewise, beside it: NAME.diag for NAME.sock, for sock_diag alone */
int place_listen_diag(struct place *p, char error[PLACE_ERROR_MAX]);

/** place_leave() - remove the sockets and let go of the lock */
void place_leave(struct place *p);

#endif
