/*
 * The machine's TCP settings for the stack.
 *
 * Scripts set sysctls of the kernel they think they test, by a command that runs after the adapter's
 * init, and between its parts: so they are read whenever it makes a socket, connects one or sets an option.
 */
#include "packetdrill/adapter.h"

#include <errno.h>
#include <stdio.h>

static int read_numbers(const char *path, long long *v, int max)
{
	char full[128];
	FILE *f;
	int n = 0;

	snprintf(full, sizeof(full), "/proc/sys/net/%s", path);
	f = fopen(full, "re");
	if (!f)
		return 0;
	while (n < max && fscanf(f, "%lld", &v[n]) == 1)
		n++;
	fclose(f);
	return n;
}

static const struct sysctl_row {
	const char *path;
	enum sockopt opt;
	int64_t unit;
} rows[] = {
	{ "ipv4/tcp_sack", SOCKOPT_SACK_ENABLED, 1 },
	{ "ipv4/tcp_timestamps", SOCKOPT_TIMESTAMPS_ENABLED, 1 },
	{ "ipv4/tcp_window_scaling", SOCKOPT_WINDOW_SCALING_ENABLED, 1 },
	{ "ipv4/tcp_ecn", SOCKOPT_ECN, 1 },
	{ "ipv4/tcp_syncookies", SOCKOPT_SYN_COOKIES, 1 },
	{ "ipv4/tcp_syn_retries", SOCKOPT_SYN_RETRIES, 1 },
	{ "ipv4/tcp_synack_retries", SOCKOPT_SYNACK_RETRIES, 1 },
	{ "ipv4/tcp_retries2", SOCKOPT_MAX_RETRIES, 1 },
	{ "ipv4/tcp_orphan_retries", SOCKOPT_ORPHAN_RETRIES, 1 },
	{ "ipv4/tcp_max_syn_backlog", SOCKOPT_SYN_RCVD_THRESHOLD, 1 },
	{ "core/somaxconn", SOCKOPT_MAX_BACKLOG, 1 },
	{ "ipv4/tcp_abort_on_overflow", SOCKOPT_ABORT_ON_OVERFLOW, 1 },
	{ "ipv4/tcp_rfc1337", SOCKOPT_RFC1337, 1 },
	{ "ipv4/tcp_reordering", SOCKOPT_REORDERING, 1 },
	{ "ipv4/tcp_slow_start_after_idle", SOCKOPT_SLOW_START_AFTER_IDLE, 1 },
	{ "ipv4/tcp_mtu_probing", SOCKOPT_MTU_PROBING, 1 },
	{ "ipv4/tcp_base_mss", SOCKOPT_BASE_MSS, 1 },
	{ "ipv4/tcp_moderate_rcvbuf", SOCKOPT_MODERATE_RECEIVE_BUFFER, 1 },
	{ "ipv4/tcp_tw_reuse", SOCKOPT_TIME_WAIT_REUSE, 1 },
	{ "ipv4/tcp_tw_reuse_delay", SOCKOPT_TIME_WAIT_REUSE_DELAY, NS_PER_MS },
	{ "ipv4/tcp_fin_timeout", SOCKOPT_LINGER2_TIMEOUT, NS_PER_SEC },
	{ "ipv4/tcp_keepalive_time", SOCKOPT_KEEPALIVE_IDLE, NS_PER_SEC },
	{ "ipv4/tcp_keepalive_intvl", SOCKOPT_KEEPALIVE_INTERVAL, NS_PER_SEC },
	{ "ipv4/tcp_keepalive_probes", SOCKOPT_KEEPALIVE_COUNT, 1 },
	{ "ipv4/tcp_notsent_lowat", SOCKOPT_NOT_SENT_LOW_WATER, 1 },
	{ "ipv4/tcp_recovery", SOCKOPT_RECOVERY, 1 },
	{ "ipv4/tcp_invalid_ratelimit", SOCKOPT_INVALID_RATELIMIT, NS_PER_MS },
	{ "ipv4/tcp_fastopen", SOCKOPT_FASTOPEN, 1 },
	{ "ipv4/tcp_rto_max_ms", SOCKOPT_MAX_RTO, NS_PER_MS },
	{ "ipv4/tcp_min_tso_segs", SOCKOPT_MIN_TSO_SEGMENTS, 1 },
};

static void set(struct pd *pd, int opt, const void *val, size_t len)
{
	/* A setting the stack has not got, or a value it does not take, leaves its default. */
	(void)stack_set_trans_option(pd->stack, IP_PROTO_TCP, opt, val, len);
}

static void set_range(struct pd *pd, const char *path, int opt)
{
	struct sockopt_range r;
	long long v[3];

	if (read_numbers(path, v, 3) != 3)
		return;
	r = (struct sockopt_range){ (uint32_t)v[0], (uint32_t)v[1], (uint32_t)v[2] };
	set(pd, opt, &r, sizeof(r));
}

static void set_congestion_control(struct pd *pd)
{
	FILE *f = fopen("/proc/sys/net/ipv4/tcp_congestion_control", "re");
	char name[16];

	if (f && fscanf(f, "%15s", name) == 1)
		set(pd, SOCKOPT_CONGESTION_CONTROL, name, strlen(name));
	if (f)
		fclose(f);
}

/* Four words of eight hexadecimal digits each, and perhaps as many after a comma. */
static void set_fastopen_keys(struct pd *pd)
{
	FILE *f = fopen("/proc/sys/net/ipv4/tcp_fastopen_key", "re");
	uint8_t key[32];
	unsigned n = 0, word;

	while (f && n < sizeof(key) && fscanf(f, "%8x%*1[-,]", &word) == 1)
		for (int i = 0; i < 4; i++)
			key[n++] = (uint8_t)(word >> 8 * i);
	if (f)
		fclose(f);
	if (n)
		set(pd, SOCKOPT_FASTOPEN_KEY, key, n);
}

void pd_sysctls(struct pd *pd)
{
	int err = errno;
	long long v;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (read_numbers(rows[i].path, &v, 1) == 1) {
			int64_t value = v * rows[i].unit;

			set(pd, rows[i].opt, &value, sizeof(value));
		}
	set_range(pd, "ipv4/tcp_rmem", SOCKOPT_RECEIVE_BUFFER_RANGE);
	set_range(pd, "ipv4/tcp_wmem", SOCKOPT_SEND_BUFFER_RANGE);
	set_congestion_control(pd);
	set_fastopen_keys(pd);
	pd->limits.rmem_max = read_numbers("core/rmem_max", &v, 1) ? v : 212992;
	pd->limits.wmem_max = read_numbers("core/wmem_max", &v, 1) ? v : 212992;
	errno = err;
}
