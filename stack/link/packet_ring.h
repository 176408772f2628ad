/*
 * Packet handler: reading and writing frames of an interface through AF_PACKET with a memory-mapped ring.
 *
 *	struct packet_ring_config config = packet_ring_default_config();
 *	config.promiscuous = true;
 *	err = packet_ring_open("eth0", &config, &ring, error);
 *	while ((err = packet_ring_read(ring, true, &data, &info)) >= 0)
 *		if (data)
 *			... info.cap_len bytes at data, until the next read ...
 *	packet_ring_free(ring);
 *
 * Needs nothing else of the stack. A handler is used by one thread at a time; packet_ring_break_loop()
 * alone may be called from any thread and from signal handlers.
 *
 * Errors are negative: -errno, or one of enum packet_ring_err. Needs Linux 5.10 or newer, and CAP_NET_RAW
 * over the network namespace.
 */
#ifndef STACK_LINK_PACKET_RING_H
#define STACK_LINK_PACKET_RING_H

#include <errno.h>
#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>
#include <time.h>

enum { PACKET_RING_ERROR_MAX = 160 };

/**
 * enum packet_ring_err - errors beside -errno; temporary ones
 * @PACKET_RING_WOULD_POLL: there is no packet, and the read was not to wait for one
 * @PACKET_RING_BREAK_LOOP: packet_ring_break_loop() was called
 */
enum packet_ring_err { PACKET_RING_WOULD_POLL = -10001, PACKET_RING_BREAK_LOOP = -10002 };

/** What packet_ring_open() returns on kernels that are too old: "not implemented". */
#define PACKET_RING_NOT_IMPLEMENTED (-ENOSYS)

/** enum packet_ring_direction - which packets a read returns, as the interface sees them */
enum packet_ring_direction { PACKET_RING_IN_OUT, PACKET_RING_IN, PACKET_RING_OUT };

/** enum packet_ring_tstamp - resolution of struct packet_ring_info's time */
enum packet_ring_tstamp { PACKET_RING_NANO, PACKET_RING_MICRO };

/** Ethernet protocols, host byte order; any other value from ETH_P_* does too. */
enum packet_ring_proto {
	PACKET_RING_PROTO_ALL = 0x0003, PACKET_RING_PROTO_IPV4 = 0x0800, PACKET_RING_PROTO_ARP = 0x0806,
	PACKET_RING_PROTO_VLAN = 0x8100, PACKET_RING_PROTO_IPV6 = 0x86dd,
};

/** Link types: ARPHRD_* of <linux/if_arp.h>; those most used, and none. */
enum packet_ring_link_type {
	PACKET_RING_LINK_ETHERNET = 1, PACKET_RING_LINK_RAW = 519, PACKET_RING_LINK_LOOPBACK = 772,
	PACKET_RING_LINK_NO_HEADER = 0xfffe, PACKET_RING_LINK_NONE = 0xffff,
};

/**
 * struct packet_ring_config - begin with packet_ring_default_config()
 * @read_timeout_ms: a read that waits ends with -ETIMEDOUT after so long; 0 (the default) or less: never.
 *             Has no meaning with @nonblock.
 * @buffer_size: bytes of the ring; 0 or less: 2 MiB, the default. Rounded up to whole blocks. Too small
 *             loses packets when many come at once; too large takes memory that cannot be paged out.
 * @buffer_timeout_ms: without @immediate, packets are handed over when a block of the ring is full, or so
 *             long after its first one; 0 (the default): only when full; less: as the kernel thinks fit.
 * @filter, @filter_len: a classic BPF program, attached before the first packet is received; copied.
 *             What it returns is also the most bytes of a packet that are kept (the snapshot length).
 * @immediate: hand over each packet as it arrives. Costs memory (each packet takes the room of the largest
 *             one), CPU time, and cuts packets that are longer than the interface's MTU, as merged ones are.
 * @promiscuous: receive what is for other stations, too
 * @nonblock:  reads that wait and writes that cannot be done at once end with -EAGAIN
 * @no_link_layer: packets come, and are written, without link layer header (cooked)
 * @proto:     only packets of this Ethernet protocol, host order; the default is PACKET_RING_PROTO_ALL. With any
 *             other, the kernel shows no packets that go out.
 * @tstamp:    resolution of times; nanoseconds by default
 * @direction: both by default
 * @max_nil_read: with a direction, a read that passes over more than so many packets of the other one in
 *             a row returns 0 and no packet; 1024 by default
 * @vnet_hdr:  packets begin with the 10 bytes of a virtio-net header (header/vnet.h), both ways, and may be
 *             super-segments; with @immediate each has room for 64 KiB. Not together with @no_link_layer.
 */
struct packet_ring_config {
	int64_t read_timeout_ms;
	int64_t buffer_size;
	int64_t buffer_timeout_ms;
	const struct sock_filter *filter;
	size_t filter_len;
	bool immediate;
	bool promiscuous;
	bool nonblock;
	bool no_link_layer;
	uint16_t proto;
	enum packet_ring_tstamp tstamp;
	enum packet_ring_direction direction;
	uint64_t max_nil_read;
	bool vnet_hdr;
};

/** struct packet_ring_vlan - the tag the kernel took out of the frame; see packet_ring_vlan_valid() */
struct packet_ring_vlan {
	uint16_t tci;		/* priority, DEI, and the VLAN's id in the lower 12 bits */
	uint16_t tpid;		/* 0x8100, 0x88a8 */
};

/**
 * struct packet_ring_link - what the kernel says of the link layer
 * @proto:    Ethernet protocol, host order
 * @hatype:   link type (ARPHRD_*) of the interface
 * @pkttype:  PACKET_HOST, _BROADCAST, _MULTICAST, _OTHERHOST, _OUTGOING of <linux/if_packet.h>
 * @addr_len, @addr: of the sender
 */
struct packet_ring_link {
	uint16_t proto;
	uint16_t hatype;
	uint8_t pkttype;
	uint8_t addr_len;
	uint8_t addr[8];
};

/**
 * struct packet_ring_info - of one packet
 * @time:     when it was captured
 * @cap_len:  bytes there are
 * @len:      bytes it had, @cap_len or more
 * @ifindex:  interface
 * @status:   as the kernel has it: for packet_ring_tstamp_valid(), packet_ring_vlan_valid()
 */
struct packet_ring_info {
	struct timespec time;
	uint32_t cap_len;
	uint32_t len;
	int32_t ifindex;
	uint32_t status;
	struct packet_ring_vlan vlan;
	struct packet_ring_link link;
};

/**
 * struct packet_ring_stats - @recvs: packets that passed the filter, those dropped among them
 * @drops: packets lost because the ring was full
 */
struct packet_ring_stats {
	uint64_t recvs;
	uint64_t drops;
};

struct packet_ring;

/** packet_ring_default_config() - a configuration to start from */
struct packet_ring_config packet_ring_default_config(void);

/** packet_ring_config_check() - whether the values make sense, each and together */
bool packet_ring_config_check(const struct packet_ring_config *c);

/**
 * packet_ring_open() - open a packet socket on an interface
 * @iface:  NULL or "": all interfaces, without link layer headers (@no_link_layer becomes true)
 * @config: copied; NULL: the default
 * @out:    the handler; free it with packet_ring_free()
 * @error:  on failure what went wrong with what; may be NULL
 *
 * Return: 0; -EINVAL: the configuration or the filter makes no sense; -EPERM: no right; -ENODEV: no such
 * interface; -ENETDOWN: it is down; -ENOMEM: the ring is too large; PACKET_RING_NOT_IMPLEMENTED; else the
 * -errno of the system call.
 */
int packet_ring_open(const char *iface, const struct packet_ring_config *config,
		     struct packet_ring **out, char error[PACKET_RING_ERROR_MAX]);

/**
 * packet_ring_read() - the next packet
 * @wait:  wait for one, an error, the timeout or a break
 * @data:  @info->cap_len bytes in the ring itself, which may be written to, until the next read or close
 *
 * Return: 1; 0 and no packet (*@data is NULL) after too long a run of the unwanted direction;
 * PACKET_RING_WOULD_POLL: none, without @wait; PACKET_RING_BREAK_LOOP: with @wait, told to stop;
 * -EAGAIN: none, with @wait and the configuration's @nonblock; -ETIMEDOUT; -EINTR: a signal came;
 * -ENETDOWN: the interface went down; -EINVAL: closed. Without @wait nothing asks whether the interface is up: an
 * event loop that finds the descriptor readable and no packet asks the socket (SO_ERROR).
 */
int packet_ring_read(struct packet_ring *r, bool wait, uint8_t **data, struct packet_ring_info *info);

/**
 * packet_ring_write() - send a packet
 * @buf, @len: with its link layer header; in cooked mode without, and it goes to all stations
 * @ifindex:   0: the interface the handler is bound to
 * @proto:     Ethernet protocol, host order; 0: the handler's
 *
 * Return: the bytes sent; -EINVAL: closed, no interface, or a protocol that is none or, in cooked mode, says
 * nothing (PACKET_RING_PROTO_ALL); -EAGAIN; -EMSGSIZE; -ENXIO: no such interface; else -errno of sendmsg().
 */
int64_t packet_ring_write(struct packet_ring *r, const void *buf, size_t len, int ifindex, int proto);

/** packet_ring_writev() - the same of a packet in pieces */
int64_t packet_ring_writev(struct packet_ring *r, const struct iovec *iov, int iovcnt, int ifindex, int proto);

/** packet_ring_fd() - the socket, to wait for (readable: packets), or for what is not offered here; after
 * close the number it had */
int packet_ring_fd(const struct packet_ring *r);

/**
 * packet_ring_break_loop() - end the read that waits, or else the next that is to
 *
 * Several calls before that read end one. Return: 0 or -EINVAL (closed).
 */
int packet_ring_break_loop(struct packet_ring *r);

/**
 * packet_ring_set_bpf() - replace the filter; @len 0: none
 *
 * What is in the ring already was let in by the old one. Return: 0; -EINVAL: no valid program, or closed.
 */
int packet_ring_set_bpf(struct packet_ring *r, const struct sock_filter *filter, size_t len);

/** packet_ring_get_stats() - since the last call of this kind (@total false), or since the opening; zeros on
 * any error */
struct packet_ring_stats packet_ring_get_stats(struct packet_ring *r, bool total);

/** packet_ring_get_config() - the configuration in use: sizes as rounded; borrowed from the handler */
const struct packet_ring_config *packet_ring_get_config(const struct packet_ring *r);

/** packet_ring_link_type() - ARPHRD_* of the interface, PACKET_RING_LINK_NONE without one */
uint16_t packet_ring_link_type(const struct packet_ring *r);

/** packet_ring_ifindex() - of the interface, 0 without one */
int packet_ring_ifindex(const struct packet_ring *r);

/** packet_ring_close() - close socket and ring; what is called afterwards fails with -EINVAL. 0 or -EINVAL. */
int packet_ring_close(struct packet_ring *r);

/** packet_ring_free() - close if it is open, and release the handler; NULL is allowed */
void packet_ring_free(struct packet_ring *r);

/** packet_ring_kernel_version() - of the running kernel, asked for once; both -1 on error */
void packet_ring_kernel_version(int *major, int *minor);

/** packet_ring_is_supported() - whether this kernel has what is needed */
bool packet_ring_is_supported(void);

/** packet_ring_interface_link_type() - ARPHRD_*, PACKET_RING_LINK_NONE if there is no such interface */
uint16_t packet_ring_interface_link_type(const char *iface);

/** packet_ring_tstamp_valid() - who stamped the packet as it arrived: 0 the kernel, 1 the network adapter; -1:
 * nobody, the time is that of its way into the ring */
int packet_ring_tstamp_valid(uint32_t status);

/** packet_ring_vlan_valid() - whether there was a VLAN tag */
bool packet_ring_vlan_valid(uint32_t status);

/** packet_ring_temporary() - whether trying again may help: timeouts, breaks, interrupts, full queues */
bool packet_ring_temporary(int err);

/** packet_ring_timeout() - whether @err is a timeout */
bool packet_ring_timeout(int err);

/** packet_ring_strerror() - the message of a negative error */
const char *packet_ring_strerror(int err);

#endif
