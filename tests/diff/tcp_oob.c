/* tcp_oob.c - urgent data: MSG_OOB, SIGURG, the mark, in line. */
#include "log.h"

static volatile sig_atomic_t urgent;
static char buf[100];

static void on_urg(int signo)
{
	urgent++;
}

int main(void)
{
	int s[2], mark = -1;

	signal(SIGURG, on_urg);
	connection(s);
	DO(fcntl(s[1], F_SETOWN, getpid()));
	DO(recv(s[1], buf, 1, MSG_OOB));
	DO(send(s[0], "abc", 3, 0));
	DO(send(s[0], "!", 1, MSG_OOB));
	DO(send(s[0], "def", 3, 0));
	POLL(s[1], POLLPRI);
	wait_bytes(s[1], 6);
	printf("signalled: %d\n", urgent > 0);
	DO(recv(s[1], buf, 10, 0));
	DO(ioctl(s[1], SIOCATMARK, &mark));
	printf("at mark: %d\n", mark);
	DO(recv(s[1], buf, 1, MSG_OOB));
	printf("%c\n", buf[0]);
	DO(recv(s[1], buf, 10, 0));
	printf("%.3s\n", buf);
	DO(ioctl(s[1], SIOCATMARK, &mark));
	printf("at mark: %d\n", mark);
	DO(setsockopt(s[1], SOL_SOCKET, SO_OOBINLINE, &(int){ 1 }, sizeof(int)));
	DO(send(s[0], "x", 1, MSG_OOB));
	POLL(s[1], POLLIN);
	DO(recv(s[1], buf, 10, 0));
	printf("%c\n", buf[0]);
	return 0;
}
