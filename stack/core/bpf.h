/*
 * Classic BPF: the socket filters of SO_ATTACH_FILTER, checked once and then run on packets.
 *
 * What is taken is what Linux's bpf_check_classic() takes: known instructions, jumps that stay inside and only
 * go forward (so a run has no more steps than there are instructions), a return at the end, scratch
 * memory that was written before it is read, no division by a constant 0. A load from outside of the packet ends a
 * run with 0. Of the ancillary loads those about netlink, random numbers and the payload's offset are refused.
 */
#ifndef STACK_CORE_BPF_H
#define STACK_CORE_BPF_H

#include "base/err.h"
#include "buffer/pkt.h"

enum { BPF_CODE_MAX = 4096 };	/* instructions */

struct bpf_prog;

/** bpf_new() - a program of @len bytes, an array of struct sock_filter, which is copied. INVALID_OPTION_VALUE:
 * it is none that may be run; NO_MEMORY. bpf_free() takes NULL, too */
enum ns_err bpf_new(const void *code, size_t len, struct bpf_prog **out);
void bpf_free(struct bpf_prog *p);

/** bpf_replace() - bpf_new() in the place of *@p, which is freed; in error it stays. @len 0: none any more */
enum ns_err bpf_replace(struct bpf_prog **p, const void *code, size_t len);

/**
 * struct bpf_view - a packet as a program sees it: offset 0 is the first live byte
 * @net, @link: where the network and the link header start, counted from there; SKF_NET_OFF, SKF_LL_OFF
 * @proto:      Ethernet type, host order
 * @hatype, @type: as in struct packet_addr
 */
struct bpf_view {
	const struct pkt *pkt;
	int32_t net, link;
	uint32_t ifindex, mark;
	uint16_t proto, hatype;
	uint8_t type;
};

/** bpf_run() - borrows: how many bytes of the packet are wanted, 0 for none of it; may be more than there are */
uint32_t bpf_run(const struct bpf_prog *p, const struct bpf_view *v);

#endif
