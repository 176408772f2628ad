/* Receiving, segment by segment: acknowledgements, order, windows, blind attacks, timestamps. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "peer.h"

#define PLAIN "mss 1000"
#define SACK "mss 1000,sackOK"

static void setup(void)
{
	peer_new(NULL);
}

static void teardown(void)
{
	peer_free();
}

TestSuite(tcp_receive, .init = setup, .fini = teardown);

/* Takes the quick acknowledgements at the start of a connection. Returns the next number. */
static unsigned get_going(void)
{
	unsigned seq = 1;
	char text[60];

	for (int i = 0; i < 40; i++, seq += 1000) {
		snprintf(text, sizeof(text), ". %u:%u(1000) ack 1 win 65535", seq, seq + 1000);
		peer_in(text);
		peer_read(peer_ep, 1000);
		if (!peer_drop())
			return seq + 1000;
	}
	cr_assert_fail("every segment was acknowledged");
	return 0;
}

Test(tcp_receive, starts_with_quick_acknowledgements_then_every_second)
{
	unsigned seq;
	char text[80];

	peer_passive(PLAIN, 65535);
	peer_in("P. 1:1001(1000) ack 1 win 65535");
	peer_out(". 1:1(0) ack 1001");
	peer_read(peer_ep, 10000);
	peer_in("P. 1001:2001(1000) ack 1 win 65535");
	peer_out(". 1:1(0) ack 2001");
	peer_port(40001);
	peer_passive(PLAIN, 65535);
	seq = get_going();		/* one is pending now */
	snprintf(text, sizeof(text), ". %u:%u(1000) ack 1 win 65535", seq, seq + 1000);
	peer_in(text);
	snprintf(text, sizeof(text), ". 1:1(0) ack %u", seq + 1000);
	peer_out(text);
	peer_none();
}

Test(tcp_receive, a_lone_segment_is_acknowledged_after_40_ms)
{
	unsigned seq;
	char text[80];

	peer_passive(PLAIN, 65535);
	seq = get_going();
	snprintf(text, sizeof(text), ". 1:1(0) ack %u", seq);
	peer_out_at(40, text);
}

Test(tcp_receive, answer_carries_the_acknowledgement)
{
	peer_passive(PLAIN, 65535);
	get_going();
	peer_write(peer_ep, 10);
	peer_next();
	peer_run(30);
}

Test(tcp_receive, out_of_order_is_acknowledged_at_once_with_blocks)
{
	peer_passive(SACK, 65535);
	peer_in(". 1001:2001(1000) ack 1 win 65535");
	peer_out(". 1:1(0) ack 1 <sack 1001:2001>");
	peer_in(". 3001:4001(1000) ack 1 win 65535");
	peer_out(". 1:1(0) ack 1 <sack 3001:4001,sack 1001:2001>");
	cr_assert_eq(peer_read(peer_ep, 100), -NS_ERR_WOULD_BLOCK);
	peer_in(". 1:1001(1000) ack 1 win 65535");
	peer_out(". 1:1(0) ack 2001 <sack 3001:4001>");
	peer_in(". 2001:3001(1000) ack 1 win 65535");
	peer_out(". 1:1(0) ack 4001");
	cr_assert_eq(peer_read(peer_ep, 10000), 4000);
	cr_assert_eq(peer_info(peer_ep).rcv_ooopack, 2);
}

Test(tcp_receive, duplicates_are_reported)
{
	peer_passive(SACK, 65535);
	peer_in(". 1:1001(1000) ack 1 win 65535");
	peer_out(". 1:1(0) ack 1001");
	peer_in(". 1:1001(1000) ack 1 win 65535");
	peer_out(". 1:1(0) ack 1001 <sack 1:1001>");
	peer_in(". 501:1501(1000) ack 1 win 65535");
	peer_out(". 1:1(0) ack 1501 <sack 501:1001>");
}

Test(tcp_receive, what_was_held_and_comes_again_is_reported)
{
	peer_passive(SACK, 65535);
	peer_in("P. 1001:3001(2000) ack 1 win 65535");
	peer_in("P. 4001:5001(1000) ack 1 win 65535");
	peer_in("P. 7001:8001(1000) ack 1 win 65535");
	peer_drop();
	peer_in("P. 1:6001(6000) ack 1 win 65535");
	peer_out(". 1:1(0) ack 6001 <sack 1001:3001,sack 7001:8001>");
	peer_in("P. 6001:8001(2000) ack 1 win 65535");
	peer_out(". 1:1(0) ack 8001 <sack 7001:8001>");
	peer_in("P. 1:1001(1000) ack 1 win 65535");
	peer_out(". 1:1(0) ack 8001 <sack 1:1001>");
}

Test(tcp_receive, too_long_a_segment_is_taken_whole_or_not_at_all)
{
	struct endpoint *l = peer_listen(80, 4);

	endpoint_set_int(l, SOCKOPT_RECEIVE_BUFFER_SIZE, 10000);
	peer_passive("mss 1000,wscale 7", 1000);
	peer_in("P. 1:4001(4000) ack 1 win 257");
	peer_out(". 1:1(0) ack 4001");
	peer_in("P. 4001:54001(50000) ack 1 win 257");
	peer_out(". 1:1(0) ack 4001");
	peer_in("P. 5001:55001(50000) ack 1 win 257");
	peer_out(". 1:1(0) ack 4001");
	cr_assert_eq(peer_read(peer_ep, 100000), 4000);
	peer_drop();
	peer_in("P. 4001:54001(50000) ack 1 win 257");
	cr_assert_eq(peer_read(peer_ep, 100000), 50000);
}

Test(tcp_receive, timestamp_of_a_refused_segment_is_not_believed)
{
	peer_passive("mss 1000,sackOK,TS 100 0", 65535);
	peer_in("F. 1:1(0) ack 9999 win 20000 <TS 200000 0>");
	peer_out(". 1:1(0) ack 1 <TS>");
	peer_in(". 1:1001(1000) ack 1 win 20000 <TS 201 0>");
	peer_out(". 1:1(0) ack 1001 <TS>");
}

Test(tcp_receive, window_closes_and_its_opening_is_told)
{
	struct endpoint *ep;
	unsigned seq = 1, len = 1000, win = 65535, ack;
	char text[80];
	const char *got;

	peer_listen(80, 4);
	ep = peer_passive(PLAIN, 65535);
	endpoint_set_int(ep, SOCKOPT_RECEIVE_BUFFER_SIZE, 65536);
	while (win) {
		len = win < 1000 ? win : 1000;
		snprintf(text, sizeof(text), ". %u:%u(%u) ack 1 win 65535", seq, seq + len, len);
		peer_in(text);
		seq += len;
		peer_pass(50);		/* also for the one that is acknowledged late */
		while ((got = peer_next()))
			if (sscanf(strstr(got, " ack "), " ack %u win %u", &ack, &win) == 2)
				win -= seq - ack;
		cr_assert_lt(seq, 200000);
	}
	cr_assert_leq(peer_opt(ep, SOCKOPT_RECEIVE_QUEUE_SIZE), 65536);
	/* A probe of the closed window is answered, and not taken. */
	snprintf(text, sizeof(text), ". %u:%u(1) ack 1 win 65535", seq, seq + 1);
	peer_in(text);
	snprintf(text, sizeof(text), ". 1:1(0) ack %u win 0", seq);
	peer_out(text);
	cr_assert_eq(peer_read(ep, 100), 100);
	peer_none();				/* no silly window (RFC 9293, 3.8.6.2.2) */
	cr_assert_gt(peer_read(ep, 60000), 50000);
	peer_pass(1);
	got = peer_next();
	cr_assert(got && !strstr(got, " win 0"), "%s", got ? got : "nothing");
}

/* Sends segments of 2100 bytes from @seq on to @to or the edge of the window; returns where that is. */
static unsigned fill_window(unsigned *seq, unsigned to, unsigned edge)
{
	unsigned ack, win, shift = peer_info(peer_ep).wscale >> 4;
	const char *got;
	char text[80];

	for (; *seq < to && *seq + 2100 <= edge; *seq += 2100) {
		snprintf(text, sizeof(text), ". %u:%u(2100) ack 1 win 65535", *seq, *seq + 2100);
		peer_in(text);
		while ((got = peer_next()))
			if (sscanf(strstr(got, " ack "), " ack %u win %u", &ack, &win) == 2 && ack + (win << shift) > edge)
				edge = ack + (win << shift);
	}
	return edge;
}

Test(tcp_receive, what_was_promised_is_taken_however_much_memory_it_comes_in)
{
	struct sockopt_range r = { 4096, 1 << 20, 8 << 20 };
	unsigned seq = 1, edge;
	struct endpoint *ep;

	stack_set_trans_option(peer_stack, IP_PROTO_TCP, SOCKOPT_RECEIVE_BUFFER_RANGE, &r, sizeof(r));
	ep = peer_passive("mss 2100,nop,wscale 7", 65535);
	edge = fill_window(&seq, 300000, 60000);
	cr_assert_gt(edge, 500000);
	endpoint_set_int(ep, SOCKOPT_RECEIVE_BUFFER_SIZE, 4096);
	fill_window(&seq, edge, edge);
	cr_assert_eq(peer_opt(ep, SOCKOPT_RECEIVE_QUEUE_SIZE), seq - 1);
	cr_assert_eq(peer_read(ep, 2000000), seq - 1);
}

Test(tcp_receive, nothing_beyond_the_window_is_taken)
{
	peer_passive(SACK, 65535);
	peer_in(". 100001:101001(1000) ack 1 win 65535");
	peer_out(". 1:1(0) ack 1");
	cr_assert_eq(peer_info(peer_ep).rcv_ooopack, 0);
}

Test(tcp_receive, reset_needs_the_exact_number)
{
	struct endpoint *ep = peer_passive(PLAIN, 65535);

	peer_in("R 100:100(0) win 0");
	peer_out(". 1:1(0) ack 1");		/* RFC 5961, 3.2 */
	cr_assert_eq(endpoint_state(ep), TCPS_ESTABLISHED);
	peer_in("R 100000:100000(0) win 0");
	peer_none();
	peer_in("R 1:1(0) win 0");
	cr_assert_eq(endpoint_state(ep), TCPS_CLOSE);
	cr_assert_eq(peer_read(ep, 10), -NS_ERR_CONNECTION_RESET);
	cr_assert_eq(peer_read(ep, 10), -NS_ERR_CLOSED_FOR_RECEIVE);
	cr_assert_eq(peer_write(ep, 10), -NS_ERR_CLOSED_FOR_SEND);
	cr_assert_eq(stat_value(&peer_stack->stats.tcp.resets_received), 2);
}

Test(tcp_receive, syn_in_a_connection_is_challenged_rarely)
{
	peer_passive(PLAIN, 65535);
	peer_in("S 5:5(0) win 65535");
	peer_out(". 1:1(0) ack 1");
	peer_in("S 5:5(0) win 65535");
	peer_none();
	peer_pass(600);
	peer_in("S 5:5(0) win 65535");
	peer_out(". 1:1(0) ack 1");
	cr_assert_eq(endpoint_state(peer_ep), TCPS_ESTABLISHED);
}

Test(tcp_receive, acknowledgement_of_the_future_is_challenged)
{
	peer_passive(PLAIN, 65535);
	peer_in("P. 1:11(10) ack 100 win 65535");
	peer_out(". 1:1(0) ack 1");
	cr_assert_eq(peer_read(peer_ep, 10), -NS_ERR_WOULD_BLOCK);
}

Test(tcp_receive, old_timestamps_are_refused)
{
	peer_passive("mss 1000,sackOK,TS 100 0", 65535);
	peer_in("P. 1:11(10) ack 1 win 65535 <TS 200 0>");
	peer_out(". 1:1(0) ack 11 <TS>");
	peer_in("P. 11:21(10) ack 1 win 65535 <TS 150 0>");
	peer_out(". 1:1(0) ack 11 <TS>");
	cr_assert_eq(peer_opt(peer_ep, SOCKOPT_RECEIVE_QUEUE_SIZE), 10);
	peer_in("P. 11:21(10) ack 1 win 65535 <TS 200 0>");
	cr_assert_eq(peer_opt(peer_ep, SOCKOPT_RECEIVE_QUEUE_SIZE), 20);
	peer_drop();
}

Test(tcp_receive, peek_leaves_and_reads_cross_segments)
{
	uint8_t b[30];
	struct iovec iov[2] = { { b, 4 }, { b + 4, 26 } };
	struct read_msg m = { .iov = iov, .iovcnt = 2 };

	peer_passive(PLAIN, 65535);
	peer_in_bytes("abcdefghij");
	peer_in("P. 1:11(10) ack 1 win 65535");
	peer_in_bytes("klmnopqrst");
	peer_in("P. 11:21(10) ack 1 win 65535");
	cr_assert_eq(endpoint_peek(peer_ep, &m), NS_OK);
	cr_assert_eq(m.n, 20);
	cr_assert_eq(memcmp(b, "abcdefghijklmnopqrst", 20), 0);
	m.peek = false;
	cr_assert_eq(endpoint_read(peer_ep, &m), NS_OK);
	cr_assert_eq(m.n, 20);
	cr_assert_eq(m.inq, 0);
	cr_assert_eq(endpoint_read(peer_ep, &m), NS_ERR_WOULD_BLOCK);
	peer_drop();
}

Test(tcp_receive, urgent_byte_is_apart_and_reads_stop_at_it)
{
	uint8_t b[30];
	struct iovec iov = { b, sizeof(b) };
	struct read_msg m = { .iov = &iov, .iovcnt = 1 }, oob = { .iov = &iov, .iovcnt = 1, .oob = true };

	peer_passive(PLAIN, 65535);
	cr_assert_eq(endpoint_read(peer_ep, &oob), NS_ERR_INVALID_OPTION_VALUE);
	peer_in_bytes("abcXdef");
	peer_in("P.U 1:8(7) ack 1 win 65535 urg 4");
	cr_assert(endpoint_readiness(peer_ep, WAIT_ALL) & WAIT_PRI);
	cr_assert_eq(endpoint_read(peer_ep, &oob), NS_OK);
	cr_assert_eq(b[0], 'X');
	cr_assert_eq(endpoint_read(peer_ep, &oob), NS_ERR_INVALID_OPTION_VALUE);
	cr_assert_eq(peer_opt(peer_ep, SOCKOPT_AT_MARK), 0);
	cr_assert_eq(endpoint_read(peer_ep, &m), NS_OK);
	cr_assert_eq(m.n, 3);
	cr_assert_eq(peer_opt(peer_ep, SOCKOPT_AT_MARK), 1);
	cr_assert_eq(endpoint_read(peer_ep, &m), NS_OK);
	cr_assert_eq(m.n, 3);
	cr_assert_eq(memcmp(b, "def", 3), 0);
	peer_drop();
}

Test(tcp_receive, urgent_byte_in_line)
{
	uint8_t b[30];
	struct iovec iov = { b, sizeof(b) };
	struct read_msg m = { .iov = &iov, .iovcnt = 1 };

	peer_passive(PLAIN, 65535);
	endpoint_set_int(peer_ep, SOCKOPT_OOB_INLINE, 1);
	peer_in_bytes("abcXdef");
	peer_in("P.U 1:8(7) ack 1 win 65535 urg 4");
	cr_assert_eq(endpoint_read(peer_ep, &m), NS_OK);
	cr_assert_eq(m.n, 3);
	cr_assert_eq(endpoint_read(peer_ep, &m), NS_OK);
	cr_assert_eq(m.n, 4);
	cr_assert_eq(memcmp(b, "Xdef", 4), 0);
	peer_drop();
}

Test(tcp_receive, many_tiny_segments_do_not_cost_many_packets)
{
	char text[80];

	peer_passive(PLAIN, 65535);
	for (unsigned seq = 1; seq < 20001; seq++) {
		snprintf(text, sizeof(text), ". %u:%u(1) ack 1 win 65535", seq, seq + 1);
		peer_in(text);
		peer_drop();
	}
	cr_assert_eq(peer_opt(peer_ep, SOCKOPT_RECEIVE_QUEUE_SIZE), 20000);
	cr_assert_lt(peer_packets_held(), 2000);
	cr_assert_eq(peer_read(peer_ep, 30000), 20000);
}

Test(tcp_receive, malformed_segments_are_counted)
{
	struct tcp_stats *st = &peer_stack->stats.tcp;

	peer_passive(PLAIN, 65535);
	peer_bad_checksum();
	peer_in("P. 1:11(10) ack 1 win 65535");
	peer_none();
	cr_assert_eq(stat_value(&st->checksum_errors), 1);
	peer_bad_offset();
	peer_in("P. 1:11(10) ack 1 win 65535");
	peer_none();
	cr_assert_eq(stat_value(&st->invalid_segments_received), 1);
	cr_assert_eq(stat_value(&peer_ep->stats.receive_errors.checksum_errors), 1);
	cr_assert_eq(stat_value(&peer_ep->stats.receive_errors.malformed_packets_received), 1);
	cr_assert_eq(peer_read(peer_ep, 10), -NS_ERR_WOULD_BLOCK);
}

Test(tcp_receive, receive_window_keeps_below_the_links_queue)
{
	struct peer_config c = { .rx_queue_pkts = 1000 };
	unsigned seq = 1, max = 0, win;
	struct tcp_conn_info i;
	char text[100];
	const char *got;

	peer_free();
	peer_new(&c);
	peer_passive("mss 1460,wscale 7", 65535);
	for (int n = 0; n < 20000; n++, seq += 1460) {
		snprintf(text, sizeof(text), ". %u:%u(1460) ack 1 win 65535", seq, seq + 1460);
		peer_in(text);
		peer_read(peer_ep, 1460);
		if (n % 100 == 99)
			peer_pass(1);
		while ((got = peer_next()))
			if (sscanf(strstr(got, " win "), " win %u", &win) == 1 && win > max)
				max = win;
	}
	i = peer_info(peer_ep);
	cr_assert_gt(max << 7, 500000, "%u", max << 7);
	cr_assert_leq(max << 7, 1000 * 1460, "%u", max << 7);
	cr_assert_gt(i.bytes_received, 20000000);
}
