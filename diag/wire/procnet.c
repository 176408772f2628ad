/* Lines of /proc/net/tcp, tcp6, udp, udp6, raw and raw6: read and written. */
#include "wire/procnet.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "wire/state.h"

/* Times are in clock ticks, of which USER_HZ go into a second on every Linux there is. */
#define MS_A_TICK 10
/* TCP over IPv4 alone is padded (TMPSZ of net/ipv4/tcp_ipv4.c); UDP's lines to 127. */
#define TCP4_WIDTH 149
#define UDP4_WIDTH 127
#define SSTHRESH_INFINITE 0x7fffffff

static int width_of(uint8_t family, uint32_t protocol)
{
	return family != AF_INET ? 0 : protocol == IPPROTO_TCP ? TCP4_WIDTH : UDP4_WIDTH;
}

/* Ends the line of @len bytes: blanks up to the file's width, and a newline. */
static size_t finish(char *buf, size_t len, uint8_t family, uint32_t protocol)
{
	size_t width = (size_t)width_of(family, protocol);

	while (len < width)
		buf[len++] = ' ';
	buf[len++] = '\n';
	buf[len] = '\0';
	return len;
}

size_t diag_procnet_header(char *buf, uint8_t family, uint32_t protocol)
{
	const char *text;

	if (protocol == IPPROTO_TCP && family == AF_INET)
		text = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
	else if (protocol == IPPROTO_TCP)
		text = "  sl  local_address                         remote_address                        "
		       "st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
	else if (family == AF_INET)
		text = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
		       "inode ref pointer drops";
	else
		text = "  sl  local_address                         remote_address                        "
		       "st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops";
	strcpy(buf, text);
	return finish(buf, strlen(text), family, protocol);
}

/* " ADDRESS:PORT", each word of the address as it lies in memory. */
static size_t put_end(char *p, uint8_t family, const uint32_t addr_be[4], uint16_t port_be)
{
	if (family == AF_INET)
		return (size_t)sprintf(p, " %08X:%04X", addr_be[0], ntohs(port_be));
	return (size_t)sprintf(p, " %08X%08X%08X%08X:%04X", addr_be[0], addr_be[1], addr_be[2], addr_be[3],
			       ntohs(port_be));
}

/* What stands behind the inode of a TCP socket: rto, ato, quick and pingpong, cwnd, ssthresh. */
static size_t put_tcp(char *p, const struct inet_diag_msg *m, const struct diag_tcp_info *info)
{
	static const struct diag_tcp_info fresh = { .rto = 1000000, .snd_cwnd = 10, .snd_ssthresh = SSTHRESH_INFINITE };
	int ssthresh;

	if (!info)
		info = &fresh;
	ssthresh = info->snd_ssthresh >= SSTHRESH_INFINITE ? -1 : (int)info->snd_ssthresh;
	return (size_t)sprintf(p, " 1 %016X %u %u 0 %u %d", 0, info->rto / 1000 / MS_A_TICK, info->ato / 1000 / MS_A_TICK,
			       info->snd_cwnd, m->idiag_state == DIAG_TCP_LISTEN ? 0 : ssthresh);
}

size_t diag_procnet_line(char *buf, unsigned int index, const struct inet_diag_msg *m, uint32_t protocol,
			 const struct diag_tcp_info *info)
{
	bool tcp = protocol == IPPROTO_TCP, half = tcp && !m->idiag_inode && m->idiag_timer;
	size_t n = (size_t)sprintf(buf, tcp ? "%4u:" : "%5u:", index);
	/* Retransmissions and probes are two columns, of which the timer tells which is meant. */
	bool probing = m->idiag_timer == 2 || m->idiag_timer == 4;

	n += put_end(buf + n, m->idiag_family, m->id.idiag_src, m->id.idiag_sport);
	n += put_end(buf + n, m->idiag_family, m->id.idiag_dst, m->id.idiag_dport);
	n += (size_t)sprintf(buf + n, " %02X %08X:%08X %02X:%08X %08X %5u %8u %u", m->idiag_state,
			     m->idiag_state == DIAG_TCP_LISTEN ? 0 : m->idiag_wqueue, m->idiag_rqueue, m->idiag_timer,
			     m->idiag_expires / MS_A_TICK, probing ? 0 : m->idiag_retrans, m->idiag_uid,
			     probing ? m->idiag_retrans : 0, m->idiag_inode);
	if (half) /* TIME-WAIT and SYN-RECV */
		n += (size_t)sprintf(buf + n, " 1 %016X", 0);
	else if (tcp)
		n += put_tcp(buf + n, m, info);
	else
		n += (size_t)sprintf(buf + n, " 2 %016X 0", 0);
	return finish(buf, n, m->idiag_family, protocol);
}

/* "0100007F" or four such words. */
static int parse_addr(const char *hex, size_t words, uint32_t *addr_be)
{
	if (strlen(hex) != 8 * words)
		return -1;
	for (size_t i = 0; i < words; i++)
		if (sscanf(hex + 8 * i, "%8x", &addr_be[i]) != 1)
			return -1;
	return 0;
}

int diag_procnet_parse(const char *line, uint8_t family, struct inet_diag_msg *m)
{
	size_t words = family == AF_INET ? 1 : 4;
	unsigned int lport, pport, state, wqueue, rqueue, timer, when, retrans, uid, probes, inode;
	char local[33], peer[33];

	memset(m, 0, sizeof(*m));
	if (sscanf(line, " %*u: %32[0-9A-Fa-f]:%x %32[0-9A-Fa-f]:%x %x %x:%x %x:%x %x %u %u %u", local, &lport, peer,
		   &pport, &state, &wqueue, &rqueue, &timer, &when, &retrans, &uid, &probes, &inode) != 13)
		return -1;
	if (parse_addr(local, words, m->id.idiag_src) || parse_addr(peer, words, m->id.idiag_dst))
		return -1;
	m->idiag_family = family;
	m->idiag_state = (uint8_t)state;
	m->idiag_timer = (uint8_t)timer;
	m->idiag_retrans = (uint8_t)(retrans ? retrans : probes);
	m->idiag_expires = when * MS_A_TICK;
	m->id.idiag_sport = htons((uint16_t)lport);
	m->id.idiag_dport = htons((uint16_t)pport);
	m->idiag_rqueue = rqueue;
	m->idiag_wqueue = wqueue;
	m->idiag_uid = uid;
	m->idiag_inode = inode;
	return 0;
}
