/* Printing tables as iptables-save does. */
#include <inttypes.h>
#include <string.h>

#include "filter/parse.h"

static const char *not_of(const struct rule *r, enum rule_not bit)
{
	return r->not & bit ? " !" : "";
}

static void print_rule(const struct chain *c, const struct rule *r, bool counters, struct text *t)
{
	if (counters)
		text_add(t, "[%" PRIu64 ":%" PRIu64 "] ", r->count.packets, r->count.bytes);
	text_add(t, "-A %s", c->name);
	if (r->src.mask.len && (r->not & NOT_SRC || !addr_is_any(&r->src.mask))) {
		text_add(t, "%s -s ", not_of(r, NOT_SRC));
		rule_addr_print(&r->src, true, t);
	}
	if (r->dst.mask.len && (r->not & NOT_DST || !addr_is_any(&r->dst.mask))) {
		text_add(t, "%s -d ", not_of(r, NOT_DST));
		rule_addr_print(&r->dst, true, t);
	}
	if (r->in.set && (strcmp(r->in.name, "+") || r->not & NOT_IN))
		text_add(t, "%s -i %s", not_of(r, NOT_IN), r->in.name);
	if (r->out.set && (strcmp(r->out.name, "+") || r->not & NOT_OUT))
		text_add(t, "%s -o %s", not_of(r, NOT_OUT), r->out.name);
	if (r->has_proto) {
		text_add(t, "%s -p ", not_of(r, NOT_PROTO));
		proto_print(r->proto, t);
	}
	if (r->frag)
		text_add(t, "%s -f", not_of(r, NOT_FRAG));
	for (size_t i = 0; i < r->nmatches; i++) {
		text_add(t, " -m %s", r->matches[i].ops->name);
		r->matches[i].ops->print(r->matches[i].data, t);
	}
	if (r->jump)
		text_add(t, " -%c %s", r->go ? 'g' : 'j', r->jump->name);
	if (r->target.ops) {
		text_add(t, " -j %s", r->target.ops->name);
		r->target.ops->print(r->target.data, t);
	}
	text_add(t, "\n");
}

static void print_chain(const struct chain *c, struct text *t)
{
	const char *policy = c->hook < 0 ? "-" : c->policy == V_DROP ? "DROP" : "ACCEPT";

	text_add(t, ":%s %s [%" PRIu64 ":%" PRIu64 "]\n", c->name, policy, c->count.packets,
		 c->count.bytes);
}

void table_print(const struct table *t, bool counters, struct text *out)
{
	text_add(out, "*%s\n", table_name(t->id));
	list_for_each(n, &t->chains)
		print_chain(container_of(n, struct chain, list), out);
	list_for_each(n, &t->chains) {
		const struct chain *c = container_of(n, struct chain, list);

		for (size_t i = 0; i < c->nrules; i++)
			print_rule(c, &c->rules[i], counters, out);
	}
	text_add(out, "COMMIT\n");
}
