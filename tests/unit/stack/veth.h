/* A network namespace with a pair of virtual Ethernets, for tests of what uses packet sockets. */
#ifndef TESTS_STACK_VETH_H
#define TESTS_STACK_VETH_H

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/** veth_enter() - a new namespace with va and vb, up and silent; or skip the test */
static inline void veth_enter(void)
{
	int fd;

	if (unshare(CLONE_NEWNET) < 0)
		cr_skip_test("no right to make a network namespace: %s", strerror(errno));
	fd = open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY);
	if (fd >= 0) {
		cr_assert_eq(write(fd, "1", 1), 1);
		close(fd);
	}
	if (system("ip link set lo up && ip link add va type veth peer name vb && ip link set va up && "
		   "ip link set vb up") != 0)
		cr_skip_test("cannot make virtual Ethernets");
}

#endif
