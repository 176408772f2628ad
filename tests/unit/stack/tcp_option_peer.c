/* Options of endpoints and of the protocol, what tcp_info says, and counters. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "peer.h"

static void setup(void)
{
	peer_new(NULL);
}

static void teardown(void)
{
	peer_free();
}

TestSuite(tcp_option, .init = setup, .fini = teardown);

struct range {
	enum sockopt opt;
	int64_t low, high;
};

static struct endpoint *fresh(void)
{
	struct endpoint *ep;

	cr_assert_eq(endpoint_new(peer_stack, NET_IPV4, IP_PROTO_TCP, &ep), NS_OK);
	return ep;
}

Test(tcp_option, numbers_keep_to_their_ranges_and_read_back)
{
	static const struct range ranges[] = {
		{ SOCKOPT_KEEPALIVE_IDLE, NS_PER_SEC, 32767 * NS_PER_SEC },
		{ SOCKOPT_KEEPALIVE_INTERVAL, NS_PER_SEC, 32767 * NS_PER_SEC },
		{ SOCKOPT_KEEPALIVE_COUNT, 1, 127 },
		{ SOCKOPT_USER_TIMEOUT, 0, INT32_MAX * NS_PER_MS },
		{ SOCKOPT_MAX_SEGMENT, 88, 32767 },
		{ SOCKOPT_SYN_RETRIES, 1, 127 },
		{ SOCKOPT_DEFER_ACCEPT, 0, 255 },
	};
	struct endpoint *ep = fresh();

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		const struct range *r = &ranges[i];

		cr_assert_eq(endpoint_set_int(ep, r->opt, r->low - 1), NS_ERR_INVALID_OPTION_VALUE, "%zu", i);
		cr_assert_eq(endpoint_set_int(ep, r->opt, r->high + 1), NS_ERR_INVALID_OPTION_VALUE, "%zu", i);
		cr_assert_eq(endpoint_set_int(ep, r->opt, r->low), NS_OK);
		cr_assert_eq(endpoint_set_int(ep, r->opt, r->high), NS_OK);
		cr_assert_eq(peer_opt(ep, r->opt), r->high, "%zu", i);
	}
	cr_assert_eq(endpoint_set_int(ep, SOCKOPT_COUNT, 1), NS_ERR_UNKNOWN_PROTOCOL_OPTION);
	cr_assert_eq(endpoint_set_option(ep, SOCKOPT_NO_DELAY, "", 1), NS_ERR_INVALID_OPTION_VALUE);
	endpoint_close(ep);
}

Test(tcp_option, switches_read_back_and_defaults_are_linuxs)
{
	static const enum sockopt switches[] = {
		SOCKOPT_NO_DELAY, SOCKOPT_CORK, SOCKOPT_KEEPALIVE_ENABLED, SOCKOPT_OOB_INLINE,
	};
	struct endpoint *ep = fresh();

	for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++) {
		cr_assert_eq(peer_opt(ep, switches[i]), 0);
		cr_assert_eq(endpoint_set_int(ep, switches[i], 1), NS_OK);
		cr_assert_eq(peer_opt(ep, switches[i]), 1);
	}
	cr_assert_eq(peer_opt(ep, SOCKOPT_KEEPALIVE_IDLE), 7200 * NS_PER_SEC);
	cr_assert_eq(peer_opt(ep, SOCKOPT_KEEPALIVE_INTERVAL), 75 * NS_PER_SEC);
	cr_assert_eq(peer_opt(ep, SOCKOPT_KEEPALIVE_COUNT), 9);
	cr_assert_eq(peer_opt(ep, SOCKOPT_SYN_RETRIES), 6);
	cr_assert_eq(peer_opt(ep, SOCKOPT_LINGER2_TIMEOUT), 60 * NS_PER_SEC);
	cr_assert_eq(peer_opt(ep, SOCKOPT_MAX_SEGMENT), 536);
	cr_assert_eq(peer_opt(ep, SOCKOPT_RECEIVE_BUFFER_SIZE), 131072);
	cr_assert_eq(peer_opt(ep, SOCKOPT_SEND_BUFFER_SIZE), 16384);
	cr_assert_eq(peer_opt(ep, SOCKOPT_MODERATE_RECEIVE_BUFFER), 1);
	endpoint_close(ep);
}

Test(tcp_option, congestion_control_by_name)
{
	struct endpoint *ep = fresh();
	char name[32] = "";
	size_t len = sizeof(name);

	cr_assert_eq(endpoint_get_option(ep, SOCKOPT_CONGESTION_CONTROL, name, &len), NS_OK);
	cr_assert_str_eq(name, "cubic");
	cr_assert_eq(endpoint_set_option(ep, SOCKOPT_CONGESTION_CONTROL, "reno", 4), NS_OK);
	len = sizeof(name);
	endpoint_get_option(ep, SOCKOPT_CONGESTION_CONTROL, name, &len);
	cr_assert_str_eq(name, "reno");
	cr_assert_eq(endpoint_set_option(ep, SOCKOPT_CONGESTION_CONTROL, "vegas", 5), NS_ERR_NO_SUCH_FILE);
	len = sizeof(name);
	cr_assert_eq(endpoint_get_option(ep, SOCKOPT_AVAILABLE_CONGESTION_CONTROL, name, &len), NS_OK);
	cr_assert(strstr(name, "cubic") && strstr(name, "reno"));
	len = 3;
	cr_assert_eq(endpoint_get_option(ep, SOCKOPT_CONGESTION_CONTROL, name, &len),
		     NS_ERR_INVALID_OPTION_VALUE);
	endpoint_close(ep);
	cr_assert_eq(stack_set_trans_option(peer_stack, IP_PROTO_TCP, SOCKOPT_CONGESTION_CONTROL, "reno", 4), NS_OK);
	ep = fresh();
	len = sizeof(name);
	endpoint_get_option(ep, SOCKOPT_CONGESTION_CONTROL, name, &len);
	cr_assert_str_eq(name, "reno");
	endpoint_close(ep);
}

Test(tcp_option, settings_of_the_protocol_read_back)
{
	static const struct range ranges[] = {
		{ SOCKOPT_SACK_ENABLED, 0, 1 }, { SOCKOPT_ECN, 0, 2 }, { SOCKOPT_RECOVERY, 0, 1 },
		{ SOCKOPT_DELAY_ENABLED, 0, 1 }, { SOCKOPT_MODERATE_RECEIVE_BUFFER, 0, 1 },
		{ SOCKOPT_MIN_RTO, NS_PER_MS, 120 * NS_PER_SEC },
		{ SOCKOPT_MAX_RTO, NS_PER_SEC, 3600 * NS_PER_SEC },
		{ SOCKOPT_MAX_RETRIES, 1, 60 }, { SOCKOPT_SYN_RETRIES, 1, 127 },
		{ SOCKOPT_SYN_RCVD_THRESHOLD, 1, UINT32_MAX }, { SOCKOPT_SYN_COOKIES, 0, 2 },
		{ SOCKOPT_TIME_WAIT_REUSE, 0, 2 }, { SOCKOPT_TIME_WAIT_REUSE_DELAY, 0, 3600 * NS_PER_SEC },
		{ SOCKOPT_TIME_WAIT_TIMEOUT, 0, 3600 * NS_PER_SEC },
		{ SOCKOPT_LINGER2_TIMEOUT, 0, 3600 * NS_PER_SEC }, { SOCKOPT_REORDERING, 1, 127 },
		{ SOCKOPT_INITIAL_WINDOW, 1, 255 }, { SOCKOPT_MTU_PROBING, 0, 2 }, { SOCKOPT_BASE_MSS, 48, 9000 },
		{ SOCKOPT_MIN_TSO_SEGMENTS, 1, 255 },
		{ SOCKOPT_KEEPALIVE_IDLE, NS_PER_SEC, 32767 * NS_PER_SEC },
	};
	struct sockopt_range r = { 10, 5, 20 };
	int64_t v;

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		const struct range *x = &ranges[i];

		v = x->low - 1;
		cr_assert_eq(stack_set_trans_option(peer_stack, IP_PROTO_TCP, x->opt, &v, sizeof(v)),
			     NS_ERR_INVALID_OPTION_VALUE, "%zu", i);
		peer_set(x->opt, x->high);
		cr_assert_eq(stack_get_trans_option(peer_stack, IP_PROTO_TCP, x->opt, &v, sizeof(v)), NS_OK);
		cr_assert_eq(v, x->high, "%zu", i);
	}
	cr_assert_eq(stack_set_trans_option(peer_stack, IP_PROTO_TCP, SOCKOPT_SEND_BUFFER_RANGE, &r, sizeof(r)),
		     NS_ERR_INVALID_OPTION_VALUE);
	r = (struct sockopt_range){ 5, 10, 20 };
	cr_assert_eq(stack_set_trans_option(peer_stack, IP_PROTO_TCP, SOCKOPT_SEND_BUFFER_RANGE, &r, sizeof(r)), NS_OK);
	cr_assert_eq(stack_set_trans_option(peer_stack, IP_PROTO_TCP, SOCKOPT_TTL, &v, sizeof(v)),
		     NS_ERR_UNKNOWN_PROTOCOL_OPTION);
}

Test(tcp_option, nagle_off_for_new_endpoints)
{
	struct endpoint *ep;

	peer_set(SOCKOPT_DELAY_ENABLED, 0);
	ep = peer_passive("mss 1000", 65535);
	cr_assert_eq(peer_opt(ep, SOCKOPT_NO_DELAY), 1);
	peer_write(ep, 10);
	peer_write(ep, 10);
	peer_out("P. 1:11(10) ack 1");
	peer_out("P. 11:21(10) ack 1");
}

Test(tcp_option, children_inherit_from_the_listener)
{
	struct endpoint *l = peer_listen(80, 4), *ep;

	endpoint_set_int(l, SOCKOPT_NO_DELAY, 1);
	endpoint_set_int(l, SOCKOPT_KEEPALIVE_IDLE, 60 * NS_PER_SEC);
	endpoint_set_int(l, SOCKOPT_MAX_SEGMENT, 500);
	endpoint_set_int(l, SOCKOPT_TOS, 0x10);
	ep = peer_passive("mss 1000", 65535);
	cr_assert_eq(peer_opt(ep, SOCKOPT_NO_DELAY), 1);
	cr_assert_eq(peer_opt(ep, SOCKOPT_KEEPALIVE_IDLE), 60 * NS_PER_SEC);
	peer_write(ep, 500);
	peer_out("P. 1:501(500) ack 1");
	cr_assert_eq(peer_tos(), 0x10);
}

Test(tcp_option, info_of_a_connection_in_use)
{
	struct endpoint *ep = peer_passive("mss 1000,sackOK,wscale 4", 4000);
	struct tcp_conn_info i = peer_info(ep);

	cr_assert_eq(i.state, TCPS_ESTABLISHED);
	cr_assert_eq(i.options, TCP_INFO_SACK | TCP_INFO_WSCALE);
	cr_assert_eq(i.wscale, 4 | 7 << 4);
	cr_assert_eq(i.snd_mss, 1000);
	cr_assert_eq(i.advmss, 1460);
	cr_assert_eq(i.rcv_mss, 536);
	cr_assert_eq(i.pmtu, 1500);
	cr_assert_eq(i.snd_cwnd, 10);
	cr_assert_eq(i.snd_ssthresh, 0x7fffffff);
	cr_assert_eq(i.rtt, 30000);
	cr_assert_eq(i.min_rtt, 30000);
	cr_assert_eq(i.rto, 230000);
	cr_assert_eq(i.reordering, 3);
	cr_assert_eq(i.snd_wnd, 4000 << 4);
	peer_write(ep, 12000);
	peer_drop();
	peer_pass(10);
	i = peer_info(ep);
	cr_assert_eq(i.unacked, 10);
	cr_assert_eq(i.notsent_bytes, 2000);
	cr_assert_eq(i.data_segs_out, 10);
	cr_assert_eq(i.bytes_sent, 10000);
	cr_assert_eq(i.busy_time, 10000);
	cr_assert_eq(i.last_data_sent_ms, 10);
	peer_in("P. 1:101(100) ack 5001 win 4000");
	peer_drop();
	i = peer_info(ep);
	cr_assert_eq(i.bytes_acked, 5000);
	cr_assert_eq(i.bytes_received, 100);
	cr_assert_eq(i.delivered, 1 + 5);
	cr_assert_eq(i.data_segs_in, 1);
	cr_assert_eq(i.unacked, 7);
	cr_assert_gt(i.delivery_rate, 0);
}

Test(tcp_option, info_of_a_listener_is_its_queue)
{
	struct endpoint *l = peer_listen(80, 7);
	struct tcp_conn_info i;

	peer_in("S 0:0(0) win 65535 <mss 1000>");
	peer_drop();
	peer_in(". 1:1(0) ack 1 win 65535");
	i = peer_info(l);
	cr_assert_eq(i.state, TCPS_LISTEN);
	cr_assert_eq(i.unacked, 1);
	cr_assert_eq(i.sacked, 7);
}

Test(tcp_option, time_held_by_the_peers_window)
{
	struct endpoint *ep = peer_passive("mss 1000", 1000);
	struct tcp_conn_info i;

	peer_in(". 1:1(0) ack 1 win 0");
	peer_write(ep, 1000);
	peer_none();
	peer_pass(100);
	i = peer_info(ep);
	cr_assert_eq(i.rwnd_limited, 100000);
	cr_assert_eq(i.busy_time, 100000);
	peer_in(". 1:1(0) ack 1 win 2000");
	peer_drop();
	peer_pass(10);
	cr_assert_eq(peer_info(ep).rwnd_limited, 100000);
}

Test(tcp_option, send_queue_and_low_water_mark)
{
	struct endpoint *ep = peer_passive("mss 1000", 65535);

	endpoint_set_int(ep, SOCKOPT_NOT_SENT_LOW_WATER, 2000);
	peer_write(ep, 14000);
	cr_assert_eq(peer_opt(ep, SOCKOPT_SEND_QUEUE_SIZE), 14000);
	cr_assert(!(endpoint_readiness(ep, WAIT_ALL) & WAIT_OUT));
	cr_assert_eq(peer_write(ep, 1), -NS_ERR_WOULD_BLOCK);
	peer_drop();
	peer_in(". 1:1(0) ack 5001 win 65535");
	cr_assert(endpoint_readiness(ep, WAIT_ALL) & WAIT_OUT);
}

/* They take their room from the segments, which still fit the link whole. */
Test(tcp_option, ip_options_go_with_every_segment)
{
	static const uint8_t rr[] = { IPV4_OPT_RR, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
	uint8_t got[IPV4_OPTS_MAX];
	size_t len = sizeof(got);
	struct endpoint *ep = peer_passive("mss 1460", 65535);

	cr_assert_eq(endpoint_set_option(ep, SOCKOPT_IP_OPTIONS, rr, 3), NS_ERR_INVALID_OPTION_VALUE);
	cr_assert_eq(endpoint_set_option(ep, SOCKOPT_IP_OPTIONS, rr, sizeof(rr)), NS_OK);
	cr_assert_eq(endpoint_set_option(ep, SOCKOPT_IP_OPTIONS, (uint8_t[]){ IPV4_OPT_LSRR, 7, 4, 1, 2, 3, 4 }, 7),
		     NS_ERR_INVALID_OPTION_VALUE);
	cr_assert_eq(endpoint_get_option(ep, SOCKOPT_IP_OPTIONS, got, &len), NS_OK);
	cr_assert_arr_eq(got, rr, sizeof(rr));
	cr_assert_eq(len, sizeof(rr));
	cr_assert_eq(peer_write(ep, 3000), 3000);
	peer_out(". 1:1449(1448) ack 1");
	peer_out(". 1449:2897(1448) ack 1");
	cr_assert_eq(endpoint_set_option(ep, SOCKOPT_IP_OPTIONS, NULL, 0), NS_OK);
	endpoint_close(ep);
}
