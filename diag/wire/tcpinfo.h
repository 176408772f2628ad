/* struct tcp_info in full, whatever the length the other side sends. */
#ifndef DIAG_WIRE_TCPINFO_H
#define DIAG_WIRE_TCPINFO_H

#include <stddef.h>
#include <stdint.h>

/*
 * Distributions' <linux/tcp.h> and <netinet/tcp.h> stop at what was known when they were built
 * (232 bytes in Debian 12, where the running kernel sends 280), so the layout stands here.
 * Order and sizes are the kernel's ABI; it only ever grows at the end.
 * Times are in microseconds unless the name says _ms, rates in bytes a second.
 */
struct diag_tcp_info {
	uint8_t state;
	uint8_t ca_state;
	uint8_t retransmits;
	uint8_t probes;
	uint8_t backoff;
	uint8_t options; /* enum diag_tcpi_opt */
	uint8_t wscale;  /* low four bits: send, high four: receive */
	uint8_t flags;   /* bit 0: delivery_rate is app-limited, bits 1-2: fastopen_client_fail */

	uint32_t rto;
	uint32_t ato;
	uint32_t snd_mss;
	uint32_t rcv_mss;

	uint32_t unacked;
	uint32_t sacked;
	uint32_t lost;
	uint32_t retrans;
	uint32_t fackets;

	uint32_t last_data_sent_ms;
	uint32_t last_ack_sent_ms;
	uint32_t last_data_recv_ms;
	uint32_t last_ack_recv_ms;

	uint32_t pmtu;
	uint32_t rcv_ssthresh;
	uint32_t rtt;
	uint32_t rttvar;
	uint32_t snd_ssthresh;
	uint32_t snd_cwnd;
	uint32_t advmss;
	uint32_t reordering;

	uint32_t rcv_rtt;
	uint32_t rcv_space;
	uint32_t total_retrans;

	uint64_t pacing_rate;
	uint64_t max_pacing_rate;
	uint64_t bytes_acked;
	uint64_t bytes_received;
	uint32_t segs_out;
	uint32_t segs_in;

	uint32_t notsent_bytes;
	uint32_t min_rtt;
	uint32_t data_segs_in;
	uint32_t data_segs_out;

	uint64_t delivery_rate;

	uint64_t busy_time;
	uint64_t rwnd_limited;
	uint64_t sndbuf_limited;

	uint32_t delivered;
	uint32_t delivered_ce;

	uint64_t bytes_sent;
	uint64_t bytes_retrans;
	uint32_t dsack_dups;
	uint32_t reord_seen;

	uint32_t rcv_ooopack;
	uint32_t snd_wnd;

	uint32_t rcv_wnd;
	uint32_t rehash;

	uint16_t total_rto;
	uint16_t total_rto_recoveries;
	uint32_t total_rto_time_ms;

	uint32_t received_ce;
	uint32_t delivered_e1_bytes;
	uint32_t delivered_e0_bytes;
	uint32_t delivered_ce_bytes;
	uint32_t received_e1_bytes;
	uint32_t received_e0_bytes;
	uint32_t received_ce_bytes;

	uint32_t accecn; /* bits 0-1: ecn_mode, 2-3: opt_seen, 4-7: fail_mode, 8-31: options2 */
};

_Static_assert(sizeof(struct diag_tcp_info) == 280, "the length kernel 6.18 sends");
_Static_assert(offsetof(struct diag_tcp_info, pacing_rate) == 104, "where tcp_info had to be padded");

/** enum diag_tcpi_opt - bits of options (TCPI_OPT_*) */
enum diag_tcpi_opt {
	DIAG_TCPI_TIMESTAMPS = 1,
	DIAG_TCPI_SACK = 2,
	DIAG_TCPI_WSCALE = 4,
	DIAG_TCPI_ECN = 8,
	DIAG_TCPI_ECN_SEEN = 16,
	DIAG_TCPI_SYN_DATA = 32,
	DIAG_TCPI_USEC_TS = 64,
	DIAG_TCPI_TFO_CHILD = 128,
};

/**
 * struct diag_tcp_field - one of tcp_info's fields, as data
 * @name:   the kernel's name without "tcpi_"
 * @offset: of the integer that holds it, in struct diag_tcp_info
 * @size:   of that integer: 1, 2, 4 or 8
 * @shift:  the field's lowest bit in it
 * @bits:   how wide the field is
 */
struct diag_tcp_field {
	const char *name;
	uint16_t offset;
	uint8_t size;
	uint8_t shift;
	uint8_t bits;
};

/* Every field in the order of the structure. */
#define DIAG_TCP_FIELDS 72
extern const struct diag_tcp_field diag_tcp_fields[DIAG_TCP_FIELDS];

/**
 * diag_tcp_info_read - takes in a tcp_info of any length
 * @out:  receives it; what @data does not reach is 0, what it has beyond the structure is left out
 * @data: the bytes of an INET_DIAG_INFO attribute or of getsockopt(TCP_INFO), unaligned or NULL
 * @len:  how many
 *
 * Return: how many bytes of @out came from @data. A field is there when it ends within them.
 */
size_t diag_tcp_info_read(struct diag_tcp_info *out, const void *data, size_t len);

/** diag_tcp_field_value - the value of field @f of @info */
uint64_t diag_tcp_field_value(const struct diag_tcp_info *info, const struct diag_tcp_field *f);

#endif
