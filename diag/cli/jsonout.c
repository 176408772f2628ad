/* JSON written straight into an output. */
#include "cli/jsonout.h"

/* The length of the UTF-8 character at @s (RFC 3629), or 0 when it is none. */
static size_t utf8_length(const unsigned char *s, size_t n)
{
	static const struct {
		unsigned char mask, lead;
		size_t len;
		uint32_t least;
	} forms[] = { { 0xe0, 0xc0, 2, 0x80 }, { 0xf0, 0xe0, 3, 0x800 }, { 0xf8, 0xf0, 4, 0x10000 } };

	if (s[0] < 0x80)
		return 1;
	for (size_t i = 0; i < 3; i++) {
		uint32_t c = s[0] & (unsigned char)~forms[i].mask;

		if ((s[0] & forms[i].mask) != forms[i].lead)
			continue;
		if (n < forms[i].len)
			return 0;
		for (size_t k = 1; k < forms[i].len; k++) {
			if ((s[k] & 0xc0) != 0x80)
				return 0;
			c = c << 6 | (s[k] & 0x3f);
		}
		return c < forms[i].least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : forms[i].len;
	}
	return 0;
}

void json_string(struct out *o, const char *s, size_t n)
{
	out_lit(o, "\"");
	for (size_t i = 0; i < n;) {
		unsigned char c = (unsigned char)s[i];
		size_t len = utf8_length((const unsigned char *)s + i, n - i);

		if (!len) {
			out_lit(o, "\\ufffd");
			len = 1;
		} else if (c == '"' || c == '\\') {
			char escaped[2] = { '\\', (char)c };

			out_bytes(o, escaped, sizeof(escaped));
		} else if (c < 0x20) {
			out_printf(o, "\\u%04x", c);
		} else {
			out_bytes(o, s + i, len);
		}
		i += len;
	}
	out_lit(o, "\"");
}

static void put_key(struct out *o, const char *key)
{
	out_lit(o, ",\"");
	out_str(o, key);
	out_lit(o, "\":");
}

void json_u64(struct out *o, const char *key, uint64_t v)
{
	put_key(o, key);
	out_u64(o, v);
}

void json_text(struct out *o, const char *key, const char *text)
{
	put_key(o, key);
	json_string(o, text, strlen(text));
}
