/* early.c - a dependency whose constructor makes socket calls, before the preloaded library's own runs. */
#include <sys/socket.h>
#include <unistd.h>

int early_fd[2] = { -1, -1 };
int early_errors;

__attribute__((constructor(101))) static void early(void)
{
	char c = 0;
	int s = socket(AF_INET, SOCK_STREAM, 0);

	early_errors += s < 0 || close(s) != 0;
	early_errors += socketpair(AF_UNIX, SOCK_STREAM, 0, early_fd) != 0;
	early_errors += write(early_fd[0], "e", 1) != 1 || read(early_fd[1], &c, 1) != 1 || c != 'e';
}
