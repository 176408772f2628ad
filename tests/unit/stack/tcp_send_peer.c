/* Sending, segment by segment: windows, Nagle, loss and recovery, probes. */
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

TestSuite(tcp_send, .init = setup, .fini = teardown);

static void expect_run(unsigned first, unsigned n)
{
	char text[60];

	for (unsigned i = 0; i < n; i++) {
		unsigned seq = first + i * 1000;
		const char *got = peer_next();

		snprintf(text, sizeof(text), ". %u:%u(1000) ack 1", seq, seq + 1000);
		cr_assert(got && strstr(got, text + 2), "%s instead of %s", got ? got : "nothing", text);
	}
}

static void ack(unsigned n)
{
	char text[60];

	snprintf(text, sizeof(text), ". 1:1(0) ack %u win 65535", n);
	peer_in(text);
}

Test(tcp_send, initial_window_is_ten_and_doubles)
{
	struct endpoint *ep = peer_passive(PLAIN, 65535);

	cr_assert_geq(peer_write(ep, 40000), 40000);
	expect_run(1, 10);
	peer_none();
	peer_run(50);
	ack(1001);
	expect_run(10001, 2);
	peer_none();
	ack(3001);
	expect_run(12001, 4);
	peer_none();
	cr_assert_eq(peer_info(ep).snd_cwnd, 13);
}

Test(tcp_send, last_segment_of_a_write_has_push)
{
	struct endpoint *ep = peer_passive(PLAIN, 65535);

	peer_write(ep, 2500);
	peer_out(". 1:1001(1000) ack 1");
	peer_out(". 1001:2001(1000) ack 1");
	peer_out("P. 2001:2501(500) ack 1");
}

Test(tcp_send, nagle_holds_a_second_short_segment)
{
	struct endpoint *ep = peer_passive(PLAIN, 65535);

	peer_write(ep, 100);
	peer_out("P. 1:101(100) ack 1");
	peer_write(ep, 100);
	peer_write(ep, 50);
	peer_none();
	ack(101);
	peer_out("P. 101:251(150) ack 1");
	endpoint_set_int(ep, SOCKOPT_NO_DELAY, 1);
	peer_write(ep, 10);
	peer_out("P. 251:261(10) ack 1");
}

Test(tcp_send, cork_holds_for_200_ms)
{
	struct endpoint *ep = peer_passive(PLAIN, 65535);

	endpoint_set_int(ep, SOCKOPT_CORK, 1);
	peer_write(ep, 1500);
	peer_out(". 1:1001(1000) ack 1");
	ack(1001);
	peer_none();
	peer_pass(300);
	peer_out("P. 1001:1501(500) ack 1");
	ack(1501);
	peer_write(ep, 10);
	peer_none();
	endpoint_set_int(ep, SOCKOPT_CORK, 0);
	peer_out("P. 1501:1511(10) ack 1");
}

Test(tcp_send, more_to_come_is_waited_for)
{
	struct endpoint *ep = peer_passive(PLAIN, 65535);

	peer_write_more(ep, 100);
	peer_none();
	peer_write(ep, 100);
	peer_out("P. 1:201(200) ack 1");
}

Test(tcp_send, peers_window_is_kept)
{
	struct endpoint *ep = peer_passive(PLAIN, 2500);

	peer_write(ep, 5000);
	expect_run(1, 2);
	peer_next();
	peer_none();
	peer_in(". 1:1(0) ack 2001 win 400");
	peer_none();
}

Test(tcp_send, closed_window_is_probed_with_doubling_intervals)
{
	struct endpoint *ep = peer_passive(PLAIN, 2000);
	int64_t at;

	peer_write(ep, 2500);
	expect_run(1, 2);
	peer_none();
	peer_in(". 1:1(0) ack 2001 win 0");
	at = peer_info(ep).rto;
	for (int i = 0; i < 4; i++, at *= 2) {
		peer_out_at(at / 1000, ". 2000:2000(0) ack 1");
		peer_in(". 1:1(0) ack 2001 win 0");
		peer_none();
	}
	peer_in(". 1:1(0) ack 2001 win 1000");
	peer_out("P. 2001:2501(500) ack 1");
}

Test(tcp_send, retransmission_timer_doubles_and_gives_up)
{
	struct endpoint *ep = peer_passive(PLAIN, 65535);
	struct tcp_stats *st = &peer_stack->stats.tcp;
	int64_t at;
	int n = 0;

	peer_write(ep, 100);
	peer_out("P. 1:101(100) ack 1");
	at = peer_info(ep).rto / 1000;
	for (; n < 15 && at < 120000; n++, at *= 2)
		peer_out_at(at, "P. 1:101(100) ack 1");
	for (; n < 15; n++)
		peer_out_at(120000, "P. 1:101(100) ack 1");
	peer_run(121000);
	cr_assert_eq(peer_opt(ep, SOCKOPT_ERROR), NS_ERR_TIMEOUT);
	cr_assert_eq(stat_value(&st->retransmits), 15);
	cr_assert_geq(stat_value(&st->timeouts), 15);
	cr_assert_eq(stat_value(&st->established_resets), 1);
}

Test(tcp_send, user_timeout_ends_it_sooner)
{
	struct endpoint *ep = peer_passive(PLAIN, 65535);

	endpoint_set_int(ep, SOCKOPT_USER_TIMEOUT, 3 * NS_PER_SEC);
	peer_write(ep, 100);
	peer_pass(3400);
	peer_drop();
	peer_run(60000);
	cr_assert_eq(peer_opt(ep, SOCKOPT_ERROR), NS_ERR_TIMEOUT);
}

Test(tcp_send, three_duplicates_retransmit_the_first)
{
	struct endpoint *ep = peer_passive(PLAIN, 65535);
	struct tcp_conn_info i;

	peer_write(ep, 20000);
	expect_run(1, 10);
	peer_run(20);
	/* Limited transmit (RFC 3042): the first two let new data out. */
	ack(1);
	peer_out(". 10001:11001(1000) ack 1");
	ack(1);
	peer_out(". 11001:12001(1000) ack 1");
	ack(1);
	peer_out(". 1:1001(1000) ack 1");
	i = peer_info(ep);
	cr_assert_eq(i.ca_state, 3);
	cr_assert_eq(i.snd_ssthresh, 7);
	cr_assert_eq(stat_value(&peer_stack->stats.tcp.fast_recovery), 1);
	cr_assert_eq(stat_value(&peer_stack->stats.tcp.fast_retransmit), 1);
	for (int n = 0; n < 6; n++)
		ack(1);
	peer_drop();
	ack(12001);
	i = peer_info(ep);
	cr_assert_geq(i.snd_cwnd, 7);
	cr_assert_leq(i.snd_cwnd, 8);
}

Test(tcp_send, partial_acknowledgement_retransmits_the_next_hole)
{
	struct endpoint *ep = peer_passive(PLAIN, 65535);

	peer_write(ep, 10000);
	expect_run(1, 10);
	peer_run(20);
	for (int n = 0; n < 3; n++)
		ack(1);
	peer_out(". 1:1001(1000) ack 1");
	ack(4001);
	peer_out(". 4001:5001(1000) ack 1");
}

Test(tcp_send, selective_acknowledgements_show_every_hole)
{
	struct endpoint *ep = peer_passive(SACK, 65535);

	peer_write(ep, 10000);
	expect_run(1, 10);
	peer_run(20);
	peer_in(". 1:1(0) ack 1 win 65535 <sack 1001:2001>");
	peer_in(". 1:1(0) ack 1 win 65535 <sack 1001:3001>");
	peer_none();
	peer_in(". 1:1(0) ack 1 win 65535 <sack 1001:3001,sack 4001:5001>");
	peer_out(". 1:1001(1000) ack 1");
	peer_in(". 1:1(0) ack 1 win 65535 <sack 1001:3001,sack 4001:8001>");
	peer_out(". 3001:4001(1000) ack 1");
	peer_none();
	cr_assert_eq(stat_value(&peer_stack->stats.tcp.sack_recovery), 1);
	cr_assert_eq(peer_info(ep).sacked, 6);
	cr_assert_eq(peer_info(ep).retrans, 2);
	peer_in(". 1:1(0) ack 10001 win 65535");
	cr_assert_eq(peer_info(ep).unacked, 0);
	cr_assert_eq(peer_info(ep).ca_state, 0);
}

Test(tcp_send, a_probe_goes_after_the_tail)
{
	struct endpoint *ep = peer_passive(SACK, 65535);

	peer_write(ep, 1000);
	peer_out("P. 1:1001(1000) ack 1");
	peer_pass(30);
	ack(1001);
	peer_write(ep, 4000);
	peer_drop();
	/* Twice the smoothed round trip, and a tick. */
	peer_out_at(62, "P. 4001:5001(1000) ack 1");
	peer_run(30);
	peer_in(". 1:1(0) ack 1001 win 65535 <sack 4001:5001>");
	peer_out(". 1001:2001(1000) ack 1");
}

Test(tcp_send, duplicate_report_takes_the_reduction_back)
{
	struct endpoint *ep = peer_passive(SACK, 65535);

	peer_write(ep, 10000);
	expect_run(1, 10);
	peer_run(20);
	peer_in(". 1:1(0) ack 1 win 65535 <sack 1001:4001>");
	peer_out(". 1:1001(1000) ack 1");
	cr_assert_eq(peer_info(ep).ca_state, 3);
	peer_in(". 1:1(0) ack 5001 win 65535");
	peer_in(". 1:1(0) ack 10001 win 65535 <sack 1:1001>");
	peer_drop();
	cr_assert_eq(peer_info(ep).ca_state, 0);
	cr_assert_geq(peer_info(ep).snd_cwnd, 10);
	cr_assert_eq(peer_info(ep).dsack_dups, 1);
}

Test(tcp_send, spurious_timeout_is_undone_by_the_timestamp)
{
	struct endpoint *ep = peer_passive("mss 1000,sackOK,TS 100 0", 65535);
	char text[100];
	uint32_t ts;

	peer_write(ep, 3952);
	while (peer_next())
		;
	ts = peer_ts();
	peer_pass(280);			/* the timeout */
	peer_drop();
	peer_pass(10);
	snprintf(text, sizeof(text), ". 1:1(0) ack 989 win 65535 <TS 400 %u>", ts);
	peer_in(text);
	cr_assert_neq(peer_info(ep).ca_state, 4);
	cr_assert_geq(peer_info(ep).snd_cwnd, 10);
}

Test(tcp_send, window_update_alone_sends)
{
	struct endpoint *ep = peer_passive(PLAIN, 2000);

	peer_write(ep, 3000);
	expect_run(1, 2);
	peer_in(". 1:1(0) ack 2001 win 500");
	peer_none();
	peer_in(". 1:1(0) ack 2001 win 1000");
	peer_out("P. 2001:3001(1000) ack 1");
}

Test(tcp_send, keepalive_probes_then_resets)
{
	struct endpoint *ep = peer_passive(PLAIN, 65535);

	endpoint_set_int(ep, SOCKOPT_KEEPALIVE_IDLE, 10 * NS_PER_SEC);
	endpoint_set_int(ep, SOCKOPT_KEEPALIVE_INTERVAL, 2 * NS_PER_SEC);
	endpoint_set_int(ep, SOCKOPT_KEEPALIVE_COUNT, 2);
	endpoint_set_int(ep, SOCKOPT_KEEPALIVE_ENABLED, 1);
	peer_out_at(10000, ". 0:0(0) ack 1");
	peer_in(". 1:1(0) ack 1 win 65535");
	peer_out_at(10000, ". 0:0(0) ack 1");
	peer_out_at(2000, ". 0:0(0) ack 1");
	peer_out_at(2000, "R. 1:1(0) ack 1");
	cr_assert_eq(peer_opt(ep, SOCKOPT_ERROR), NS_ERR_TIMEOUT);
}

Test(tcp_send, urgent_pointer_is_of_the_byte_after)
{
	struct endpoint *ep = peer_passive(PLAIN, 65535);
	char bytes[5] = "abcde";
	struct iovec iov = { bytes, 5 };
	struct write_opts o = { .oob = true };
	size_t n;

	endpoint_write(ep, &iov, 1, &o, &n);
	peer_out("P.U 1:6(5) ack 1 urg 5");
}

Test(tcp_send, path_mtu_news_resend_at_once_in_smaller_segments)
{
	struct endpoint *ep = peer_passive("mss 1460,sackOK", 65535);

	peer_write(ep, 2920);
	peer_out(". 1:1461(1460) ack 1");
	peer_out("P. 1461:2921(1460) ack 1");
	peer_icmp(3, 4, 1000, 5000);		/* quotes what was never sent */
	peer_none();
	peer_icmp(3, 4, 1000, 1);
	peer_out(". 1:961(960) ack 1");
	peer_out(". 961:1461(500) ack 1");
	peer_out(". 1461:2421(960) ack 1");
	peer_out("P. 2421:2921(500) ack 1");
	cr_assert_eq(peer_info(ep).pmtu, 1000);
	cr_assert_eq(peer_info(ep).snd_cwnd, 10);
}

Test(tcp_send, black_hole_is_left_with_smaller_segments)
{
	struct endpoint *ep = peer_passive("mss 1460", 65535);
	const char *got;
	int n = 0;

	peer_write(ep, 1460);
	peer_drop();
	while (n++ < 8) {
		peer_pass(n > 6 ? 40000 : 1000 << n);
		while ((got = peer_next()))
			if (strstr(got, "(1024)"))
				goto found;
	}
	cr_assert_fail("never smaller");
found:
	cr_assert_leq(n, 6);
	cr_assert_eq(peer_info(ep).snd_mss, 1024);
}

Test(tcp_send, congestion_marks_halve_once_and_are_answered)
{
	struct endpoint *l = peer_listen(80, 4), *ep;

	peer_in("SEW 0:0(0) win 65535 <mss 1000,sackOK>");
	peer_out("S.E 0:0(0) ack 1 <mss 1460,sackOK>");
	peer_in(". 1:1(0) ack 1 win 65535");
	cr_assert_eq(endpoint_accept(l, &ep, NULL), NS_OK);
	peer_write(ep, 10000);
	expect_run(1, 10);
	cr_assert_eq(peer_tos() & 3, 2);		/* ECT(0) */
	peer_pass(1);
	peer_in(".E 1:1(0) ack 2001 win 65535");
	cr_assert_eq(peer_info(ep).ca_state, 2);
	peer_in(".E 1:1(0) ack 10001 win 65535");
	cr_assert_eq(peer_info(ep).snd_ssthresh, 7);
	peer_write(ep, 1000);
	peer_out("P.W 10001:11001(1000) ack 1");
	/* And the other way: CE is echoed until CWR comes. */
	peer_in("CP. 1:1001(1000) ack 11001 win 65535");
	peer_out(".E 11001:11001(0) ack 1001");
	peer_in("TP. 1001:2001(1000) ack 11001 win 65535");
	peer_out(".E 11001:11001(0) ack 2001");
	peer_in("TP.W 2001:3001(1000) ack 11001 win 65535");
	peer_out(". 11001:11001(0) ack 3001");
	cr_assert_eq(peer_info(ep).delivered_ce > 0, true);
}

Test(tcp_send, super_segments_where_the_link_cuts_them)
{
	struct peer_config c = { .tso = true };
	struct endpoint *ep;

	peer_free();
	peer_new(&c);
	ep = peer_passive(PLAIN, 65535);
	peer_write(ep, 10000);
	/* Two at a time: a round trip of 30 ms is no place for bursts. */
	for (int i = 0; i < 5; i++)
		cr_assert(strstr(peer_next(), "(2000)"));
	peer_in(". 1:1(0) ack 10001 win 65535");
	cr_assert_eq(peer_info(ep).data_segs_out, 10);
}

Test(tcp_send, buffer_is_bounded_and_room_is_told)
{
	struct endpoint *ep = peer_passive(PLAIN, 65535);
	long n = 0, got;

	endpoint_set_int(ep, SOCKOPT_SEND_BUFFER_SIZE, 10000);
	while ((got = peer_write(ep, 3000)) > 0)
		n += got;
	cr_assert_eq(got, -NS_ERR_WOULD_BLOCK);
	/* As Linux: what began below the limit is filled, up to half the peer's window. */
	cr_assert_leq(n, 20000 + 65535 / 2);
	cr_assert(!(endpoint_readiness(ep, WAIT_ALL) & WAIT_OUT));
	cr_assert_eq(peer_opt(ep, SOCKOPT_SEND_QUEUE_SIZE), n);
	peer_drop();
	for (uint32_t a = 5001; a < n; a += 5000) {
		ack(a);
		peer_drop();
	}
	cr_assert(endpoint_readiness(ep, WAIT_ALL) & WAIT_OUT);
}

Test(tcp_send, records_are_not_joined)
{
	struct endpoint *ep = peer_passive(PLAIN, 65535);
	char bytes[700] = "";
	struct iovec iov = { bytes, 700 };
	struct write_opts o = { .end_of_record = true };
	size_t n;

	endpoint_set_int(ep, SOCKOPT_NO_DELAY, 1);
	peer_write(ep, 10000);
	peer_drop();
	endpoint_write(ep, &iov, 1, &o, &n);
	endpoint_write(ep, &iov, 1, &o, &n);
	peer_write(ep, 700);
	peer_none();
	ack(10001);
	peer_out("P. 10001:10701(700) ack 1");
	peer_out("P. 10701:11401(700) ack 1");
	peer_out("P. 11401:12101(700) ack 1");
}

Test(tcp_send, a_handshake_that_took_long_does_not_shorten_patience)
{
	struct endpoint *l = peer_listen(80, 4), *ep;

	peer_in("S 0:0(0) win 65535 <mss 1000>");
	peer_pass(3500);
	cr_assert_eq(peer_drop(), 3);
	peer_in(". 1:1(0) ack 1 win 65535");
	cr_assert_eq(endpoint_accept(l, &ep, NULL), NS_OK);
	cr_assert_eq(peer_info(ep).snd_cwnd, 1);
	cr_assert_eq(peer_info(ep).rto, 3000000);	/* RFC 6298, 5.7 */
	peer_write(ep, 100);
	peer_out("P. 1:101(100) ack 1");
	peer_out_at(3000, "P. 1:101(100) ack 1");
	peer_out_at(6000, "P. 1:101(100) ack 1");
	cr_assert_eq(endpoint_state(ep), TCPS_ESTABLISHED);
}

Test(tcp_send, all_or_nothing_when_asked_for)
{
	struct endpoint *ep = peer_passive(PLAIN, 65535);
	static char bytes[200000];
	struct iovec iov = { bytes, sizeof(bytes) };
	struct write_opts o = { .atomic = true };
	size_t n;

	cr_assert_eq(endpoint_write(ep, &iov, 1, &o, &n), NS_ERR_WOULD_BLOCK);
	cr_assert_eq(n, 0);
	peer_none();
	cr_assert_eq(peer_opt(ep, SOCKOPT_SEND_QUEUE_SIZE), 0);
	iov.iov_len = 3000;
	cr_assert_eq(endpoint_write(ep, &iov, 1, &o, &n), NS_OK);
	cr_assert_eq(n, 3000);
	cr_assert_eq(peer_opt(ep, SOCKOPT_SEND_QUEUE_SIZE), 3000);
	o.atomic = false;
	iov.iov_len = sizeof(bytes);
	cr_assert_eq(endpoint_write(ep, &iov, 1, &o, &n), NS_OK);
	cr_assert(n > 0 && n < sizeof(bytes), "%zu", n);
}

static struct {
	struct tx_stamper stamper;
	unsigned sent, late, acked, payload;
	uint32_t key;
} told;

static void note_sent(struct tx_stamper *t, struct nic *nic, const struct pkt *pkt)
{
	told.sent++;
	told.key = pkt->stamp.key;
}

static void note_late(struct tx_stamper *t, const struct pkt_stamp *stamp, bool acked, const struct pkt *payload)
{
	*(acked ? &told.acked : &told.late) += 1;
	told.key = stamp->key;
	told.payload = payload ? payload->len : 0;
}

/* The byte `at` after the first; `was` it another before, or -1. */
static void stamp(struct endpoint *ep, int64_t first, uint32_t at, int64_t was, bool wanted)
{
	struct sockopt_tx_stamp v = {
		.seq = (uint32_t)first + at, .was = (uint32_t)(first + was), .instead = was >= 0,
		.stamp = { wanted ? told.stamper.id : 0, at, 1 },
	};

	cr_assert_eq(endpoint_set_option(ep, SOCKOPT_TX_STAMP, &v, sizeof(v)), NS_OK);
}

/* Of those in one segment the last, when it first goes out; and each when it is acknowledged. */
Test(tcp_send, stamped_bytes_are_told_of_once)
{
	struct endpoint *ep = peer_passive(PLAIN, 65535);
	int64_t first;

	memset(&told, 0, sizeof(told));
	told.stamper.fn = note_sent;
	told.stamper.late_fn = note_late;
	tx_stamper_add(&peer_stack->tx_stamps, &told.stamper);
	cr_assert_eq(endpoint_get_int(ep, SOCKOPT_WRITE_SEQ, &first), NS_OK);
	stamp(ep, first, 99, -1, true);
	stamp(ep, first, 499, -1, true);
	cr_assert_eq(peer_write(ep, 500), 500);
	peer_out("P. 1:501(500) ack 1");
	cr_assert(told.sent == 1 && told.key == 499 && !told.acked);
	peer_out_at(peer_info(ep).rto / 1000, "P. 1:501(500) ack 1");
	cr_assert_eq(told.sent, 1, "again when it was lost");
	ack(301);
	peer_drop();
	cr_assert_eq(told.acked, 0);
	ack(501);
	cr_assert(told.acked == 1 && told.key == 499 && told.payload == 200);
	/* Too late for what has gone, and for what has arrived. */
	cr_assert_eq(peer_write(ep, 100), 100);
	peer_out("P. 501:601(100) ack 1");
	stamp(ep, first, 599, -1, true);
	cr_assert(told.late == 1 && told.key == 599);
	ack(601);
	cr_assert_eq(told.acked, 2);
	stamp(ep, first, 550, -1, true);
	cr_assert(told.late == 1 && told.acked == 3 && told.key == 550);
	/* Announced, and then shorter, or nothing at all. */
	stamp(ep, first, 699, -1, true);
	stamp(ep, first, 649, 699, true);
	cr_assert_eq(peer_write(ep, 50), 50);
	peer_out("P. 601:651(50) ack 1");
	cr_assert(told.sent == 2 && told.key == 649);
	stamp(ep, first, 699, -1, true);
	stamp(ep, first, 699, 699, false);
	ack(651);
	cr_assert_eq(peer_write(ep, 50), 50);
	peer_out("P. 651:701(50) ack 1");
	ack(701);
	cr_assert(told.sent == 2 && told.acked == 4);
	tx_stamper_remove(&told.stamper);
}
