/* Opening connections, segment by segment. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "peer.h"

#define SYN_OPTS "<mss 1460,sackOK,TS,wscale 7>"

static void setup(void)
{
	peer_new(NULL);
}

static void teardown(void)
{
	peer_free();
}

TestSuite(tcp_open, .init = setup, .fini = teardown);

Test(tcp_open, active_opens_with_linux_options_and_window)
{
	struct endpoint *ep = peer_connect();

	peer_out("S 0:0(0) win 64240 " SYN_OPTS);
	cr_assert_eq(endpoint_state(ep), TCPS_SYN_SENT);
	cr_assert_eq(endpoint_readiness(ep, WAIT_ALL), 0);
	peer_in("S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK,TS 700 0,nop,wscale 8>");
	peer_out(". 1:1(0) ack 1 win 502 <TS>");
	cr_assert_eq(endpoint_state(ep), TCPS_ESTABLISHED);
	cr_assert_eq(endpoint_readiness(ep, WAIT_ALL), WAIT_OUT);
	cr_assert_eq(endpoint_connect(ep, &(struct full_addr){ .addr = addr_v4(10, 0, 0, 2), .port = 8080 }), NS_OK);
	cr_assert_eq(endpoint_connect(ep, &(struct full_addr){ .addr = addr_v4(10, 0, 0, 2), .port = 8080 }),
		     NS_ERR_ALREADY_CONNECTED);
	cr_assert_eq(stat_value(&peer_stack->stats.tcp.active_connection_openings), 1);
	cr_assert_eq(stat_value(&peer_stack->stats.tcp.current_established), 1);
}

Test(tcp_open, syn_is_repeated_six_times_with_doubling_intervals)
{
	struct endpoint *ep = peer_connect();
	int64_t at = 1000;

	peer_out("S 0:0(0) win 64240 " SYN_OPTS);
	for (int i = 0; i < 6; i++, at *= 2)
		peer_out_at(at, "S 0:0(0) win 64240 " SYN_OPTS);
	peer_run(63000);
	cr_assert_eq(endpoint_state(ep), TCPS_SYN_SENT);
	peer_run(2000);
	cr_assert_eq(endpoint_state(ep), TCPS_CLOSE);
	cr_assert_eq(peer_opt(ep, SOCKOPT_ERROR), NS_ERR_TIMEOUT);
	cr_assert_eq(stat_value(&peer_stack->stats.tcp.failed_connection_attempts), 1);
}

Test(tcp_open, reset_in_answer_refuses)
{
	struct endpoint *ep = peer_connect();

	peer_out("S 0:0(0) " SYN_OPTS);
	peer_in("R 0:0(0) win 0");		/* without ACK: not about our SYN */
	cr_assert_eq(endpoint_state(ep), TCPS_SYN_SENT);
	peer_in("R. 0:0(0) ack 1 win 0");
	cr_assert_eq(endpoint_state(ep), TCPS_CLOSE);
	cr_assert(endpoint_readiness(ep, WAIT_ALL) & WAIT_ERR);
	cr_assert_eq(peer_opt(ep, SOCKOPT_ERROR), NS_ERR_CONNECTION_REFUSED);
	cr_assert_eq(peer_read(ep, 10), -NS_ERR_CLOSED_FOR_RECEIVE);
}

Test(tcp_open, acknowledgement_of_something_else_is_reset)
{
	peer_connect();
	peer_out("S 0:0(0) " SYN_OPTS);
	peer_in("S. 0:0(0) ack 77 win 65535");
	peer_out("R 77:77(0) win 0");
	cr_assert_eq(endpoint_state(peer_ep), TCPS_SYN_SENT);
}

Test(tcp_open, icmp_unreachable_ends_the_attempt)
{
	struct endpoint *ep = peer_connect();

	peer_out("S 0:0(0) " SYN_OPTS);
	peer_icmp(3, 1, 0, 5);			/* quotes nothing that was sent */
	cr_assert_eq(endpoint_state(ep), TCPS_SYN_SENT);
	peer_icmp(3, 1, 0, 0);
	cr_assert_eq(peer_opt(ep, SOCKOPT_ERROR), NS_ERR_HOST_UNREACHABLE);
}

Test(tcp_open, passive_answers_what_was_offered)
{
	struct endpoint *l = peer_listen(80, 1), *ep;
	struct full_addr peer;

	peer_in("S 0:0(0) win 65535 <mss 1400>");
	peer_out("S. 0:0(0) ack 1 win 64240 <mss 1460>");
	cr_assert_eq(endpoint_accept(l, &ep, &peer), NS_ERR_WOULD_BLOCK);
	peer_in(". 1:1(0) ack 1 win 65535");
	cr_assert_eq(endpoint_readiness(l, WAIT_ALL), WAIT_IN);
	cr_assert_eq(endpoint_accept(l, &ep, &peer), NS_OK);
	cr_assert_eq(peer.port, 40000);
	cr_assert_eq(stat_value(&peer_stack->stats.tcp.passive_connection_openings), 1);
	cr_assert_eq(peer_write(ep, 1400), 1400);
	peer_out("P. 1:1401(1400) ack 1");
}

Test(tcp_open, syn_ack_is_repeated_five_times)
{
	int64_t at = 1000;

	peer_listen(80, 1);
	peer_in("S 0:0(0) win 65535 <mss 1460>");
	peer_out("S. 0:0(0) ack 1 <mss 1460>");
	for (int i = 0; i < 5; i++, at *= 2)
		peer_out_at(at, "S. 0:0(0) ack 1 <mss 1460>");
	cr_assert_eq(tcp_half_open_count(peer_stack), 1);
	peer_run(33000);
	cr_assert_eq(tcp_half_open_count(peer_stack), 0);
}

Test(tcp_open, reset_ends_a_handshake_only_with_the_exact_number)
{
	peer_listen(80, 4);
	peer_in("S 0:0(0) win 65535 <mss 1460>");
	peer_out("S. 0:0(0) ack 1 <mss 1460>");
	peer_in("R 100:100(0) win 0");
	peer_out(". 1:1(0) ack 1");		/* RFC 5961, 3.2 */
	cr_assert_eq(tcp_half_open_count(peer_stack), 1);
	peer_in("R 1:1(0) win 0");
	cr_assert_eq(tcp_half_open_count(peer_stack), 0);
}

Test(tcp_open, both_at_once)
{
	struct endpoint *ep = peer_connect();

	peer_out("S 0:0(0) " SYN_OPTS);
	peer_in("S 0:0(0) win 65535 <mss 1000>");
	peer_out("S. 0:0(0) ack 1 <mss 1460>");
	cr_assert_eq(endpoint_state(ep), TCPS_SYN_RECV);
	peer_in("S. 0:0(0) ack 1 win 65535 <mss 1000>");
	cr_assert_eq(endpoint_state(ep), TCPS_ESTABLISHED);
	peer_none();
	cr_assert_eq(peer_write(ep, 10), 10);
	peer_out("P. 1:11(10) ack 1");
}

Test(tcp_open, a_port_nobody_listens_on_resets)
{
	peer_listen(80, 1);
	endpoint_close(peer_listen(81, 1));
	peer_in("S 0:0(0) win 65535");
	peer_out("R. 0:0(0) ack 1 win 0");
	peer_in(". 5:5(0) ack 9 win 65535");
	cr_assert_str_eq(peer_next() ? "R" : "", "R");
	peer_in("R 5:5(0) win 0");
	peer_none();
}

Test(tcp_open, one_more_than_the_backlog_is_accepted_the_next_syn_dropped)
{
	struct endpoint *l = peer_listen(80, 1), *ep;
	struct tcp_stats *st = &peer_stack->stats.tcp;

	for (uint16_t port = 40000; port < 40002; port++) {
		peer_port(port);
		peer_in("S 0:0(0) win 65535 <mss 1460>");
		peer_out("S. 0:0(0) ack 1 <mss 1460>");
		peer_in(". 1:1(0) ack 1 win 65535");
		peer_none();
	}
	peer_port(40002);
	peer_in("S 0:0(0) win 65535 <mss 1460>");
	peer_none();
	cr_assert_eq(stat_value(&st->listen_overflow_syn_drop), 1);
	cr_assert_eq(endpoint_accept(l, &ep, NULL), NS_OK);
	peer_in("S 0:0(0) win 65535 <mss 1460>");
	peer_out("S. 0:0(0) ack 1 <mss 1460>");
}

Test(tcp_open, cookies_when_the_queue_of_handshakes_is_full)
{
	struct endpoint *l = peer_listen(80, 1), *ep;
	struct tcp_stats *st = &peer_stack->stats.tcp;
	struct tcp_conn_info i;
	char text[100];
	uint32_t ts;

	peer_in("S 0:0(0) win 65535 <mss 1460>");
	peer_out("S. 0:0(0) ack 1 <mss 1460>");
	peer_port(40001);
	peer_in("S 0:0(0) win 65535 <mss 1400,sackOK,TS 700 0,wscale 9>");
	peer_out("S. 0:0(0) ack 1 " SYN_OPTS);
	ts = peer_ts();
	cr_assert_eq(tcp_half_open_count(peer_stack), 1);
	cr_assert_eq(stat_value(&st->listen_overflow_syn_cookie_sent), 1);
	snprintf(text, sizeof(text), ". 1:1(0) ack 77 win 1000 <TS 701 %u>", ts);
	peer_in(text);
	cr_assert_eq(stat_value(&st->listen_overflow_invalid_syn_cookie_rcvd), 1);
	peer_out("R 77:77(0) win 0");
	snprintf(text, sizeof(text), ". 1:1(0) ack 1 win 1000 <TS 701 %u>", ts);
	peer_in(text);
	cr_assert_eq(endpoint_accept(l, &ep, NULL), NS_OK);
	cr_assert_eq(stat_value(&st->listen_overflow_syn_cookie_rcvd), 1);
	i = peer_info(ep);
	cr_assert_eq(i.options, TCP_INFO_TIMESTAMPS | TCP_INFO_SACK | TCP_INFO_WSCALE);
	cr_assert_eq(i.wscale, 9 | 7 << 4);
	cr_assert_leq(i.snd_mss, 1400 - 12);
	cr_assert_eq(i.snd_wnd, 1000 << 9);
}

Test(tcp_open, data_with_the_last_acknowledgement_is_kept)
{
	struct endpoint *l = peer_listen(80, 1), *ep;

	peer_in("S 0:0(0) win 65535 <mss 1460>");
	peer_out("S. 0:0(0) ack 1 <mss 1460>");
	peer_in("P. 1:101(100) ack 1 win 65535");
	peer_out(". 1:1(0) ack 101");
	cr_assert_eq(endpoint_accept(l, &ep, NULL), NS_OK);
	cr_assert_eq(peer_read(ep, 1000), 100);
}

Test(tcp_open, listener_closed_resets_those_nobody_accepted)
{
	struct endpoint *l = peer_listen(80, 4);

	peer_in("S 0:0(0) win 65535 <mss 1460>");
	peer_out("S. 0:0(0) ack 1 <mss 1460>");
	peer_in(". 1:1(0) ack 1 win 65535");
	endpoint_close(l);
	peer_out("R. 1:1(0) ack 1");
}

Test(tcp_open, defer_accept_waits_for_data)
{
	struct endpoint *l = peer_listen(80, 4), *ep;

	endpoint_set_int(l, SOCKOPT_DEFER_ACCEPT, 2);
	peer_in("S 0:0(0) win 65535 <mss 1460>");
	peer_out("S. 0:0(0) ack 1 <mss 1460>");
	peer_in(". 1:1(0) ack 1 win 65535");
	cr_assert_eq(endpoint_accept(l, &ep, NULL), NS_ERR_WOULD_BLOCK);
	peer_in("P. 1:2(1) ack 1 win 65535");
	cr_assert_eq(endpoint_accept(l, &ep, NULL), NS_OK);
}

Test(tcp_open, windows_scale_with_the_buffer_range)
{
	struct sockopt_range r = { 4096, 540000, 15 << 20 };

	stack_set_trans_option(peer_stack, IP_PROTO_TCP, SOCKOPT_RECEIVE_BUFFER_RANGE, &r, sizeof(r));
	peer_connect();
	peer_out("S 0:0(0) win 65535 <mss 1460,sackOK,TS,wscale 8>");
}

Test(tcp_open, settings_turn_options_off)
{
	peer_set(SOCKOPT_TIMESTAMPS_ENABLED, 0);
	peer_set(SOCKOPT_WINDOW_SCALING_ENABLED, 0);
	peer_connect();
	peer_out("S 0:0(0) win 64240 <mss 1460,sackOK>");
}
