/* Translation, by packets between two wires; every packet out has its checksums looked at. */
#include <criterion/criterion.h>

#include "base/byteorder.h"
#include "base/cksum.h"
#include "header/ipv6.h"
#include "wire.h"

static struct wire *w;
static struct wire_pkt got, quoted;

static const char masquerade[] = "*nat\n-A POSTROUTING -o nic2 -j MASQUERADE\nCOMMIT\n";

static void setup(void)
{
	w = wire_new();
}

static void teardown(void)
{
	wire_free(w);
}

TestSuite(filter_nat, .init = setup, .fini = teardown);

/* In on one side; whether something came out on the other. */
static bool from(int side, struct wire_pkt p)
{
	p.src = p.src ? p.src : side ? "10.0.1.2" : "10.0.0.2";
	p.dst = p.dst ? p.dst : side ? "10.0.1.1" : "10.0.1.2";
	wire_in(w, side, &p);
	return wire_out(w, !side, &got);
}

static void is(const char *src, uint16_t sport, const char *dst, uint16_t dport)
{
	cr_assert_str_eq(got.src, src);
	cr_assert_str_eq(got.dst, dst);
	cr_assert(got.sport == sport && got.dport == dport, "%u %u", got.sport, got.dport);
}

static void quotes(const char *src, uint16_t sport, const char *dst, uint16_t dport)
{
	wire_quoted(&got, &quoted);
	cr_assert_str_eq(quoted.src, src);
	cr_assert_str_eq(quoted.dst, dst);
	cr_assert(quoted.sport == sport && quoted.dport == dport);
}

#define UDP(s, d) ((struct wire_pkt){ .proto = IP_PROTO_UDP, .sport = s, .dport = d, .n = 11 })
#define TCP(s, d, f) ((struct wire_pkt){ .proto = IP_PROTO_TCP, .sport = s, .dport = d, .flags = f, .n = 3 })
#define ECHO(t, i) ((struct wire_pkt){ .proto = IP_PROTO_ICMP, .type = t, .sport = i, .n = 8 })

Test(filter_nat, masquerade_there_and_back)
{
	wire_rules(w->s, false, masquerade);
	cr_assert(from(0, UDP(1000, 53)));
	is("10.0.1.1", 1000, "10.0.1.2", 53);
	cr_assert(from(1, UDP(53, 1000)));
	is("10.0.1.2", 53, "10.0.0.2", 1000);
	cr_assert(from(0, TCP(1000, 80, SYN)));
	is("10.0.1.1", 1000, "10.0.1.2", 80);
	cr_assert(from(1, TCP(80, 1000, SYN | ACK)));
	is("10.0.1.2", 80, "10.0.0.2", 1000);
	cr_assert(from(0, ECHO(8, 77)));
	cr_assert(got.sport == 77 && !strcmp(got.src, "10.0.1.1"));
	cr_assert(from(1, ECHO(0, 77)));
	cr_assert(got.sport == 77 && !strcmp(got.dst, "10.0.0.2"));
	cr_assert(!from(1, UDP(53, 1001)), "nobody's");
}

Test(filter_nat, udp_without_checksum_stays_without)
{
	struct wire_pkt p = UDP(1000, 53);

	p.no_cksum = true;
	wire_rules(w->s, false, masquerade);
	cr_assert(from(0, p));
	cr_assert(got.no_cksum);
}

Test(filter_nat, a_wrong_checksum_stays_wrong)
{
	struct wire_pkt p = UDP(1000, 53);
	uint8_t bytes[200];
	size_t n;
	struct pkt *pkt;
	uint16_t sum;

	p.src = "10.0.0.2";
	p.dst = "10.0.1.2";
	p.bad_cksum = true;
	n = wire_build(&p, bytes);
	wire_rules(w->s, false, masquerade);
	wire_in_bytes(w, 0, bytes, n);
	pkt = channel_read(w->link[1]);
	pkt_copy_out(pkt, 0, bytes, n);
	pkt_free(pkt);
	sum = cksum_pseudo(&(struct addr){ .b = { 10, 0, 1, 1 }, .len = 4 },
			   &(struct addr){ .b = { 10, 0, 1, 2 }, .len = 4 }, 17, (uint32_t)n - 20);
	cr_assert_neq(cksum_add(sum, bytes + 20, n - 20), 0xffff);
}

Test(filter_nat, a_port_that_is_taken_becomes_another)
{
	struct wire_pkt a = UDP(1000, 53), b = a, c = ECHO(8, 5), d = c;
	uint16_t port, id;

	b.src = d.src = "10.0.0.3";
	wire_rules(w->s, false, masquerade);
	from(0, a);
	cr_assert(from(0, b));
	port = got.sport;
	cr_assert(port != 1000 && port >= 600 && port < 1024, "%u: privileged ones stay so", port);
	cr_assert(from(1, UDP(53, port)));
	is("10.0.1.2", 53, "10.0.0.3", 1000);
	from(1, UDP(53, 1000));
	is("10.0.1.2", 53, "10.0.0.2", 1000);
	b.dport = 54;
	from(0, b);
	cr_assert_eq(got.sport, port, "it looks the same to all its peers");
	a.sport = b.sport = 40000;
	from(0, a);
	b.dport = 53;
	from(0, b);
	cr_assert(got.sport >= 1024 && got.sport != 40000);
	from(0, c);
	from(0, d);
	id = got.sport;
	cr_assert_neq(id, 5);
	cr_assert(from(1, ECHO(0, id)));
	cr_assert(got.sport == 5 && !strcmp(got.dst, "10.0.0.3"));
}

Test(filter_nat, snat_keeps_to_its_ports_and_addresses)
{
	bool seen[3] = { false };

	sim_addr(w->nic[1], "10.0.1.5/24");
	wire_rules(w->s, false, "*nat\n-A POSTROUTING -p udp -j SNAT --to-source 10.0.1.5:100-102\nCOMMIT\n");
	for (uint16_t i = 0; i < 3; i++) {
		cr_assert(from(0, UDP((uint16_t)(5000 + i), 53)));
		cr_assert(got.sport >= 100 && got.sport <= 102 && !strcmp(got.src, "10.0.1.5"));
		seen[got.sport - 100] = true;
	}
	cr_assert(seen[0] && seen[1] && seen[2], "a port was used twice");
	cr_assert(!from(0, UDP(6000, 53)), "out of ports, and let by");
	cr_assert(from(0, UDP(6000, 54)), "to another port they are free");
	wire_rules(w->s, false, "*nat\n-A POSTROUTING -j SNAT --to-source 10.0.1.5-10.0.1.8\nCOMMIT\n");
	filter_conn_flush(w->s);
	for (uint16_t i = 0; i < 20; i++) {
		cr_assert(from(0, UDP(7000, (uint16_t)(i + 1))));
		cr_assert(got.text[0][strlen(got.text[0]) - 1] >= '5' &&
			  got.text[0][strlen(got.text[0]) - 1] <= '8');
	}
}

Test(filter_nat, random_ports_are_not_the_ones_that_were)
{
	int same = 0;

	wire_rules(w->s, false, "*nat\n-A POSTROUTING -j MASQUERADE --random\nCOMMIT\n");
	for (uint16_t i = 0; i < 50; i++) {
		cr_assert(from(0, UDP((uint16_t)(20000 + i), 53)));
		same += got.sport == 20000 + i;
	}
	cr_assert_lt(same, 3);
}

Test(filter_nat, dnat_forwards_a_port)
{
	wire_rules(w->s, false, "*nat\n-A PREROUTING -i nic2 -p tcp --dport 80 "
		   "-j DNAT --to-destination 10.0.0.7:8080\n"
		   "-A PREROUTING -i nic2 -p udp --dport 1000:2000 -j DNAT --to-destination 10.0.0.7:3000-4000/1000\n"
		   "COMMIT\n");
	cr_assert(from(1, TCP(5555, 80, SYN)));
	is("10.0.1.2", 5555, "10.0.0.7", 8080);
	cr_assert(from(0, (struct wire_pkt){ .src = "10.0.0.7", .proto = IP_PROTO_TCP, .sport = 8080,
					     .dport = 5555, .flags = SYN | ACK }));
	is("10.0.1.1", 80, "10.0.1.2", 5555);
	cr_assert(from(1, UDP(9, 1500)));
	is("10.0.1.2", 9, "10.0.0.7", 3500);
}

/* An ICMP error about what last came out on @side, from beyond there. */
static bool error_back(int side, const char *src, const char *dst, uint8_t type, uint8_t code)
{
	static uint8_t copy[WIRE_DATA_MAX];
	struct wire_pkt e = { .src = src, .dst = dst, .proto = IP_PROTO_ICMP, .type = type,
			      .code = code, .raw = copy, .n = w->len < 500 ? w->len : 500 };

	memcpy(copy, w->bytes, w->len);
	if (strchr(src, ':'))
		e.proto = IP_PROTO_ICMPV6;
	return from(side, e);
}

Test(filter_nat, errors_come_back_to_who_was_masqueraded)
{
	static const uint16_t proto[3] = { IP_PROTO_UDP, IP_PROTO_TCP, IP_PROTO_ICMP };

	wire_rules(w->s, false, masquerade);
	for (int i = 0; i < 3; i++) {
		struct wire_pkt p = { .src = "10.0.0.2", .dst = "10.0.1.2", .proto = (uint8_t)proto[i],
				      .sport = 1000, .dport = 53, .flags = SYN, .type = 8, .n = 30 };
		struct wire_pkt other = p;

		other.src = "10.0.0.3";
		from(0, other);
		cr_assert(from(0, p));
		cr_assert_neq(got.sport, 1000);
		cr_assert(error_back(1, "10.0.1.2", "10.0.1.1", 3, 3));
		cr_assert(got.type == 3 && got.code == 3);
		cr_assert_str_eq(got.dst, "10.0.0.2");
		cr_assert_str_eq(got.src, "10.0.1.2");
		wire_quoted(&got, &quoted);
		cr_assert_str_eq(quoted.src, "10.0.0.2");
		cr_assert_str_eq(quoted.dst, "10.0.1.2");
		cr_assert_eq(quoted.sport, 1000);
		cr_assert_eq(quoted.n, 30);
	}
}

Test(filter_nat, errors_about_forwarded_ports_show_the_port_that_was_asked)
{
	wire_rules(w->s, false, "*nat\n-A PREROUTING -i nic2 -p udp --dport 80 "
		   "-j DNAT --to-destination 10.0.0.7:8080\nCOMMIT\n");
	cr_assert(from(1, UDP(5555, 80)));
	cr_assert(error_back(0, "10.0.0.7", "10.0.1.2", 3, 3));
	cr_assert_str_eq(got.src, "10.0.1.1");
	quotes("10.0.1.2", 5555, "10.0.1.1", 80);
	/* One that we send ourselves, too: the packet was already on its way to 10.0.0.7. */
	cr_assert(!from(1, (struct wire_pkt){ .proto = IP_PROTO_UDP, .sport = 7777, .dport = 80, .ttl = 1,
					      .n = 20 }));
	cr_assert(wire_out(w, 1, &got));
	cr_assert(got.type == 11);
	quotes("10.0.1.2", 7777, "10.0.1.1", 80);
}

Test(filter_nat, rejections_show_the_address_that_was_asked)
{
	wire_rules(w->s, false, "*nat\n-A PREROUTING -i nic2 -p tcp --dport 80 "
		   "-j DNAT --to-destination 10.0.0.7:8080\n-A PREROUTING -i nic2 -p udp --dport 80 "
		   "-j DNAT --to-destination 10.0.0.7:8080\nCOMMIT\n"
		   "*filter\n-A FORWARD -p tcp -j REJECT --reject-with tcp-reset\n"
		   "-A FORWARD -p udp -j REJECT\nCOMMIT\n");
	cr_assert(!from(1, TCP(5555, 80, SYN)));
	cr_assert(wire_out(w, 1, &got));
	is("10.0.1.1", 80, "10.0.1.2", 5555);
	cr_assert_eq(got.flags, RST | ACK);
	cr_assert(!from(1, UDP(5555, 80)));
	cr_assert(wire_out(w, 1, &got));
	cr_assert(got.type == 3 && !strcmp(got.src, "10.0.1.1"), "%s", got.src);
	quotes("10.0.1.2", 5555, "10.0.1.1", 80);
}

Test(filter_nat, fragments_of_a_datagram_are_translated_as_one)
{
	struct wire_pkt p = { .src = "10.0.0.2", .dst = "10.0.1.2", .proto = IP_PROTO_UDP, .sport = 1000,
			      .dport = 53, .n = 3000 };
	uint8_t whole[4000], out[4000];
	size_t n = wire_build(&p, whole) - 20, at = 0;

	wire_rules(w->s, false, masquerade);
	for (size_t off = 0; off < n; off += 1480) {
		uint8_t bytes[1600];
		struct ipv4_hdr h;
		size_t len = n - off < 1480 ? n - off : 1480;

		cr_assert(ipv4_parse(&h, whole, n + 20));
		h.total_len = (uint16_t)(20 + len);
		h.frag_off = (uint16_t)off;
		h.more_fragments = off + len < n;
		h.id = 99;
		ipv4_emit(&h, bytes);
		memcpy(bytes + 20, whole + 20 + off, len);
		wire_in_bytes(w, 0, bytes, 20 + len);
	}
	while (wire_out(w, 1, &got)) {
		cr_assert_str_eq(got.src, "10.0.1.1");
		cr_assert_eq(got.frag_off, at);
		memcpy(out + 20 + at, w->bytes + 20, w->len - 20);
		at += w->len - 20;
	}
	cr_assert_eq(at, n);
	cr_assert_eq(cksum_add(cksum_pseudo(&(struct addr){ .b = { 10, 0, 1, 1 }, .len = 4 },
					    &(struct addr){ .b = { 10, 0, 1, 2 }, .len = 4 }, 17, (uint32_t)n),
			       out + 20, n), 0xffff);
	cr_assert_eq(memcmp(out + 28, whole + 28, n - 8), 0);
}

static void in_partial(struct wire_pkt *p, uint8_t gso, uint16_t gso_size)
{
	uint8_t bytes[WIRE_DATA_MAX];
	size_t n = wire_build(p, bytes), hdr = strchr(p->src, ':') ? 40 : 20;
	struct addr src = sim_parse(p->src), dst = sim_parse(p->dst);
	uint16_t sum = cksum_pseudo(&src, &dst, p->proto, (uint32_t)(n - hdr));
	struct pkt *pkt = pkt_from_bytes(w->sim->pool, bytes, n);

	pkt->csum = PKT_CSUM_PARTIAL;
	pkt->csum_start = (uint16_t)(pkt->off + hdr);
	pkt->csum_off = p->proto == IP_PROTO_TCP ? 16 : 6;
	pkt->gso = gso;
	pkt->gso_size = gso_size;
	memcpy(pkt_data(pkt) + hdr + pkt->csum_off, &sum, 2);
	channel_inject(w->link[0], pkt);
	sim_settle(w->sim);
}

Test(filter_nat, checksums_that_the_link_is_to_finish)
{
	struct wire_pkt p = { .src = "10.0.0.2", .dst = "10.0.1.2", .proto = IP_PROTO_UDP, .sport = 1000,
			      .dport = 53, .n = 100 };

	wire_rules(w->s, false, masquerade);
	in_partial(&p, 0, 0);
	cr_assert(wire_out(w, 1, &got));
	is("10.0.1.1", 1000, "10.0.1.2", 53);
	p.src = "10.0.0.3";
	in_partial(&p, 0, 0);
	cr_assert(wire_out(w, 1, &got));
	cr_assert_neq(got.sport, 1000);
}

Test(filter_nat, super_segments)
{
	struct wire_pkt p = { .src = "10.0.0.2", .dst = "10.0.1.2", .proto = IP_PROTO_TCP, .sport = 1000,
			      .dport = 80, .flags = ACK, .seq = 100, .n = 5000 };
	size_t total = 0;

	wire_rules(w->s, false, masquerade);
	from(0, (struct wire_pkt){ .src = "10.0.0.3", .proto = IP_PROTO_TCP, .sport = 1000,
				   .dport = 80, .flags = ACK });
	in_partial(&p, PKT_GSO_TCP4, 1400);
	while (wire_out(w, 1, &got)) {
		cr_assert_str_eq(got.src, "10.0.1.1");
		cr_assert(got.sport != 1000 && got.seq == 100 + total);
		total += got.n;
	}
	cr_assert_eq(total, 5000);
}

Test(filter_nat, redirect_brings_it_to_this_stack)
{
	struct sim_host *h = container_of(w->sim->hosts.next, struct sim_host, list);
	struct endpoint *ep = sim_udp(h, "", 5353);
	struct full_addr peer;
	char buf[64];

	wire_rules(w->s, false, "*nat\n-A PREROUTING -p udp --dport 53 -j REDIRECT --to-ports 5353\nCOMMIT\n");
	cr_assert(!from(0, UDP(1000, 53)));
	cr_assert_eq(sim_recv(ep, buf, sizeof(buf), &peer, NULL), 11);
	cr_assert_eq(peer.port, 1000);
	/* The same ports to another host: the one that is told apart by a source port of our choosing. */
	cr_assert(!from(0, (struct wire_pkt){ .dst = "10.0.1.3", .proto = IP_PROTO_UDP, .sport = 1000,
					      .dport = 53, .n = 4 }));
	cr_assert_eq(sim_recv(ep, buf, sizeof(buf), &peer, NULL), 4);
	cr_assert_neq(peer.port, 1000);
	cr_assert_eq(sim_send(ep, "10.0.0.2", peer.port, "abc", 3), NS_OK);
	cr_assert(wire_out(w, 0, &got));
	is("10.0.1.3", 53, "10.0.0.2", 1000);
	cr_assert_eq(sim_send(ep, "10.0.0.2", 1000, "abc", 3), NS_OK);
	cr_assert(wire_out(w, 0, &got));
	is("10.0.1.2", 53, "10.0.0.2", 1000);
	endpoint_close(ep);
}

Test(filter_nat, what_we_send_can_be_sent_elsewhere)
{
	struct sim_host *h = container_of(w->sim->hosts.next, struct sim_host, list);
	struct endpoint *ep = sim_udp(h, "10.0.1.1", 1000), *local = sim_udp(h, "", 5353);
	struct full_addr peer;
	char buf[64];

	wire_rules(w->s, false, "*nat\n-A OUTPUT -d 10.0.1.2 -p udp -j DNAT --to-destination 10.0.0.9:99\n"
		   "-A OUTPUT -d 10.0.1.3 -p udp -j REDIRECT --to-ports 5353\nCOMMIT\n");
	cr_assert_eq(sim_send(ep, "10.0.1.2", 53, "abc", 3), NS_OK);
	cr_assert(!wire_out(w, 1, &got), "it took the old way");
	cr_assert(wire_out(w, 0, &got));
	is("10.0.1.1", 1000, "10.0.0.9", 99);
	from(0, (struct wire_pkt){ .src = "10.0.0.9", .dst = "10.0.1.1", .proto = IP_PROTO_UDP,
				   .sport = 99, .dport = 1000, .n = 5 });
	cr_assert_eq(sim_recv(ep, buf, sizeof(buf), &peer, NULL), 5);
	cr_assert(peer.port == 53 && peer.addr.b[2] == 1 && peer.addr.b[3] == 2);

	cr_assert_eq(sim_send(ep, "10.0.1.3", 53, "abcd", 4), NS_OK);
	sim_settle(w->sim);
	cr_assert_eq(sim_recv(local, buf, sizeof(buf), &peer, NULL), 4);
	cr_assert_eq(peer.port, 1000);
	cr_assert_eq(sim_send(local, "10.0.1.1", 1000, "xy", 2), NS_OK);
	sim_settle(w->sim);
	cr_assert_eq(sim_recv(ep, buf, sizeof(buf), &peer, NULL), 2);
	cr_assert(peer.port == 53 && peer.addr.b[3] == 3, "%u", peer.port);
	endpoint_close(ep);
	endpoint_close(local);
}

Test(filter_nat, masquerading_ends_with_its_address)
{
	const struct addr a = { .b = { 10, 0, 1, 1 }, .len = 4 };
	struct addr_prefix other = { { .b = { 10, 0, 1, 5 }, .len = 4 }, 24 };

	wire_rules(w->s, false, masquerade);
	cr_assert(from(0, UDP(1000, 53)));
	cr_assert_eq(nic_add_addr(w->nic[1], &other, ADDR_MANUAL, NULL), NS_OK);
	cr_assert_eq(nic_remove_addr(w->nic[1], &a), NS_OK);
	cr_assert(!from(0, UDP(1000, 53)));
	cr_assert(from(0, UDP(1000, 53)));
	is("10.0.1.5", 1000, "10.0.1.2", 53);
}

Test(filter_nat, ipv6_the_same)
{
	struct wire_pkt p = { .src = "2001:db8::2", .dst = "2001:db8:1::2", .proto = IP_PROTO_UDP,
			      .sport = 1000, .dport = 53, .n = 33 }, q = p;

	wire_rules(w->s, true, "*nat\n-A PREROUTING -p tcp -j DNAT --to-destination [2001:db8:1::7]:8080\n"
		   "-A POSTROUTING -o nic2 -p udp -j SNAT --to-source [2001:db8:1::1]:2000-2999\nCOMMIT\n");
	cr_assert(from(0, p));
	cr_assert_str_eq(got.src, "2001:db8:1::1");
	cr_assert(got.sport >= 2000 && got.sport < 3000);
	cr_assert(error_back(1, "2001:db8:1::2", "2001:db8:1::1", 1, 4));
	cr_assert_str_eq(got.dst, "2001:db8::2");
	quotes("2001:db8::2", 1000, "2001:db8:1::2", 53);
	q.src = "2001:db8::3";
	in_partial(&q, 0, 0);
	cr_assert(wire_out(w, 1, &got));
	cr_assert(got.sport >= 2000 && got.sport < 3000);
	p.proto = IP_PROTO_TCP;
	p.flags = SYN;
	cr_assert(from(0, p));
	is("2001:db8::2", 1000, "2001:db8:1::7", 8080);
	p.proto = IP_PROTO_ICMPV6;
	p.type = 128;
	cr_assert(from(0, p));
	cr_assert_str_eq(got.src, "2001:db8::2");
}

Test(filter_nat, ipv6_fragments_are_put_together_and_cut_again)
{
	struct wire_pkt p = { .src = "2001:db8::2", .dst = "2001:db8:1::2", .proto = IP_PROTO_UDP,
			      .sport = 1000, .dport = 53, .n = 2000 };
	uint8_t whole[3000], frag[1600], out[3000];
	size_t n = wire_build(&p, whole) - 40, at = 0;
	struct addr src = sim_parse("2001:db8:1::1"), dst = sim_parse("2001:db8:1::2");

	wire_rules(w->s, true, masquerade);
	for (size_t off = 0; off < n; off += 1448) {
		size_t len = n - off < 1448 ? n - off : 1448;
		struct ipv6_frag f = { .next = 17, .off = (uint16_t)off, .more = off + len < n, .id = 5 };

		memcpy(frag, whole, 40);
		frag[6] = 44;
		be16_store(frag + 4, (uint16_t)(8 + len));
		ipv6_frag_emit(&f, frag + 40);
		memcpy(frag + 48, whole + 40 + off, len);
		wire_in_bytes(w, 0, frag, 48 + len);
	}
	while (wire_out(w, 1, &got)) {
		cr_assert_str_eq(got.src, "2001:db8:1::1");
		cr_assert_eq(got.proto, 44);
		memcpy(out + at, w->bytes + 48, w->len - 48);
		at += w->len - 48;
	}
	cr_assert_eq(at, n, "%zu", at);
	cr_assert_eq(cksum_add(cksum_pseudo(&src, &dst, 17, (uint32_t)n), out, n), 0xffff);
}
