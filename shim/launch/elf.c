/* elf.c - reads headers and sections of ELF files. */
#include "launch/elf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTION_MAX	(512u << 20)

static bool read_at(const struct elf *elf, void *buf, size_t n, uint64_t offset)
{
	size_t done = 0;

	if (offset > elf->size || n > elf->size - offset)
		return false;
	while (done < n) {
		ssize_t r = pread(elf->fd, (char *)buf + done, n - done, (off_t)(offset + done));

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return false;
		done += (size_t)r;
	}
	return true;
}

/* Class, byte order and machine of this program are those of the library. */
static int check_ident(const struct elf *elf)
{
	struct elf self;

	if (memcmp(elf->head.e_ident, ELFMAG, SELFMAG) != 0)
		return -ENOEXEC;
	memset(&self, 0, sizeof(self));
	self.fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	self.size = sizeof(self.head);
	if (self.fd < 0 || !read_at(&self, &self.head, sizeof(self.head), 0)) {
		self.head = elf->head;		/* no /proc: the class is all that can be told */
		self.head.e_ident[EI_CLASS] = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;
	}
	if (self.fd >= 0)
		close(self.fd);
	if (elf->head.e_ident[EI_CLASS] != self.head.e_ident[EI_CLASS] ||
	    elf->head.e_ident[EI_DATA] != self.head.e_ident[EI_DATA] ||
	    elf->head.e_machine != self.head.e_machine)
		return -ELIBBAD;
	return 0;
}

/* Sections are a help, not a need: a file without them, or with wrong ones, has none. */
static void read_sections(struct elf *elf)
{
	const ElfW(Shdr) *names;
	size_t bytes = elf->head.e_shnum * sizeof(*elf->sections);

	if (elf->head.e_shentsize != sizeof(*elf->sections) || bytes == 0)
		return;
	elf->sections = malloc(bytes);
	if (!elf->sections || !read_at(elf, elf->sections, bytes, elf->head.e_shoff))
		return;
	if (elf->head.e_shstrndx >= elf->head.e_shnum)
		return;
	elf->n_sections = elf->head.e_shnum;
	names = &elf->sections[elf->head.e_shstrndx];
	elf->names = elf_section_read(elf, names, &elf->names_size);
	if (!elf->names)
		elf->n_sections = 0;
}

int elf_open(struct elf *elf, const char *path)
{
	struct stat st;
	int rc;

	memset(elf, 0, sizeof(*elf));
	elf->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (elf->fd < 0)
		return -errno;
	rc = fstat(elf->fd, &st) < 0 ? -errno : !S_ISREG(st.st_mode) ? -ENOEXEC : 0;
	if (rc == 0) {
		elf->size = (uint64_t)st.st_size;
		rc = read_at(elf, &elf->head, sizeof(elf->head), 0) ? check_ident(elf) : -ENOEXEC;
	}
	if (rc < 0) {
		elf_close(elf);
		return rc;
	}
	read_sections(elf);
	return 0;
}

void elf_close(struct elf *elf)
{
	if (elf->fd >= 0)
		close(elf->fd);
	free(elf->sections);
	free(elf->names);
	memset(elf, 0, sizeof(*elf));
	elf->fd = -1;
}

bool elf_has_segment(const struct elf *elf, uint32_t type)
{
	ElfW(Phdr) p;

	if (elf->head.e_phentsize != sizeof(p))
		return false;
	for (size_t i = 0; i < elf->head.e_phnum; i++)
		if (read_at(elf, &p, sizeof(p), elf->head.e_phoff + i * sizeof(p)) && p.p_type == type)
			return true;
	return false;
}

const ElfW(Shdr) *elf_section(const struct elf *elf, const char *name)
{
	for (size_t i = 0; i < elf->n_sections; i++)
		if (elf->sections[i].sh_name < elf->names_size &&
		    !strcmp(elf->names + elf->sections[i].sh_name, name))
			return &elf->sections[i];
	return NULL;
}

void *elf_section_read(const struct elf *elf, const ElfW(Shdr) *section, size_t *size)
{
	char *bytes;

	if (!section || section->sh_type == SHT_NOBITS || section->sh_size > SECTION_MAX ||
	    section->sh_size > elf->size)
		return NULL;
	bytes = malloc(section->sh_size + 1);
	if (!bytes)
		return NULL;
	if (!read_at(elf, bytes, section->sh_size, section->sh_offset)) {
		free(bytes);
		return NULL;
	}
	bytes[section->sh_size] = '\0';
	*size = section->sh_size;
	return bytes;
}
