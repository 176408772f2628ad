/* Lines of /proc/net held to the kernel's own: the same sockets from a dump and from the file. */
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "versus.h"
#include "wire/inet.h"
#include "wire/procnet.h"
#include "wire/req.h"
#include "wire/state.h"

#define LINES 64

struct lines {
	char *at[LINES];
	size_t count;
};

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* From the local address to the inode, with the timer's time cut out; what follows is of the kernel's inside. */
static void add(struct lines *l, const char *line)
{
	char local[40], peer[40], queues[20], uid[12], probes[12], inode[12], text[256];
	unsigned int state, timer, when, retrans;

	cr_assert_eq(sscanf(line, " %*u: %39s %39s %x %19s %x:%x %x %11s %11s %11s", local, peer, &state, queues, &timer, &when,
			    &retrans, uid, probes, inode),
		     10, "%s", line);
	if (timer == 1)
		retrans = 0; /* goes up while we look */
	snprintf(text, sizeof(text), "%s %s %02X %s %02X:%s %u %s %s %s", local, peer, state, queues, timer,
		 when ? "T" : "0", retrans, uid, probes, inode);
	cr_assert_lt(l->count, LINES);
	l->at[l->count++] = strdup(text);
}

static void from_file(struct lines *l, const char *path, uint8_t family, uint32_t protocol)
{
	char line[512], header[DIAG_PROCNET_LINE];
	FILE *f = fopen(path, "r");

	cr_assert_not_null(f);
	cr_assert_not_null(fgets(line, sizeof(line), f));
	diag_procnet_header(header, family, protocol);
	cr_assert_str_eq(header, line, "the first line of %s", path);
	while (fgets(line, sizeof(line), f)) {
		struct inet_diag_msg m;

		cr_assert_eq(diag_procnet_parse(line, family, &m), 0);
		add(l, line);
	}
	fclose(f);
}

static void from_dump(struct lines *l, uint8_t family, uint32_t protocol)
{
	_Alignas(4) uint8_t room[DIAG_REQ_ROOM];
	struct nlmsghdr *list[MESSAGES];
	char line[DIAG_PROCNET_LINE];
	struct diag_req r;
	size_t n;

	diag_req_inet(&r, room, sizeof(room), family, protocol);
	/* A socket that is bound and no more is not in the file. */
	diag_req_inet_body(&r)->idiag_states &= ~DIAG_STATE_BIT(DIAG_TCP_BOUND_INACTIVE);
	ask_kernel(r.nlh, r.nlh->nlmsg_len);
	n = split(&from_kernel, list);
	for (size_t i = 0; i < n - 1; i++) {
		struct inet_diag_msg again, *m = NLMSG_DATA(list[i]);
		size_t len = diag_procnet_line(line, (unsigned int)i, m, protocol, NULL);

		cr_assert_eq(len, strlen(line));
		cr_assert_lt(len, sizeof(line));
		cr_assert_eq(diag_procnet_parse(line, family, &again), 0);
		cr_assert_eq(memcmp(again.id.idiag_src, m->id.idiag_src, 16), 0);
		cr_assert_eq(again.id.idiag_dport, m->id.idiag_dport);
		cr_assert_eq(again.idiag_inode, m->idiag_inode);
		add(l, line);
	}
}

Test(procnet, lines_are_the_kernels)
{
	static const struct {
		const char *path;
		uint8_t family;
		uint32_t protocol;
	} files[] = {
		{ "/proc/net/tcp", AF_INET, IPPROTO_TCP },
		{ "/proc/net/tcp6", AF_INET6, IPPROTO_TCP },
		{ "/proc/net/udp", AF_INET, IPPROTO_UDP },
		{ "/proc/net/udp6", AF_INET6, IPPROTO_UDP },
	};

	populate();
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct lines file = { .count = 0 }, dump = { .count = 0 };

		from_file(&file, files[i].path, files[i].family, files[i].protocol);
		from_dump(&dump, files[i].family, files[i].protocol);
		cr_assert_gt(file.count, 1);
		cr_assert_eq(file.count, dump.count, "%s has %zu sockets, the dump %zu", files[i].path, file.count,
			     dump.count);
		qsort(file.at, file.count, sizeof(file.at[0]), by_text);
		qsort(dump.at, dump.count, sizeof(dump.at[0]), by_text);
		for (size_t k = 0; k < file.count; k++) {
			cr_assert_str_eq(file.at[k], dump.at[k]);
			free(file.at[k]);
			free(dump.at[k]);
		}
	}
}

Test(procnet, other_lines_are_refused)
{
	struct inet_diag_msg m;

	cr_assert_eq(diag_procnet_parse("", AF_INET, &m), -1);
	cr_assert_eq(diag_procnet_parse("  sl  local_address rem_address", AF_INET, &m), -1);
	cr_assert_eq(diag_procnet_parse("   0: 0100007F:9953 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 7",
					AF_INET6, &m),
		     -1);
	cr_assert_eq(diag_procnet_parse("   0: 0100007F:9953 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 7",
					AF_INET, &m),
		     0);
}

Test(procnet, tcp_info_fills_the_last_columns)
{
	struct diag_tcp_info ti = { .rto = 204000, .ato = 40000, .snd_cwnd = 7, .snd_ssthresh = 5 };
	struct inet_diag_msg m = { .idiag_family = AF_INET, .idiag_state = DIAG_TCP_ESTABLISHED, .idiag_inode = 9 };
	char line[DIAG_PROCNET_LINE];

	diag_procnet_line(line, 3, &m, IPPROTO_TCP, &ti);
	cr_assert_not_null(strstr(line, " 9 1 0000000000000000 20 4 0 7 5 "), "%s", line);
}
