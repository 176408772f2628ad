/* symbol.c - looks addresses up in .symtab, or .dynsym where there is none. */
#include "launch/symbol.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "launch/elf.h"

struct function {
	uint64_t start, size;
	uint32_t name;		/* offset in names */
};

/* The functions of a module, by start. One without symbols is kept, too, so as to be read once. */
struct table {
	struct table *next;
	char path[104];
	char *names;
	size_t names_size;
	struct function *functions;
	size_t n;
};

static struct table *tables;

static int by_start(const void *pa, const void *pb)
{
	const struct function *a = pa, *b = pb;

	return a->start < b->start ? -1 : a->start > b->start;
}

static void read_table(struct table *t, const struct elf *elf, const char *symtab, const char *strtab)
{
	size_t bytes;
	ElfW(Sym) *symbols = elf_section_read(elf, elf_section(elf, symtab), &bytes);
	size_t n = symbols ? bytes / sizeof(*symbols) : 0;

	if (n)
		t->names = elf_section_read(elf, elf_section(elf, strtab), &t->names_size);
	if (t->names)
		t->functions = calloc(n, sizeof(*t->functions));
	for (size_t i = 0; t->functions && i < n; i++) {
		const ElfW(Sym) *s = &symbols[i];

		if ((s->st_info & 0xf) != STT_FUNC || s->st_shndx == SHN_UNDEF || s->st_name >= t->names_size)
			continue;
		t->functions[t->n++] = (struct function){ s->st_value, s->st_size, s->st_name };
	}
	if (t->n)
		qsort(t->functions, t->n, sizeof(*t->functions), by_start);
	free(symbols);
}

static const struct table *table_of(const char *path)
{
	struct table *t;
	struct elf elf;

	for (t = tables; t; t = t->next)
		if (!strcmp(t->path, path))
			return t;
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	snprintf(t->path, sizeof(t->path), "%s", path);
	t->next = tables;
	tables = t;
	if (elf_open(&elf, path) < 0)
		return t;
	read_table(t, &elf, ".symtab", ".strtab");
	if (t->n == 0) {
		free(t->names);
		free(t->functions);
		t->names = NULL;
		t->functions = NULL;
		read_table(t, &elf, ".dynsym", ".dynstr");
	}
	elf_close(&elf);
	return t;
}

/* The function that holds an address; one without a size ends where the next begins. */
static const struct function *find(const struct table *t, uint64_t address)
{
	size_t low = 0, high = t->n;
	const struct function *f;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (t->functions[mid].start <= address)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == 0)
		return NULL;
	f = &t->functions[low - 1];
	return f->size && address - f->start >= f->size ? NULL : f;
}

void symbol_place(struct symbol_place *out, const struct run_image *image, uint64_t pc)
{
	/* A return address may be the first of the next function: the call is before it. */
	const struct run_module *m = pc ? run_image_module(image, pc - 1) : NULL;
	const struct function *f;
	const struct table *t;

	memset(out, 0, sizeof(*out));
	out->offset = pc;
	if (!m)
		return;
	snprintf(out->module, sizeof(out->module), "%s", m->path);
	out->offset = pc - m->base;
	t = m->path[0] == '/' ? table_of(m->path) : NULL;
	f = t ? find(t, out->offset - 1) : NULL;
	if (!f)
		return;
	snprintf(out->function, sizeof(out->function), "%s", t->names + f->name);
	run_text_clean(out->function, sizeof(out->function));
	out->function_offset = out->offset - f->start;
}

char *symbol_format(char *buf, size_t n, const struct run_image *image, uint64_t pc)
{
	struct symbol_place p;
	const char *slash;

	symbol_place(&p, image, pc);
	slash = strrchr(p.module, '/');
	if (!pc)
		snprintf(buf, n, "-");
	else if (!p.module[0])
		snprintf(buf, n, "0x%llx", (unsigned long long)pc);
	else if (p.function[0])
		snprintf(buf, n, "%s+0x%llx (%s+0x%llx)", slash ? slash + 1 : p.module,
			 (unsigned long long)p.offset, p.function, (unsigned long long)p.function_offset);
	else
		snprintf(buf, n, "%s+0x%llx", slash ? slash + 1 : p.module, (unsigned long long)p.offset);
	return buf;
}

void symbol_forget(void)
{
	while (tables) {
		struct table *t = tables;

		tables = t->next;
		free(t->names);
		free(t->functions);
		free(t);
	}
}
