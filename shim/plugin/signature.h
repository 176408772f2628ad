/* signature.h - "(NAME: TYPE, ...) -> RESULT": what a function takes and returns. */
#ifndef SHIM_PLUGIN_SIGNATURE_H
#define SHIM_PLUGIN_SIGNATURE_H

#include <ffi.h>
#include <stddef.h>
#include <stdint.h>

#include "plugin/plugin.h"

enum signature_type {
	SIGNATURE_I8, SIGNATURE_I16, SIGNATURE_I32, SIGNATURE_I64,
	SIGNATURE_U8, SIGNATURE_U16, SIGNATURE_U32, SIGNATURE_U64,
	SIGNATURE_F32, SIGNATURE_F64,
	SIGNATURE_CSTR, SIGNATURE_PTR, SIGNATURE_SOCKADDR,
	SIGNATURE_TYPES
};

enum signature_result { SIGNATURE_ERRNO, SIGNATURE_INT, SIGNATURE_VOID };

/* The value of an argument; libffi is given its address. */
union signature_value {
	int8_t i8; int16_t i16; int32_t i32; int64_t i64;
	uint8_t u8; uint16_t u16; uint32_t u32; uint64_t u64;
	float f32; double f64;
	const void *ptr;
};

struct signature_param {
	const char *name;	/* in the signature's text, name_len bytes */
	size_t name_len;
	unsigned name_column, type_column;
	enum signature_type type;
};

struct signature {
	unsigned n;
	enum signature_result result;
	struct signature_param params[PLUGIN_ARGS_MAX];
};

/* Reads a signature; borrows `text`. 0 or -EINVAL with *err. */
int signature_parse(struct signature *s, const char *text, struct plugin_error *err);

/* Puts an error at a column into *err and returns -EINVAL. */
int signature_fail(struct plugin_error *err, unsigned column, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* "u16" */
const char *signature_type_name(enum signature_type t);

/* Whether it is an integer or floating type. */
bool signature_type_is_number(enum signature_type t);

/* libffi's description of a type. */
ffi_type *signature_ffi_type(enum signature_type t);

/* Puts a number into a value of type t, as a C conversion does. */
void signature_set_number(union signature_value *v, enum signature_type t, int64_t number);

/* What an int that a function returned says: 0, or a positive errno. Both signs are taken; a value that
 * can be no errno says EINVAL. */
int signature_errno(int result);

#endif
