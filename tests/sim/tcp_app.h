/* Two programs with a TCP connection between them, and random plans. */
#ifndef TESTS_SIM_TCP_APP_H
#define TESTS_SIM_TCP_APP_H

#include "net.h"

/**
 * struct app_side - one of the two
 * @to_send:  bytes it means to write; @sent, @received: how many it did
 * @write_max, @read_max: bytes per call at most
 * @laziness: it reads in one of so many steps
 * @abort_in: steps until it resets the connection, 0 never; @hasty: until it closes whatever is unread
 * @eof:      it read the end of the peer's stream
 * @err:      what ended the connection for it, NS_OK nothing
 */
struct app_side {
	struct endpoint *ep;
	uint32_t to_send, sent, received;
	uint32_t write_max, read_max, laziness;
	uint32_t abort_in, hasty_in;
	bool shuts, shut, eof, done;
	enum ns_err err;
};

/** struct app_conn - @s: client, server; @calm: nothing may go wrong */
struct app_conn {
	uint32_t id;
	struct rand *rand;
	struct sim_host *hosts[2];
	struct endpoint *listener;
	struct full_addr to;
	struct app_side s[2];
	bool calm, accepted;
	uint32_t wait;
};

/** app_open() - listen at @server and connect from @client; what the plans are comes from @rand */
void app_open(struct app_conn *c, uint32_t id, struct rand *rand, struct sim_host *client,
	      struct sim_host *server, const struct full_addr *to, bool calm);

/** app_step() - do some of what both mean to; whether anything was done */
bool app_step(struct app_conn *c);

/** app_over() - both are through with it */
bool app_over(const struct app_conn *c);

/** app_close() - close what is open still */
void app_close(struct app_conn *c);

#endif
