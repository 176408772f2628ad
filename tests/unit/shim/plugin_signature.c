/* plugin_signature.c - reading signatures, and what is said of wrong ones. */
#include <errno.h>
#include <string.h>

#include "unit.h"
#include "plugin/plugin.h"
#include "plugin/signature.h"

static void good(const char *signature, bool after)
{
	struct plugin_error err = { 0 };

	cr_assert_eq(plugin_check(signature, after, &err), 0, "%s: %u: %s", signature, err.column, err.text);
}

static void bad(const char *signature, unsigned column, const char *said)
{
	struct plugin_error err = { 0 };

	cr_assert_eq(plugin_check(signature, false, &err), -EINVAL, "%s", signature);
	cr_assert_eq(err.column, column, "%s: column %u: %s", signature, err.column, err.text);
	cr_assert(!strcmp(err.text, said), "%s:\nsaid:     %s\nexpected: %s", signature, err.text, said);
}

Test(plugin_signature, good_ones)
{
	good("(ip: cstr, port: u16, fd: i32) -> errno", false);
	good("() -> void", false);
	good("(  ) ->i32", false);
	good("(fd:i32,port:u16)->errno", false);
	good("\t( fd : i32 , buf : ptr )\t->\terrno ", false);
	good("(fd: i8, family: i16, type: i32, protocol: i64, port: f32, len: f64, flags: u8, pid: u32, tid: u64) -> void",
	     false);
	good("(ip: cstr, host: ptr, call: cstr, program: cstr, addr: sockaddr, addrlen: u32, buf: ptr) -> i32", false);
	good("(addr: ptr) -> errno", false);
	good("(result: i64, err: i32) -> errno", true);
	good("(fd: i32, fd: i64) -> errno", false);
}

Test(plugin_signature, wrong_forms)
{
	bad("", 1, "expected '(', found the end of the signature");
	bad("fd: i32", 1, "expected '(', found 'f'");
	bad("(", 2, "expected a parameter such as 'fd: i32', found the end of the signature");
	bad("(fd) -> errno", 4, "expected ':' and a type after the parameter's name, found ')'");
	bad("(fd: ) -> errno", 6, "expected a type such as i32, found ')'");
	bad("(fd: i32", 9, "expected ',' or ')', found the end of the signature");
	bad("(fd: i32 port: u16) -> errno", 10, "expected ',' or ')', found 'p'");
	bad("(fd: i32,) -> errno", 10, "expected a parameter such as 'fd: i32', found ')'");
	bad("(fd: i32)", 10, "expected '-> RESULT', found the end of the signature");
	bad("(fd: i32) errno", 11, "expected '-> RESULT', found 'e'");
	bad("(fd: i32) ->", 13, "expected errno, i32 or void, found the end of the signature");
	bad("(fd: i32) -> errno x", 20, "expected the end of the signature, found 'x'");
	bad("(fd: i32\n) -> errno", 9, "expected ',' or ')', found '?'");
}

#define TYPES "expected i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 cstr ptr or sockaddr"
#define FACTS "expected fd family type protocol ip port addr addrlen call host buf len flags result err pid tid or program"

Test(plugin_signature, unknown_words)
{
	bad("(fd: int) -> errno", 6, "unknown type 'int'; " TYPES);
	bad("(port: u16, sock: i32) -> errno", 13, "unknown parameter 'sock'; " FACTS);
	bad("(fd: i32) -> bool", 14, "unknown result 'bool'; expected errno, i32 or void");
}

Test(plugin_signature, facts_of_another_shape)
{
	bad("(fd: cstr) -> errno", 6, "'fd' cannot be passed as cstr; expected an integer or floating type");
	bad("(ip: u32) -> errno", 6, "'ip' cannot be passed as u32; expected cstr or ptr");
	bad("(addr: cstr) -> errno", 8, "'addr' cannot be passed as cstr; expected sockaddr or ptr");
	bad("(buf: sockaddr) -> errno", 7, "'buf' cannot be passed as sockaddr; expected ptr");
}

Test(plugin_signature, an_outcome_before_the_call)
{
	bad("(fd: i32, result: i64) -> errno", 11, "'result' is known after the call only: use `call after'");
	bad("(err: i32) -> errno", 2, "'err' is known after the call only: use `call after'");
}

Test(plugin_signature, sixteen_parameters_and_no_more)
{
	good("(fd: i32, fd: i32, fd: i32, fd: i32, fd: i32, fd: i32, fd: i32, fd: i32, fd: i32, fd: i32, fd: i32, fd: i32, "
	     "fd: i32, fd: i32, fd: i32, fd: i32) -> errno", false);
	bad("(fd: i32, fd: i32, fd: i32, fd: i32, fd: i32, fd: i32, fd: i32, fd: i32, fd: i32, fd: i32, fd: i32, fd: i32, "
	    "fd: i32, fd: i32, fd: i32, fd: i32, fd: i32) -> errno", 146, "more than 16 parameters");
}

Test(plugin_signature, types_as_libffi_has_them)
{
	/* a callee may rely on how narrow arguments are extended, so sign matters as much as size */
	static const struct { const char *name; int size, ffi; } types[SIGNATURE_TYPES] = {
		{ "i8", 1, FFI_TYPE_SINT8 }, { "i16", 2, FFI_TYPE_SINT16 }, { "i32", 4, FFI_TYPE_SINT32 },
		{ "i64", 8, FFI_TYPE_SINT64 }, { "u8", 1, FFI_TYPE_UINT8 }, { "u16", 2, FFI_TYPE_UINT16 },
		{ "u32", 4, FFI_TYPE_UINT32 }, { "u64", 8, FFI_TYPE_UINT64 }, { "f32", 4, FFI_TYPE_FLOAT },
		{ "f64", 8, FFI_TYPE_DOUBLE }, { "cstr", 8, FFI_TYPE_POINTER }, { "ptr", 8, FFI_TYPE_POINTER },
		{ "sockaddr", 8, FFI_TYPE_POINTER },
	};

	for (int t = 0; t < SIGNATURE_TYPES; t++) {
		const ffi_type *ffi = signature_ffi_type((enum signature_type)t);

		cr_assert_str_eq(signature_type_name((enum signature_type)t), types[t].name);
		cr_assert_eq(ffi->size, (size_t)types[t].size, "%s", types[t].name);
		cr_assert_eq(ffi->type, types[t].ffi, "%s", types[t].name);
	}
}

Test(plugin_signature, what_results_say)
{
	cr_assert_eq(signature_errno(0), 0);
	cr_assert_eq(signature_errno(ECONNREFUSED), ECONNREFUSED);
	cr_assert_eq(signature_errno(-ECONNREFUSED), ECONNREFUSED);
	cr_assert_eq(signature_errno(4096), EINVAL);
	cr_assert_eq(signature_errno(-4096), EINVAL);
	cr_assert_eq(signature_errno(-2147483647 - 1), EINVAL);
}
