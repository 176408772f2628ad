/* Fuzzer of stack specifications: any line, and any text as a file. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(const char *text)
{
	static struct spec s;
	char error[SPEC_ERROR_MAX];
	int err = spec_parse(text, &s, error);

	assert((err != 0) == (error[0] != '\0'));
	assert(memchr(error, '\0', sizeof(error)));
	assert(s.nnics <= SPEC_NICS && s.ndns <= SPEC_DNS);
	for (size_t i = 0; i < s.nnics; i++)
		assert(s.nics[i].naddrs <= SPEC_ADDRS && s.nics[i].nroutes <= SPEC_ROUTES &&
		       s.nics[i].npeers <= SPEC_ADDRS && s.nics[i].ngateways <= SPEC_GATEWAYS);
}

static void parse_as_file(const uint8_t *data, size_t size)
{
	static int fd = -1;
	char path[64];

	if (fd < 0)
		fd = memfd_create("spec", 0);
	assert(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
	snprintf(path, sizeof(path), "@/proc/self/fd/%d", fd);
	parse(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	memcpy(text, data, size);
	text[size] = '\0';
	/* Files only of our own. */
	if (text[0] != '@' && text[0] != '/' && text[0] != '.')
		parse(text);
	parse_as_file(data, size);
	free(text);
	return 0;
}
