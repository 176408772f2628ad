/*
 * Rules as text. What is taken is printed, taken again, and printed the same; what is refused says where
 * and why; either way nothing is left behind. The first byte chooses the family.
 */
#include <stdlib.h>
#include <string.h>

#include "netstack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct printed {
	char *s;
	size_t len;
};

static void must(int ok)
{
	if (!ok)
		abort();
}

static void keep(void *ctx, const char *text, size_t len)
{
	struct printed *p = ctx;

	p->s = malloc(len + 1);
	memcpy(p->s, text, len);
	p->s[len] = '\0';
	p->len = len;
}

static void again(struct stack *s, enum net_index net)
{
	struct printed a = { 0 }, b = { 0 };
	struct filter_error e;

	must(filter_print(s, net, true, keep, &a) == NS_OK);
	if (!a.s)
		return;
	must(filter_load(s, net, a.s, a.len, FILTER_COUNTERS, &e) == NS_OK);
	must(filter_print(s, net, true, keep, &b) == NS_OK);
	must(a.len == b.len && !memcmp(a.s, b.s, a.len));
	free(a.s);
	free(b.s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stack_config c = netstack_config();
	struct filter_error e;
	struct stack *s;
	enum net_index net;
	enum ns_err err;
	char *text;

	if (!size)
		return 0;
	net = data[0] & 1 ? NET_IPV6 : NET_IPV4;
	must(stack_new(&c, &s) == NS_OK);
	text = malloc(size);		/* of its very size: reads beyond are seen */
	memcpy(text, data + 1, size - 1);
	err = filter_load(s, net, text, size - 1, FILTER_COUNTERS, &e);
	if (err == NS_OK)
		again(s, net);
	else
		must(e.line && e.column && e.text[0] && !s->hooks.state);
	free(text);
	stack_free(s);
	return 0;
}
