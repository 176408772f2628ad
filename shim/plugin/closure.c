/* closure.c - C functions that capture values, made into filters and after-filters.
 *
 * A closure has two entry points made by libffi, one of each form. An entry point calls the function with
 * the status it was given and the values that were captured.
 */
#include "sockshim.h"

#include <errno.h>
#include <ffi.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/signature.h"

struct entry {
	ffi_closure *closure;
	ffi_cif cif;
	void *code;
	ffi_type *pointers[3];
};

struct sockshim_closure {
	void (*fn)(void);
	struct signature signature;
	bool takes_after;	/* the second parameter is the struct sockshim_after * */
	ffi_cif cif;
	ffi_type *types[PLUGIN_ARGS_MAX];
	union signature_value captured[PLUGIN_ARGS_MAX];
	struct entry filter, after;
};

static int closure_call(struct sockshim_closure *c, void *status, void *after)
{
	void *args[PLUGIN_ARGS_MAX];
	ffi_arg result = 0;

	args[0] = &status;
	for (unsigned i = 1; i < c->signature.n; i++)
		args[i] = i == 1 && c->takes_after ? (void *)&after : &c->captured[i];
	ffi_call(&c->cif, c->fn, &result, args);
	return c->signature.result == SIGNATURE_ERRNO ? (int)result : 0;
}

/* sockshim_filter */
static void enter_filter(ffi_cif *cif, void *result, void **args, void *user)
{
	*(ffi_arg *)result = (ffi_arg)closure_call(user, *(void **)args[0], *(void **)args[1]);
}

/* sockshim_after_filter */
static void enter_after(ffi_cif *cif, void *result, void **args, void *user)
{
	*(ffi_arg *)result = (ffi_arg)closure_call(user, *(void **)args[0], NULL);
}

/* The forms have pointers for parameters: sockshim_filter three, sockshim_after_filter two. */
static int entry_make(struct entry *e, unsigned n_args, void (*enter)(ffi_cif *, void *, void **, void *),
		      struct sockshim_closure *c)
{
	e->closure = ffi_closure_alloc(sizeof(*e->closure), &e->code);
	if (!e->closure)
		return -ENOSYS;
	for (unsigned i = 0; i < n_args; i++)
		e->pointers[i] = &ffi_type_pointer;
	if (ffi_prep_cif(&e->cif, FFI_DEFAULT_ABI, n_args, &ffi_type_sint, e->pointers) != FFI_OK ||
	    ffi_prep_closure_loc(e->closure, &e->cif, enter, c, e->code) != FFI_OK)
		return -ENOSYS;
	return 0;
}

static void entry_free(struct entry *e)
{
	if (e->closure)
		ffi_closure_free(e->closure);
}

/* Takes one variable argument. A string is copied: the caller's may not live as long. */
static int capture(union signature_value *v, enum signature_type t, va_list *args)
{
	const char *s;

	switch (t) {
	case SIGNATURE_I64:
	case SIGNATURE_U64:
		v->i64 = va_arg(*args, int64_t);
		return 0;
	case SIGNATURE_F32:
		v->f32 = (float)va_arg(*args, double);
		return 0;
	case SIGNATURE_F64:
		v->f64 = va_arg(*args, double);
		return 0;
	case SIGNATURE_CSTR:
		s = va_arg(*args, const char *);
		v->ptr = s ? strdup(s) : NULL;
		return s && !v->ptr ? -ENOMEM : 0;
	case SIGNATURE_PTR:
	case SIGNATURE_SOCKADDR:
		v->ptr = va_arg(*args, const void *);
		return 0;
	default:
		signature_set_number(v, t, va_arg(*args, int));
		return 0;
	}
}

static bool is_pointer_named(const struct signature_param *param, const char *name)
{
	return param->type == SIGNATURE_PTR && param->name_len == strlen(name) &&
	       !memcmp(param->name, name, param->name_len);
}

/* Reads the signature and prepares the call of fn. */
static int prepare(struct sockshim_closure *c, const char *signature)
{
	struct signature *s = &c->signature;
	struct plugin_error err;

	if (signature_parse(s, signature, &err) || !s->n || s->params[0].type != SIGNATURE_PTR)
		return -EINVAL;
	c->takes_after = s->n > 1 && is_pointer_named(&s->params[1], "after");
	for (unsigned i = 0; i < s->n; i++)
		c->types[i] = signature_ffi_type(s->params[i].type);
	if (ffi_prep_cif(&c->cif, FFI_DEFAULT_ABI, s->n,
			 s->result == SIGNATURE_VOID ? &ffi_type_void : &ffi_type_sint32, c->types) != FFI_OK)
		return -EINVAL;
	return 0;
}

int sockshim_closure_new(struct sockshim_closure **out, void (*fn)(void), const char *signature, ...)
{
	struct sockshim_closure *c;
	va_list args;
	int r;

	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->fn = fn;
	r = prepare(c, signature);
	if (r) {
		free(c);
		return r;
	}
	va_start(args, signature);
	for (unsigned i = c->takes_after ? 2 : 1; !r && i < c->signature.n; i++)
		r = capture(&c->captured[i], c->signature.params[i].type, &args);
	va_end(args);
	if (!r)
		r = entry_make(&c->filter, 3, enter_filter, c);
	if (!r)
		r = entry_make(&c->after, 2, enter_after, c);
	if (r) {
		sockshim_closure_free(c);
		return r;
	}
	*out = c;
	return 0;
}

void sockshim_closure_free(struct sockshim_closure *c)
{
	if (!c)
		return;
	entry_free(&c->filter);
	entry_free(&c->after);
	for (unsigned i = 1; i < c->signature.n; i++)
		if (c->signature.params[i].type == SIGNATURE_CSTR)
			free((char *)c->captured[i].ptr);
	free(c);
}

sockshim_after_filter sockshim_closure_after(struct sockshim_closure *c)
{
	sockshim_after_filter f;

	memcpy(&f, &c->after.code, sizeof(f));
	return f;
}

sockshim_filter sockshim_closure_filter(struct sockshim_closure *c)
{
	sockshim_filter f;

	memcpy(&f, &c->filter.code, sizeof(f));
	return f;
}
