/* signature.c - reading signatures, and their types as libffi knows them. */
#include "plugin/signature.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ERRNO_LIMIT 4095	/* the kernel's MAX_ERRNO */

static const char type_names[SIGNATURE_TYPES][9] = {
	"i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f32", "f64", "cstr", "ptr", "sockaddr",
};

static const char result_names[][6] = {
	[SIGNATURE_ERRNO] = "errno", [SIGNATURE_INT] = "i32", [SIGNATURE_VOID] = "void",
};

/* What is still to be read. */
struct cursor {
	const char *text, *p;
	struct plugin_error *err;
};

struct name {
	const char *s;
	size_t n;
	unsigned column;
};

int signature_fail(struct plugin_error *err, unsigned column, const char *fmt, ...)
{
	va_list args;

	err->column = column;
	va_start(args, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	return -EINVAL;
}

static unsigned skip_blanks(struct cursor *c)
{
	while (*c->p == ' ' || *c->p == '\t')
		c->p++;
	return (unsigned)(c->p - c->text) + 1;
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static struct name read_name(struct cursor *c)
{
	struct name name = { .column = skip_blanks(c) };

	name.s = c->p;
	while (is_name_char(*c->p))
		c->p++;
	name.n = (size_t)(c->p - name.s);
	return name;
}

/* Fails with what was found at the cursor. */
static int fail_expected(struct cursor *c, const char *expected)
{
	unsigned column = skip_blanks(c);
	unsigned char found = (unsigned char)*c->p;

	if (!found)
		return signature_fail(c->err, column, "expected %s, found the end of the signature", expected);
	return signature_fail(c->err, column, "expected %s, found '%c'", expected,
			      found < 0x20 || found >= 0x7f ? '?' : found);
}

static bool accept_char(struct cursor *c, char expected)
{
	skip_blanks(c);
	if (*c->p != expected)
		return false;
	c->p++;
	return true;
}

static int find(const char *names, size_t stride, size_t n, const struct name *name)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(names + i * stride) == name->n && !memcmp(names + i * stride, name->s, name->n))
			return (int)i;
	return -1;
}

static int shown(const struct name *name)
{
	return name->n < 40 ? (int)name->n : 40;
}

/* NAME: TYPE */
static int parse_param(struct cursor *c, struct signature *s)
{
	struct name name = read_name(c), type;
	struct signature_param *param;
	int t;

	if (!name.n)
		return fail_expected(c, "a parameter such as 'fd: i32'");
	if (s->n == PLUGIN_ARGS_MAX)
		return signature_fail(c->err, name.column, "more than %d parameters", PLUGIN_ARGS_MAX);
	if (!accept_char(c, ':'))
		return fail_expected(c, "':' and a type after the parameter's name");
	type = read_name(c);
	if (!type.n)
		return fail_expected(c, "a type such as i32");
	t = find(type_names[0], sizeof(type_names[0]), SIGNATURE_TYPES, &type);
	if (t < 0)
		return signature_fail(c->err, type.column, "unknown type '%.*s'; expected i8 i16 i32 i64 u8 u16 "
				      "u32 u64 f32 f64 cstr ptr or sockaddr", shown(&type), type.s);
	param = &s->params[s->n++];
	*param = (struct signature_param){
		.name = name.s, .name_len = name.n, .name_column = name.column, .type_column = type.column,
		.type = (enum signature_type)t,
	};
	return 0;
}

static int parse_result(struct cursor *c, struct signature *s)
{
	struct name result;
	int r;

	skip_blanks(c);
	if (c->p[0] != '-' || c->p[1] != '>')
		return fail_expected(c, "'-> RESULT'");
	c->p += 2;
	result = read_name(c);
	if (!result.n)
		return fail_expected(c, "errno, i32 or void");
	r = find(result_names[0], sizeof(result_names[0]), 3, &result);
	if (r < 0)
		return signature_fail(c->err, result.column, "unknown result '%.*s'; expected errno, i32 or void",
				      shown(&result), result.s);
	s->result = (enum signature_result)r;
	skip_blanks(c);
	return *c->p ? fail_expected(c, "the end of the signature") : 0;
}

int signature_parse(struct signature *s, const char *text, struct plugin_error *err)
{
	struct cursor c = { .text = text, .p = text, .err = err };
	int r;

	s->n = 0;
	if (!accept_char(&c, '('))
		return fail_expected(&c, "'('");
	if (!accept_char(&c, ')')) {
		do {
			r = parse_param(&c, s);
			if (r)
				return r;
		} while (accept_char(&c, ','));
		if (!accept_char(&c, ')'))
			return fail_expected(&c, "',' or ')'");
	}
	return parse_result(&c, s);
}

const char *signature_type_name(enum signature_type t)
{
	return type_names[t];
}

bool signature_type_is_number(enum signature_type t)
{
	return t <= SIGNATURE_F64;
}

ffi_type *signature_ffi_type(enum signature_type t)
{
	switch (t) {
	case SIGNATURE_I8: return &ffi_type_sint8;
	case SIGNATURE_I16: return &ffi_type_sint16;
	case SIGNATURE_I32: return &ffi_type_sint32;
	case SIGNATURE_I64: return &ffi_type_sint64;
	case SIGNATURE_U8: return &ffi_type_uint8;
	case SIGNATURE_U16: return &ffi_type_uint16;
	case SIGNATURE_U32: return &ffi_type_uint32;
	case SIGNATURE_U64: return &ffi_type_uint64;
	case SIGNATURE_F32: return &ffi_type_float;
	case SIGNATURE_F64: return &ffi_type_double;
	case SIGNATURE_CSTR:
	case SIGNATURE_PTR:
	case SIGNATURE_SOCKADDR:
	case SIGNATURE_TYPES: break;
	}
	return &ffi_type_pointer;
}

void signature_set_number(union signature_value *v, enum signature_type t, int64_t number)
{
	switch (t) {
	case SIGNATURE_I8: v->i8 = (int8_t)number; break;
	case SIGNATURE_I16: v->i16 = (int16_t)number; break;
	case SIGNATURE_I32: v->i32 = (int32_t)number; break;
	case SIGNATURE_I64: v->i64 = number; break;
	case SIGNATURE_U8: v->u8 = (uint8_t)number; break;
	case SIGNATURE_U16: v->u16 = (uint16_t)number; break;
	case SIGNATURE_U32: v->u32 = (uint32_t)number; break;
	case SIGNATURE_U64: v->u64 = (uint64_t)number; break;
	case SIGNATURE_F32: v->f32 = (float)number; break;
	case SIGNATURE_F64: v->f64 = (double)number; break;
	case SIGNATURE_CSTR:
	case SIGNATURE_PTR:
	case SIGNATURE_SOCKADDR:
	case SIGNATURE_TYPES: break;
	}
}

int signature_errno(int result)
{
	unsigned err = result < 0 ? -(unsigned)result : (unsigned)result;

	return err > ERRNO_LIMIT ? EINVAL : (int)err;
}
