/* Giving up what the host does not need once everything is open. */
#ifndef STACK_HOST_CONFINE_H
#define STACK_HOST_CONFINE_H

/** confine() - no capabilities, no new privileges, and only the system calls that serving takes;
 * others fail with EPERM. 0 or -errno. */
int confine(void);

#endif
