/* calltext.c - formats recorded calls. An event comes from a file, so any number in it may be wrong. */
#include "launch/calltext.h"

#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "launch/names.h"
#include "launch/tally.h"

struct text {
	char *buf;
	size_t n, len;
};

static void add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *t, const char *format, ...)
{
	va_list args;
	int n;

	if (t->len >= t->n)
		return;
	va_start(args, format);
	n = vsnprintf(t->buf + t->len, t->n - t->len, format, args);
	va_end(args);
	t->len += n > 0 ? (size_t)n : 0;
}

/* The argument of the same call that has a given kind, for what depends on another. */
static int sibling(const struct call_info *info, const struct run_event *e, enum call_arg kind)
{
	for (int i = 0; i < info->n_args; i++)
		if (info->args[i].kind == kind)
			return (int)e->args[i];
	return -1;
}

static char *pointer(char *buf, size_t n, uint64_t value)
{
	if (value)
		snprintf(buf, n, "0x%llx", (unsigned long long)value);
	else
		snprintf(buf, n, "NULL");
	return buf;
}

/* A host name stands where an address would. */
static char *host(char *buf, size_t n, const struct run_event *e, uint64_t value)
{
	char name[sizeof(e->addr.data) + 1] = "";

	if (!value || e->addr.len == 0 || e->addr.len > sizeof(e->addr.data))
		return pointer(buf, n, value);
	memcpy(name, e->addr.data, e->addr.len);
	run_text_clean(name, sizeof(name));
	snprintf(buf, n, "\"%s\"%s", name, e->addr.len == sizeof(e->addr.data) ? "..." : "");
	return buf;
}

/* Whether an argument is a plain number, and which. */
static bool is_number(enum call_arg kind, uint64_t value, json_int_t *out)
{
	switch (kind) {
	case ARG_FD:
	case ARG_INT: *out = (int32_t)value; return true;
	case ARG_UINT: *out = (uint32_t)value; return true;
	case ARG_SIZE: *out = value > INT64_MAX ? INT64_MAX : (json_int_t)value; return true;
	default: return false;
	}
}

static char *argument(char *buf, size_t n, const struct call_info *info, int i, const struct run_event *e)
{
	uint64_t value = e->args[i];
	json_int_t number;

	if (is_number(info->args[i].kind, value, &number)) {
		snprintf(buf, n, "%lld", (long long)number);
		return buf;
	}
	switch (info->args[i].kind) {
	case ARG_STR: return host(buf, n, e, value);
	case ARG_ADDR: return value && e->addr.len ? tally_address(buf, n, &e->addr) : pointer(buf, n, value);
	case ARG_FAMILY: return names_family(buf, n, (int)value);
	case ARG_SOCKTYPE: return names_socket_type(buf, n, (int)value);
	case ARG_PROTOCOL: return names_protocol(buf, n, sibling(info, e, ARG_FAMILY), (int)value);
	case ARG_SOCKFLAGS: return names_socket_flags(buf, n, value);
	case ARG_MSGFLAGS: return names_message_flags(buf, n, value);
	case ARG_HOW: return names_how(buf, n, (int)value);
	case ARG_LEVEL: return names_level(buf, n, (int)value);
	case ARG_OPTION: return names_option(buf, n, sibling(info, e, ARG_LEVEL), (int)value);
	case ARG_FCNTL: return names_fcntl(buf, n, (int)value);
	case ARG_HEX:
		if (e->call == CALL_fcntl)
			return names_fcntl_arg(buf, n, sibling(info, e, ARG_FCNTL), value);
		snprintf(buf, n, value ? "0x%llx" : "%llu", (unsigned long long)value);
		return buf;
	default: return pointer(buf, n, value);
	}
}

static const char *eai_name(int err)
{
	static const struct { int value; const char *name; } names[] = {
		{ EAI_BADFLAGS, "EAI_BADFLAGS" }, { EAI_NONAME, "EAI_NONAME" }, { EAI_AGAIN, "EAI_AGAIN" },
		{ EAI_FAIL, "EAI_FAIL" }, { EAI_NODATA, "EAI_NODATA" }, { EAI_FAMILY, "EAI_FAMILY" },
		{ EAI_SOCKTYPE, "EAI_SOCKTYPE" }, { EAI_SERVICE, "EAI_SERVICE" },
		{ EAI_ADDRFAMILY, "EAI_ADDRFAMILY" }, { EAI_MEMORY, "EAI_MEMORY" },
		{ EAI_SYSTEM, "EAI_SYSTEM" }, { EAI_OVERFLOW, "EAI_OVERFLOW" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].value == err)
			return names[i].name;
	return NULL;
}

/* The name and the words of an event's error; false if it has none. */
static bool error_of(const struct run_event *e, char name[32], const char **words)
{
	const char *known;

	if (e->err == 0)
		return false;
	known = e->call == CALL_getaddrinfo ? eai_name(e->err) : strerrorname_np(e->err);
	*words = e->call == CALL_getaddrinfo ? gai_strerror(e->err) : strerrordesc_np(e->err);
	if (known)
		snprintf(name, 32, "%s", known);
	else
		snprintf(name, 32, "error %d", e->err);
	return true;
}

static const struct call_info *info_of(const struct run_event *e)
{
	return e->call < CALLS ? &call_infos[e->call] : NULL;
}

char *calltext_call(char *buf, size_t n, const struct run_event *e)
{
	const struct call_info *info = info_of(e);
	struct text t = { buf, n, 0 };
	char arg[256], name[32];
	const char *words;

	if (!info) {
		snprintf(buf, n, "(unknown call %u) = %lld", e->call, (long long)e->ret);
		return buf;
	}
	add(&t, "%s(", info->name);
	for (int i = 0; i < info->n_args; i++)
		add(&t, "%s%s", i ? ", " : "", argument(arg, sizeof(arg), info, i, e));
	if (e->call == CALL_closefrom)
		add(&t, ") = ?");
	else
		add(&t, ") = %lld", (long long)e->ret);
	if (error_of(e, name, &words))
		add(&t, " %s (%s)", name, words ? words : "unknown error");
	return buf;
}

char *calltext_line(char *buf, size_t n, const struct run_event *e, const struct calltext_caller *caller)
{
	time_t seconds = (time_t)(e->time_ns / 1000000000);
	struct text t = { buf, n, 0 };
	char call[1024], clock[16] = "??:??:??";
	struct tm tm;

	if (localtime_r(&seconds, &tm))
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	add(&t, "%s.%06u %d", clock, (unsigned)(e->time_ns % 1000000000 / 1000), caller->pid);
	if (e->tid != caller->pid)
		add(&t, "/%d", e->tid);
	add(&t, " %s <%llu.%06u>", calltext_call(call, sizeof(call), e),
	    (unsigned long long)(e->duration_ns / 1000000000), (unsigned)(e->duration_ns % 1000000000 / 1000));
	if (e->rule)
		add(&t, " [rule %u]", e->rule);
	return buf;
}

static json_t *arguments_json(const struct call_info *info, const struct run_event *e)
{
	json_t *args = json_object();

	for (int i = 0; i < info->n_args; i++) {
		json_int_t number;
		char text[256];
		json_t *value;

		if (is_number(info->args[i].kind, e->args[i], &number)) {
			value = json_integer(number);
		} else {
			argument(text, sizeof(text), info, i, e);
			value = strcmp(text, "NULL") ? json_string(text) : json_null();
		}
		json_object_set_new(args, info->args[i].name, value);
	}
	return args;
}

json_t *calltext_json(const struct run_event *e, const struct calltext_caller *caller)
{
	const struct call_info *info = info_of(e);
	time_t seconds = (time_t)(e->time_ns / 1000000000);
	char stamp[64] = "", name[32], day[32];
	const char *words = NULL;
	json_t *o = json_object();
	struct tm tm;

	if (gmtime_r(&seconds, &tm) && strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm))
		snprintf(stamp, sizeof(stamp), "%s.%09uZ", day, (unsigned)(e->time_ns % 1000000000));
	json_object_set_new(o, "time", json_string(stamp));
	json_object_set_new(o, "pid", json_integer(caller->pid));
	json_object_set_new(o, "tid", json_integer(e->tid));
	json_object_set_new(o, "program", json_string(caller->program));
	json_object_set_new(o, "call", info ? json_string(info->name) : json_integer(e->call));
	json_object_set_new(o, "args", info ? arguments_json(info, e) : json_object());
	json_object_set_new(o, "result", json_integer(e->ret));
	if (error_of(e, name, &words)) {
		json_object_set_new(o, "errno", json_string(name));
		json_object_set_new(o, "error", words ? json_string(words) : json_null());
	} else {
		json_object_set_new(o, "errno", json_null());
	}
	json_object_set_new(o, "duration_ns", json_integer(e->duration_ns > INT64_MAX ? INT64_MAX :
							   (json_int_t)e->duration_ns));
	json_object_set_new(o, "rule", e->rule ? json_integer(e->rule) : json_null());
	return o;
}
