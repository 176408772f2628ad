/* command_capture_filter.c - filter expressions of sockshim capture, compiled by libpcap. */
#include "launch/capture_filter.h"

#include <dlfcn.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#include "launch/message.h"

/* The functions used, by their names in the library. */
#define PCAP_CALLS(call) \
	call(create) call(activate) call(set_snaplen) call(set_buffer_size) call(compile) call(freecode) \
	call(geterr) call(statustostr) call(close)

struct pcap_calls {
#define DECLARE(name) __typeof__(pcap_##name) *name;
	PCAP_CALLS(DECLARE)
#undef DECLARE
};

static bool load(struct pcap_calls *c)
{
	void *lib = dlopen("libpcap.so.0.8", RTLD_NOW | RTLD_LOCAL);	/* Debian's name of it */

	if (!lib)
		lib = dlopen("libpcap.so.1", RTLD_NOW | RTLD_LOCAL);
	if (!lib) {
		message_error("capture: expressions need libpcap (Debian: libpcap0.8): %s", dlerror());
		return false;
	}
#define LOOK_UP(name) \
	*(void **)&c->name = dlsym(lib, "pcap_" #name); \
	if (!c->name) { \
		message_error("capture: this libpcap has no pcap_%s", #name); \
		return false; \
	}
	PCAP_CALLS(LOOK_UP)
#undef LOOK_UP
	return true;
}

/*
 * The handle must be a live one: only then is code made that finds VLAN tags where the kernel has put them. It
 * receives nothing, and its ring is as small as can be.
 */
static pcap_t *open_live(const struct pcap_calls *c, const char *iface, uint32_t snaplen)
{
	char error[PCAP_ERRBUF_SIZE] = "";
	pcap_t *p = c->create(iface, error);
	int rc;

	if (!p) {
		message_error("capture: %s: %s", iface, error);
		return NULL;
	}
	c->set_snaplen(p, (int)snaplen);
	c->set_buffer_size(p, 1 << 16);
	rc = c->activate(p);
	if (rc < 0) {
		message_error("capture: %s: %s", iface, c->geterr(p)[0] ? c->geterr(p) : c->statustostr(rc));
		c->close(p);
		return NULL;
	}
	return p;
}

int capture_filter_compile(const char *iface, const char *expression, uint32_t snaplen,
			   struct sock_filter **filter, size_t *len)
{
	struct bpf_program program;
	struct pcap_calls c;
	pcap_t *p;

	_Static_assert(sizeof(struct bpf_insn) == sizeof(struct sock_filter), "one layout");
	if (!load(&c))
		return 1;
	p = open_live(&c, iface, snaplen);
	if (!p)
		return 1;
	if (c.compile(p, &program, expression, 1, PCAP_NETMASK_UNKNOWN) < 0) {
		message_error("capture: expression '%s': %s", expression, c.geterr(p));
		c.close(p);
		return EXIT_USAGE;
	}
	*len = program.bf_len;
	*filter = malloc(*len * sizeof(**filter));
	if (*filter)
		memcpy(*filter, program.bf_insns, *len * sizeof(**filter));
	else
		message_error("capture: no memory");
	c.freecode(&program);
	c.close(p);
	return *filter ? 0 : 1;
}
