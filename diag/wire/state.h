/* TCP states as diag numbers them (include/net/tcp_states.h), their names and masks. */
#ifndef DIAG_WIRE_STATE_H
#define DIAG_WIRE_STATE_H

#include <stdint.h>

/** enum diag_state - a socket's state; UDP and unix sockets use ESTABLISHED, CLOSE and LISTEN of it */
enum diag_state {
	DIAG_TCP_ESTABLISHED = 1,
	DIAG_TCP_SYN_SENT,
	DIAG_TCP_SYN_RECV,
	DIAG_TCP_FIN_WAIT1,
	DIAG_TCP_FIN_WAIT2,
	DIAG_TCP_TIME_WAIT,
	DIAG_TCP_CLOSE,
	DIAG_TCP_CLOSE_WAIT,
	DIAG_TCP_LAST_ACK,
	DIAG_TCP_LISTEN,
	DIAG_TCP_CLOSING,
	DIAG_TCP_NEW_SYN_RECV,   /* a request socket; a mask's bit only, messages say SYN_RECV */
	DIAG_TCP_BOUND_INACTIVE, /* bound, neither listening nor connecting; a mask's bit only */
	DIAG_STATE_COUNT,
};

/* The bit of a state in idiag_states and udiag_states. */
#define DIAG_STATE_BIT(state) (UINT32_C(1) << (state))
#define DIAG_ALL_TCP_STATES UINT32_MAX

/** diag_state_name - "ESTABLISHED", "SYN_SENT", ... ; "UNKNOWN" outside the enum */
const char *diag_state_name(unsigned int state);

/** diag_state_short - the word socket listings print: "ESTAB", "TIME-WAIT", "UNCONN", ... ; "UNKNOWN" outside the enum */
const char *diag_state_short(unsigned int state);

/**
 * diag_state_mask - the states a word stands for
 * @word: "established", "time-wait", "closed", ..., or a group: "all", "connected",
 *        "synchronized", "bucket", "big"; also the names of diag_state_name(). Case is ignored
 *
 * Return: their bits, or 0 for a word that is none.
 */
uint32_t diag_state_mask(const char *word);

#endif
