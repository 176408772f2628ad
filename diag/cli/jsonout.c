/* JSON written straight into an output. */
#include "cli/jsonout.h"

#include "cli/utf8.h"

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
