/* Lines of /proc/net/tcp, tcp6, udp, udp6, raw and raw6: read and written. */
#ifndef DIAG_WIRE_PROCNET_H
#define DIAG_WIRE_PROCNET_H

#include <linux/inet_diag.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/tcpinfo.h"

/*
 * netstat, lsof and others that do not speak netlink read these files, and ss reads one named by
 * PROC_NET_TCP. Whoever has sockets that are not the kernel's can give them such a file.
 */

/* More than a line takes, with its end. */
#define DIAG_PROCNET_LINE 256

/**
 * diag_procnet_header - the file's first line
 * @buf:      receives it, with its newline and terminated; DIAG_PROCNET_LINE bytes
 * @family:   AF_INET or AF_INET6
 * @protocol: IPPROTO_TCP or IPPROTO_UDP (raw's is UDP's)
 *
 * Return: its length.
 */
size_t diag_procnet_header(char *buf, uint8_t family, uint32_t protocol);

/**
 * diag_procnet_line - the line of one socket
 * @buf:   receives it, with its newline and terminated; DIAG_PROCNET_LINE bytes
 * @index: the number it begins with
 * @m:     the socket
 * @protocol: IPPROTO_TCP or IPPROTO_UDP
 * @info:  its tcp_info, or NULL: then the last columns are what a new connection has
 *
 * A socket's address in memory is not told; it is written as 0, as for readers without rights.
 *
 * Return: its length.
 */
size_t diag_procnet_line(char *buf, unsigned int index, const struct inet_diag_msg *m, uint32_t protocol,
			 const struct diag_tcp_info *info);

/**
 * diag_procnet_parse - reads a line of any of the files
 * @line:   the line, terminated
 * @family: AF_INET or AF_INET6
 * @m:      receives what it says, the rest zeroed
 *
 * Return: 0, or -1 for a line that is none (the first, for one).
 */
int diag_procnet_parse(const char *line, uint8_t family, struct inet_diag_msg *m);

#endif
