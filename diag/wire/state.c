/* TCP states: one table of their names. */
#include "wire/state.h"

#include <stddef.h>
#include <strings.h>

static const struct {
	const char *name;
	const char *brief;
	const char *word;
} states[DIAG_STATE_COUNT] = {
	[0] = { "UNKNOWN", "UNKNOWN", NULL },
	[DIAG_TCP_ESTABLISHED] = { "ESTABLISHED", "ESTAB", "established" },
	[DIAG_TCP_SYN_SENT] = { "SYN_SENT", "SYN-SENT", "syn-sent" },
	[DIAG_TCP_SYN_RECV] = { "SYN_RECV", "SYN-RECV", "syn-recv" },
	[DIAG_TCP_FIN_WAIT1] = { "FIN_WAIT1", "FIN-WAIT-1", "fin-wait-1" },
	[DIAG_TCP_FIN_WAIT2] = { "FIN_WAIT2", "FIN-WAIT-2", "fin-wait-2" },
	[DIAG_TCP_TIME_WAIT] = { "TIME_WAIT", "TIME-WAIT", "time-wait" },
	[DIAG_TCP_CLOSE] = { "CLOSE", "UNCONN", "closed" },
	[DIAG_TCP_CLOSE_WAIT] = { "CLOSE_WAIT", "CLOSE-WAIT", "close-wait" },
	[DIAG_TCP_LAST_ACK] = { "LAST_ACK", "LAST-ACK", "last-ack" },
	[DIAG_TCP_LISTEN] = { "LISTEN", "LISTEN", "listening" },
	[DIAG_TCP_CLOSING] = { "CLOSING", "CLOSING", "closing" },
	[DIAG_TCP_NEW_SYN_RECV] = { "NEW_SYN_RECV", "NEW-SYN-RECV", NULL },
	[DIAG_TCP_BOUND_INACTIVE] = { "BOUND_INACTIVE", "BOUND-INACTIVE", "bound-inactive" },
};

/* Every state of a socket that is one; the two mask-only bits are asked for by name. */
#define ALL_STATES (DIAG_STATE_BIT(DIAG_TCP_NEW_SYN_RECV) - 2)
#define BIT(s) DIAG_STATE_BIT(DIAG_TCP_##s)

static const struct {
	const char *word;
	uint32_t mask;
} groups[] = {
	{ "all", ALL_STATES },
	{ "connected", ALL_STATES & ~(BIT(CLOSE) | BIT(LISTEN)) },
	{ "synchronized", ALL_STATES & ~(BIT(CLOSE) | BIT(LISTEN) | BIT(SYN_SENT)) },
	{ "bucket", BIT(SYN_RECV) | BIT(TIME_WAIT) },
	{ "big", ALL_STATES & ~(BIT(SYN_RECV) | BIT(TIME_WAIT)) },
	{ "close", BIT(CLOSE) },
	{ "unconnected", BIT(CLOSE) },
	{ "listen", BIT(LISTEN) },
};

const char *diag_state_name(unsigned int state)
{
	return states[state < DIAG_STATE_COUNT ? state : 0].name;
}

const char *diag_state_short(unsigned int state)
{
	return states[state < DIAG_STATE_COUNT ? state : 0].brief;
}

uint32_t diag_state_mask(const char *word)
{
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if (!strcasecmp(word, groups[i].word))
			return groups[i].mask;
	for (unsigned int s = 1; s < DIAG_STATE_COUNT; s++)
		if ((states[s].word && !strcasecmp(word, states[s].word)) || !strcasecmp(word, states[s].name))
			return DIAG_STATE_BIT(s);
	return 0;
}
