/* symbol.c - the extent of a function in an ELF file. Nothing in the file is trusted. */
#include "interpose/symbol.h"

#include <elf.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include "run/sys.h"

struct image {
	const uint8_t *p;
	uint64_t n;
};

/* The bytes [at, at + n) of the image, or NULL. */
static const void *part(const struct image *f, uint64_t at, uint64_t n)
{
	return at <= f->n && n <= f->n - at ? f->p + at : NULL;
}

static bool search_table(const struct image *f, const Elf64_Shdr *table, const Elf64_Shdr *strings,
			 const char *name, uint64_t *value, uint64_t *bytes)
{
	uint64_t count = table->sh_size / sizeof(Elf64_Sym), want = strlen(name) + 1;
	const Elf64_Sym *sym = part(f, table->sh_offset, count * sizeof(Elf64_Sym));
	const char *str = part(f, strings->sh_offset, strings->sh_size);

	for (uint64_t i = 0; sym && str && i < count; i++) {
		if (ELF64_ST_TYPE(sym[i].st_info) != STT_FUNC || sym[i].st_shndx == SHN_UNDEF ||
		    sym[i].st_name > strings->sh_size || want > strings->sh_size - sym[i].st_name)
			continue;
		if (memcmp(str + sym[i].st_name, name, want) == 0) {
			*value = sym[i].st_value;
			*bytes = sym[i].st_size;
			return true;
		}
	}
	return false;
}

static bool search_image(const struct image *f, const char *name, uint64_t *value, uint64_t *bytes)
{
	const Elf64_Ehdr *e = part(f, 0, sizeof(*e));
	const Elf64_Shdr *sh;

	if (!e || memcmp(e->e_ident, ELFMAG, SELFMAG) != 0 || e->e_ident[EI_CLASS] != ELFCLASS64 ||
	    e->e_shentsize != sizeof(*sh) || e->e_shoff % 8)
		return false;
	sh = part(f, e->e_shoff, (uint64_t)e->e_shnum * sizeof(*sh));
	for (uint32_t pass = SHT_SYMTAB; sh; pass = SHT_DYNSYM) {
		for (unsigned i = 0; i < e->e_shnum; i++)
			if (sh[i].sh_type == pass && sh[i].sh_link < e->e_shnum && sh[i].sh_offset % 8 == 0 &&
			    search_table(f, &sh[i], &sh[sh[i].sh_link], name, value, bytes))
				return true;
		if (pass == SHT_DYNSYM)
			break;
	}
	return false;
}

static bool search_file(const char *path, const char *name, uint64_t *value, uint64_t *bytes)
{
	int fd = (int)sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	struct image f = { 0 };
	long size, p;
	bool found = false;

	if (fd < 0)
		return false;
	size = sys(SYS_lseek, fd, 0, SEEK_END);
	p = size > 0 ? sys(SYS_mmap, NULL, size, PROT_READ, MAP_PRIVATE, fd, 0) : -1;
	sys(SYS_close, fd);
	if (p < 0 && p > -4096)
		return false;
	f.p = (const uint8_t *)p;
	f.n = (uint64_t)size;
	found = search_image(&f, name, value, bytes);
	sys(SYS_munmap, p, size);
	return found;
}

/* Answers are kept in a handful of places, each guarded by a sequence number (odd: being written). */
struct answer {
	uint32_t seq;
	bool found;
	uint64_t key, value, bytes;
};

static struct answer answers[16];

static uint64_t key_of(const char *path, const char *name)
{
	uint64_t h = 0xcbf29ce484222325ull;

	for (; *path; path++)
		h = (h ^ (uint8_t)*path) * 0x100000001b3ull;
	h = (h ^ ':') * 0x100000001b3ull;
	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 0x100000001b3ull;
	return h | 1;
}

bool symbol_find(const char *path, const char *name, uint64_t *value, uint64_t *bytes)
{
	uint64_t key = key_of(path, name);
	struct answer *a = &answers[(key >> 8) % 16], copy;
	uint32_t seq = __atomic_load_n(&a->seq, __ATOMIC_ACQUIRE);

	copy = *a;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (!(seq & 1) && __atomic_load_n(&a->seq, __ATOMIC_RELAXED) == seq && copy.key == key) {
		*value = copy.value;
		*bytes = copy.bytes;
		return copy.found;
	}
	*value = *bytes = 0;
	copy.found = search_file(path, name, value, bytes);
	if (!(seq & 1) && __atomic_compare_exchange_n(&a->seq, &seq, seq + 1, 0, __ATOMIC_ACQ_REL,
						      __ATOMIC_RELAXED)) {
		a->key = key;
		a->found = copy.found;
		a->value = *value;
		a->bytes = *bytes;
		__atomic_store_n(&a->seq, seq + 2, __ATOMIC_RELEASE);
	}
	return copy.found;
}
