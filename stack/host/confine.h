/* Giving up what the host does not need once everything is open. */
#ifndef STACK_HOST_CONFINE_H
#define STACK_HOST_CONFINE_H

/** enum confine_more - what it takes beyond serving: to join a lan again, and to be its switch; to speak
 * through sockets of the user */
enum confine_more { CONFINE_LAN = 1, CONFINE_USER = 2 };

/** confine() - no capabilities, no new privileges, and only the system calls that serving, and @more, takes;
 * others fail with EPERM. 0 or -errno. */
int confine(unsigned more);

#endif
