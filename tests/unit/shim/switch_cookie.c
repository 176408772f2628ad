/* switch_cookie.c - cookies, and the texts of cookies, status and statistics. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "unit.h"
#include "sockshim.h"

struct sockshim_switch *sockshim_default_switch(void) { return NULL; }

static const char *text(int family, int type, int protocol)
{
	static char buf[80];

	sockshim_cookie_format(buf, sizeof(buf), sockshim_cookie_make(family, type, protocol));
	return buf;
}

Test(switch_cookie, packs_family_type_protocol)
{
	sockshim_cookie c = sockshim_cookie_make(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);

	cr_assert_eq(c, (uint64_t)AF_INET6 << 48 | (uint64_t)(SOCK_DGRAM | SOCK_CLOEXEC) << 16 | IPPROTO_UDP);
	cr_assert_eq(sockshim_cookie_family(c), AF_INET6);
	cr_assert_eq(sockshim_cookie_type(c), SOCK_DGRAM | SOCK_CLOEXEC);
	cr_assert_eq(sockshim_cookie_protocol(c), IPPROTO_UDP);
}

Test(switch_cookie, keeps_protocols_of_more_than_a_byte)
{
	cr_assert_eq(sockshim_cookie_protocol(sockshim_cookie_make(AF_INET, SOCK_STREAM, 262)), 262);
}

Test(switch_cookie, names_what_it_knows_and_numbers_the_rest)
{
	cr_assert_str_eq(text(AF_INET, SOCK_STREAM, IPPROTO_TCP), "(inet4, stream, tcp)");
	cr_assert_str_eq(text(AF_INET6, SOCK_DGRAM, IPPROTO_UDP), "(inet6, dgram, udp)");
	cr_assert_str_eq(text(AF_UNIX, SOCK_SEQPACKET, 0), "(local, seqpacket, default)");
	cr_assert_str_eq(text(AF_INET, SOCK_RAW, IPPROTO_ICMP), "(inet4, raw, 1)");
	cr_assert_str_eq(text(AF_NETLINK, SOCK_RDM, 6), "(16, 4, tcp)");
	cr_assert_str_eq(text(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
			 "(inet4, stream|nonblock|cloexec, default)");
}

Test(switch_cookie, status_says_both_errors)
{
	struct sockshim_status st = { sockshim_cookie_make(AF_INET, SOCK_STREAM, IPPROTO_TCP), EINPROGRESS, 0 };
	char buf[120];

	sockshim_status_format(buf, sizeof(buf), &st);
	cr_assert_str_eq(buf, "(inet4, stream, tcp): syscallerr=EINPROGRESS socketerr=<nil>");
	st.err = 0;
	st.socket_err = 9999;
	sockshim_status_format(buf, sizeof(buf), &st);
	cr_assert_str_eq(buf, "(inet4, stream, tcp): syscallerr=<nil> socketerr=errno 9999");
}

Test(switch_cookie, stat_says_all_ten_counters)
{
	struct sockshim_stat st = { .cookie = sockshim_cookie_make(AF_INET, SOCK_STREAM, IPPROTO_TCP),
		.opened = 1, .connected = 2, .listened = 3, .accepted = 4, .closed = 5, .open_failed = 6,
		.connect_failed = 7, .listen_failed = 8, .accept_failed = 9, .close_failed = UINT64_MAX };
	char buf[400];
	int n = sockshim_stat_format(buf, sizeof(buf), &st);

	cr_assert_str_eq(buf, "(inet4, stream, tcp): opened=1 connected=2 listened=3 accepted=4 closed=5 openfailed=6 "
			 "connectfailed=7 listenfailed=8 acceptfailed=9 closefailed=18446744073709551615");
	cr_assert_eq((size_t)n, strlen(buf));
}

Test(switch_cookie, a_small_buffer_is_filled_and_ended_and_the_whole_length_told)
{
	char buf[8];
	int n = sockshim_cookie_format(buf, sizeof(buf), sockshim_cookie_make(AF_INET, SOCK_STREAM, IPPROTO_TCP));

	cr_assert_str_eq(buf, "(inet4,");
	cr_assert_eq(n, 20);
	cr_assert_eq(sockshim_cookie_format(NULL, 0, 0), (int)strlen("(0, 0, default)"));
}
