/* target.c - finds the program and looks for what hides it from a preloaded library. */
#include "launch/target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "launch/elf.h"

#define SCRIPT_DEPTH	4	/* as the kernel has it */

static int usable(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) && access(path, X_OK) == 0 ? 0 : -EACCES;
}

int target_find(char path[PATH_MAX], const char *name)
{
	const char *dirs = getenv("PATH");
	int result = -ENOENT;

	if (strchr(name, '/')) {
		snprintf(path, PATH_MAX, "%s", name);
		result = usable(path);
		return result == -ENOTDIR ? -ENOENT : result;
	}
	if (!dirs)
		dirs = "/bin:/usr/bin";
	while (name[0]) {
		size_t n = strcspn(dirs, ":");
		int rc;

		if (snprintf(path, PATH_MAX, "%.*s%s%s", (int)n, dirs, n ? "/" : "./", name) < PATH_MAX) {
			rc = usable(path);
			if (rc == 0)
				return 0;
			if (rc == -EACCES)
				result = -EACCES;
		}
		if (!dirs[n])
			break;
		dirs += n + 1;
	}
	return result;
}

/* The dynamic linker is told (AT_SECURE) when a program gets rights that its user has not. */
static bool is_privileged(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return false;
	if ((st.st_mode & S_ISUID) && st.st_uid != getuid())
		return true;
	if ((st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && st.st_gid != getgid())
		return true;
	return getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0;
}

/* Reads the interpreter of "#!/path arg" into path, and the program for "#!/usr/bin/env prog". Returns
 * whether the file is a script. */
static bool script_interpreter(char path[PATH_MAX])
{
	char line[256], *word, *rest = line + 2;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		return false;
	n = pread(fd, line, sizeof(line) - 1, 0);
	close(fd);
	if (n < 3 || line[0] != '#' || line[1] != '!')
		return false;
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	rest += strspn(rest, " \t");
	word = strsep(&rest, " \t");
	if (!word || !word[0])
		return false;
	snprintf(path, PATH_MAX, "%s", word);
	word = strrchr(path, '/');
	if (word && !strcmp(word, "/env") && rest) {
		char program[PATH_MAX];

		do
			word = strsep(&rest, " \t");
		while (word && (word[0] == '-' || word[0] == '\0' || strchr(word, '=')));
		if (word && target_find(program, word) == 0)
			snprintf(path, PATH_MAX, "%s", program);
	}
	return true;
}

enum target_kind target_kind(const char *path, char culprit[PATH_MAX])
{
	enum target_kind kind = TARGET_SEEN;
	struct elf elf;
	int rc;

	snprintf(culprit, PATH_MAX, "%s", path);
	for (int depth = 0; depth < SCRIPT_DEPTH && script_interpreter(culprit); depth++)
		;
	rc = elf_open(&elf, culprit);
	if (rc == -ELIBBAD)
		return TARGET_FOREIGN;
	if (rc < 0)
		return is_privileged(culprit) ? TARGET_PRIVILEGED : TARGET_SEEN;
	if (is_privileged(culprit))
		kind = TARGET_PRIVILEGED;
	else if (!elf_has_segment(&elf, PT_INTERP))
		kind = TARGET_STATIC;
	else if (elf_section(&elf, ".go.buildinfo") || elf_section(&elf, ".note.go.buildid"))
		kind = TARGET_GO;
	elf_close(&elf);
	return kind;
}

char *target_warning(char *buf, size_t n, enum target_kind kind, const char *culprit)
{
	static const char *const words[TARGET_KINDS] = {
		[TARGET_STATIC] = "is linked statically and does not load libsockshim.so: its own socket calls will not "
				  "be seen, nor rules applied to them; those of dynamic programs that it starts will",
		[TARGET_GO] = "is a Go program, which makes most socket calls without libc: only those of its C parts and "
			      "libc's name look-ups will be seen, and rules apply to no others",
		[TARGET_PRIVILEGED] = "gets rights that you do not have (set-user-ID, set-group-ID or capabilities), so the "
				      "dynamic linker ignores libsockshim.so: nothing of it will be seen; run it as the "
				      "user whose rights it gets",
		[TARGET_FOREIGN] = "is for another kind of machine than libsockshim.so (class, byte order or processor): "
				   "the dynamic linker will refuse the library and nothing of it will be seen",
	};

	if (kind == TARGET_SEEN)
		return NULL;
	snprintf(buf, n, "%s %s", culprit, words[kind]);
	return buf;
}
