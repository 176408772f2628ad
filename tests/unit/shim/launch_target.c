/* launch_target.c - what kinds of program there are, and names for addresses. */
#include "launch/target.h"

#include <criterion/criterion.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launch/elf.h"
#include "launch/symbol.h"
#include "run_fixture.h"

static int dir;
static char path[400], culprit[PATH_MAX];

static void setup(void) { dir = fixture_dir(); }

TestSuite(target, .init = setup);

static const char *in_dir(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", fixture_path(), name);
	return path;
}

/* An executable with a program header of the given type and a section of the given name. */
static void write_elf(const char *name, uint32_t segment, const char *section, int elf_class)
{
	struct {
		ElfW(Ehdr) head;
		ElfW(Phdr) segment;
		ElfW(Shdr) sections[2];
		char names[32];
	} f = { .segment = { .p_type = segment } };

	memcpy(f.head.e_ident, ELFMAG, SELFMAG);
	f.head.e_ident[EI_CLASS] = (unsigned char)elf_class;
	f.head.e_ident[EI_DATA] = __BYTE_ORDER == __LITTLE_ENDIAN ? ELFDATA2LSB : ELFDATA2MSB;
	f.head.e_type = ET_EXEC;
	f.head.e_phoff = offsetof(__typeof__(f), segment);
	f.head.e_phentsize = sizeof(f.segment);
	f.head.e_phnum = 1;
	f.head.e_shoff = offsetof(__typeof__(f), sections);
	f.head.e_shentsize = sizeof(f.sections[0]);
	f.head.e_shnum = 2;
	f.head.e_shstrndx = 1;
	snprintf(f.names + 1, sizeof(f.names) - 1, "%s", section);
	f.sections[0] = (ElfW(Shdr)){ .sh_name = 1, .sh_type = SHT_PROGBITS };
	f.sections[1] = (ElfW(Shdr)){ .sh_type = SHT_STRTAB, .sh_offset = offsetof(__typeof__(f), names),
				      .sh_size = sizeof(f.names) };
	{
		struct elf self;

		cr_assert_eq(elf_open(&self, "/proc/self/exe"), 0);
		f.head.e_machine = self.head.e_machine;
		elf_close(&self);
	}
	fixture_bytes(dir, name, &f, sizeof(f));
	fchmodat(dir, name, 0755, 0);
}

static enum target_kind kind_of(const char *name)
{
	return target_kind(in_dir(name), culprit);
}

Test(target, dynamic_programs_are_seen)
{
	write_elf("dynamic", PT_INTERP, ".text", sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32);
	cr_assert_eq(kind_of("dynamic"), TARGET_SEEN);
	cr_assert_eq(target_kind("/proc/self/exe", culprit), TARGET_SEEN);
}

Test(target, programs_without_an_interpreter_are_static)
{
	write_elf("static", PT_LOAD, ".text", sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32);
	cr_assert_eq(kind_of("static"), TARGET_STATIC);
}

Test(target, go_programs_are_known_by_their_sections)
{
	write_elf("go1", PT_INTERP, ".go.buildinfo", sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32);
	cr_assert_eq(kind_of("go1"), TARGET_GO);
	write_elf("go2", PT_INTERP, ".note.go.buildid", sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32);
	cr_assert_eq(kind_of("go2"), TARGET_GO);
}

Test(target, programs_of_another_class_are_foreign)
{
	write_elf("other", PT_INTERP, ".text", sizeof(void *) == 8 ? ELFCLASS32 : ELFCLASS64);
	cr_assert_eq(kind_of("other"), TARGET_FOREIGN);
}

Test(target, a_script_is_as_its_interpreter)
{
	char script[500];

	write_elf("static", PT_LOAD, ".text", sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32);
	snprintf(script, sizeof(script), "#! %s -x\necho\n", in_dir("static"));
	fixture_bytes(dir, "script", script, strlen(script));
	cr_assert_eq(kind_of("script"), TARGET_STATIC);
	cr_assert_str_eq(culprit, in_dir("static"));
	setenv("PATH", fixture_path(), 1);
	fixture_bytes(dir, "envscript", "#!/usr/bin/env -S A=1 static\n", 29);
	cr_assert_eq(kind_of("envscript"), TARGET_STATIC);
}

Test(target, a_script_that_is_its_own_interpreter_ends)
{
	char script[500];

	snprintf(script, sizeof(script), "#!%s\n", in_dir("loop"));
	fixture_bytes(dir, "loop", script, strlen(script));
	cr_assert_eq(kind_of("loop"), TARGET_SEEN);
}

Test(target, set_user_id_programs_are_privileged)
{
	if (geteuid() != 0)
		cr_skip("only root can give a file away");
	write_elf("suid", PT_INTERP, ".text", sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32);
	cr_assert_eq(fchownat(dir, "suid", 12345, 12345, 0), 0);
	cr_assert_eq(fchmodat(dir, "suid", 04755, 0), 0);
	cr_assert_eq(kind_of("suid"), TARGET_PRIVILEGED);
}

Test(target, damaged_files_are_survived)
{
	unsigned char bytes[4096];
	struct elf elf;

	cr_assert_eq(elf_open(&elf, "/proc/self/exe"), 0);
	cr_assert_eq(pread(elf.fd, bytes, sizeof(bytes), 0), (ssize_t)sizeof(bytes));
	elf_close(&elf);
	for (size_t i = 16; i < 64; i++) {	/* each byte of the header, after what says that it is one of ours */
		unsigned char before = bytes[i];

		if (i == 18 || i == 19)
			continue;
		bytes[i] = 0xff;
		fixture_bytes(dir, "damaged", bytes, sizeof(bytes));
		kind_of("damaged");
		bytes[i] = before;
	}
	fixture_bytes(dir, "damaged", bytes, 20);
	cr_assert_eq(kind_of("damaged"), TARGET_SEEN);
	fixture_bytes(dir, "damaged", "", 0);
	cr_assert_eq(kind_of("damaged"), TARGET_SEEN);
}

Test(target, programs_are_found_along_the_path)
{
	char found[PATH_MAX], path_var[600];

	write_elf("prog", PT_INTERP, ".text", ELFCLASS64);
	fixture_bytes(dir, "data", "x", 1);
	snprintf(path_var, sizeof(path_var), "/nonexistent::%s", fixture_path());
	setenv("PATH", path_var, 1);
	cr_assert_eq(target_find(found, "prog"), 0);
	cr_assert_str_eq(found, in_dir("prog"));
	cr_assert_eq(target_find(found, "data"), -EACCES);
	cr_assert_eq(target_find(found, "nosuch"), -ENOENT);
	cr_assert_eq(target_find(found, ""), -ENOENT);
	cr_assert_eq(target_find(found, "/etc"), -EACCES);
	cr_assert_eq(target_find(found, "/etc/passwd/x"), -ENOENT);
}

/* An image in which this program is loaded where it is. */
static int fill(struct dl_phdr_info *info, size_t size, void *user)
{
	struct run_module *m = user;
	uint64_t end = 0;

	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_LOAD)
			end = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz;
	m->start = info->dlpi_addr;
	m->base = info->dlpi_addr;
	m->end = end;
	return 1;			/* the first is the program */
}

Test(target, addresses_have_names)
{
	struct run_file *file = calloc(1, sizeof(*file));
	struct run_image image = { .file = file };
	uint64_t pc = (uint64_t)(uintptr_t)elf_open + 4;
	char buf[300], want[32];
	ssize_t n;

	dl_iterate_phdr(fill, &file->modules[0]);
	n = readlink("/proc/self/exe", buf, sizeof(buf) - 1);
	buf[n] = '\0';
	cr_assert_lt(n, (ssize_t)sizeof(file->modules[0].path));
	strcpy(file->modules[0].path, buf);
	symbol_format(buf, sizeof(buf), &image, pc);
	cr_assert(strstr(buf, "launch_target+0x"), "%s", buf);
	cr_assert(strstr(buf, "(elf_open+0x4)"), "%s", buf);
	cr_assert_str_eq(symbol_format(buf, sizeof(buf), &image, 0), "-");
	cr_assert_str_eq(symbol_format(buf, sizeof(buf), &image, 1), "0x1");
	strcpy(file->modules[0].path, "cut/at/the/front");
	snprintf(want, sizeof(want), "front+0x%llx", (unsigned long long)(pc - file->modules[0].base));
	cr_assert_str_eq(symbol_format(buf, sizeof(buf), &image, pc), want);
	symbol_forget();
	free(file);
}
