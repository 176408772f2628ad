/* What a stack's server says beyond the kernel's sock_diag: read from an answer. */
#include "wire/stack.h"

#include <linux/inet_diag.h>
#include <string.h>

#include "wire/attr.h"

/* The last attribute of a number in an inet answer's payload, if it has @size bytes. */
static bool read_attr(const void *payload, size_t len, uint16_t type, void *out, size_t size)
{
	const uint8_t *pos = (const uint8_t *)payload + sizeof(struct inet_diag_msg);
	struct diag_attr a;
	bool found = false;

	if (len < sizeof(struct inet_diag_msg))
		return false;
	len -= sizeof(struct inet_diag_msg);
	while (diag_attr_next(&pos, &len, &a) > 0)
		if (a.type == type && a.len >= size) {
			memcpy(out, a.data, size);
			found = true;
		}
	return found;
}

bool diag_stack_process_read(const void *payload, size_t len, struct diag_stack_process *out)
{
	if (!read_attr(payload, len, DIAG_STACK_PROCESS, out, sizeof(*out)) || out->pid - 1 >= INT32_MAX)
		return false;
	out->comm[sizeof(out->comm) - 1] = '\0';
	return true;
}

bool diag_stack_ended_read(const void *payload, size_t len, struct diag_stack_ended *out)
{
	return read_attr(payload, len, DIAG_STACK_ENDED, out, sizeof(*out));
}
