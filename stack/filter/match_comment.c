/* The comment match: it always matches. */
#include <stdlib.h>

#include "filter/parse.h"

enum { COMMENT_MAX = 255 };

struct comment {
	char *text;
};

static const struct ext_option comment_options[] = { { "--comment", 0, 1, false }, { 0 } };

static bool comment_option(struct parser *p, void *data, unsigned id, bool negated)
{
	struct comment *m = data;

	if (strlen(p->arg[0]->s) > COMMENT_MAX)
		return parser_fail(p, p->arg[0], 0, "a comment of at most %d bytes", COMMENT_MAX);
	m->text = strdup(p->arg[0]->s);
	return m->text || parser_no_memory(p);
}

static bool comment_eval(void *data, struct filter_pkt *k)
{
	return true;
}

static void comment_print(const void *data, struct text *t)
{
	text_add(t, " --comment");
	text_add_quoted(t, ((const struct comment *)data)->text);
}

static void comment_release(void *data)
{
	free(((struct comment *)data)->text);
}

const struct ext_ops match_comment = {
	.name = "comment", .size = sizeof(struct comment), .nets = 3, .options = comment_options,
	.required = 1, .option = comment_option, .match = comment_eval, .print = comment_print,
	.release = comment_release,
};
