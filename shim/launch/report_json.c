/* report_json.c - a run for programs. The form is described in sockshim(1), and only ever added to. */
#include "launch/report.h"

#include <jansson.h>

#include "launch/symbol.h"

/* JSON's integers are signed here. */
static json_t *number(uint64_t v)
{
	return json_integer(v > INT64_MAX ? INT64_MAX : (json_int_t)v);
}

static json_t *optional(const char *s)
{
	return s[0] && !(s[0] == '-' && !s[1]) ? json_string(s) : json_null();
}

static void put_cookie(json_t *o, sockshim_cookie c)
{
	struct tally_cookie cookie;

	tally_cookie(&cookie, c);
	json_object_set_new(o, "cookie", json_string(cookie.text));
	json_object_set_new(o, "family", json_string(cookie.family));
	json_object_set_new(o, "type", json_string(cookie.type));
	json_object_set_new(o, "protocol", json_string(cookie.protocol));
}

static json_t *stats_of(const struct tally *t)
{
	json_t *list = json_array();

	for (size_t i = 0; i < t->n_stats; i++) {
		json_t *o = json_object(), *injected = json_object();

		put_cookie(o, t->stats[i].cookie);
		for (int k = 0; k < RUN_COUNTS; k++)
			json_object_set_new(o, tally_count_names[k], number(tally_count(&t->stats[i], (enum run_count)k)));
		for (int k = 0; k < SOCKSHIM_FILTER_TYPES; k++)
			if (t->stats[i].injected[k])
				json_object_set_new(injected, sockshim_filter_name((enum sockshim_filter_type)k),
						    number(t->stats[i].injected[k]));
		json_object_set_new(o, "injected", injected);
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *rules_of(const struct report *r)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->n_rules; i++) {
		json_t *o = json_object();

		json_object_set_new(o, "number", json_integer(r->rules[i].number));
		json_object_set_new(o, "text", r->rules[i].text ? json_string(r->rules[i].text) : json_null());
		json_object_set_new(o, "matched", number(r->rules[i].count.matched));
		json_object_set_new(o, "fired", number(r->rules[i].count.fired));
		json_array_append_new(list, o);
	}
	return list;
}

/* What every document begins with. */
static json_t *head(const struct report *r)
{
	json_t *o = json_object(), *processes = json_object();
	char seed[24];

	json_object_set_new(o, "sockshim", json_string(SOCKSHIM_VERSION));
	json_object_set_new(o, "run", json_string(r->run->id));
	json_object_set_new(o, "command", optional(r->meta.command));
	/* A string: it has 64 bits, of which many readers of JSON keep 53. */
	snprintf(seed, sizeof(seed), "%llu", (unsigned long long)r->seed);
	json_object_set_new(o, "seed", json_string(seed));
	json_object_set_new(o, "active", json_boolean(r->active));
	for (int i = 0; i < RUN_FATES; i++)
		json_object_set_new(processes, run_fate_names[i], json_integer((json_int_t)r->tally.fates[i]));
	json_object_set_new(o, "processes", processes);
	return o;
}

static void put_image(json_t *o, const struct run_image *image)
{
	json_object_set_new(o, "pid", json_integer(image->file->pid));
	json_object_set_new(o, "program", json_string(image->file->program));
	json_object_set_new(o, "process", json_string(run_fate_names[image->fate]));
}

static json_t *place(const struct run_image *image, uint64_t pc)
{
	json_t *o = json_object();
	struct symbol_place p;

	symbol_place(&p, image, pc);
	json_object_set_new(o, "pc", number(pc));
	json_object_set_new(o, "module", optional(p.module));
	json_object_set_new(o, "offset", number(p.offset));
	json_object_set_new(o, "function", optional(p.function));
	json_object_set_new(o, "function_offset", number(p.function_offset));
	return o;
}

static json_t *socket_of(const struct run_image *image, const struct run_socket *s)
{
	json_t *o = json_object(), *frames = json_array();
	int64_t age = tally_socket_age_ns(image, s);
	char address[64];

	put_image(o, image);
	json_object_set_new(o, "fd", json_integer(s->fd));
	json_object_set_new(o, "descriptors", json_integer(s->refs));
	put_cookie(o, s->cookie);
	json_object_set_new(o, "state", json_string(tally_socket_state(s)));
	json_object_set_new(o, "inherited", json_boolean(s->flags & RUN_SOCK_INHERITED));
	json_object_set_new(o, "accepted", json_boolean(s->flags & RUN_SOCK_ACCEPTED));
	json_object_set_new(o, "local", optional(tally_address(address, sizeof(address), tally_local(s))));
	json_object_set_new(o, "peer", optional(tally_address(address, sizeof(address), tally_peer(s))));
	json_object_set_new(o, "rx_bytes", number(s->rx_bytes));
	json_object_set_new(o, "tx_bytes", number(s->tx_bytes));
	json_object_set_new(o, "age_ms", age < 0 ? json_null() : json_integer(age / 1000000));
	json_object_set_new(o, "opener", s->opener ? place(image, s->opener) : json_null());
	for (int i = 0; i < RUN_BACKTRACE && s->backtrace[i]; i++)
		json_array_append_new(frames, place(image, s->backtrace[i]));
	json_object_set_new(o, "backtrace", frames);
	return o;
}

/* One document, one line: --watch makes JSON lines. */
static void dump(FILE *f, json_t *o)
{
	json_dumpf(o, f, JSON_COMPACT);
	fputc('\n', f);
	json_decref(o);
}

void report_json_stats(FILE *f, const struct report *r, const struct report_options *o)
{
	json_t *doc = head(r), *list;

	json_object_set_new(doc, "stats", stats_of(&r->tally));
	json_object_set_new(doc, "rules", rules_of(r));
	json_object_set_new(doc, "untracked", number(r->tally.untracked));
	if (o->per_process) {
		list = json_array();
		for (size_t i = 0; i < r->images.n; i++) {
			json_t *one = json_object();
			struct tally t = { 0 };

			put_image(one, r->images.v[i]);
			if (tally_add(&t, r->images.v[i]) == 0)
				json_object_set_new(one, "stats", stats_of(&t));
			tally_free(&t);
			json_array_append_new(list, one);
		}
		json_object_set_new(doc, "per_process", list);
	}
	dump(f, doc);
}

void report_json_sockets(FILE *f, const struct report *r, const struct report_options *o)
{
	json_t *doc = head(r), *list = json_array();

	for (size_t i = 0; i < r->images.n; i++)
		for (size_t k = 0; k < r->images.v[i]->n_sockets; k++)
			if (report_shows_socket(r, o, r->images.v[i]))
				json_array_append_new(list, socket_of(r->images.v[i], &r->images.v[i]->sockets[k]));
	json_object_set_new(doc, "sockets", list);
	dump(f, doc);
}

void report_json_summary(FILE *f, const struct report *r)
{
	json_t *doc = head(r), *list = json_array();

	for (size_t i = 0; i < r->images.n; i++)
		for (size_t k = 0; k < r->images.v[i]->n_sockets; k++)
			if (report_is_leak(r->images.v[i], &r->images.v[i]->sockets[k]))
				json_array_append_new(list, socket_of(r->images.v[i], &r->images.v[i]->sockets[k]));
	json_object_set_new(doc, "stats", stats_of(&r->tally));
	json_object_set_new(doc, "rules", rules_of(r));
	json_object_set_new(doc, "untracked", number(r->tally.untracked));
	json_object_set_new(doc, "open_at_exit", list);
	dump(f, doc);
}
