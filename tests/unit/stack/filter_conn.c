/* Connection tracking: states, timeouts, limits, by packets between two wires. */
#include <criterion/criterion.h>

#include "wire.h"

static struct wire *w;
static struct wire_pkt got;
static struct filter_conn_info conns[64];
static int nconns;

/* From the first wire anything may begin; from the second, only what belongs to it comes back. */
static const char stateful[] = "*filter\n:FORWARD DROP [0:0]\n"
	"-A FORWARD -m conntrack --ctstate INVALID -j DROP\n"
	"-A FORWARD -i nic1 -j ACCEPT\n"
	"-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\nCOMMIT\n";

static void setup(void)
{
	w = wire_new();
	wire_rules(w->s, false, stateful);
}

static void teardown(void)
{
	wire_free(w);
}

TestSuite(filter_conn, .init = setup, .fini = teardown);

static void note(void *ctx, const struct filter_conn_info *i)
{
	if (nconns < 64)
		conns[nconns++] = *i;
}

static int walk(void)
{
	nconns = 0;
	filter_conn_walk(w->s, note, NULL);
	return nconns;
}

static bool from(int side, struct wire_pkt p)
{
	p.src = p.src ? p.src : side ? "10.0.1.2" : "10.0.0.2";
	p.dst = p.dst ? p.dst : side ? "10.0.0.2" : "10.0.1.2";
	wire_in(w, side, &p);
	return wire_out(w, !side, &got);
}

#define UDP(s, d) ((struct wire_pkt){ .proto = IP_PROTO_UDP, .sport = s, .dport = d })
#define TCP(s, d, f) ((struct wire_pkt){ .proto = IP_PROTO_TCP, .sport = s, .dport = d, .flags = f })
#define ECHO(t, i) ((struct wire_pkt){ .proto = IP_PROTO_ICMP, .type = t, .sport = i, .n = 8 })

static int64_t seconds_left(void)
{
	cr_assert_eq(walk(), 1, "%d connections", nconns);
	return (conns[0].expires_ns + NS_PER_SEC / 2) / NS_PER_SEC;
}

Test(filter_conn, answers_come_back_and_nothing_else)
{
	cr_assert(!from(1, UDP(53, 1000)));
	cr_assert(from(0, UDP(1000, 53)));
	cr_assert(from(1, UDP(53, 1000)));
	cr_assert(!from(1, UDP(53, 1001)));
	cr_assert(!from(1, UDP(54, 1000)));
	cr_assert_eq(walk(), 1);
	cr_assert(conns[0].packets[0] == 1 && conns[0].packets[1] == 1 && conns[0].bytes[0] == 28);
	cr_assert(conns[0].src[0].port == 1000 && conns[0].dst[1].port == 1000);
	cr_assert_eq(conns[0].status, FILTER_CONN_CONFIRMED | FILTER_CONN_SEEN_REPLY);
}

Test(filter_conn, udp_lives_30_seconds_and_120_as_a_stream)
{
	from(0, UDP(1000, 53));
	cr_assert_eq(seconds_left(), 30);
	from(1, UDP(53, 1000));
	from(0, UDP(1000, 53));
	cr_assert_eq(seconds_left(), 30);
	sim_run(w->sim, 3 * NS_PER_SEC);
	from(1, UDP(53, 1000));
	cr_assert_eq(seconds_left(), 120);
	cr_assert(conns[0].status & FILTER_CONN_ASSURED);
	sim_run(w->sim, 119 * NS_PER_SEC);
	cr_assert_eq(walk(), 1);
	sim_run(w->sim, 2 * NS_PER_SEC);
	cr_assert_eq(walk(), 0);
	cr_assert(!from(1, UDP(53, 1000)));
}

Test(filter_conn, tcp_goes_through_its_states)
{
	static const struct { int side; uint8_t flags; const char *state; int seconds; } steps[] = {
		{ 0, SYN, "SYN_SENT", 120 }, { 1, SYN | ACK, "SYN_RECV", 60 },
		{ 0, ACK, "ESTABLISHED", 432000 }, { 1, ACK | PSH, "ESTABLISHED", 432000 },
		{ 0, FIN | ACK, "FIN_WAIT", 120 }, { 1, ACK, "CLOSE_WAIT", 60 },
		{ 1, FIN | ACK, "LAST_ACK", 30 }, { 0, ACK, "TIME_WAIT", 120 },
	};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		cr_assert(steps[i].side ? from(1, TCP(80, 1000, steps[i].flags))
					: from(0, TCP(1000, 80, steps[i].flags)));
		cr_assert_eq(seconds_left(), steps[i].seconds, "step %zu: %d", i, (int)seconds_left());
		cr_assert_str_eq(conns[0].state, steps[i].state);
		cr_assert_eq(!!(conns[0].status & FILTER_CONN_ASSURED), i >= 2);
	}
	/* A new connection with the same ports takes its place. */
	cr_assert(from(0, TCP(1000, 80, SYN)));
	cr_assert_eq(seconds_left(), 120);
	cr_assert_str_eq(conns[0].state, "SYN_SENT");
}

Test(filter_conn, tcp_resets_end_it)
{
	from(0, TCP(1000, 80, SYN));
	cr_assert(from(1, TCP(80, 1000, RST | ACK)), "the refusal itself comes through");
	cr_assert_eq(walk(), 0);
	from(0, TCP(1000, 80, SYN));
	from(1, TCP(80, 1000, SYN | ACK));
	from(0, TCP(1000, 80, ACK));
	cr_assert(from(1, TCP(80, 1000, RST)));
	cr_assert_eq(seconds_left(), 10);
	cr_assert_str_eq(conns[0].state, "CLOSE");
}

Test(filter_conn, tcp_segments_out_of_place_are_invalid)
{
	cr_assert(!from(0, TCP(1000, 80, SYN | ACK)));
	cr_assert(!from(0, TCP(1000, 80, FIN | ACK)));
	cr_assert(!from(0, TCP(1000, 80, SYN | FIN)));
	cr_assert(!from(0, TCP(1000, 80, 0)));
	cr_assert(!from(0, TCP(1000, 80, RST)));
	cr_assert_eq(walk(), 0);
	from(0, TCP(1000, 80, SYN));
	cr_assert(!from(0, TCP(1000, 80, FIN | ACK)));
	/* A connection that began before we did is picked up. */
	cr_assert(from(0, TCP(1001, 80, ACK)));
	cr_assert_eq(walk(), 2);
	cr_assert_str_eq(conns[1].state, "ESTABLISHED");
}

Test(filter_conn, tcp_opened_from_both_ends)
{
	wire_rules(w->s, false, "*filter\n:FORWARD DROP [0:0]\n"
		   "-A FORWARD -m state --state NEW,ESTABLISHED -j ACCEPT\nCOMMIT\n");
	cr_assert(from(0, TCP(1000, 80, SYN)));
	cr_assert(from(1, TCP(80, 1000, SYN)));
	cr_assert_eq(walk(), 1);
	cr_assert_str_eq(conns[0].state, "SYN_SENT2");
	cr_assert(from(0, TCP(1000, 80, SYN | ACK)));
	cr_assert(from(1, TCP(80, 1000, ACK)));
	cr_assert_eq(walk(), 1);
	cr_assert_str_eq(conns[0].state, "SYN_RECV");
}

Test(filter_conn, echo_replies_need_a_request)
{
	cr_assert(!from(1, ECHO(0, 7)));
	cr_assert(from(0, ECHO(8, 7)));
	cr_assert(from(1, ECHO(0, 7)));
	cr_assert(!from(1, ECHO(0, 8)));
	cr_assert_eq(seconds_left(), 30);
}

static struct wire_pkt error_about(struct wire_pkt about, uint8_t *buf)
{
	struct wire_pkt e = { .src = "10.0.1.9", .dst = "10.0.0.2", .proto = IP_PROTO_ICMP, .type = 3,
			      .code = 3, .raw = buf };

	about.src = "10.0.0.2";
	about.dst = "10.0.1.2";
	e.n = wire_build(&about, buf);
	return e;
}

Test(filter_conn, errors_are_related_to_what_they_quote)
{
	uint8_t buf[200];
	struct wire_pkt e = error_about(UDP(1000, 53), buf);

	cr_assert(!from(1, e), "about nothing we know");
	from(0, UDP(1000, 53));
	cr_assert(from(1, e));
	e.dst = "10.0.0.3";
	cr_assert(!from(1, e), "to somebody else");
	e.dst = "10.0.0.2";
	e.bad_cksum = true;
	cr_assert(!from(1, e), "with a wrong checksum");
	e.bad_cksum = false;
	e.n = 20 + 7;
	cr_assert(!from(1, e), "cut short");
	cr_assert(!from(1, error_about(UDP(1000, 54), buf)));
	cr_assert_eq(walk(), 1, "an error began a connection");
}

Test(filter_conn, dropped_packets_leave_nothing)
{
	struct filter_conn_stats st;

	wire_rules(w->s, false, "*filter\n-A FORWARD -m state --state NEW -p udp -j DROP\nCOMMIT\n");
	for (uint16_t i = 1; i < 100; i++)
		from(0, UDP(i, 53));
	/* Lost on the way for other reasons: nowhere to go, too old. */
	from(0, (struct wire_pkt){ .dst = "99.0.0.1", .proto = IP_PROTO_TCP, .flags = SYN });
	from(0, (struct wire_pkt){ .proto = IP_PROTO_TCP, .flags = SYN, .ttl = 1 });
	filter_conn_stats(w->s, &st);
	cr_assert_eq(st.count, 0, "%u", st.count);
	cr_assert_eq(walk(), 0);
}

Test(filter_conn, a_full_table_gives_up_what_is_not_assured)
{
	struct filter_conn_stats st;

	cr_assert_eq(filter_conn_set_limit(w->s, 0), NS_ERR_INVALID_OPTION_VALUE);
	cr_assert_eq(filter_conn_set_limit(w->s, 10), NS_OK);
	from(0, TCP(1, 80, SYN));
	from(1, TCP(80, 1, SYN | ACK));
	from(0, TCP(1, 80, ACK));
	from(0, TCP(1, 80, ACK));
	for (uint16_t i = 100; i < 150; i++)
		cr_assert(from(0, UDP(i, 53)));
	filter_conn_stats(w->s, &st);
	cr_assert_eq(st.count, 10);
	cr_assert_eq(st.early_drop, 41);
	cr_assert_eq(walk(), 10);
	cr_assert(conns[0].proto == IP_PROTO_TCP && conns[1].src[0].port == 141);
	cr_assert_eq(filter_conn_set_limit(w->s, 1), NS_OK);
	sim_run(w->sim, 60 * NS_PER_SEC);
	cr_assert_eq(walk(), 1);
	cr_assert(!from(0, UDP(1, 53)), "all assured, and yet let by");
	filter_conn_stats(w->s, &st);
	cr_assert_eq(st.drop, 1);
}

Test(filter_conn, a_rule_can_have_packets_not_tracked)
{
	wire_rules(w->s, false, "*raw\n-A PREROUTING -p udp --dport 53 -j NOTRACK\n"
		   "-A PREROUTING -p udp --sport 53 -j CT --notrack\nCOMMIT\n"
		   "*filter\n:FORWARD DROP [0:0]\n-A FORWARD -m state --state UNTRACKED -j ACCEPT\nCOMMIT\n");
	cr_assert(from(0, UDP(1000, 53)));
	cr_assert(from(1, UDP(53, 1000)));
	cr_assert(!from(0, UDP(1000, 54)));
	cr_assert_eq(walk(), 0);
}

Test(filter_conn, what_the_match_asks_for)
{
	static const struct { const char *match; bool passes; } rows[] = {
		{ "--ctdir ORIGINAL", false }, { "--ctdir REPLY", true },
		{ "--ctproto udp", true }, { "! --ctproto udp", false },
		{ "--ctorigsrc 10.0.0.0/24 --ctorigdst 10.0.1.2", true },
		{ "! --ctorigsrc 10.0.0.0/24", false }, { "--ctreplsrc 10.0.0.2", false },
		{ "--ctreplsrc 10.0.1.2 --ctrepldst 10.0.0.2", true },
		{ "--ctorigsrcport 1000 --ctorigdstport 50:60", true },
		{ "--ctorigdstport 54", false }, { "--ctreplsrcport 53 --ctrepldstport :1000", true },
		{ "--ctstatus CONFIRMED", true }, { "--ctstatus ASSURED", false },
		{ "! --ctstatus ASSURED --ctstate ESTABLISHED", true }, { "--ctstate SNAT,DNAT", false },
	};
	char text[300];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		filter_conn_flush(w->s);
		snprintf(text, sizeof(text), "*filter\n:FORWARD DROP [0:0]\n-A FORWARD -i nic1 -j ACCEPT\n"
			 "-A FORWARD -m conntrack %s -j ACCEPT\nCOMMIT\n", rows[i].match);
		wire_rules(w->s, false, text);
		cr_assert(from(0, UDP(1000, 53)));
		cr_assert_eq(from(1, UDP(53, 1000)), rows[i].passes, "%s", rows[i].match);
	}
}

Test(filter_conn, fragments_are_put_together_first)
{
	struct wire_pkt a = UDP(1000, 53), b = { .proto = 17, .frag_off = 1480, .n = 100 };

	a.more = true;
	a.n = 1472;
	a.id = b.id = 5;
	a.no_cksum = true;
	cr_assert(!from(0, a));
	cr_assert(from(0, b));
	cr_assert(got.more && got.frag_off == 0 && got.n == 1472);
	cr_assert(wire_out(w, 1, &got) && got.frag_off == 1480 && !got.more);
	cr_assert_eq(walk(), 1);
	cr_assert_eq(conns[0].bytes[0], 20 + 1480 + 108);
}

Test(filter_conn, flushed_and_cleared)
{
	from(0, UDP(1000, 53));
	cr_assert_eq(walk(), 1);
	filter_conn_flush(w->s);
	cr_assert_eq(walk(), 0);
	cr_assert(!from(1, UDP(53, 1000)));
	from(0, UDP(1000, 53));
	filter_clear(w->s, NET_IPV4);
	cr_assert_eq(walk(), 0);
	cr_assert_eq(filter_conn_set_limit(w->s, 5), NS_ERR_INVALID_ENDPOINT_STATE);
	cr_assert_eq(clock_next(&w->sim->clock), CLOCK_NEVER, "a timer is left");
}

Test(filter_conn, neighbours_are_not_tracked)
{
	struct wire_pkt ns = { "2001:db8::2", "ff02::1:ff00:1", IP_PROTO_ICMPV6, .type = 135, .ttl = 255 };
	struct wire_pkt ping = { "2001:db8::2", "2001:db8::1", IP_PROTO_ICMPV6, .type = 128, .sport = 3 };

	wire_rules(w->s, true, "*filter\n-A INPUT -m state ! --state UNTRACKED -j DROP\nCOMMIT\n");
	wire_in(w, 0, &ns);
	cr_assert_eq(w->s->stats.ip.hook_dropped.value, 0);
	wire_in(w, 0, &ping);
	cr_assert_eq(w->s->stats.ip.hook_dropped.value, 1);
}

Test(filter_conn, an_answer_in_the_packet_that_asked_is_an_answer)
{
	struct wire_pkt p = ECHO(8, 7);

	p.src = "10.0.0.2";
	p.dst = "10.0.0.1";
	wire_rules(w->s, false, "*mangle\n-A PREROUTING -j MARK --set-mark 1\n"
		   "-A OUTPUT -m mark --mark 1 -j DROP\nCOMMIT\n"
		   "*filter\n-A OUTPUT -m state --state NEW -j DROP\nCOMMIT\n");
	wire_in(w, 0, &p);
	cr_assert(wire_out(w, 0, &got));
	cr_assert_eq(walk(), 1);
	cr_assert(conns[0].status & FILTER_CONN_SEEN_REPLY && conns[0].packets[1] == 1);
}
