/* Specifications of stacks. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "host/spec.h"

static struct spec s;
static char error[SPEC_ERROR_MAX];

static void good(const char *text)
{
	cr_assert_eq(spec_parse(text, &s, error), 0, "%s: %s", text, error);
}

static void bad(const char *text, const char *says)
{
	cr_assert_eq(spec_parse(text, &s, error), -EINVAL, "%s was taken", text);
	cr_assert(strstr(error, says) != NULL, "%s: %s", text, error);
}

Test(spec, everything_a_line_may_say)
{
	char text[ADDR_STR_MAX];

	good("tap=ss0,addr=10.0.0.2/24,addr=fd00::2/64,gw=10.0.0.1,peer=10.0.0.1/24,mtu=9000,mac=02:00:00:00:00:07,"
	     "dns=10.0.0.1,cc=cubic,loss=1.5%,delay=40ms,jitter=500us,reorder=2%,duplicate=0.1%,corrupt=0.01%,"
	     "rate=10mbit,queue=50,seed=7,pcap=x.pcapng,route=10.9.0.0/16@10.0.0.1,busy-poll=50us,forwarding,"
	     "txqueuelen=500");
	cr_assert_eq(s.nnics, 1);
	cr_assert_eq(s.nics[0].link, SPEC_LINK_TAP);
	cr_assert_str_eq(s.nics[0].device, "ss0");
	cr_assert_eq(s.nics[0].naddrs, 2);
	cr_assert_eq(s.nics[0].addrs[1].prefix_len, 64);
	cr_assert_eq(s.nics[0].ngateways, 1);
	cr_assert_eq(s.nics[0].npeers, 1);
	cr_assert_eq(s.nics[0].mtu, 9000);
	cr_assert_str_eq(link_addr_format(&s.nics[0].mac, text), "02:00:00:00:00:07");
	cr_assert_eq(s.ndns, 1);
	cr_assert_str_eq(s.cc, "cubic");
	cr_assert_eq(s.nics[0].impair.loss, 15000);
	cr_assert_eq(s.nics[0].impair.delay_ns, 40 * NS_PER_MS);
	cr_assert_eq(s.nics[0].impair.jitter_ns, 500 * NS_PER_US);
	cr_assert_eq(s.nics[0].impair.duplicate, 1000);
	cr_assert_eq(s.nics[0].impair.corrupt, 100);
	cr_assert_eq(s.nics[0].impair.rate_bps, 10000000);
	cr_assert_eq(s.nics[0].impair.queue_pkts, 50);
	cr_assert_eq(s.nics[0].seed, 7);
	cr_assert_str_eq(s.nics[0].pcap, "x.pcapng");
	cr_assert_eq(s.nics[0].nroutes, 1);
	cr_assert_eq(s.nics[0].routes[0].gateway.len, ADDR_LEN_V4);
	cr_assert_eq(s.busy_poll_ns, 50 * NS_PER_US);
	cr_assert(s.nics[0].forwarding);
	cr_assert(s.nics[0].impaired);
	cr_assert_eq(s.nics[0].txqueuelen, 500);
}

Test(spec, nothing_but_a_loopback)
{
	good("lo");
	cr_assert_eq(s.nnics, 0);
	good("lo,dns=127.0.0.1");
	cr_assert_eq(s.nnics, 0);
	good("lo,rules=/etc/a,rules6=b");
	cr_assert_eq(s.nnics, 0);
	cr_assert_str_eq(s.rules[NET_IPV4], "/etc/a");
	cr_assert_str_eq(s.rules[NET_IPV6], "b");
}

Test(spec, errors_say_where_and_what_was_expected)
{
	bad("tap=ss0,addr=10.0.0.300/24", "at character 9: addr=10.0.0.300/24: expected ADDRESS/BITS");
	bad("tap=ss0,,gw=1.2.3.4", "at character 9");
	bad("lo,", "at character 4");
	bad("tpa=3", "no such setting");
	bad("lo,rules=", "expected the name of a file");
	bad("tap=ss0,tap=ss1", "at character 9");
	bad("tap=ss0,mtu=67", "68");
	bad("tap=ss0,mtu=1500x", "expected a number");
	bad("tap=ss0,loss=101%", "percentage");
	bad("tap=ss0,loss=1", "percentage");
	bad("tap=ss0,delay=40", "a time");
	bad("tap=ss0,delay=1e3ms", "a time");
	bad("tap=ss0,delay=..5ms", "a time");
	bad("tap=ss0,rate=0bit", "bits a second");
	bad("tap=ss0,mac=ff:ff:ff:ff:ff:ff", "one station");
	bad("tap=ss0,addr", "expected ADDRESS/BITS");
	bad("tap=ss0,forwarding=1", "no value");
	bad("tap=this-name-is-too-long", "a device's name");
	bad("tap=a/b", "a device's name");
	bad("addr=10.0.0.2/24", "no link");
	bad("fd=3,peer=10.0.0.1/24", "expected tap= or tun=");
	bad("tap=ss0,peer=10.0.0.2/24,addr=10.0.0.2/24", "the stack's own");
	bad("tap=x,share", "expected packet=");
	good("user,forward=8080:80,forward=udp:127.0.0.1:5353:53");
	cr_assert_eq(s.nics[0].nforwards, 2);
	cr_assert_eq(s.nics[0].naddrs, 1);
	cr_assert_eq(s.nics[0].ngateways, 1);
	cr_assert_eq(s.ndns, 1);
	bad("user,forward=x", "PORT:PORT");
	bad("tap=x,forward=80:80", "expected user");
	good("packet=eth0,share,addr=10.0.0.2/24");
	good("lan=a-name-of-more-than-16-letters,gw=10.77.0.1");
	bad("tap=ss0,addr=fd00::2/64,gw=10.0.0.1", "no IPv4 address");
	bad("tap=ss0,route=10.9.0.0/16@fd00::1", "expected NETWORK");
	bad("tap=ss0,route=10.9.0.1/16", "expected NETWORK");
	bad("", "expected a specification");
}

static const char *write_file(const char *text)
{
	static char path[] = "/tmp/sockshim-spec-XXXXXX";
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	return path;
}

Test(spec, a_file_with_two_nics)
{
	const char *path = write_file("# a router\ndns=10.0.0.9\n\n[nic left]\ntap=ss0, # the first\n");
	char at[128];

	snprintf(at, sizeof(at), "@%s", path);
	bad(at, ":5: nothing: expected a setting");
	unlink(path);
}

Test(spec, sections_are_nics)
{
	const char *path = write_file("dns=10.0.0.9\n[nic left]\n\ttap=ss0\n  addr=10.0.0.2/24,forwarding\r\n"
				      "[nic right] # there\ntap=ss1\naddr=10.0.1.2/24\n");

	good(path);
	cr_assert_eq(s.nnics, 2);
	cr_assert_str_eq(s.nics[0].name, "left");
	cr_assert(s.nics[0].forwarding);
	cr_assert_str_eq(s.nics[1].name, "right");
	cr_assert_str_eq(s.nics[1].device, "ss1");
	cr_assert_eq(s.ndns, 1);
	unlink(path);
}

Test(spec, bad_sections)
{
	const char *path = write_file("[nic a]\ntap=ss0\n[nic a]\ntap=ss1\n");

	bad(path, ":3: [nic a]: there is one of that name already");
	unlink(path);
}

Test(spec, a_file_that_is_not_there)
{
	cr_assert_eq(spec_parse("@/nonexistent/x", &s, error), -ENOENT);
	cr_assert(strstr(error, "/nonexistent/x: No such file") != NULL);
}
