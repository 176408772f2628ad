/* Code sections: assertions about tcp_info, of the forms "assert tcpi_snd_cwnd == 10", "assert (tcpi_options & 2) != 0" and
 * "assert 10 <= tcpi_rtt <= 20"; what follows a comma is for people. */
#include "driver.h"

#include <ctype.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define F(name) { #name, offsetof(struct tcp_info, name), sizeof(((struct tcp_info *)0)->name) }

static const struct { const char *name; size_t off, size; } fields[] = {
	F(tcpi_state), F(tcpi_ca_state), F(tcpi_retransmits), F(tcpi_probes), F(tcpi_backoff), F(tcpi_options),
	F(tcpi_rto), F(tcpi_ato), F(tcpi_snd_mss), F(tcpi_rcv_mss), F(tcpi_unacked), F(tcpi_sacked), F(tcpi_lost),
	F(tcpi_retrans), F(tcpi_pmtu), F(tcpi_rcv_ssthresh), F(tcpi_rtt), F(tcpi_rttvar), F(tcpi_snd_ssthresh),
	F(tcpi_snd_cwnd), F(tcpi_advmss), F(tcpi_reordering), F(tcpi_rcv_rtt), F(tcpi_rcv_space),
	F(tcpi_total_retrans), F(tcpi_bytes_acked), F(tcpi_bytes_received), F(tcpi_segs_out), F(tcpi_segs_in),
	F(tcpi_notsent_bytes), F(tcpi_min_rtt), F(tcpi_data_segs_in), F(tcpi_data_segs_out), F(tcpi_delivered),
	F(tcpi_delivered_ce), F(tcpi_bytes_sent), F(tcpi_bytes_retrans), F(tcpi_dsack_dups), F(tcpi_reord_seen),
	F(tcpi_busy_time), F(tcpi_rwnd_limited), F(tcpi_sndbuf_limited), F(tcpi_last_data_recv), F(tcpi_last_ack_recv), F(tcpi_last_data_sent),
};

static bool operand(const struct tcp_info *info, const char *name, long long *v)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (!strcmp(fields[i].name, name)) {
			*v = 0;
			memcpy(v, (const char *)info + fields[i].off, fields[i].size);
			return true;
		}
	if (isdigit((unsigned char)*name)) {
		*v = strtoll(name, NULL, 0);
		return true;
	}
	return script_symbol(name, v);
}

static bool holds(long long a, const char *op, long long b)
{
	return !strcmp(op, "==") ? a == b : !strcmp(op, "!=") ? a != b : !strcmp(op, "<") ? a < b
	     : !strcmp(op, "<=") ? a <= b : !strcmp(op, ">") ? a > b : !strcmp(op, ">=") && a >= b;
}

#define WORD "%39[a-zA-Z0-9_]"
#define OP " %2[=!<>] "

/* Whether the assertion holds; -1: it cannot be read. @got: the first value. */
static int assertion(const struct tcp_info *info, const char *s, long long *got)
{
	char a[40], b[40], c[40], op[3], op2[3];
	long long va, vb, vc;

	if (sscanf(s, " assert ( " WORD " & " WORD " )" OP WORD, a, b, op, c) == 4) {
		if (!operand(info, a, &va) || !operand(info, b, &vb) || !operand(info, c, &vc))
			return -1;
		*got = va & vb;
		return holds(*got, op, vc);
	}
	if (sscanf(s, " assert " WORD OP WORD OP WORD, a, op, b, op2, c) == 5) {
		if (!operand(info, a, &va) || !operand(info, b, &vb) || !operand(info, c, &vc))
			return -1;
		*got = vb;
		return holds(va, op, vb) && holds(vb, op2, vc);
	}
	if (sscanf(s, " assert " WORD OP WORD, a, op, b) != 3 || !operand(info, a, got) || !operand(info, b, &vb))
		return -1;
	return holds(*got, op, vb);
}

void code_check(struct driver *d, const struct event *e)
{
	struct tcp_info info = { 0 };
	uint32_t more[9];	/* SK_MEMINFO_VARS */
	socklen_t len = sizeof(info);
	char *text = strdup(e->text), *save = NULL;

	/* By the C library, past the table, as packetdrill does; the latter two it only reads. */
	if (getsockopt(d->fds[d->under_test], IPPROTO_TCP, TCP_INFO, &info, &len))
		fail_at(d, e, "no TCP_INFO");
	len = sizeof(more);
	if (getsockopt(d->fds[d->under_test], IPPROTO_TCP, TCP_CC_INFO, more, &len))
		fail_at(d, e, "no TCP_CC_INFO");
	len = sizeof(more);
	if (getsockopt(d->fds[d->under_test], SOL_SOCKET, SO_MEMINFO, more, &len) || len != sizeof(more))
		fail_at(d, e, "no SO_MEMINFO");
	for (char *s = strtok_r(text, ";\n\\", &save); s; s = strtok_r(NULL, ";\n\\", &save)) {
		long long got;
		int ok;

		if (s[strspn(s, " \t")] == '\0' || s[strspn(s, " \t")] == '#')
			continue;
		ok = assertion(&info, s, &got);
		if (ok < 0)
			fail_at(d, e, "cannot read the assertion \"%s\"", s);
		if (!ok)
			fail_at(d, e, "it is %lld, expected: %s", got, s);
	}
	free(text);
}
