/* hatch.h - how the descendants of a program that has changed its user, or its root, get to the stack host.
 *
 * Theory of operation. The control socket is its user's alone, and may be out of reach after chroot(2). So before such a
 * change a process opens one more connection, the hatch, which its children have too, also after exec. On it nothing may be
 * asked: a process that cannot connect makes a pair of sockets and sends one of them through the hatch, and the host
 * takes it for a connection. A message is sent whole or not at all and has no reply, so any number of processes may
 * use the same hatch. Who has no such descriptor is refused as before.
 */
#ifndef SHIM_BACKEND_HATCH_H
#define SHIM_BACKEND_HATCH_H

#include <stdbool.h>
#include <stdint.h>

/* `path`, which stays, is where the host is that a hatch would lead to. */
void hatch_expect(const char *path);

/* fd, a connection to the host, becomes the hatch. */
void hatch_keep(int fd);

/* Whether there is one, open still. */
bool hatch_is_open(void);

/* A connection to the host by the hatch that this process has, or was started with; *pid is the host's, as
 * SO_PEERCRED has it. A descriptor, or -errno (-ENOENT: there is no hatch). */
int hatch_join(int *pid);

/* As channel_owns(), channel_next() and channel_give_way(). */
bool hatch_owns(int fd);
bool hatch_next(unsigned first, unsigned last, unsigned *fd);
void hatch_give_way(int fd);

#endif
