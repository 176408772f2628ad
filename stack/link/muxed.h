/*
 * Several links as one: what is sent goes out on the one it belongs to, what any of them receives is delivered.
 *
 * Where links have addresses (Ethernet), it goes where its destination was last heard; what nobody was heard of,
 * and groups, go to all. Where they have none, it goes by network address: each link has subnets, the longest
 * prefix decides; groups and broadcasts go to all; without a subnet that matches there is no way.
 */
#ifndef STACK_LINK_MUXED_H
#define STACK_LINK_MUXED_H

#include "base/clock.h"
#include "base/subnet.h"
#include "core/link.h"

enum { MUXED_MAX_LINKS = 16, MUXED_MAX_SUBNETS = 64, MUXED_STATIONS = 256, MUXED_AGE_S = 300 };

/**
 * muxed_new() - a link without any below it yet
 * @clock: what stations are forgotten by
 *
 * Give it links with muxed_add() before it is attached. NULL if there is no memory.
 */
struct link *muxed_new(const struct clock *clock);

/**
 * muxed_add() - takes @lower, also on error: one more link
 * @subnets: @n subnets that are reached through it; only those of links without addresses matter
 *
 * All must be of one kind, those that move frames with ether_new() around them. The result's MTU is the smallest
 * of theirs, and it can do what all can; its address is that of the first, which frames that go out on any of
 * them carry: what lies below must take frames for it.
 *
 * Return: BAD_LINK_ENDPOINT if it is of another kind; NO_BUFFER_SPACE if there are too many links or subnets.
 */
enum ns_err muxed_add(struct link *l, struct link *lower, const struct subnet *subnets, size_t n);

#endif
