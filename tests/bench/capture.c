/*
 * Capturing beside others of its kind: sockshim capture, tcpdump -w, and a bare libpcap program, one after the
 * other on a virtual Ethernet that is flooded at the same rate, with the same buffer. Prints, for each size of
 * packet and load, what was dropped and the CPU time per packet captured, medians of some rounds.
 *
 *	capture BUILD_DIR [ROUNDS]		needs root: it makes a network namespace
 *	capture --libpcap IFACE FILE		the bare libpcap program
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pcap/pcap.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SECONDS = 2, BATCH = 32, MAX_ROUNDS = 15, TOOLS = 3, BUFFER_KIB = 2048, WARM_MIB = 2048 };

static const char *const tool_names[TOOLS] = { "sockshim capture", "tcpdump -w", "libpcap" };
static const char *build, *self, *out_file;

struct result {
	double captured, dropped, sent, cpu_ns, drop_share;
};

static pcap_t *bare;

static void bare_stop(int sig)
{
	pcap_breakloop(bare);
}

/* What any program that uses libpcap does, and no more. */
static int bare_libpcap(const char *iface, const char *file)
{
	char error[PCAP_ERRBUF_SIZE];
	struct sigaction act = { .sa_handler = bare_stop };
	struct pcap_stat st = { 0 };
	pcap_dumper_t *d;

	bare = pcap_create(iface, error);
	if (!bare || pcap_set_buffer_size(bare, BUFFER_KIB << 10) || pcap_set_timeout(bare, 1000) ||
	    pcap_set_promisc(bare, 1) || pcap_activate(bare) < 0)
		return 1;
	d = pcap_dump_open(bare, file);
	if (!d)
		return 1;
	sigaction(SIGINT, &act, NULL);
	pcap_loop(bare, -1, pcap_dump, (u_char *)d);
	pcap_stats(bare, &st);
	pcap_dump_close(d);
	fprintf(stderr, "%u packets received by filter\n%u packets dropped by kernel\n", st.ps_recv, st.ps_drop);
	return 0;
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Sends for SECONDS at a rate; 0: as fast as it goes. Returns how many went out. */
static double flood(size_t size, double pps)
{
	static uint8_t frame[1514] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5 };
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex("va") };
	struct iovec iov = { frame, size };
	struct mmsghdr m[BATCH] = { 0 };
	int fd = socket(AF_PACKET, SOCK_RAW, 0), one = 1;
	double start = now_s(), t, sent = 0;

	setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one));
	for (int i = 0; i < BATCH; i++) {
		m[i].msg_hdr.msg_name = &to;
		m[i].msg_hdr.msg_namelen = sizeof(to);
		m[i].msg_hdr.msg_iov = &iov;
		m[i].msg_hdr.msg_iovlen = 1;
	}
	while ((t = now_s() - start) < SECONDS) {
		int n = pps == 0 || sent < t * pps ? sendmmsg(fd, m, BATCH, 0) : 0;

		if (n > 0)
			sent += n;
	}
	close(fd);
	return sent;
}

/* Whether somebody captures: packet sockets that run, in this namespace. */
static bool somebody_captures(void)
{
	char line[256];
	int running = 0, iface, proto;
	FILE *f = fopen("/proc/net/packet", "r");

	while (f && fgets(line, sizeof(line), f))
		running |= sscanf(line, "%*s %*d %*d %x %d", (unsigned *)&proto, &iface) == 2 && proto == 3 && iface > 0;
	if (f)
		fclose(f);
	return running;
}

static pid_t start_tool(int tool, int err_fd)
{
	pid_t pid = fork();
	char kib[16], command[512];

	if (pid)
		return pid;
	dup2(err_fd, STDERR_FILENO);
	signal(SIGINT, SIG_DFL);	/* ignored in what a script runs in the background */
	snprintf(kib, sizeof(kib), "%d", BUFFER_KIB);
	snprintf(command, sizeof(command), "%s/sockshim", build);
	if (tool == 0)
		execl(command, "sockshim", "capture", "-i", "vb", "-B", kib, "-w", out_file, NULL);
	else if (tool == 1)
		execlp("tcpdump", "tcpdump", "-i", "vb", "-B", kib, "-Z", "root", "-w", out_file, NULL);
	else
		execl(self, "capture", "--libpcap", "vb", out_file, NULL);
	_exit(127);
}

/* Reads "N packets ..." out of what a tool said: the number before a word. */
static double number_before(const char *text, const char *word)
{
	const char *p = strstr(text, word);

	while (p && p > text && (p[-1] < '0' || p[-1] > '9'))
		p--;
	while (p && p > text && p[-1] >= '0' && p[-1] <= '9')
		p--;
	return p ? atof(p) : -1;
}

static bool measure(int tool, size_t size, double pps, struct result *r)
{
	char said[4096] = "";
	int fds[2], status;
	struct rusage ru;
	double received;
	ssize_t n;
	pid_t pid;

	if (pipe(fds))
		return false;
	pid = start_tool(tool, fds[1]);
	close(fds[1]);
	for (int i = 0; i < 500 && !somebody_captures(); i++)
		usleep(10000);
	usleep(100000);
	r->sent = flood(size, pps);
	usleep(1200000);	/* longer than their block timeouts */
	kill(pid, SIGINT);
	for (size_t at = 0; (n = read(fds[0], said + at, sizeof(said) - 1 - at)) > 0; at += (size_t)n)
		;
	close(fds[0]);
	if (wait4(pid, &status, 0, &ru) != pid || status) {
		fprintf(stderr, "%s failed: %s\n", tool_names[tool], said);
		return false;
	}
	unlink(out_file);
	received = number_before(said, tool == 0 ? " passed the filter" : " packets received");
	r->dropped = number_before(said, tool == 0 ? " dropped" : " packets dropped");
	r->captured = received - r->dropped;
	r->cpu_ns = ((double)ru.ru_utime.tv_sec + (double)ru.ru_stime.tv_sec) * 1e9 +
		    ((double)ru.ru_utime.tv_usec + (double)ru.ru_stime.tv_usec) * 1e3;
	r->cpu_ns /= r->captured;
	r->drop_share = r->dropped / r->sent;
	return r->captured > 0;
}

static int by_value(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;

	return d < 0 ? -1 : d > 0;
}

static double median(double *v, int n)
{
	qsort(v, (size_t)n, sizeof(*v), by_value);
	return v[n / 2];
}

/* Pages of a virtual machine that were never touched are slow the first time: whoever comes first would pay. */
static void warm_memory(void)
{
	static char zeros[1 << 20];
	int fd = open(out_file, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	memset(zeros, 1, sizeof(zeros));
	for (int i = 0; fd >= 0 && i < WARM_MIB && write(fd, zeros, sizeof(zeros)) > 0; i++)
		;
	close(fd);
	unlink(out_file);
}

static void compare(size_t size, double pps, int rounds)
{
	static double cpu[TOOLS][MAX_ROUNDS], drop[TOOLS][MAX_ROUNDS], ratio[TOOLS][MAX_ROUNDS];
	double sent = 0;

	for (int i = 0; i < rounds; i++) {
		for (int k = 0; k < TOOLS; k++) {
			struct result r = { 0 };
			int t = (i + k) % TOOLS;

			if (!measure(t, size, pps, &r))
				exit(1);
			cpu[t][i] = r.cpu_ns;
			drop[t][i] = r.drop_share * 100;
			sent += r.sent;
		}
		for (int t = 0; t < TOOLS; t++)
			ratio[t][i] = cpu[0][i] / cpu[t][i];
	}
	for (int t = 0; t < TOOLS; t++)
		printf("%5zu bytes  %7.0f/s  %-17s  dropped %6.2f%%  CPU %5.0f ns a packet  ours/its %.2f\n", size,
		       sent / (rounds * TOOLS * SECONDS), tool_names[t], median(drop[t], rounds), median(cpu[t], rounds),
		       median(ratio[t], rounds));
	fflush(stdout);
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? atoi(argv[2]) : 3;
	char path[4096];

	if (argc == 4 && !strcmp(argv[1], "--libpcap"))
		return bare_libpcap(argv[2], argv[3]);
	build = argc > 1 ? argv[1] : "build";
	self = argv[0];
	snprintf(path, sizeof(path), "%s/capture-%d", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp", getpid());
	out_file = path;
	if (rounds < 1 || rounds > MAX_ROUNDS || unshare(CLONE_NEWNET) ||
	    system("ip link add va type veth peer name vb && ip link set va up && ip link set vb up")) {
		fprintf(stderr, "capture: cannot make a network namespace with virtual Ethernets\n");
		return 1;
	}
	warm_memory();
	compare(64, 200000, rounds);
	compare(64, 0, rounds);
	compare(1500, 100000, rounds);
	compare(1500, 0, rounds);
	return 0;
}
