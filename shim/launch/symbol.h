/* symbol.h - names for addresses in modules, from their symbol tables. */
#ifndef SHIM_LAUNCH_SYMBOL_H
#define SHIM_LAUNCH_SYMBOL_H

#include <stddef.h>
#include <stdint.h>

#include "run/reader.h"

/* Writes where a pc of a process is: "curl+0x1234 (open_socket+0x4c)", without the part in parentheses if
 * the module has no symbol for it, and "0x55..." if no module holds the pc. Returns buf. Tables that have
 * been read are kept until symbol_forget. */
char *symbol_format(char *buf, size_t n, const struct run_image *image, uint64_t pc);

/* The same in parts; module and function are "" if they are not known. `offset` is that in the file. */
struct symbol_place {
	char module[104];
	uint64_t offset;
	char function[128];
	uint64_t function_offset;
};
void symbol_place(struct symbol_place *out, const struct run_image *image, uint64_t pc);

void symbol_forget(void);

#endif
