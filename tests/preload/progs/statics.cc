// statics.cc - C++ statics that hold sockets: made before main, destroyed after it.
#include <cstdio>
#include <stdexcept>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

struct held {
	int fd;

	held() : fd(socket(AF_INET, SOCK_STREAM, 0))
	{
		if (fd < 0)
			throw std::runtime_error("socket");
	}
	~held()
	{
		char c = close(fd) == 0 ? 'y' : 'n';

		if (write(1, &c, 1) != 1)
			_exit(1);
	}
};

held first, second;

held &lazy()
{
	static held h;

	return h;
}

}

int main()
{
	std::vector<std::thread> threads;

	for (int i = 0; i < 8; i++)
		threads.emplace_back([] {
			for (int k = 0; k < 100; k++) {
				int fd[2];

				if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) != 0)
					throw std::runtime_error("socketpair");
				close(fd[0]);
				close(fd[1]);
			}
		});
	for (auto &t : threads)
		t.join();
	try {
		// An exception that passes through frames that call into the library.
		if (listen(-1, 5) != 0)
			throw std::runtime_error("listen");
	} catch (const std::exception &e) {
		std::printf("%s %d %d %d\n", e.what(), first.fd, second.fd, lazy().fd);
	}
	std::fflush(stdout);
	return 0;
}
