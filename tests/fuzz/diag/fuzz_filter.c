/* Filter texts: what parses must compile to a program the kernel's audit accepts. */
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "cli/filter.h"
#include "wire/expr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Names are not looked up while fuzzing. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res)
{
	return EAI_NONAME;
}

struct servent *getservbyname(const char *name, const char *proto)
{
	static struct servent s = { .s_port = 0x5000 };

	return strcmp(name, "http") ? NULL : &s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static _Alignas(4) uint8_t code[1 << 16];
	struct filter_error err;
	struct filter f;
	size_t len;
	char *text;

	text = malloc(size + 1);
	memcpy(text, data, size);
	text[size] = '\0';
	if (filter_parse(text, &f, &err)) {
		if (err.column > strlen(text) || !err.text[0])
			abort();
	} else if (!diag_failed(diag_expr_compile(f.expr, code, sizeof(code), &len)) && len) {
		if (diag_bc_audit(code, len, true))
			abort();
	}
	filter_free(&f);
	free(text);
	return 0;
}
