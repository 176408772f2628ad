/* plugin.c - binding functions by a signature, and calling them. */
#include "plugin/plugin.h"

#include <dlfcn.h>
#include <errno.h>
#include <ffi.h>
#include <stdio.h>
#include <string.h>

#include "plugin/ip.h"
#include "plugin/signature.h"

enum fact {
	FACT_FD, FACT_FAMILY, FACT_TYPE, FACT_PROTOCOL, FACT_IP, FACT_PORT, FACT_ADDR, FACT_ADDRLEN,
	FACT_CALL, FACT_HOST, FACT_BUF, FACT_LEN, FACT_FLAGS, FACT_RESULT, FACT_ERR, FACT_PID, FACT_TID,
	FACT_PROGRAM,
	FACTS
};

/* What a fact can be passed as. */
enum shape { NUMBER, STRING, ADDRESS, POINTER };

static const struct {
	char name[9];
	uint8_t shape;
	bool after;	/* known after the call only */
} facts[FACTS] = {
	[FACT_FD] = { "fd", NUMBER, false },
	[FACT_FAMILY] = { "family", NUMBER, false },
	[FACT_TYPE] = { "type", NUMBER, false },
	[FACT_PROTOCOL] = { "protocol", NUMBER, false },
	[FACT_IP] = { "ip", STRING, false },
	[FACT_PORT] = { "port", NUMBER, false },
	[FACT_ADDR] = { "addr", ADDRESS, false },
	[FACT_ADDRLEN] = { "addrlen", NUMBER, false },
	[FACT_CALL] = { "call", STRING, false },
	[FACT_HOST] = { "host", STRING, false },
	[FACT_BUF] = { "buf", POINTER, false },
	[FACT_LEN] = { "len", NUMBER, false },
	[FACT_FLAGS] = { "flags", NUMBER, false },
	[FACT_RESULT] = { "result", NUMBER, true },
	[FACT_ERR] = { "err", NUMBER, true },
	[FACT_PID] = { "pid", NUMBER, false },
	[FACT_TID] = { "tid", NUMBER, false },
	[FACT_PROGRAM] = { "program", STRING, false },
};

static const char *const shape_types[] = {
	[NUMBER] = "an integer or floating type",
	[STRING] = "cstr or ptr",
	[ADDRESS] = "sockaddr or ptr",
	[POINTER] = "ptr",
};

/* What struct plugin's opaque words hold. */
struct binding {
	ffi_cif cif;		/* its arg_types are set for each call: the caller may copy the struct */
	ffi_type *types[PLUGIN_ARGS_MAX];
	uint8_t facts[PLUGIN_ARGS_MAX];	/* enum fact */
	uint8_t as[PLUGIN_ARGS_MAX];	/* enum signature_type */
	uint8_t n, result;
};

_Static_assert(sizeof(struct binding) <= sizeof(((struct plugin *)0)->opaque), "struct plugin is too small");

static int fact_find(const struct signature_param *param)
{
	for (int i = 0; i < FACTS; i++)
		if (strlen(facts[i].name) == param->name_len && !memcmp(facts[i].name, param->name, param->name_len))
			return i;
	return -1;
}

static bool fits(enum shape shape, enum signature_type type)
{
	switch (shape) {
	case NUMBER: return signature_type_is_number(type);
	case STRING: return type == SIGNATURE_CSTR || type == SIGNATURE_PTR;
	case ADDRESS: return type == SIGNATURE_SOCKADDR || type == SIGNATURE_PTR;
	case POINTER: return type == SIGNATURE_PTR;
	}
	return false;
}

/* Finds the facts that the parameters name. 0 or -EINVAL. */
static int resolve_facts(const struct signature *s, bool after, uint8_t *out, struct plugin_error *err)
{
	for (unsigned i = 0; i < s->n; i++) {
		const struct signature_param *param = &s->params[i];
		int shown = param->name_len < 40 ? (int)param->name_len : 40;
		int fact = fact_find(param);

		if (fact < 0)
			return signature_fail(err, param->name_column, "unknown parameter '%.*s'; expected fd family "
				"type protocol ip port addr addrlen call host buf len flags result err pid tid or program",
				shown, param->name);
		if (facts[fact].after && !after)
			return signature_fail(err, param->name_column, "'%s' is known after the call only: "
					      "use `call after'", facts[fact].name);
		if (!fits(facts[fact].shape, param->type))
			return signature_fail(err, param->type_column, "'%s' cannot be passed as %s; expected %s",
				facts[fact].name, signature_type_name(param->type), shape_types[facts[fact].shape]);
		out[i] = (uint8_t)fact;
	}
	return 0;
}

int plugin_check(const char *signature, bool after, struct plugin_error *err)
{
	uint8_t found[PLUGIN_ARGS_MAX];
	struct signature s;
	int r = signature_parse(&s, signature, err);

	return r ? r : resolve_facts(&s, after, found, err);
}

/* Loads the object and finds the symbol. 0 or -ENOENT. */
static int load(struct plugin *p, const char *object, const char *symbol, struct plugin_error *err)
{
	void *handle = dlopen(object, RTLD_NOW | RTLD_LOCAL), *fn;
	const char *why;

	err->column = 0;
	if (!handle) {
		why = dlerror();
		snprintf(err->text, sizeof(err->text), "cannot load '%s': %s", object, why ? why : "no reason given");
		return -ENOENT;
	}
	dlerror();
	fn = dlsym(handle, symbol);
	if (!fn) {
		why = dlerror();
		snprintf(err->text, sizeof(err->text), "no '%s' in '%s': %s", symbol, object, why ? why : "it is NULL");
		dlclose(handle);
		return -ENOENT;
	}
	memcpy(&p->fn, &fn, sizeof(fn));	/* the object stays loaded as long as the process lives */
	return 0;
}

int plugin_bind(struct plugin *p, const char *object, const char *symbol, const char *signature, bool after,
		struct plugin_error *err)
{
	struct binding *b = (struct binding *)p->opaque;
	struct signature s;
	int r = signature_parse(&s, signature, err);

	memset(p, 0, sizeof(*p));
	if (!r)
		r = resolve_facts(&s, after, b->facts, err);
	if (r)
		return r;
	b->n = (uint8_t)s.n;
	b->result = (uint8_t)s.result;
	for (unsigned i = 0; i < s.n; i++) {
		b->as[i] = (uint8_t)s.params[i].type;
		b->types[i] = signature_ffi_type(s.params[i].type);
	}
	if (ffi_prep_cif(&b->cif, FFI_DEFAULT_ABI, s.n, s.result == SIGNATURE_VOID ? &ffi_type_void : &ffi_type_sint32,
			 b->types) != FFI_OK)
		return signature_fail(err, 1, "libffi cannot make such a call");
	return load(p, object, symbol, err);
}

static int64_t number_of(const struct plugin_facts *f, enum fact fact, uint16_t port)
{
	switch (fact) {
	case FACT_FD: return f->fd;
	case FACT_FAMILY: return f->family;
	case FACT_TYPE: return f->type;
	case FACT_PROTOCOL: return f->protocol;
	case FACT_PORT: return port;
	case FACT_ADDRLEN: return f->addr ? f->addr_len : 0;
	case FACT_LEN: return (int64_t)f->len;
	case FACT_FLAGS: return f->flags;
	case FACT_RESULT: return f->result;
	case FACT_ERR: return f->err;
	case FACT_PID: return f->pid;
	case FACT_TID: return f->tid;
	default: return 0;
	}
}

/* A fact that is a pointer. Strings are never NULL. */
static const void *pointer_of(const struct plugin_facts *f, enum fact fact, const char *ip)
{
	switch (fact) {
	case FACT_IP: return ip;
	case FACT_ADDR: return f->addr;
	case FACT_CALL: return f->call ? f->call : "";
	case FACT_HOST: return f->host ? f->host : "";
	case FACT_PROGRAM: return f->program ? f->program : "";
	case FACT_BUF: return f->buf;
	default: return NULL;
	}
}

int plugin_call(const struct plugin *p, const struct plugin_facts *f)
{
	const struct binding *b = (const struct binding *)p->opaque;
	union signature_value values[PLUGIN_ARGS_MAX];
	void *args[PLUGIN_ARGS_MAX];
	ffi_cif cif = b->cif;
	char ip[IP_TEXT];
	uint16_t port = ip_format(ip, f->addr, f->addr_len);
	ffi_arg result = 0;

	for (unsigned i = 0; i < b->n; i++) {
		if (facts[b->facts[i]].shape == NUMBER)
			signature_set_number(&values[i], b->as[i], number_of(f, b->facts[i], port));
		else
			values[i].ptr = pointer_of(f, b->facts[i], ip);
		args[i] = &values[i];
	}
	cif.arg_types = (ffi_type **)b->types;
	ffi_call(&cif, p->fn, &result, args);
	return b->result == SIGNATURE_ERRNO ? signature_errno((int)result) : 0;
}
