/* unix_diag_msg: parse, names kept whole. */
#include "wire/unix.h"

struct diag_err diag_unix_parse(const void *payload, size_t len, struct diag_unix *out)
{
	const uint8_t *p = payload;
	const struct diag_attr *name;
	struct diag_err e;

	out->name = NULL;
	out->name_len = 0;
	if (len < sizeof(out->msg)) {
		memset(out, 0, sizeof(*out));
		return diag_err_nle(DIAG_NLE_MSG_TOOSHORT);
	}
	memcpy(&out->msg, p, sizeof(out->msg));
	e = diag_attr_table(p + sizeof(out->msg), len - sizeof(out->msg), out->attrs, DIAG_UNIX_ATTRS);
	name = &out->attrs[UNIX_DIAG_NAME];
	if (name->data && name->len) {
		out->name = (const char *)name->data;
		out->name_len = name->len;
		/* A path is sent with its terminator; an abstract name has none to take away. */
		if (out->name[0] != '\0')
			out->name_len = strnlen(out->name, name->len);
	}
	return e;
}

const char *diag_unix_path(const struct diag_unix *u, char *buf, size_t size)
{
	size_t n = u->name_len < size ? u->name_len : size - 1;

	for (size_t i = 0; i < n; i++)
		buf[i] = u->name[i] ? u->name[i] : '@';
	buf[n] = '\0';
	return buf;
}
