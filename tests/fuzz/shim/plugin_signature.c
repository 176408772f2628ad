/* plugin_signature.c - any bytes as a signature, and one that is taken as the call of a function. */
#include <stdlib.h>
#include <string.h>

#include "plugin/plugin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct plugin_facts facts = { .fd = -1, .len = SIZE_MAX, .call = "connect" };
	struct plugin_error err = { .column = 0 };
	struct plugin plugin;
	char *text = malloc(n + 1);
	int r;

	memcpy(text, data, n);
	text[n] = 0;
	r = plugin_check(text, true, &err);
	if (r && (!err.column || !err.text[0] || err.column > strlen(text) + 1))
		abort();
	if (!plugin_check(text, false, &err) && r)
		abort();
	/* getpid takes no arguments, and so takes any. */
	if (!r && plugin_bind(&plugin, "libc.so.6", "getpid", text, true, &err))
		abort();
	if (!r)
		plugin_call(&plugin, &facts);
	free(text);
	return 0;
}
