/*
 * The same rules in the kernel and in the stack, each a router between two wires, and the same packets
 * through both: what comes out must be the same. What the packets are is chosen by a seed.
 *
 *	filtered [-s SEED] [-n PACKETS] [-v]
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "header/icmp.h"
#include "rig.h"
#include "wire.h"

enum { OUT_MAX = 8, LINE = 400 };

/** struct rules - @six: of ip6tables */
struct rules {
	const char *name;
	bool six;
	const char *text;
};

#define STATEFUL "-A FORWARD -m conntrack --ctstate INVALID -j DROP\n-A FORWARD -i nic1 -j ACCEPT\n" \
	"-A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT\n"

/* The router's own TCP is not compared: only one of the two has any. */
#define END "-A INPUT -p tcp -j DROP\nCOMMIT\n"

static const struct rules all_rules[] = {
	{ "plain", false, "*filter\n:FORWARD DROP [0:0]\n-A FORWARD -p udp -m multiport --dports 50053,50080 -j ACCEPT\n"
	  "-A FORWARD -p tcp ! --syn -j ACCEPT\n-A FORWARD -s 10.0.0.2 -j ACCEPT\n"
	  "-A FORWARD -p icmp --icmp-type echo-request -j ACCEPT\n" END },
	{ "chains", false, "*filter\n:a - [0:0]\n:b - [0:0]\n-A FORWARD -j a\n-A FORWARD -i nic2 -j DROP\n"
	  "-A a -p tcp -g b\n-A a -p udp --sport 41000:41002 -j RETURN\n-A a -p udp -j DROP\n"
	  "-A b -d 10.0.1.2 -j RETURN\n-A b -j ACCEPT\n" END },
	{ "reject", false, "*filter\n-A FORWARD -p tcp -j REJECT --reject-with tcp-reset\n"
	  "-A FORWARD -p udp --dport 50053 -j REJECT --reject-with icmp-admin-prohibited\n"
	  "-A FORWARD -j REJECT\n-A INPUT -p icmp -j REJECT --reject-with icmp-host-prohibited\n" END },
	{ "stateful", false, "*filter\n:FORWARD DROP [0:0]\n" STATEFUL END },
	{ "states", false, "*filter\n:FORWARD DROP [0:0]\n-A FORWARD -m state --state NEW -i nic1 -p tcp --syn -j ACCEPT\n"
	  "-A FORWARD -m state --state NEW -p udp --dport 50053 -j ACCEPT\n"
	  "-A FORWARD -m state --state ESTABLISHED -j ACCEPT\n"
	  "-A FORWARD -m state --state RELATED -j REJECT\n" END },
	{ "untracked", false, "*raw\n-A PREROUTING -p udp -j NOTRACK\nCOMMIT\n"
	  "*filter\n:FORWARD DROP [0:0]\n-A FORWARD -m state --state UNTRACKED -j ACCEPT\n"
	  "-A FORWARD -p tcp -m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT\n" END },
	{ "masquerade", false, "*nat\n-A POSTROUTING -o nic2 -j MASQUERADE\nCOMMIT\n"
	  "*filter\n:FORWARD DROP [0:0]\n" STATEFUL END },
	{ "forwarded ports", false, "*nat\n-A PREROUTING -i nic2 -d 10.0.1.1 -p tcp --dport 50080 -j DNAT --to-destination 10.0.0.2:58080\n"
	  "-A PREROUTING -i nic2 -d 10.0.1.1 -p udp --dport 50053 -j DNAT --to-destination 10.0.0.3\n"
	  "-A POSTROUTING -o nic2 -j MASQUERADE\nCOMMIT\n*filter\n" END },
	{ "both ends", false, "*nat\n-A PREROUTING -i nic1 -d 10.0.1.3 -j DNAT --to-destination 10.0.1.2\n"
	  "-A POSTROUTING -o nic2 -s 10.0.0.2 -j SNAT --to-source 10.0.1.77\nCOMMIT\n"
	  "*filter\n-A FORWARD -m conntrack --ctstate INVALID -j DROP\n"
	  "-A FORWARD -m conntrack --ctstate DNAT -p udp --dport 50080 -j REJECT\n" END },
	{ "translated and rejected", false, "*nat\n-A PREROUTING -i nic2 -d 10.0.1.1 -p tcp -j DNAT --to-destination 10.0.0.2:58080\n"
	  "-A POSTROUTING -o nic2 -j MASQUERADE\nCOMMIT\n"
	  "*filter\n-A FORWARD -i nic2 -p tcp --dport 58080 -j REJECT --reject-with tcp-reset\n"
	  "-A FORWARD -p udp --sport 50080 -j REJECT\n" END },
	{ "marked", false, "*mangle\n-A PREROUTING -p udp -j MARK --set-mark 0x12/0xff\n"
	  "-A PREROUTING -p udp --dport 50080 -j MARK --xor-mark 0x2\nCOMMIT\n"
	  "*filter\n:FORWARD DROP [0:0]\n-A FORWARD -m mark --mark 0x10/0xf0 -m mark ! --mark 0x12 -j ACCEPT\n"
	  "-A FORWARD -p tcp -m conntrack --ctdir ORIGINAL --ctorigsrc 10.0.0.0/31 -j ACCEPT\n"
	  "-A FORWARD -m addrtype --src-type UNICAST -p icmp -j ACCEPT\n" END },
	{ "stateful", true, "*filter\n:FORWARD DROP [0:0]\n" STATEFUL END },
	{ "masquerade", true, "*nat\n-A POSTROUTING -o nic2 -j MASQUERADE\n"
	  "-A PREROUTING -i nic2 -p tcp -d 2001:db8:1::1 --dport 50080 -j DNAT --to-destination [2001:db8::2]:58080\n"
	  "COMMIT\n*filter\n-A FORWARD -m conntrack --ctstate INVALID -j DROP\n" END },
	{ "reject", true, "*filter\n-A FORWARD -p tcp -j REJECT --reject-with tcp-reset\n"
	  "-A FORWARD -p udp --dport 50053 -j REJECT --reject-with icmp6-adm-prohibited\n-A FORWARD -j REJECT\n" END },
};

/** struct outs - what came out of both wires, in words, sorted */
struct outs {
	char line[OUT_MAX][LINE];
	int n;
};

static int tun[2];
static bool verbose;
static struct rand rnd;
/* The last packets that were forwarded, for errors about them. */
static uint8_t recent[8][2048];
static size_t recent_len[8];
static int recent_side[8], nrecent;

static int open_tun(const char *name)
{
	struct ifreq r = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &r)) {
		perror(name);
		exit(1);
	}
	return fd;
}

static void kernel_setup(void)
{
	for (int i = 0; i < 2; i++) {
		char name[8];

		snprintf(name, sizeof(name), "nic%d", i + 1);
		tun[i] = open_tun(name);
		sh("sysctl -qw net.ipv6.conf.%s.accept_dad=0 net.ipv6.conf.%s.addr_gen_mode=1 "
		   "net.ipv4.conf.%s.rp_filter=0", name, name, name);
		sh("ip addr add 10.0.%d.1/24 dev %s; ip addr add 2001:db8:%d::1/64 dev %s nodad",
		   i, name, i, name);
		sh("ip link set %s up", name);
		/* The kernel takes an IPv6 address for its own a moment later, and would forward until then. */
		sh("for i in $(seq 500); do ip -6 route get 2001:db8:%d::1 2>/dev/null | grep -q '^local' && exit 0; "
		   "sleep 0.01; done; exit 1", i);
	}
	sh("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.icmp_ratelimit=0 "
	   "net.ipv6.icmp.ratelimit=0 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.all.send_redirects=0 "
	   "net.ipv4.conf.nic1.send_redirects=0 net.ipv4.conf.nic2.send_redirects=0");
}

static void kernel_rules(const struct rules *r)
{
	static const char flush[] = "*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\nCOMMIT\n"
		"*nat\nCOMMIT\n*mangle\nCOMMIT\n*raw\nCOMMIT\n";
	FILE *p;

	for (int i = 0; i < 2; i++) {
		p = popen(r->six ? "ip6tables-legacy-restore" : "iptables-legacy-restore", "w");
		fputs(i ? r->text : flush, p);
		if (pclose(p)) {
			fprintf(stderr, "%s: iptables-restore failed\n", r->name);
			exit(1);
		}
	}
	/* Windows are not looked at by us, so not by the kernel. */
	if (system("sysctl -qw net.netfilter.nf_conntrack_tcp_be_liberal=1 2>/dev/null"))
		return;
}

static int by_line(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* A port that was chosen on the way is whichever: both choose at random. */
static const char *port(uint16_t port, char buf[8])
{
	static const uint16_t known[] = { 0, 50053, 50080, 58080, 41002, 41003 };

	snprintf(buf, 8, "?");
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i] == port)
			snprintf(buf, 8, "%u", port);
	return buf;
}

static void describe(struct outs *o, int side, const struct wire_pkt *p)
{
	bool icmp = p->proto == IP_PROTO_ICMP || p->proto == IP_PROTO_ICMPV6;
	char *line, a[8], b[8];
	struct wire_pkt q;
	int n;

	if (p->proto == IP_PROTO_ICMPV6 && p->type >= 130 && p->type <= 143)
		return;			/* neighbours and groups: the kernel's own */
	if (p->proto == 0 || o->n == OUT_MAX)
		return;
	line = o->line[o->n++];
	n = snprintf(line, LINE, "nic%d %s > %s proto %u ttl %u", side + 1, p->src, p->dst, p->proto,
		     p->ttl);
	if (icmp && !p->sport && (p->type & 0x77) == 0)
		n += snprintf(line + n, LINE - (size_t)n, " type %u/%u id ?", p->type, p->code);
	else if (icmp)
		n += snprintf(line + n, LINE - (size_t)n, " type %u/%u id %s", p->type, p->code,
			      port(p->sport, a));
	else
		n += snprintf(line + n, LINE - (size_t)n, " ports %s > %s flags %x seq %u ack %u",
			      port(p->sport, a), port(p->dport, b), p->flags,
			      p->proto == IP_PROTO_TCP ? p->seq : 0, p->ack);
	if (p->proto == IP_PROTO_ICMP ? icmpv4_is_error(p->type)
				      : p->proto == IP_PROTO_ICMPV6 && icmpv6_is_error(p->type)) {
		wire_quoted(p, &q);
		icmp = q.proto == IP_PROTO_ICMP || q.proto == IP_PROTO_ICMPV6;
		snprintf(line + n, LINE - (size_t)n, " about %s > %s proto %u ports %s > %s", q.src, q.dst,
			 q.proto, port(q.sport, a), port(icmp ? 0 : q.dport, b));
	} else {
		snprintf(line + n, LINE - (size_t)n, " bytes %zu", p->n);
	}
}

static void finish(struct outs *o)
{
	qsort(o->line, (size_t)o->n, LINE, by_line);
}

static void through_stack(struct wire *w, int side, const uint8_t *p, size_t n, struct outs *o)
{
	struct wire_pkt q;

	o->n = 0;
	wire_in_bytes(w, side, p, n);
	for (int i = 0; i < 2; i++)
		while (wire_out(w, i, &q)) {
			describe(o, i, &q);
			memcpy(recent[nrecent % 8], w->bytes, w->len);
			recent_len[nrecent % 8] = w->len;
			recent_side[nrecent++ % 8] = i;
		}
	finish(o);
}

static void through_kernel(int side, const uint8_t *p, size_t n, int expected, struct outs *o)
{
	struct pollfd fds[2] = { { .fd = tun[0], .events = POLLIN }, { .fd = tun[1], .events = POLLIN } };
	uint8_t buf[4096];
	struct wire_pkt q;
	ssize_t got;

	o->n = 0;
	if (write(tun[side], p, n) != (ssize_t)n)
		perror("tun");
	while (poll(fds, 2, o->n < expected ? 1000 : 1) > 0)
		for (int i = 0; i < 2; i++)
			while ((got = read(tun[i], buf, sizeof(buf))) > 0) {
				wire_apart(buf, (size_t)got, &q);
				describe(o, i, &q);
			}
	finish(o);
}

static uint32_t pick(uint32_t n)
{
	return rand_below(&rnd, n);
}

/* Few hosts and ports, so that packets have to do with one another. */
static void make_packet(struct wire_pkt *p, int side, bool six, char text[2][ADDR_STR_MAX])
{
	static const uint8_t flags[] = { SYN, SYN, SYN | ACK, SYN | ACK, ACK, ACK, ACK | PSH, FIN | ACK,
					 FIN | ACK, RST, RST | ACK, 0, SYN | FIN };
	/* High, where one that is chosen at random is hardly ever one of them. */
	static const uint16_t ports[] = { 50053, 50080, 58080 };
	const char *net = six ? "2001:db8:%u::%u" : "10.0.%u.%u";
	uint32_t near = 2 + pick(2), far = pick(5);
	uint16_t client;

	*p = (struct wire_pkt){ .seq = 1000, .ack = 1000, .ttl = pick(15) ? 64 : 1, .n = pick(20) };
	snprintf(text[0], ADDR_STR_MAX, net, (uint32_t)side, near);
	/* The router itself, or a host on the other side. */
	snprintf(text[1], ADDR_STR_MAX, net, far == 0 ? (uint32_t)side : !(uint32_t)side,
		 far == 0 ? 1 : 2 + far % 2);
	p->src = text[0];
	p->dst = text[1];
	p->proto = (uint8_t[]){ IP_PROTO_UDP, IP_PROTO_TCP, six ? IP_PROTO_ICMPV6 : IP_PROTO_ICMP }[pick(3)];
	/* The inner side's client ports tell its hosts apart: none is ever taken by another. */
	client = (uint16_t)(41000 + (side ? 2 + pick(2) : near));
	p->sport = side && pick(2) ? ports[pick(3)] : client;
	p->dport = p->sport >= 41000 && p->sport < 42000 ? ports[pick(3)] : client;
	if (p->proto == IP_PROTO_TCP)
		p->flags = flags[pick(sizeof(flags))];
	if (p->proto == IP_PROTO_ICMP || p->proto == IP_PROTO_ICMPV6) {
		p->type = pick(2) ? (six ? 128 : 8) : (six ? 129 : 0);
		p->sport = client;
	}
}

/* An error about something that went out lately, from where it went. */
static bool make_error(struct wire_pkt *p, int *side, bool six, char text[2][ADDR_STR_MAX])
{
	struct wire_pkt about;
	int i = (int)pick(8);
	char buf[8];

	if (i >= nrecent || (recent[i][0] >> 4 == 6) != six)
		return false;
	wire_apart(recent[i], recent_len[i], &about);
	if (*port(about.sport, buf) == '?' || (about.proto != IP_PROTO_ICMP &&
	    about.proto != IP_PROTO_ICMPV6 && *port(about.dport, buf) == '?'))
		return false;
	*side = recent_side[i];
	snprintf(text[0], ADDR_STR_MAX, six ? "2001:db8:%d::9" : "10.0.%d.9", *side);
	snprintf(text[1], ADDR_STR_MAX, "%s", about.src);
	*p = (struct wire_pkt){ .src = text[0], .dst = text[1], .ttl = 64,
				.proto = six ? IP_PROTO_ICMPV6 : IP_PROTO_ICMP,
				.type = pick(2) ? (six ? 1 : 3) : (six ? 3 : 11),
				.code = 0, .raw = recent[i], .n = recent_len[i] };
	if (p->type == (six ? 1 : 3))
		p->code = six ? 4 : 3;
	return true;
}

static void show(const char *who, const struct outs *o)
{
	for (int i = 0; i < o->n; i++)
		printf("#   %s: %s\n", who, o->line[i]);
	if (!o->n)
		printf("#   %s: nothing\n", who);
}

static bool same(const struct outs *a, const struct outs *b)
{
	if (a->n != b->n)
		return false;
	for (int i = 0; i < a->n; i++)
		if (strcmp(a->line[i], b->line[i]))
			return false;
	return true;
}

static bool guessed(const struct outs *o)
{
	for (int i = 0; i < o->n; i++)
		if (strchr(o->line[i], '?'))
			return true;
	return false;
}

static void run(const struct rules *r, uint64_t seed, int packets)
{
	struct wire *w = wire_new();
	int differ = 0, passed = 0;

	rnd = (struct rand){ .key = { { seed, (uint64_t)(r - all_rules) } } };
	nrecent = 0;
	kernel_rules(r);
	wire_rules(w->s, r->six, r->text);
	w->s->icmp_limit.per_sec = 0;
	for (int i = 0; i < packets && differ < 5; i++) {
		struct outs ours, kernels, in = { .n = 0 };
		char text[2][ADDR_STR_MAX];
		struct wire_pkt p, seen;
		uint8_t bytes[4096];
		int side = (int)pick(2);
		size_t n;

		if (pick(6) || !make_error(&p, &side, r->six, text))
			make_packet(&p, side, r->six, text);
		n = wire_build(&p, bytes);
		through_stack(w, side, bytes, n, &ours);
		through_kernel(side, bytes, n, ours.n, &kernels);
		passed += ours.n;
		/* From here on the two know different ports: what follows would not be the same. */
		if (guessed(&ours) && guessed(&kernels))
			break;
		if (same(&ours, &kernels) && !verbose)
			continue;
		wire_apart(bytes, n, &seen);
		describe(&in, side, &seen);
		printf("# packet %d\n", i);
		show("in", &in);
		show("stack", &ours);
		show("kernel", &kernels);
		differ += !same(&ours, &kernels);
	}
	result(!differ && passed, "%s, IPv%d: what comes out is what the kernel lets out, seed %llu (%d packets)",
	       r->name, r->six ? 6 : 4, (unsigned long long)seed, passed);
	wire_free(w);
}

/* In a namespace of its own, so that no connection is left from the rules before. */
static void run_apart(const struct rules *r, uint64_t seed, int packets)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (rig_namespace())
			_exit(1);
		kernel_setup();
		run(r, seed, packets);
		fflush(stdout);
		_exit(failures != 0);
	}
	if (waitpid(pid, &status, 0) != pid || status) {
		if (!WIFEXITED(status))
			result(false, "%s: died", r->name);
		failures++;
	}
}

int main(int argc, char **argv)
{
	const char *why = rig_namespace();
	uint64_t seed = 1;
	int packets = 300, c;

	while ((c = getopt(argc, argv, "s:n:v")) != -1) {
		if (c == 's')
			seed = strtoull(optarg, NULL, 10);
		else if (c == 'n')
			packets = atoi(optarg);
		else
			verbose = true;
	}
	if (!why && !have("iptables-legacy-restore"))
		why = "iptables is not installed";
	if (!why && system("iptables-legacy-save -t nat >/dev/null 2>&1 && "
			   "ip6tables-legacy-save -t nat >/dev/null 2>&1"))
		why = "the kernel has no iptables";
	if (why) {
		skip("filtered", why);
		return 0;
	}
	for (size_t i = 0; i < sizeof(all_rules) / sizeof(all_rules[0]); i++)
		for (uint64_t k = 0; k < 3; k++)
			run_apart(&all_rules[i], seed + k, packets);
	return failures != 0;
}
