/* A network namespace of a test's own, with loopback up. */
#include "netns.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

void netns_enter(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	/* A user namespace would do for anybody, but not in a test runner, which has threads. */
	if (unshare(CLONE_NEWNET) < 0)
		cr_skip_test("no right to make a network namespace: %s", strerror(errno));
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	cr_assert_eq(ioctl(fd, SIOCSIFFLAGS, &ifr), 0);
	close(fd);
}

void netns_drop_rights(void)
{
	if (seteuid(65534) < 0)
		cr_skip_test("no other user here: %s", strerror(errno));
}

void netns_regain_rights(void)
{
	cr_assert_eq(seteuid(0), 0);
}
