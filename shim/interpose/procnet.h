/* procnet.h - /proc/net/tcp, tcp6, udp and udp6 of a program that has a stack: the kernel's lines, and the stack's;
 * and /proc/net/unix without what is a stack's socket. */
#ifndef SHIM_INTERPOSE_PROCNET_H
#define SHIM_INTERPOSE_PROCNET_H

/* A file with both, if that is what open(path, flags) would open; its descriptor. -1: it is none of these files, or
 * there is no stack to ask, or something failed: the kernel's is to be opened. errno is left alone. */
int procnet_open(const char *path, int flags);

#endif
