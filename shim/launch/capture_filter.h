/* capture_filter.h - filter expressions of sockshim capture. */
#ifndef SHIM_LAUNCH_CAPTURE_FILTER_H
#define SHIM_LAUNCH_CAPTURE_FILTER_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Compiles an expression (pcap-filter(7)) for an interface, by libpcap, which is loaded only here: without an
 * expression, and for all the command's other uses, it need not be installed. Of packets that pass, snaplen
 * bytes are kept. *filter is the caller's to free(). On failure the reason is on standard error; returns the
 * exit status.
 */
int capture_filter_compile(const char *iface, const char *expression, uint32_t snaplen,
			   struct sock_filter **filter, size_t *len);

#endif
