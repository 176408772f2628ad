// threads.cc - a threaded program of clients and servers for the shim to be in front of.
//
//	threads [THREADS [CONNECTIONS]]
// Half of the threads serve, on a port each; the other half connect to all of them in turn and send
// messages of random sizes, of which every byte must come back with one bit flipped. Both sides close every
// connection. Says what was done and exits with 0, or says what was wrong first and exits with 1.
#include <arpa/inet.h>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <random>
#include <sys/socket.h>
#include <sys/uio.h>
#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

static const int messages = 6;
static const size_t message_max = 60000;

static std::atomic<long> connections_served, bytes_verified;
static std::atomic<bool> wrong;

static void must(bool ok, const char *what)
{
	if (!ok)
		throw std::runtime_error(std::string(what) + ": " + strerror(errno));
}

// Each thread does its transfers by other calls, so that all ways in and out are used by somebody.
static void send_all(int fd, const uint8_t *p, size_t n, int way)
{
	while (n > 0) {
		iovec iov[2] = { { (void *)p, n / 2 }, { (void *)(p + n / 2), n - n / 2 } };
		msghdr m = {};
		ssize_t r;

		m.msg_iov = iov;
		m.msg_iovlen = 2;
		switch (way % 4) {
		case 0: r = send(fd, p, n, MSG_NOSIGNAL); break;
		case 1: r = write(fd, p, n); break;
		case 2: r = writev(fd, iov, 2); break;
		default: r = sendmsg(fd, &m, MSG_NOSIGNAL); break;
		}
		if (r < 0 && errno == EINTR)
			continue;
		must(r > 0, "send");
		p += r;
		n -= (size_t)r;
	}
}

// Reads n bytes, or nothing at the end of the stream.
static bool recv_all(int fd, uint8_t *p, size_t n, int way)
{
	size_t got = 0;

	while (got < n) {
		iovec iov[2] = { { p + got, (n - got) / 2 }, { p + got + (n - got) / 2, n - got - (n - got) / 2 } };
		msghdr m = {};
		pollfd poll_for = { fd, POLLIN, 0 };
		ssize_t r;

		m.msg_iov = iov;
		m.msg_iovlen = 2;
		switch (way % 4) {
		case 0: r = recv(fd, p + got, n - got, 0); break;
		case 1: r = read(fd, p + got, n - got); break;
		case 2: r = readv(fd, iov, 2); break;
		default:
			must(poll(&poll_for, 1, 20000) == 1, "poll");
			r = recvmsg(fd, &m, 0);
			break;
		}
		if (r < 0 && errno == EINTR)
			continue;
		must(r >= 0, "recv");
		if (r == 0 && got == 0)
			return false;
		must(r > 0, "recv: the stream ends in a message");
		got += (size_t)r;
	}
	return true;
}

// A length and a message are two small writes, of which the second would wait for the first's acknowledgement.
static void no_delay(int fd)
{
	int on = 1;

	must(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0, "TCP_NODELAY");
}

static void serve(int listener, int number, int connections)
{
	std::vector<uint8_t> data(message_max);

	for (int i = 0; i < connections; i++) {
		int fd = number % 2 ? accept(listener, nullptr, nullptr) : accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
		uint32_t n;

		must(fd >= 0, "accept");
		no_delay(fd);
		while (recv_all(fd, (uint8_t *)&n, sizeof(n), number)) {
			must(n <= message_max, "length");
			must(n == 0 || recv_all(fd, data.data(), n, number), "message");
			for (uint32_t k = 0; k < n; k++)
				data[k] ^= 0x20;
			send_all(fd, data.data(), n, number + 1);
		}
		must(close(fd) == 0, "close");
		connections_served++;
	}
	must(close(listener) == 0, "close");
}

static void talk(int fd, int number, std::mt19937 &random)
{
	std::vector<uint8_t> data(message_max), back(message_max);

	for (int i = 0; i < messages; i++) {
		uint32_t n = (uint32_t)(random() % message_max);

		for (uint32_t k = 0; k < n; k++)
			data[k] = (uint8_t)random();
		send_all(fd, (uint8_t *)&n, sizeof(n), number + 2);
		send_all(fd, data.data(), n, number);
		must(n == 0 || recv_all(fd, back.data(), n, number + 3), "answer");
		for (uint32_t k = 0; k < n; k++)
			must(back[k] == (data[k] ^ 0x20), "a byte is wrong");
		bytes_verified += n;
	}
}

static void be_client(const std::vector<sockaddr_in> &servers, int number, int connections)
{
	std::mt19937 random((unsigned)number);

	for (int i = 0; i < connections; i++) {
		for (const sockaddr_in &a : servers) {
			int fd = socket(AF_INET, SOCK_STREAM, 0);

			must(fd >= 0, "socket");
			must(connect(fd, (const sockaddr *)&a, sizeof(a)) == 0, "connect");
			no_delay(fd);
			talk(fd, number, random);
			must(shutdown(fd, SHUT_WR) == 0, "shutdown");
			must(close(fd) == 0, "close");
		}
	}
}

template <class F> static std::thread start(F f)
{
	return std::thread([f] {
		try {
			f();
		} catch (const std::exception &e) {
			fprintf(stderr, "threads: %s\n", e.what());
			wrong = true;
			_exit(1);	// the others would wait for ever
		}
	});
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 8, connections = argc > 2 ? atoi(argv[2]) : 10;
	int pairs = n / 2;
	std::vector<sockaddr_in> servers;
	std::vector<std::thread> threads;

	for (int i = 0; i < pairs; i++) {
		sockaddr_in a = {};
		socklen_t len = sizeof(a);
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		a.sin_family = AF_INET;
		a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		if (fd < 0 || bind(fd, (sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 64) < 0 ||
		    getsockname(fd, (sockaddr *)&a, &len) < 0) {
			perror("threads");
			return 1;
		}
		servers.push_back(a);
		threads.push_back(start([=] { serve(fd, i, pairs * connections); }));
	}
	for (int i = 0; i < pairs; i++)
		threads.push_back(start([=] { be_client(servers, i, connections); }));
	for (std::thread &t : threads)
		t.join();
	printf("%ld connections, %ld bytes\n", connections_served.load(), bytes_verified.load());
	return wrong;
}
