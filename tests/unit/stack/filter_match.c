/* Matches and plain targets, by packets between two wires: what is forwarded and what is not. */
#include <criterion/criterion.h>

#include "header/icmp.h"
#include "wire.h"

static struct wire *w;
static struct wire_pkt got;

static void setup(void)
{
	w = wire_new();
}

static void teardown(void)
{
	wire_free(w);
}

TestSuite(filter_match, .init = setup, .fini = teardown);

/* Whether a rule of FORWARD that accepts, under a policy that drops, lets @p by. */
static bool passes(const char *match, struct wire_pkt p)
{
	bool six = p.src && strchr(p.src, ':');
	char text[600];

	p.src = p.src ? p.src : "10.0.0.2";
	p.dst = p.dst ? p.dst : "10.0.1.2";
	snprintf(text, sizeof(text), "*filter\n:FORWARD DROP [0:0]\n-A FORWARD %s -j ACCEPT\nCOMMIT\n",
		 match);
	filter_clear(w->s, NET_IPV4);
	wire_rules(w->s, six, text);
	wire_in(w, 0, &p);
	return wire_out(w, 1, &got);
}

#define UDP(...) ((struct wire_pkt){ .proto = IP_PROTO_UDP, __VA_ARGS__ })
#define TCP(...) ((struct wire_pkt){ .proto = IP_PROTO_TCP, __VA_ARGS__ })
#define PING(...) ((struct wire_pkt){ .proto = IP_PROTO_ICMP, __VA_ARGS__ })

Test(filter_match, protocol)
{
	cr_assert(passes("-p udp", UDP(.dport = 1)));
	cr_assert(!passes("-p tcp", UDP(.dport = 1)));
	cr_assert(passes("! -p tcp", UDP(.dport = 1)));
	cr_assert(passes("-p 17", UDP(.dport = 1)));
	cr_assert(passes("-p all", UDP(.dport = 1)));
}

Test(filter_match, addresses_masks_and_negation)
{
	cr_assert(passes("-s 10.0.0.2", UDP()));
	cr_assert(!passes("-s 10.0.0.3", UDP()));
	cr_assert(passes("-s 10.0.0.0/30", UDP()));
	cr_assert(!passes("-s 10.0.0.4/30", UDP()));
	cr_assert(!passes("! -s 10.0.0.0/8", UDP()));
	cr_assert(passes("-d 10.0.1.2 -s 0.0.0.0/0", UDP()));
	cr_assert(passes("-d 10.7.1.2/255.0.255.255", UDP()));
	cr_assert(!passes("-d 10.0.2.2/255.0.255.255", UDP()));
	cr_assert(passes("-s 2001:db8::/64 ! -d 2001:db8::/64",
			 UDP(.src = "2001:db8::2", .dst = "2001:db8:1::2")));
	cr_assert(!passes("-s 2001:db8:1::/64", UDP(.src = "2001:db8::2", .dst = "2001:db8:1::2")));
}

Test(filter_match, interfaces)
{
	cr_assert(passes("-i nic1 -o nic2", UDP()));
	cr_assert(!passes("-i nic2", UDP()));
	cr_assert(!passes("-i nic", UDP()));
	cr_assert(passes("-i nic+", UDP()));
	cr_assert(passes("-i +", UDP()));
	cr_assert(!passes("-i eth+", UDP()));
	cr_assert(passes("! -o nic1", UDP()));
	cr_assert(!passes("! -o nic+", UDP()));
}

Test(filter_match, udp_and_tcp_ports)
{
	cr_assert(passes("-p udp --dport 53", UDP(.dport = 53)));
	cr_assert(!passes("-p udp --dport 53", UDP(.dport = 54)));
	cr_assert(passes("-p udp --sport 1000:2000 --dport :53", UDP(.sport = 2000, .dport = 53)));
	cr_assert(!passes("-p udp --sport 1000:2000", UDP(.sport = 2001)));
	cr_assert(!passes("-p udp ! --dport 53", UDP(.dport = 53)));
	cr_assert(passes("-p tcp --dport 80", TCP(.dport = 80)));
	cr_assert(passes("-p tcp -m multiport --dports 22,80:90", TCP(.dport = 85)));
	cr_assert(!passes("-p tcp -m multiport --dports 22,80:90", TCP(.dport = 91)));
	cr_assert(!passes("-p tcp -m multiport --sports 22,80:90", TCP(.dport = 85)));
	cr_assert(passes("-p udp -m multiport --ports 53", UDP(.sport = 53)));
	cr_assert(!passes("-p udp -m multiport ! --ports 53", UDP(.sport = 53)));
}

Test(filter_match, tcp_flags_and_options)
{
	cr_assert(passes("-p tcp --syn", TCP(.flags = SYN)));
	cr_assert(!passes("-p tcp --syn", TCP(.flags = SYN | ACK)));
	cr_assert(passes("-p tcp ! --syn", TCP(.flags = SYN | ACK)));
	cr_assert(passes("-p tcp --tcp-flags SYN,ACK ACK", TCP(.flags = ACK | PSH)));
	cr_assert(!passes("-p tcp --tcp-flags ALL ACK", TCP(.flags = ACK | PSH)));
	cr_assert(passes("-p tcp ! --tcp-option 2", TCP(.flags = SYN)));
	cr_assert(!passes("-p tcp --tcp-option 2", TCP(.flags = SYN)));
}

Test(filter_match, icmp_types)
{
	cr_assert(passes("-p icmp --icmp-type echo-request", PING(.type = 8)));
	cr_assert(!passes("-p icmp --icmp-type 0", PING(.type = 8)));
	cr_assert(passes("-p icmp --icmp-type any", PING(.type = 8)));
	cr_assert(passes("-p icmp --icmp-type 3/1", PING(.type = 3, .code = 1)));
	cr_assert(!passes("-p icmp --icmp-type 3/1", PING(.type = 3, .code = 2)));
	cr_assert(passes("-p icmp --icmp-type 3", PING(.type = 3, .code = 2)));
	cr_assert(!passes("-p icmp ! --icmp-type 3", PING(.type = 3, .code = 2)));
	cr_assert(passes("-p ipv6-icmp --icmpv6-type echo-request",
			 (struct wire_pkt){ "2001:db8::2", "2001:db8:1::2", IP_PROTO_ICMPV6,
					    .type = 128 }));
}

Test(filter_match, fragments_have_no_ports)
{
	cr_assert(passes("-f", UDP(.frag_off = 1480, .n = 8)));
	cr_assert(!passes("-f", UDP(.more = true, .n = 8)));
	cr_assert(passes("! -f", UDP(.more = true, .n = 8)));
	cr_assert(!passes("-p udp --dport 0:65535", UDP(.frag_off = 1480, .n = 8)));
	cr_assert(passes("-p udp", UDP(.frag_off = 1480, .n = 8)));
}

Test(filter_match, a_header_cut_short_is_dropped_by_who_would_look_at_it)
{
	struct wire_pkt p = { "10.0.0.2", "10.0.1.2", 0xfd, .n = 6 };
	uint8_t bytes[100];
	size_t n = wire_build(&p, bytes);

	bytes[9] = IP_PROTO_TCP;
	ipv4_set_cksum(bytes, 20);
	wire_rules(w->s, false, "*filter\n-A FORWARD -p tcp --dport 1 -j DROP\nCOMMIT\n");
	wire_in_bytes(w, 0, bytes, n);
	cr_assert(!wire_out(w, 1, &got));
	wire_rules(w->s, false, "*filter\n-A FORWARD -p tcp -j ACCEPT\nCOMMIT\n");
	wire_in_bytes(w, 0, bytes, n);
	cr_assert(wire_out(w, 1, &got));
}

Test(filter_match, limit_is_a_token_bucket)
{
	const struct wire_pkt p = { "10.0.0.2", "10.0.1.2", IP_PROTO_UDP, .sport = 1, .dport = 2 };
	int n = 0;

	wire_rules(w->s, false, "*filter\n:FORWARD DROP [0:0]\n"
		   "-A FORWARD -m limit --limit 10/sec --limit-burst 3 -j ACCEPT\nCOMMIT\n");
	for (int i = 0; i < 10; i++) {
		wire_in(w, 0, &p);
		n += wire_out(w, 1, &got);
	}
	cr_assert_eq(n, 3);
	for (int i = 0; i < 50; i++) {
		sim_run(w->sim, 20 * NS_PER_MS);
		wire_in(w, 0, &p);
		n += wire_out(w, 1, &got);
	}
	cr_assert_eq(n, 13, "%d passed in the burst and one second", n);
}

Test(filter_match, marks_go_from_hook_to_hook)
{
	const struct wire_pkt p = { "10.0.0.2", "10.0.1.2", IP_PROTO_UDP, .sport = 1, .dport = 2 };

	wire_rules(w->s, false, "*mangle\n-A PREROUTING -j MARK --set-mark 0x13/0xff\n"
		   "-A PREROUTING -j MARK --or-mark 0x20\nCOMMIT\n"
		   "*filter\n:FORWARD DROP [0:0]\n-A FORWARD -m mark ! --mark 0x33 -j DROP\n"
		   "-A FORWARD -m mark --mark 0x30/0xf0 -j ACCEPT\nCOMMIT\n");
	wire_in(w, 0, &p);
	cr_assert(wire_out(w, 1, &got));
}

Test(filter_match, address_types)
{
	cr_assert(passes("-m addrtype --src-type UNICAST --dst-type UNICAST", UDP()));
	cr_assert(!passes("-m addrtype --dst-type LOCAL", UDP()));
	cr_assert(passes("-m addrtype ! --dst-type LOCAL,BROADCAST", UDP()));
}

Test(filter_match, jumps_gotos_and_returns)
{
	static const char rules[] = "*filter\n:FORWARD DROP [0:0]\n:a - [0:0]\n:b - [0:0]\n"
		"-A FORWARD -j a\n-A FORWARD -p udp --dport 2 -j ACCEPT\n"
		"-A a -p udp --dport 1 -j ACCEPT\n-A a -p udp --dport 2 -j RETURN\n-A a -g b\n"
		"-A a -j ACCEPT\n-A b -p udp --dport 3 -j ACCEPT\nCOMMIT\n";
	struct wire_pkt p = { "10.0.0.2", "10.0.1.2", IP_PROTO_UDP, .sport = 1, .dport = 1 };
	static const bool passed[] = { [1] = true, [2] = true, [3] = true, [4] = false };

	wire_rules(w->s, false, rules);
	for (p.dport = 1; p.dport < 5; p.dport++) {
		wire_in(w, 0, &p);
		cr_assert_eq(wire_out(w, 1, &got), passed[p.dport], "port %d", p.dport);
	}
}

static char printed[4096];

static void keep(void *ctx, const char *text, size_t len)
{
	snprintf(printed, sizeof(printed), "%.*s", (int)len, text);
}

Test(filter_match, rules_and_policies_count_packets_and_bytes)
{
	struct wire_pkt p = { "10.0.0.2", "10.0.1.2", IP_PROTO_UDP, .sport = 1, .dport = 1, .n = 72 };

	wire_rules(w->s, false, "*filter\n:INPUT ACCEPT [10:1000]\n-A FORWARD -p tcp -j DROP\n"
		   "-A FORWARD -p udp\nCOMMIT\n");
	for (int i = 0; i < 3; i++)
		wire_in(w, 0, &p);
	p.dst = "10.0.0.1";
	wire_in(w, 0, &p);
	filter_print(w->s, NET_IPV4, true, keep, NULL);
	cr_assert(strstr(printed, "[3:300] -A FORWARD -p udp\n"), "%s", printed);
	cr_assert(strstr(printed, "[0:0] -A FORWARD -p tcp -j DROP\n"), "%s", printed);
	cr_assert(strstr(printed, ":FORWARD ACCEPT [3:300]\n"), "%s", printed);
	cr_assert(strstr(printed, ":INPUT ACCEPT [11:1100]\n"), "%s", printed);
}

Test(filter_match, owner_is_the_endpoint_that_sends)
{
	struct sim_host *h = container_of(w->sim->hosts.next, struct sim_host, list);
	struct endpoint *mine = sim_udp(h, "10.0.1.1", 1000), *other = sim_udp(h, "10.0.1.1", 1001);

	endpoint_set_cred(mine, 1000, 100);
	endpoint_set_cred(other, 1001, 100);
	wire_rules(w->s, false, "*filter\n-A OUTPUT -m owner --uid-owner 1000 -j DROP\nCOMMIT\n");
	cr_assert_eq(sim_send(mine, "10.0.1.2", 7, "x", 1), NS_ERR_NOT_PERMITTED);
	cr_assert_eq(sim_send(other, "10.0.1.2", 7, "x", 1), NS_OK);
	wire_rules(w->s, false, "*filter\n-A OUTPUT -m owner --gid-owner 50-100 "
		   "! --uid-owner 1001 -j DROP\nCOMMIT\n");
	cr_assert_eq(sim_send(mine, "10.0.1.2", 7, "x", 1), NS_ERR_NOT_PERMITTED);
	cr_assert_eq(sim_send(other, "10.0.1.2", 7, "x", 1), NS_OK);
	endpoint_close(mine);
	endpoint_close(other);
}

/* What a rejected packet is answered with, on the wire it came by. */
static bool rejected(const char *how, struct wire_pkt p)
{
	char text[300];

	snprintf(text, sizeof(text), "*filter\n-A FORWARD %s\nCOMMIT\n", how);
	wire_rules(w->s, p.src && strchr(p.src, ':'), text);
	p.src = p.src ? p.src : "10.0.0.2";
	p.dst = p.dst ? p.dst : "10.0.1.2";
	wire_in(w, 0, &p);
	cr_assert(!wire_out(w, 1, &got), "it was let by");
	return wire_out(w, 0, &got);
}

Test(filter_match, reject_answers_by_icmp)
{
	static const struct { const char *with; int code; } kinds[] = {
		{ "icmp-net-unreachable", 0 }, { "icmp-host-unreachable", 1 },
		{ "icmp-proto-unreachable", 2 }, { "icmp-port-unreachable", 3 },
		{ "icmp-net-prohibited", 9 }, { "icmp-host-prohibited", 10 },
		{ "icmp-admin-prohibited", 13 },
	};
	static const struct { const char *with; int code; } kinds6[] = {
		{ "icmp6-no-route", 0 }, { "icmp6-adm-prohibited", 1 }, { "icmp6-addr-unreachable", 3 },
		{ "icmp6-port-unreachable", 4 }, { "icmp6-policy-fail", 5 }, { "icmp6-reject-route", 6 },
	};
	struct wire_pkt q;
	char how[100];

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		snprintf(how, sizeof(how), "-j REJECT --reject-with %s", kinds[i].with);
		cr_assert(rejected(how, UDP(.sport = 5, .dport = 6, .n = 10)));
		cr_assert(got.proto == IP_PROTO_ICMP && got.type == 3 && got.code == kinds[i].code);
		cr_assert_str_eq(got.dst, "10.0.0.2");
		wire_quoted(&got, &q);
		cr_assert(q.sport == 5 && q.dport == 6 && q.proto == IP_PROTO_UDP);
	}
	for (size_t i = 0; i < sizeof(kinds6) / sizeof(kinds6[0]); i++) {
		snprintf(how, sizeof(how), "-j REJECT --reject-with %s", kinds6[i].with);
		cr_assert(rejected(how, UDP(.src = "2001:db8::2", .dst = "2001:db8:1::2")));
		cr_assert(got.proto == IP_PROTO_ICMPV6 && got.type == 1 && got.code == kinds6[i].code);
	}
	cr_assert(!rejected("-j REJECT", PING(.type = 3)), "an error was answered");
	cr_assert(!rejected("-j REJECT", UDP(.frag_off = 8, .n = 8)));
}

Test(filter_match, reject_answers_by_reset)
{
	static const char how[] = "-p tcp -j REJECT --reject-with tcp-reset";

	cr_assert(rejected(how, TCP(.sport = 5, .dport = 80, .flags = SYN, .seq = 1000)));
	cr_assert(got.proto == IP_PROTO_TCP && got.flags == (RST | ACK));
	cr_assert(got.ack == 1001 && got.seq == 0 && got.sport == 80 && got.dport == 5);
	cr_assert_str_eq(got.src, "10.0.1.2");
	cr_assert_str_eq(got.dst, "10.0.0.2");
	cr_assert(rejected(how, TCP(.sport = 5, .dport = 80, .flags = ACK, .seq = 1, .ack = 77, .n = 9)));
	cr_assert(got.flags == RST && got.seq == 77);
	cr_assert(rejected(how, TCP(.src = "2001:db8::2", .dst = "2001:db8:1::2", .flags = FIN,
				    .seq = 5, .n = 10)));
	cr_assert(got.flags == (RST | ACK) && got.ack == 16);
	cr_assert_str_eq(got.src, "2001:db8:1::2");
	cr_assert(!rejected(how, TCP(.flags = RST)), "a reset was answered");
}

Test(filter_match, what_is_answered_and_rejected_again_ends)
{
	wire_rules(w->s, false, "*filter\n-A INPUT -j REJECT\n-A OUTPUT -j REJECT\nCOMMIT\n");
	wire_in(w, 0, &(struct wire_pkt){ "10.0.0.2", "10.0.0.1", IP_PROTO_UDP, .sport = 1, .dport = 2 });
	cr_assert(!wire_out(w, 0, &got));
	cr_assert_eq(w->s->stats.icmp.v4_dropped.value, 1);
}

Test(filter_match, input_and_output_of_the_stack_itself)
{
	struct wire_pkt ping = { "10.0.0.2", "10.0.0.1", IP_PROTO_ICMP, .sport = 7, .type = 8 };

	wire_rules(w->s, false, "*filter\n-A INPUT -p icmp -j DROP\nCOMMIT\n");
	wire_in(w, 0, &ping);
	cr_assert(!wire_out(w, 0, &got));
	wire_rules(w->s, false, "*filter\n-A OUTPUT -p icmp -j DROP\nCOMMIT\n");
	wire_in(w, 0, &ping);
	cr_assert(!wire_out(w, 0, &got));
	wire_rules(w->s, false, "*raw\n-A PREROUTING -s 10.0.0.2 -j DROP\nCOMMIT\n*filter\nCOMMIT\n");
	wire_in(w, 0, &ping);
	cr_assert(!wire_out(w, 0, &got));
	filter_clear(w->s, NET_IPV4);
	wire_in(w, 0, &ping);
	cr_assert(wire_out(w, 0, &got) && got.type == 0);
	cr_assert_eq(w->s->stats.ip.hook_dropped.value, 3);
}

Test(filter_match, what_the_stack_sends_itself_goes_by_lo)
{
	struct sim_host *h = container_of(w->sim->hosts.next, struct sim_host, list);
	struct endpoint *a = sim_udp(h, "10.0.0.1", 1000), *b = sim_udp(h, "10.0.1.1", 2000);
	char buf[8];

	wire_rules(w->s, false, "*filter\n:INPUT DROP [0:0]\n:OUTPUT DROP [0:0]\n-A OUTPUT -o lo -j ACCEPT\n"
		   "-A INPUT -i lo -j ACCEPT\nCOMMIT\n");
	cr_assert_eq(sim_send(a, "10.0.1.1", 2000, "abc", 3), NS_OK);
	sim_settle(w->sim);
	cr_assert_eq(sim_recv(b, buf, sizeof(buf), NULL, NULL), 3);
	cr_assert_eq(sim_send(b, "10.0.1.2", 2000, "abc", 3), NS_ERR_NOT_PERMITTED);
	wire_in(w, 1, &(struct wire_pkt){ "10.0.1.2", "10.0.1.1", IP_PROTO_UDP, .dport = 2000 });
	cr_assert_eq(sim_recv(b, buf, sizeof(buf), NULL, NULL), -1);
	endpoint_close(a);
	endpoint_close(b);
}
