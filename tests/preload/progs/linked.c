/* linked.c - a program that is linked with the library, as test suites are, and not started under it. */
#include "prog.h"

#include <sys/auxv.h>

#include "sockshim.h"

static int refuse(const struct sockshim_status *st, struct sockshim_after *after, void *user)
{
	return ECONNREFUSED;
}

/* A switch of its own: its sockets are its own, and the plain calls pass through the default one. */
static void own_switch(int argc, char **argv)
{
	struct sockshim_switch *sw;
	struct sockaddr_in a = loopback(9);
	struct sockshim_stat st;
	char text[300];
	int s;

	CHECK(sockshim_switch_new(&sw) == 0);
	s = sockshim_socket(sw, AF_INET, SOCK_STREAM, 0);
	CHECK(s >= 0 && sockshim_set(sw, SOCKSHIM_CONNECT, refuse, NULL) == 0);
	CHECK(sockshim_connect(sw, s, (struct sockaddr *)&a, sizeof(a)) == -ECONNREFUSED);
	CHECK(sockshim_close(sw, s) == 0 && sockshim_stats(sw, &st, 1) == 1);
	sockshim_stat_format(text, sizeof(text), &st);
	puts(text);
	CHECK(sockshim_stats(sockshim_default_switch(), &st, 1) == 1 && st.opened == 1 && st.closed == 1);
	sockshim_switch_free(sw);
}

/* Says whether the kernel takes it for one that must not trust its environment. */
static void secure(int argc, char **argv)
{
	int s = socket(AF_INET, SOCK_STREAM, 0);

	printf("secure %d socket %d\n", getauxval(AT_SECURE) != 0, s >= 0);
}

PROG({ "switch", own_switch }, { "secure", secure })
