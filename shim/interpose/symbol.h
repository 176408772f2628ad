/* symbol.h - the extent of a function in an ELF file, static functions included. */
#ifndef SHIM_INTERPOSE_SYMBOL_H
#define SHIM_INTERPOSE_SYMBOL_H

#include <stdbool.h>
#include <stdint.h>

/* Looks `name` up in the .symtab of the file, or in its .dynsym if it is stripped: its value (from the load
 * base) and size in bytes. The last few answers are remembered. False: no such file or function. */
bool symbol_find(const char *path, const char *name, uint64_t *value, uint64_t *bytes);

#endif
