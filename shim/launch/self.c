/* self.c - where this program itself is. */
#include "launch/self.h"

#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

bool self_directory(char dir[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", dir, PATH_MAX - 1);
	const char *name = (const char *)getauxval(AT_EXECFN);

	if (n > 0)
		dir[n] = '\0';
	else if (!name || !realpath(name, dir))		/* without /proc: as it was started */
		return false;
	*strrchr(dir, '/') = '\0';
	return true;
}
