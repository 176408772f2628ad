/* wrappers.h - the wrappers that other wrappers end in, by their C names. */
#ifndef SHIM_INTERPOSE_WRAPPERS_H
#define SHIM_INTERPOSE_WRAPPERS_H

#include <sys/socket.h>

int sockshim_w_socket(int family, int type, int protocol) __asm__("socket");
int sockshim_w_socketpair(int family, int type, int protocol, int *fds) __asm__("socketpair");
int sockshim_w_connect(int fd, const struct sockaddr *addr, socklen_t len) __asm__("connect");
int sockshim_w_listen(int fd, int backlog) __asm__("listen");
int sockshim_w_accept(int fd, struct sockaddr *addr, socklen_t *len) __asm__("accept");
int sockshim_w_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags) __asm__("accept4");
int sockshim_w_close(int fd) __asm__("close");
int sockshim_w_close_range(unsigned first, unsigned last, int flags) __asm__("close_range");
int sockshim_w_dup(int fd) __asm__("dup");
int sockshim_w_dup2(int fd, int to) __asm__("dup2");
int sockshim_w_dup3(int fd, int to, int flags) __asm__("dup3");

#endif
