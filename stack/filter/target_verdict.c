/* The targets that only say what becomes of a packet, or of its tracking. */
#include "filter/conn.h"
#include "filter/parse.h"

static bool no_option(struct parser *p, void *data, unsigned id, bool negated)
{
	return true;
}

static void print_nothing(const void *data, struct text *t)
{
}

static enum filter_verdict accept_run(const void *data, struct filter_pkt *k)
{
	return V_ACCEPT;
}

static enum filter_verdict drop_run(const void *data, struct filter_pkt *k)
{
	return V_DROP;
}

static enum filter_verdict return_run(const void *data, struct filter_pkt *k)
{
	return V_RETURN;
}

/* Before tracking looks at it; a packet that came round and has a connection keeps it. */
static enum filter_verdict notrack_run(const void *data, struct filter_pkt *k)
{
	if (!k->pkt->flow)
		k->pkt->flow_info = CONN_UNTRACKED;
	return V_NEXT;
}

static void ct_print(const void *data, struct text *t)
{
	text_add(t, " --notrack");
}

static const struct ext_option ct_options[] = { { "--notrack", 0, 0, false }, { 0 } };

const struct ext_ops target_accept = {
	.name = "ACCEPT", .nets = 3, .option = no_option, .target = accept_run,
	.print = print_nothing,
};

/* What a nat table drops is only the first packet of a connection: the others come through. */
const struct ext_ops target_drop = {
	.name = "DROP", .nets = 3, .tables = ((1 << TABLE_COUNT) - 1) & ~(1 << TABLE_NAT),
	.option = no_option, .target = drop_run, .print = print_nothing,
};

const struct ext_ops target_return = {
	.name = "RETURN", .nets = 3, .option = no_option, .target = return_run,
	.print = print_nothing,
};

/* As iptables does: it is read as NOTRACK, and printed as what it is now called. */
const struct ext_ops target_notrack = {
	.name = "NOTRACK", .nets = 3, .tables = 1 << TABLE_RAW, .tracks = true,
	.option = no_option, .target = notrack_run, .print = print_nothing,
};

const struct ext_ops target_ct = {
	.name = "CT", .nets = 3, .tables = 1 << TABLE_RAW, .options = ct_options, .required = 1,
	.tracks = true, .option = no_option, .target = notrack_run, .print = ct_print,
};
