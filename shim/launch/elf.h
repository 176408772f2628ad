/* elf.h - reads what is needed of ELF files, which may be damaged: every offset is checked. */
#ifndef SHIM_LAUNCH_ELF_H
#define SHIM_LAUNCH_ELF_H

#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf {
	int fd;
	uint64_t size;
	ElfW(Ehdr) head;
	ElfW(Shdr) *sections;
	size_t n_sections;
	char *names;		/* of the sections, terminated */
	size_t names_size;
};

/* Opens an ELF file of our own class, byte order and machine. The caller closes with elf_close.
 * 0; -ENOEXEC: no ELF file; -ELIBBAD: of another kind of machine; -errno. */
int elf_open(struct elf *elf, const char *path);
void elf_close(struct elf *elf);

/* Whether there is a program header of that type. */
bool elf_has_segment(const struct elf *elf, uint32_t type);

/* The section of that name, or NULL. */
const ElfW(Shdr) *elf_section(const struct elf *elf, const char *name);

/* Reads a section's bytes; with one zero byte more. The caller frees. NULL: it is not there, too big, or
 * there is no memory. */
void *elf_section_read(const struct elf *elf, const ElfW(Shdr) *section, size_t *size);

#endif
