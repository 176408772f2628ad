/* The TCP header (RFC 9293, 3.1) and its options (3.2, RFC 7323, RFC 2018). */
#ifndef STACK_HEADER_TCP_H
#define STACK_HEADER_TCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TCP_HDR_LEN = 20,
	TCP_CKSUM_OFF = 16,
	TCP_MAX_OPTS = 40,
	TCP_MAX_WSCALE = 14,		/* RFC 7323, 2.3 */
	TCP_MAX_SACK = 4,
	TCP_FO_MIN = 4,			/* RFC 7413, 4.1.1: a Fast Open cookie's length */
	TCP_FO_MAX = 16,
};

/** enum tcp_flag - the header's control bits */
enum tcp_flag {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_URG = 0x20,
	TCP_ECE = 0x40,
	TCP_CWR = 0x80,
};

/** struct tcp_hdr - @off_bytes: length with options, a multiple of 4; @cksum: in memory order */
struct tcp_hdr {
	uint16_t sport, dport;
	uint32_t seq, ack;
	uint8_t off_bytes;
	uint8_t flags;
	uint16_t wnd, cksum, urg;
};

/** tcp_parse() - false if @linear_len bytes are fewer than the header with its options, or that is
 * shorter than a header */
bool tcp_parse(struct tcp_hdr *h, const uint8_t *p, size_t linear_len);

/** tcp_emit() - write TCP_HDR_LEN bytes; options follow them */
void tcp_emit(const struct tcp_hdr *h, uint8_t *p);

/** struct tcp_sack_range - @left: first byte held, @right: first one after */
struct tcp_sack_range {
	uint32_t left, right;
};

/**
 * struct tcp_fo_opt - Fast Open (RFC 7413, 4.1.1)
 * @present: the option is there
 * @exp:     with the experimental kind (254) and its magic number
 * @len:     of the cookie; 0: one is asked for
 */
struct tcp_fo_opt {
	bool present, exp;
	uint8_t len;
	uint8_t cookie[TCP_FO_MAX];
};

/** struct tcp_opts - the options this stack knows; all zero: none */
struct tcp_opts {
	bool has_mss, has_wscale, sack_permitted, has_ts;
	uint16_t mss;
	uint8_t wscale;
	uint8_t nsack;
	uint32_t ts_val, ts_ecr;
	struct tcp_sack_range sack[TCP_MAX_SACK];
	struct tcp_fo_opt fo;
};

/**
 * tcp_opts_parse() - read @len bytes of options
 * @syn: the segment has SYN: only there MSS, window scale and SACK-permitted count
 *
 * Unknown options are passed over, those of a wrong length too; one that does not fit ends the
 * reading (as Linux has it). A shift above 14 is taken as 14 (RFC 7323, 2.3); an MSS of 0 as none.
 */
void tcp_opts_parse(struct tcp_opts *o, const uint8_t *p, size_t len, bool syn);

/** tcp_opts_len() - what tcp_opts_emit() will write: a multiple of 4, at most TCP_MAX_OPTS */
size_t tcp_opts_len(const struct tcp_opts *o, bool syn);

/** tcp_opts_emit() - write options in Linux's order and padding; SACK blocks as far as they fit.
 * Returns the length. */
size_t tcp_opts_emit(const struct tcp_opts *o, bool syn, uint8_t *p);

#endif
