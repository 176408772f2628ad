/* library.c - finds libsockshim.so. */
#include "launch/library.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "launch/elf.h"
#include "launch/message.h"
#include "launch/self.h"

#ifndef SOCKSHIM_LIBDIR
#define SOCKSHIM_LIBDIR "/usr/local/lib"
#endif

#define NAME "libsockshim.so"

static int check(const char *path)
{
	struct elf elf;
	int rc;

	/* The dynamic linker divides LD_PRELOAD at both and knows no way to quote them. */
	if (strpbrk(path, ": ")) {
		message_error("%s: LD_PRELOAD cannot hold a path with a space or a colon; copy the library elsewhere and use -l",
			      path);
		return -1;
	}
	rc = elf_open(&elf, path);
	if (rc < 0) {
		message_error("%s: cannot be preloaded: %s", path,
			      rc == -ENOEXEC ? "it is no shared object" :
			      rc == -ELIBBAD ? "it is for another kind of machine" : strerror(-rc));
		return -1;
	}
	rc = elf.head.e_type;
	elf_close(&elf);
	if (rc != ET_DYN)
		message_error("%s: cannot be preloaded: it is no shared object", path);
	return rc == ET_DYN ? 0 : -1;
}

int library_find(char path[PATH_MAX], const char *given)
{
	char self[PATH_MAX] = "", tried[PATH_MAX];
	bool known;

	if (given) {
		if (realpath(given, path))
			return check(path);
		message_error("%s: cannot find the library: %s", given, strerror(errno));
		return -1;
	}
	known = self_directory(self);
	for (int i = known ? 0 : 2; i < 3; i++) {
		static const char *const places[] = { "/" NAME, "/../lib/" NAME };

		if (i < 2)
			snprintf(tried, sizeof(tried), "%.4000s%s", self, places[i]);
		else
			snprintf(tried, sizeof(tried), "%s/%s", SOCKSHIM_LIBDIR, NAME);
		if (realpath(tried, path))
			return check(path);
	}
	message_error("cannot find " NAME " beside %s/sockshim, in ../lib from there, or in %s; say where it is with -l",
		      self, SOCKSHIM_LIBDIR);
	return -1;
}
