/* names.h - the names of the socket interface's numbers, for traces. */
#ifndef SHIM_LAUNCH_NAMES_H
#define SHIM_LAUNCH_NAMES_H

#include <stddef.h>
#include <stdint.h>

/* Each writes the name, or the number if there is none, and returns buf. */
char *names_family(char *buf, size_t n, int family);
char *names_socket_type(char *buf, size_t n, int type);			/* "SOCK_STREAM|SOCK_CLOEXEC" */
char *names_protocol(char *buf, size_t n, int family, int protocol);
char *names_level(char *buf, size_t n, int level);
char *names_option(char *buf, size_t n, int level, int option);
char *names_socket_flags(char *buf, size_t n, uint64_t flags);		/* accept4, dup3 */
char *names_message_flags(char *buf, size_t n, uint64_t flags);
char *names_how(char *buf, size_t n, int how);
char *names_fcntl(char *buf, size_t n, int command);
char *names_fcntl_arg(char *buf, size_t n, int command, uint64_t arg);

#endif
