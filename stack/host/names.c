/* Names that files know. */
#include "host/names.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/list.h"

static const struct hash_key key = { { 0x686f737473, 0x7365727669636573 } };

static uint64_t name_hash(const char *name)
{
	char lower[NAMES_TEXT_MAX];
	size_t n = 0;

	for (; name[n] && n < sizeof(lower); n++)
		lower[n] = (char)tolower((unsigned char)name[n]);
	return siphash(&key, lower, n);
}

/* The whole file as text, at most NAMES_FILE_MAX of it. */
static char *read_text(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0, room = 4096;
	char *text = malloc(room + 1);
	ssize_t r = 0;

	while (text && fd >= 0 && n < NAMES_FILE_MAX && (r = read(fd, text + n, room - n)) > 0) {
		char *more;

		n += (size_t)r;
		if (n < room)
			continue;
		room *= 2;
		more = realloc(text, room + 1);
		if (!more)
			break;
		text = more;
	}
	if (fd >= 0)
		close(fd);
	if (text)
		text[n] = '\0';
	return text;
}

/* How many words there may be: room for the tables. */
static size_t count_words(const char *text)
{
	size_t n = 0;

	for (bool in = false; *text; text++) {
		bool space = isspace((unsigned char)*text);

		n += !space && !in;
		in = !space;
	}
	return n;
}

static char *next_word(char **line)
{
	char *w;

	do
		w = strsep(line, " \t\r");
	while (w && !*w);
	return w;
}

static void add_hosts(struct names *n)
{
	char *text = n->hosts_text, *line;
	size_t used = 0;

	while ((line = strsep(&text, "\n")) != NULL) {
		const char *canonical = NULL;
		struct addr addr;
		char *w;

		line[strcspn(line, "#")] = '\0';
		w = next_word(&line);
		if (!w || !addr_parse(w, &addr))
			continue;
		while ((w = next_word(&line)) != NULL) {
			struct host_name *h = &n->host[used++];

			canonical = canonical ? canonical : w;
			*h = (struct host_name){ .addr = addr, .name = w, .canonical = canonical };
			htab_insert(&n->hosts, &h->by_name, name_hash(w));
			if (!names_of(n, &addr))
				htab_insert(&n->addrs, &h->by_addr, hash_addr(&key, &addr, 0));
		}
	}
}

static bool parse_port(const char *w, uint16_t *port, bool *tcp)
{
	char *end;
	unsigned long v = strtoul(w, &end, 10);

	*port = (uint16_t)v;
	*tcp = !strcmp(end, "/tcp");
	return isdigit((unsigned char)*w) && *end == '/' && v <= UINT16_MAX;
}

static void add_services(struct names *n)
{
	char *text = n->services_text, *line;
	size_t used = 0;

	while ((line = strsep(&text, "\n")) != NULL) {
		char *name, *w;
		uint16_t port;
		bool tcp;

		line[strcspn(line, "#")] = '\0';
		name = next_word(&line);
		w = next_word(&line);
		if (!w || !parse_port(w, &port, &tcp))
			continue;
		for (w = name; w; w = next_word(&line)) {
			struct service_name *s = &n->service[used++];

			*s = (struct service_name){ .name = w, .port = port, .tcp = tcp };
			htab_insert(&n->services, &s->by_name, name_hash(w));
		}
	}
}

bool names_init(struct names *n, const char *hosts, const char *services)
{
	memset(n, 0, sizeof(*n));
	htab_init(&n->hosts);
	htab_init(&n->addrs);
	htab_init(&n->services);
	n->hosts_text = read_text(hosts);
	n->services_text = read_text(services);
	if (n->hosts_text && n->services_text) {
		n->host = calloc(count_words(n->hosts_text) + 1, sizeof(*n->host));
		n->service = calloc(count_words(n->services_text) + 1, sizeof(*n->service));
	}
	if (!n->host || !n->service) {
		names_fini(n);
		return false;
	}
	add_hosts(n);
	add_services(n);
	return true;
}

void names_fini(struct names *n)
{
	htab_fini(&n->hosts);
	htab_fini(&n->addrs);
	htab_fini(&n->services);
	free(n->host);
	free(n->service);
	free(n->hosts_text);
	free(n->services_text);
	memset(n, 0, sizeof(*n));
}

/* The table's chains are newest first; entries are to come as they are in the file. */
const struct host_name *names_find(const struct names *n, const char *name, const struct host_name *after)
{
	const struct host_name *best = NULL;

	htab_for_each_match(node, &n->hosts, name_hash(name)) {
		const struct host_name *h = container_of(node, struct host_name, by_name);

		if (!strcasecmp(h->name, name) && (!after || h > after) && (!best || h < best))
			best = h;
	}
	return best;
}

const struct host_name *names_of(const struct names *n, const struct addr *addr)
{
	htab_for_each_match(node, &n->addrs, hash_addr(&key, addr, 0)) {
		const struct host_name *h = container_of(node, struct host_name, by_addr);

		if (addr_equal(&h->addr, addr))
			return h;
	}
	return NULL;
}

int names_port(const struct names *n, const char *service)
{
	int port = -1;

	htab_for_each_match(node, &n->services, name_hash(service)) {
		const struct service_name *s = container_of(node, struct service_name, by_name);

		if (!strcmp(s->name, service) && (port < 0 || s->tcp))
			port = s->port;
	}
	return port;
}
