/*
 * Calls that packetdrill makes past the table.
 *
 * Its code sections read TCP_INFO, TCP_CC_INFO and SO_MEMINFO with the C library's getsockopt(), and
 * sendfile() is not in the table. Nothing loaded by dlopen() comes before the C library in the order of
 * look-up; so the program's own references to these two are led here, in its table of addresses
 * (its global offset table), and back when the adapter goes. Other descriptors go to the kernel as before.
 * A program without such references (linked statically, or otherwise) is left as it is.
 */
#include "packetdrill/adapter.h"

#include <elf.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
enum { REL_SLOT = R_X86_64_JUMP_SLOT, REL_DATA = R_X86_64_GLOB_DAT };
#elif defined(__aarch64__)
enum { REL_SLOT = R_AARCH64_JUMP_SLOT, REL_DATA = R_AARCH64_GLOB_DAT };
#else
enum { REL_SLOT = -1, REL_DATA = -1 };
#endif

static int redirected_getsockopt(int fd, int level, int name, void *val, socklen_t *len)
{
	if (pd_current && fd >= 0 && fd < PD_MAX_FD && pd_current->files[fd])
		return pd_getsockopt(pd_current, fd, level, name, val, len);
	return getsockopt(fd, level, name, val, len);
}

static struct detour {
	const char *name;
	void *to;
	void **slot;
	void *was;
} detours[] = {
	{ "getsockopt", (void *)redirected_getsockopt, NULL, NULL },
	{ "sendfile", (void *)pd_sendfile, NULL, NULL },
	{ "sendfile64", (void *)pd_sendfile, NULL, NULL },
};

enum { DETOURS = sizeof(detours) / sizeof(detours[0]) };

static bool write_slot(void **slot, void *value)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *start = (void *)((uintptr_t)slot & ~(page - 1));

	/* It may have been made read-only once it was filled in; then it stays writable. */
	if (mprotect(start, page, PROT_READ | PROT_WRITE))
		return false;
	*slot = value;
	return true;
}

static void scan(ElfW(Addr) base, const ElfW(Rela) *rel, size_t n, const ElfW(Sym) *syms,
		 const char *names)
{
	for (size_t i = 0; i < n; i++) {
		unsigned type = (unsigned)ELF64_R_TYPE(rel[i].r_info);
		const char *name = names + syms[ELF64_R_SYM(rel[i].r_info)].st_name;
		void **slot = (void **)(base + rel[i].r_offset);

		if (type != (unsigned)REL_SLOT && type != (unsigned)REL_DATA)
			continue;
		for (int d = 0; d < DETOURS; d++) {
			void *was;

			if (strcmp(name, detours[d].name) || detours[d].slot)
				continue;
			was = *slot;
			if (write_slot(slot, detours[d].to)) {
				detours[d].slot = slot;
				detours[d].was = was;
			}
		}
	}
}

/* The first object is the program. */
static int visit(struct dl_phdr_info *info, size_t size, void *ctx)
{
	const ElfW(Rela) *rela = NULL, *plt = NULL;
	size_t rela_len = 0, plt_len = 0;
	const ElfW(Sym) *syms = NULL;
	const char *names = NULL;
	const ElfW(Dyn) *dyn = NULL;

	(void)size;
	(void)ctx;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
			dyn = (const ElfW(Dyn) *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
	for (; dyn && dyn->d_tag != DT_NULL; dyn++) {
		switch (dyn->d_tag) {
		case DT_RELA: rela = (const void *)dyn->d_un.d_ptr; break;
		case DT_RELASZ: rela_len = dyn->d_un.d_val; break;
		case DT_JMPREL: plt = (const void *)dyn->d_un.d_ptr; break;
		case DT_PLTRELSZ: plt_len = dyn->d_un.d_val; break;
		case DT_SYMTAB: syms = (const void *)dyn->d_un.d_ptr; break;
		case DT_STRTAB: names = (const void *)dyn->d_un.d_ptr; break;
		default: break;
		}
	}
	if (syms && names) {
		scan(info->dlpi_addr, plt, plt ? plt_len / sizeof(*plt) : 0, syms, names);
		scan(info->dlpi_addr, rela, rela ? rela_len / sizeof(*rela) : 0, syms, names);
	}
	return 1;
}

void pd_redirect(void)
{
	dl_iterate_phdr(visit, NULL);
}

void pd_unredirect(void)
{
	for (int d = 0; d < DETOURS; d++) {
		if (detours[d].slot)
			write_slot(detours[d].slot, detours[d].was);
		detours[d].slot = NULL;
	}
}
