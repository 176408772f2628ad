/* Where a lan's switch is found, and how it is started. */
#ifndef STACK_LINK_LAN_DIR_H
#define STACK_LINK_LAN_DIR_H

#include <stdbool.h>

/** lan_name_ok() - whether it can be a network's name */
bool lan_name_ok(const char *name);

/** lan_dir_open() - the directory, made if it is not there; @dir NULL: the default. A descriptor; -EACCES: others
 * may write there, or own it; -errno. */
int lan_dir_open(const char *dir);

/** lan_dir_lock() - hold the network's lock: it is held while a switch is started, joined for the first time, or
 * leaves. @wait: until it is free. A descriptor, whose closing releases it; -EWOULDBLOCK; -errno. */
int lan_dir_lock(int dirfd, const char *name, bool wait);

/** lan_dir_connect() - to the switch, whose calls wait @limit_ms at most; a descriptor; -ENOENT or -ECONNREFUSED: there is none; -EACCES: it is another
 * user's; -errno */
int lan_dir_connect(int dirfd, const char *name, int limit_ms);

/** lan_dir_listen() - with the lock held: as the new switch; a descriptor or -errno */
int lan_dir_listen(int dirfd, const char *name);

/** lan_dir_unlink() - with the lock held: the switch leaves */
void lan_dir_unlink(int dirfd, const char *name);

#endif
