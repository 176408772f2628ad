/* plugin.c - a shared object that makes socket calls of its own, opened in ways that pass the library by. */
#include <sys/socket.h>
#include <unistd.h>

int plugin_open(void);
int plugin_close(int fd);

int plugin_open(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

int plugin_close(int fd)
{
	return close(fd);
}
