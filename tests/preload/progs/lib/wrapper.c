/* wrapper.c - another interposer, that hands its calls on to whoever is next. */
#include <dlfcn.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

int wrapper_calls(void);

static int calls;

int wrapper_calls(void)
{
	return calls;
}

int socket(int family, int type, int protocol)
{
	int (*next)(int, int, int) = (int (*)(int, int, int))dlsym(RTLD_NEXT, "socket");

	calls++;
	return next(family, type, protocol);
}

int close(int fd)
{
	int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "close");

	calls++;
	return next(fd);
}
