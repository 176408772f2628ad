/*
 * An Ethernet switch between links: learns where stations are, floods what it does not know.
 *
 * Ports have impairments of their own. A port may be given a station's address that belongs to it: frames from
 * that address on any other port are dropped, so that nobody takes another's traffic.
 */
#ifndef STACK_LINK_LAN_SWITCH_H
#define STACK_LINK_LAN_SWITCH_H

#include "base/clock.h"
#include "core/link.h"
#include "link/impair.h"

enum { LAN_SWITCH_STATIONS = 1024, LAN_SWITCH_AGE_S = 300 };

struct lan_switch;
struct lan_port;

/**
 * struct lan_switch_config - @seed: of impairments and the table's hash
 * @rx: sees every frame a port sent, before it is passed on; borrows it; or NULL
 */
struct lan_switch_config {
	struct clock *clock;
	uint64_t seed;
	void (*rx)(void *ctx, struct lan_port *port, struct pkt *pkt);
	void *ctx;
};

/** lan_switch_new() - NULL if there is no memory */
struct lan_switch *lan_switch_new(const struct lan_switch_config *c);

/** lan_switch_free() - with all its ports; NULL is allowed */
void lan_switch_free(struct lan_switch *s);

/**
 * lan_switch_add() - takes @link, which moves Ethernet frames: a new port
 * @mac: the station that belongs to it, or NULL
 *
 * Return: the port; NULL, with @link closed, if there is no memory.
 */
struct lan_port *lan_switch_add(struct lan_switch *s, struct link *link, const struct link_addr *mac);

/** lan_switch_remove() - takes @port away, with its link and the stations behind it */
void lan_switch_remove(struct lan_port *port);

/** lan_port_impair() - what happens to frames of this port from now on: @out to those its station sends, @in to
 * those it receives; NULL: leave that direction */
void lan_port_impair(struct lan_port *port, const struct impair_dir *out, const struct impair_dir *in);

/** lan_port_send() - takes @pkt, a frame: send it to this port alone; lan_switch_send(): to all */
void lan_port_send(struct lan_port *port, struct pkt *pkt);
void lan_switch_send(struct lan_switch *s, struct pkt *pkt);

/**
 * struct lan_port_stats - frames; as the port's station sees them
 * @sent, @received: passed the switch
 * @full:    dropped, a queue was full: that of its link, or one of its impairment
 * @lost:    by its impairment
 * @refused: from it, no Ethernet frames or without a station's address as the sender
 * @forged:  from it, with the address of another port's station
 */
struct lan_port_stats {
	uint64_t sent, received, full, lost, refused, forged;
};

struct lan_port_stats lan_port_get_stats(const struct lan_port *port);

/** lan_switch_stations() - how many are known now */
size_t lan_switch_stations(const struct lan_switch *s);

#endif
