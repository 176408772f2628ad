/* inet_diag_msg: parse, write, addresses, and a hash of its two ends. */
#ifndef DIAG_WIRE_INET_H
#define DIAG_WIRE_INET_H

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <stdbool.h>
#include <stdint.h>

#include "wire/attr.h"
#include "wire/err.h"

/**
 * struct diag_inet - one socket of an inet_diag answer
 * @msg:   the fixed part, copied (struct inet_diag_msg of linux/inet_diag.h: ports and addresses
 *         in network order, expires in ms, queues in bytes or, for a listener, in connections)
 * @attrs: what followed it, by INET_DIAG_* number; payloads borrowed from the parsed bytes
 */
struct diag_inet {
	struct inet_diag_msg msg;
	struct diag_attr attrs[DIAG_INET_ATTRS];
};

/**
 * diag_inet_parse - reads the payload of one answer
 * @payload: the bytes after the netlink header, borrowed as long as @out's attributes are read
 * @len:     how many
 * @out:     receives the socket
 *
 * Return: DIAG_OK; DIAG_NLE_MSG_TOOSHORT when the fixed part is not all there; DIAG_NLE_ATTRSIZE
 * when an attribute's length is wrong (what preceded it is in @out).
 */
struct diag_err diag_inet_parse(const void *payload, size_t len, struct diag_inet *out);

/** diag_inet_src_port, _dst_port - in host order */
static inline uint16_t diag_inet_src_port(const struct inet_diag_msg *m)
{
	return ntohs(m->id.idiag_sport);
}

static inline uint16_t diag_inet_dst_port(const struct inet_diag_msg *m)
{
	return ntohs(m->id.idiag_dport);
}

/** diag_inet_addr_len - bytes of an address of @family that count: 4, 16, or 0 for another family */
static inline size_t diag_inet_addr_len(uint8_t family)
{
	return family == AF_INET ? 4 : family == AF_INET6 ? 16 : 0;
}

/**
 * diag_inet_src_ip, diag_inet_dst_ip - an end's address as text
 * @m:    the socket
 * @text: receives it, at least INET6_ADDRSTRLEN bytes
 *
 * Return: @text, or NULL when the family is neither AF_INET nor AF_INET6.
 */
const char *diag_inet_src_ip(const struct inet_diag_msg *m, char *text);
const char *diag_inet_dst_ip(const struct inet_diag_msg *m, char *text);

/** diag_inet_cookie - the kernel's 64-bit name of the socket (SO_COOKIE) */
static inline uint64_t diag_inet_cookie(const struct inet_diag_msg *m)
{
	return m->id.idiag_cookie[0] | (uint64_t)m->id.idiag_cookie[1] << 32;
}

/**
 * diag_inet_fasthash - 64-bit FNV-1 of both ends
 * @m: the socket; of an AF_INET one only four bytes of each address count, since some kernels
 *     leave garbage behind them
 *
 * Hashed in this order: source address, destination address, source port, destination port, as
 * they stand in the message.
 */
uint64_t diag_inet_fasthash(const struct inet_diag_msg *m);

/** diag_inet_is_any - whether an address (as in the message) is the family's unspecified one */
bool diag_inet_is_any(uint8_t family, const uint32_t addr_be[4]);

#endif
