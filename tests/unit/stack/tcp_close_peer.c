/* Ending connections, segment by segment. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "peer.h"

#define PLAIN "mss 1000"

static void setup(void)
{
	peer_new(NULL);
}

static void teardown(void)
{
	peer_free();
}

TestSuite(tcp_close, .init = setup, .fini = teardown);

Test(tcp_close, active_close_goes_through_time_wait)
{
	struct endpoint *ep = peer_passive(PLAIN, 65535);

	endpoint_close(ep);
	peer_out("F. 1:1(0) ack 1");
	cr_assert_eq(tcp_orphan_count(peer_stack), 1);
	peer_in(". 1:1(0) ack 2 win 65535");
	peer_in("F. 1:1(0) ack 2 win 65535");
	peer_out(". 2:2(0) ack 2");
	cr_assert_eq(tcp_orphan_count(peer_stack), 0);
	cr_assert_eq(tcp_time_wait_count(peer_stack), 1);
	peer_pass(1000);
	peer_in("F. 1:1(0) ack 2 win 65535");	/* our ACK was lost */
	peer_out(". 2:2(0) ack 2");
	peer_pass(59000);
	cr_assert_eq(tcp_time_wait_count(peer_stack), 1);
	peer_pass(2000);
	cr_assert_eq(tcp_time_wait_count(peer_stack), 0);
}

Test(tcp_close, passive_close)
{
	struct endpoint *ep = peer_passive(PLAIN, 65535);

	peer_in("P. 1:11(10) ack 1 win 65535");
	peer_out(". 1:1(0) ack 11");
	peer_in("F. 11:11(0) ack 1 win 65535");
	peer_out_at(40, ". 1:1(0) ack 12");
	cr_assert_eq(endpoint_state(ep), TCPS_CLOSE_WAIT);
	cr_assert_eq(peer_read(ep, 100), 10);
	cr_assert_eq(peer_read(ep, 100), -NS_ERR_CLOSED_FOR_RECEIVE);
	cr_assert_eq(peer_write(ep, 10), 10);
	peer_out("P. 1:11(10) ack 12");
	endpoint_close(ep);
	peer_out("F. 11:11(0) ack 12");
	peer_in(". 12:12(0) ack 12 win 65535");
	cr_assert_eq(tcp_orphan_count(peer_stack), 0);
	cr_assert_eq(tcp_time_wait_count(peer_stack), 0);
}

Test(tcp_close, both_close_at_once)
{
	endpoint_close(peer_passive(PLAIN, 65535));
	peer_out("F. 1:1(0) ack 1");
	peer_in("F. 1:1(0) ack 1 win 65535");
	peer_out(". 2:2(0) ack 2");
	peer_in(". 2:2(0) ack 2 win 65535");
	cr_assert_eq(tcp_time_wait_count(peer_stack), 1);
}

Test(tcp_close, unread_data_resets)
{
	struct endpoint *ep = peer_passive(PLAIN, 65535);

	peer_in("P. 1:11(10) ack 1 win 65535");
	peer_drop();
	endpoint_close(ep);
	peer_out("R. 1:1(0) ack 11");
	peer_in("P. 11:21(10) ack 1 win 65535");
	peer_out("R 1:1(0) win 0");
}

Test(tcp_close, linger_of_nothing_resets)
{
	struct endpoint *ep = peer_passive(PLAIN, 65535);
	struct sockopt_linger l = { .enabled = true };

	cr_assert_eq(endpoint_set_option(ep, SOCKOPT_LINGER, &l, sizeof(l)), NS_OK);
	endpoint_close(ep);
	peer_out("R. 1:1(0) ack 1");
	cr_assert_eq(stat_value(&peer_stack->stats.tcp.resets_sent), 1);
}

Test(tcp_close, data_after_close_resets)
{
	endpoint_close(peer_passive(PLAIN, 65535));
	peer_out("F. 1:1(0) ack 1");
	peer_in("P. 1:11(10) ack 2 win 65535");
	peer_out("R 2:2(0) win 0");
	cr_assert_eq(tcp_orphan_count(peer_stack), 0);
}

Test(tcp_close, unsent_data_goes_before_the_fin)
{
	struct endpoint *ep = peer_passive(PLAIN, 65535);

	peer_write(ep, 100);
	peer_drop();
	peer_write(ep, 50);		/* Nagle holds it */
	peer_none();
	endpoint_close(ep);
	peer_out("FP. 101:151(50) ack 1");
}

Test(tcp_close, half_close_still_receives)
{
	struct endpoint *ep = peer_passive(PLAIN, 65535);

	cr_assert_eq(endpoint_shutdown(ep, SHUTDOWN_WRITE), NS_OK);
	peer_out("F. 1:1(0) ack 1");
	cr_assert_eq(peer_write(ep, 1), -NS_ERR_CLOSED_FOR_SEND);
	peer_in(". 1:1(0) ack 2 win 65535");
	cr_assert_eq(endpoint_state(ep), TCPS_FIN_WAIT2);
	peer_in("P. 1:11(10) ack 2 win 65535");
	peer_out(". 2:2(0) ack 11");
	cr_assert_eq(peer_read(ep, 100), 10);
	peer_in("F. 11:11(0) ack 2 win 65535");
	peer_out(". 2:2(0) ack 12");
	cr_assert_eq(peer_read(ep, 100), -NS_ERR_CLOSED_FOR_RECEIVE);
	cr_assert(endpoint_readiness(ep, WAIT_ALL) & WAIT_HUP);
	cr_assert_eq(tcp_time_wait_count(peer_stack), 1);
}

Test(tcp_close, fin_is_sent_again)
{
	endpoint_close(peer_passive(PLAIN, 65535));
	peer_out("F. 1:1(0) ack 1");
	peer_pass(300);
	peer_out("F. 1:1(0) ack 1");
}

Test(tcp_close, fin_wait2_of_an_orphan_ends_after_a_minute)
{
	endpoint_close(peer_passive(PLAIN, 65535));
	peer_out("F. 1:1(0) ack 1");
	peer_in(". 1:1(0) ack 2 win 65535");
	peer_run(59000);
	cr_assert_eq(tcp_orphan_count(peer_stack), 1);
	peer_run(2000);
	cr_assert_eq(tcp_orphan_count(peer_stack), 0);
}

Test(tcp_close, orphans_that_nobody_answers_are_given_up)
{
	struct endpoint *ep = peer_passive(PLAIN, 65535);

	peer_write(ep, 100);
	endpoint_close(ep);
	peer_pass(400000);
	peer_drop();
	cr_assert_eq(tcp_orphan_count(peer_stack), 0);
}

Test(tcp_close, time_wait_as_long_as_the_endpoint_says)
{
	struct endpoint *ep = peer_passive(PLAIN, 65535);

	cr_assert_eq(endpoint_set_int(ep, SOCKOPT_TIME_WAIT_TIMEOUT, 5 * NS_PER_SEC), NS_OK);
	cr_assert_eq(peer_opt(ep, SOCKOPT_TIME_WAIT_TIMEOUT), 5 * NS_PER_SEC);
	endpoint_close(ep);
	peer_drop();
	peer_in("F. 1:1(0) ack 2 win 65535");
	peer_drop();
	peer_pass(4900);
	cr_assert_eq(tcp_time_wait_count(peer_stack), 1);
	peer_pass(200);
	cr_assert_eq(tcp_time_wait_count(peer_stack), 0);
}

static void into_time_wait(const char *opts, bool ts)
{
	char text[80];

	endpoint_close(peer_passive(opts, 65535));
	peer_next();
	snprintf(text, sizeof(text), "F. 1:1(0) ack 2 win 65535%s", ts ? " <TS 102 0>" : "");
	peer_in(text);
	peer_drop();
	cr_assert_eq(tcp_time_wait_count(peer_stack), 1);
}

Test(tcp_close, reset_does_not_end_time_wait)
{
	into_time_wait(PLAIN, false);
	peer_in("R 2:2(0) win 0");
	cr_assert_eq(tcp_time_wait_count(peer_stack), 1);	/* RFC 1337 */
	peer_set(SOCKOPT_RFC1337, 0);
	peer_in("R 2:2(0) win 0");
	cr_assert_eq(tcp_time_wait_count(peer_stack), 0);
}

Test(tcp_close, newer_syn_reopens_from_time_wait)
{
	into_time_wait(PLAIN, false);
	peer_in("S 1:1(0) win 65535 <mss 1000>");	/* not newer: an old duplicate */
	peer_none();
	cr_assert_eq(tcp_time_wait_count(peer_stack), 1);
	peer_in("S 100:100(0) win 65535 <mss 1000>");
	cr_assert(strstr(peer_next(), "S."));
	cr_assert_eq(tcp_time_wait_count(peer_stack), 0);
}

Test(tcp_close, newer_timestamp_reopens_too)
{
	into_time_wait("mss 1000,TS 100 0", true);
	peer_in("S 0:0(0) win 65535 <mss 1000,TS 90 0>");
	peer_drop();
	cr_assert_eq(tcp_time_wait_count(peer_stack), 1);
	peer_in("S 0:0(0) win 65535 <mss 1000,TS 500 0>");	/* RFC 6191 */
	cr_assert(strstr(peer_next(), "S."));
	cr_assert_eq(tcp_time_wait_count(peer_stack), 0);
}

Test(tcp_close, time_wait_holds_the_port_and_its_end_frees_it)
{
	struct full_addr fa = { .port = 0 };
	struct endpoint *ep, *again;

	ep = peer_connect();
	peer_drop();
	peer_in("S. 0:0(0) ack 1 win 65535 <mss 1000>");
	endpoint_local_addr(ep, &fa);
	endpoint_close(ep);
	peer_in("F. 1:1(0) ack 2 win 65535");
	peer_drop();
	cr_assert_eq(tcp_time_wait_count(peer_stack), 1);
	fa.addr = (struct addr){ 0 };
	endpoint_new(peer_stack, NET_IPV4, IP_PROTO_TCP, &again);
	cr_assert_eq(endpoint_bind(again, &fa), NS_ERR_PORT_IN_USE);
	peer_pass(61000);
	cr_assert_eq(endpoint_bind(again, &fa), NS_OK);
	endpoint_close(again);
}

Test(tcp_close, disconnect_resets_and_the_endpoint_connects_again)
{
	struct endpoint *ep = peer_connect();
	struct full_addr to = { .addr = addr_v4(10, 0, 0, 2), .port = 8080 };

	peer_drop();
	peer_in("S. 0:0(0) ack 1 win 65535 <mss 1000>");
	peer_drop();
	cr_assert_eq(endpoint_disconnect(ep), NS_OK);
	peer_out("R. 1:1(0) ack 1");
	cr_assert_eq(endpoint_state(ep), TCPS_CLOSE);
	cr_assert_eq(endpoint_connect(ep, &to), NS_ERR_CONNECT_STARTED);
	cr_assert(strstr(peer_next(), "S "));
	endpoint_close(ep);
	peer_none();
}

Test(tcp_close, states_that_cannot_say_so)
{
	struct endpoint *ep;

	endpoint_new(peer_stack, NET_IPV4, IP_PROTO_TCP, &ep);
	cr_assert_eq(endpoint_shutdown(ep, SHUTDOWN_WRITE), NS_ERR_NOT_CONNECTED);
	cr_assert_eq(peer_read(ep, 1), -NS_ERR_NOT_CONNECTED);
	cr_assert_eq(peer_write(ep, 1), -NS_ERR_CLOSED_FOR_SEND);
	cr_assert_eq(endpoint_accept(ep, &ep, NULL), NS_ERR_INVALID_ENDPOINT_STATE);
	endpoint_close(ep);
	ep = peer_listen(80, 1);
	cr_assert_eq(peer_read(ep, 1), -NS_ERR_NOT_CONNECTED);
	cr_assert_eq(peer_write(ep, 1), -NS_ERR_CLOSED_FOR_SEND);
	endpoint_close(ep);
}

Test(tcp_close, stack_goes_away_in_every_state)
{
	peer_listen(80, 4);
	peer_in("S 0:0(0) win 65535 <mss 1000>");
	peer_drop();
	peer_port(40001);
	peer_passive(PLAIN, 65535);
	peer_write(peer_ep, 5000);
	peer_in(". 101:201(100) ack 1 win 65535");
	peer_drop();
	peer_port(40002);
	into_time_wait(PLAIN, false);
	peer_connect();
}
