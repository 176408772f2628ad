/* errno_name.h - the symbolic names of errno values. */
#ifndef SHIM_RUN_ERRNO_NAME_H
#define SHIM_RUN_ERRNO_NAME_H

/* "ECONNREFUSED"; NULL if err is no errno of this system. The names are those of <asm-generic/errno.h>
 * (EAGAIN, not EWOULDBLOCK). */
const char *errno_name(int err);

#endif
