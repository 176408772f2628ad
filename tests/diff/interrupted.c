/* interrupted.c - signals while calls block: restarted or not; cancellation. */
#include "log.h"
#include <pthread.h>

static char buf[100];
static volatile sig_atomic_t got;

static void on_alarm(int signo)
{
	got++;
}

static void arm(int flags, int ms)
{
	struct sigaction sa = { .sa_handler = on_alarm, .sa_flags = flags };
	struct itimerval t = { .it_value = { 0, ms * 1000 } };

	got = 0;
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &t, NULL);
}

static void *send_later(void *arg)
{
	usleep(150000);
	if (send(*(int *)arg, "late", 4, 0) != 4)
		perror("send");
	return NULL;
}

static void receiving(void)
{
	pthread_t t;
	int s[2];

	puts("- recv");
	connection(s);
	arm(0, 50);
	DO(recv(s[1], buf, 10, 0));
	arm(SA_RESTART, 50);
	pthread_create(&t, NULL, send_later, &s[0]);
	DO(recv(s[1], buf, 10, 0));
	printf("signals %d\n", got);
	pthread_join(t, NULL);
	close(s[0]);
	close(s[1]);
}

static void accepting(void)
{
	int l = listener(1);

	puts("- accept");
	arm(0, 50);
	DO(accept(l, NULL, NULL));
	close(l);
}

static void *wait_for_it(void *arg)
{
	recv(*(int *)arg, buf, 10, 0);
	return NULL;
}

static void *wait_for_connection(void *arg)
{
	accept(*(int *)arg, NULL, NULL);
	return NULL;
}

static void cancelled(void)
{
	pthread_t t;
	void *end;
	int s[2], l = listener(1);

	puts("- cancellation");
	connection(s);
	pthread_create(&t, NULL, wait_for_it, &s[1]);
	usleep(30000);
	DO(pthread_cancel(t));
	pthread_join(t, &end);
	printf("cancelled: %d\n", end == PTHREAD_CANCELED);
	DO(send(s[0], "x", 1, 0));
	DO(recv(s[1], buf, 10, 0));
	close(s[0]);
	close(s[1]);
	pthread_create(&t, NULL, wait_for_connection, &l);
	usleep(30000);
	DO(pthread_cancel(t));
	pthread_join(t, &end);
	printf("cancelled: %d\n", end == PTHREAD_CANCELED);
	close(l);
}

/* A listener that answers no more: its queue is full. Returns its port. */
static int deaf(void)
{
	int l = listener(0), port = port_of(l);
	struct sockaddr_in a = in4("127.0.0.1", port);

	for (int i = 0; i < 8; i++) {
		int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

		connect(s, ADDR(&a), sizeof(a));
		usleep(5000);
	}
	return port;
}

static struct sockaddr_in deaf_addr;

static void *connect_there(void *arg)
{
	connect(*(int *)arg, ADDR(&deaf_addr), sizeof(deaf_addr));
	return NULL;
}

static void connecting(void)
{
	struct timeval tv = { 0, 60000 };
	pthread_t t;
	void *end;
	int s = socket(AF_INET, SOCK_STREAM, 0);

	puts("- connect");
	deaf_addr = in4("127.0.0.1", deaf());
	arm(0, 50);
	DO(connect(s, ADDR(&deaf_addr), sizeof(deaf_addr)));
	nonblocking(s, true);
	DO(connect(s, ADDR(&deaf_addr), sizeof(deaf_addr)));
	POLL(s, 0);
	DO(send(s, "x", 1, MSG_NOSIGNAL));
	DO(recv(s, buf, 1, 0));
	close(s);
	s = socket(AF_INET, SOCK_STREAM, 0);
	DO(setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)));
	DO(connect(s, ADDR(&deaf_addr), sizeof(deaf_addr)));
	DO(connect(s, ADDR(&deaf_addr), sizeof(deaf_addr)));
	close(s);
	s = socket(AF_INET, SOCK_STREAM, 0);
	pthread_create(&t, NULL, connect_there, &s);
	usleep(30000);
	DO(pthread_cancel(t));
	pthread_join(t, &end);
	printf("cancelled: %d\n", end == PTHREAD_CANCELED);
	DO(close(s));
	/* A handler that asks for it has the call go on. */
	s = socket(AF_INET, SOCK_STREAM, 0);
	arm(SA_RESTART, 50);
	pthread_create(&t, NULL, connect_there, &s);
	usleep(120000);
	printf("signals %d, still connecting: %d\n", got, pthread_tryjoin_np(t, &end));
	pthread_cancel(t);
	pthread_join(t, &end);
	close(s);
}

static void *close_later(void *arg)
{
	usleep(50000);
	shutdown(*(int *)arg, SHUT_RDWR);
	return NULL;
}

static void shut_by_another(void)
{
	pthread_t t;
	int s[2];

	puts("- shut down by another thread");
	connection(s);
	pthread_create(&t, NULL, close_later, &s[1]);
	DO(recv(s[1], buf, 10, 0));
	pthread_join(t, NULL);
	close(s[0]);
	close(s[1]);
}

int main(void)
{
	receiving();
	accepting();
	cancelled();
	connecting();
	shut_by_another();
	return 0;
}
