/* A program that uses the library as it is installed: lists TCP sockets of IPv4, and counts the bytes that were read. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include <client/inet.h>
#include <client/unix.h>
#include <server/session.h>
#include <wire/inet.h>
#include <wire/state.h>

static void count(const void *data, size_t len, void *arg)
{
	*(size_t *)arg += len;
}

int main(void)
{
	_Alignas(4) unsigned char room[DIAG_REQ_ROOM];
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN], text[128];
	struct inet_diag_msg *list;
	size_t n, bytes = 0;
	struct diag_req r;
	struct diag_err e;

	diag_req_inet(&r, room, sizeof(room), AF_INET, IPPROTO_TCP);
	e = diag_inet_list(&r, NULL, 0, count, &bytes, &list, &n);
	if (diag_failed(e)) {
		fprintf(stderr, "%s\n", diag_err_text(e, text, sizeof(text)));
		return 1;
	}
	for (size_t i = 0; i < n; i++)
		printf("%s %s:%u %s:%u\n", diag_state_short(list[i].idiag_state), diag_inet_src_ip(&list[i], src),
		       diag_inet_src_port(&list[i]), diag_inet_dst_ip(&list[i], dst), diag_inet_dst_port(&list[i]));
	free(list);
	return bytes < n * sizeof(*list);
}
