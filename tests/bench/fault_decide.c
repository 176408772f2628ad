/* fault_decide.c - what a decision costs, in nanoseconds: the least of several rounds. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fault/fault.h"

#define ROUNDS 15
#define CALLS 1000000

static const struct { const char *what, *rules; } cases[] = {
	{ "no rule for the type", "fail close\nfail connect to 10.0.0.1\n" },
	{ "probability 0", "fail send with EPIPE probability 0\n" },
	{ "another program's rule", "fail send program nginx*\n" },
	{ "an address that differs", "fail send to 10.0.0.0/8:80\n" },
	{ "on 3rd", "fail send on 3rd\n" },
	{ "every 1000th", "fail send every 1000th\n" },
	{ "probability 0.1%", "fail send probability 0.1%\n" },
	{ "fires each time", "short send to 1..16\n" },
	{ "ten addresses that differ", "fail send to 10.0.0.1\nfail send to 10.0.0.2\nfail send to 10.0.0.3\n"
	  "fail send to 10.0.0.4\nfail send to 10.0.0.5\nfail send to 10.0.0.6\nfail send to 10.0.0.7\n"
	  "fail send to 10.0.0.8\nfail send to 10.0.0.9\nfail send to 10.0.0.10\n" },
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int main(void)
{
	static struct run_rule_count counts[RUN_RULES];
	struct sockaddr_in peer = { .sin_family = AF_INET, .sin_port = htons(443), .sin_addr.s_addr = htonl(0x7f000001) };
	struct fault_call call = {
		.type = SOCKSHIM_SEND, .name = "send", .has_socket = true,
		.cookie = sockshim_cookie_make(AF_INET, SOCK_STREAM, 0),
		.peer = (struct sockaddr *)&peer, .peer_len = sizeof(peer), .thread = "main", .tid = 1,
	};
	struct fault_verdict v;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t n = strlen(cases[i].rules), n_err;
		void *mem = malloc(fault_set_bytes(n));
		struct fault_error err;
		struct fault_set *set = fault_parse(mem, cases[i].rules, n, false, 1, &err, 1, &n_err);
		double least = 1e9;

		if (!set) {
			fprintf(stderr, "%s: %s\n", cases[i].what, err.text);
			return 1;
		}
		for (int round = 0; round < ROUNDS; round++) {
			double start = now();

			for (int j = 0; j < CALLS; j++)
				fault_decide(set, &call, "redis-server", 1, counts, &v);
			if ((now() - start) / CALLS < least)
				least = (now() - start) / CALLS;
		}
		printf("%-28s %6.1f ns\n", cases[i].what, least);
		free(mem);
	}
	return 0;
}
