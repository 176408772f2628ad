/* functions.c - functions that know nothing of sockshim, for the plugin tests to call by a signature.
 * What they are given is kept in `seen`. */
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

struct seen {
	int calls;
	int64_t numbers[16];
	double reals[4];
	char strings[4][64];
	const void *pointers[4];
};

extern struct seen seen;
struct seen seen;

int deny(const char *ip, uint16_t port, int32_t fd);
int all_integers(int8_t a, int16_t b, int32_t c, int64_t d, uint8_t e, uint16_t f, uint32_t g, uint64_t h);
int reals(float a, double b, int32_t c, float d);
int strings(const char *call, const char *host, const char *program);
int addresses(const struct sockaddr *addr, uint32_t len, const void *same);
int outcome(int64_t result, int32_t err);
int buffer(const void *buf, uint64_t len, int32_t flags);
int sixteen(int a, int b, int c, int d, int e, int f, int g, int h, int i, int j, int k, int l, int m, int n, int o,
	    int p);
void nothing(void);
int value(int32_t fd);

int deny(const char *ip, uint16_t port, int32_t fd)
{
	seen.calls++;
	strncpy(seen.strings[0], ip, sizeof(seen.strings[0]) - 1);
	seen.numbers[0] = port;
	seen.numbers[1] = fd;
	return port == 6379 ? 111 : 0;
}

int all_integers(int8_t a, int16_t b, int32_t c, int64_t d, uint8_t e, uint16_t f, uint32_t g, uint64_t h)
{
	int64_t all[] = { a, b, c, d, e, f, g, (int64_t)h };

	memcpy(seen.numbers, all, sizeof(all));
	return 0;
}

int reals(float a, double b, int32_t c, float d)
{
	seen.reals[0] = (double)a;
	seen.reals[1] = b;
	seen.reals[2] = (double)d;
	seen.numbers[0] = c;
	return 0;
}

int strings(const char *call, const char *host, const char *program)
{
	strncpy(seen.strings[0], call, sizeof(seen.strings[0]) - 1);
	strncpy(seen.strings[1], host, sizeof(seen.strings[1]) - 1);
	strncpy(seen.strings[2], program, sizeof(seen.strings[2]) - 1);
	return 0;
}

int addresses(const struct sockaddr *addr, uint32_t len, const void *same)
{
	seen.pointers[0] = addr;
	seen.pointers[1] = same;
	seen.numbers[0] = len;
	return 0;
}

int outcome(int64_t result, int32_t err)
{
	seen.numbers[0] = result;
	seen.numbers[1] = err;
	return 0;
}

int buffer(const void *buf, uint64_t len, int32_t flags)
{
	seen.pointers[0] = buf;
	seen.numbers[0] = (int64_t)len;
	seen.numbers[1] = flags;
	return 0;
}

int sixteen(int a, int b, int c, int d, int e, int f, int g, int h, int i, int j, int k, int l, int m, int n, int o,
	    int p)
{
	int all[] = { a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p };

	for (int x = 0; x < 16; x++)
		seen.numbers[x] = all[x];
	return 0;
}

void nothing(void)
{
	seen.calls++;
}

/* Returns what it is given. */
int value(int32_t fd)
{
	return fd;
}
