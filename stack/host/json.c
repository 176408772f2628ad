/* JSON text. */
#include "host/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void json_init(struct json *j)
{
	*j = (struct json){ 0 };
}

void json_free(struct json *j)
{
	free(j->text);
	json_init(j);
}

static void put(struct json *j, const char *s, size_t n)
{
	if (j->failed)
		return;
	if (j->len + n > j->room) {
		size_t room = (j->len + n) * 2 + 256;
		char *p = realloc(j->text, room);

		if (!p) {
			j->failed = true;
			return;
		}
		j->text = p;
		j->room = room;
	}
	memcpy(j->text + j->len, s, n);
	j->len += n;
}

static void put_quoted(struct json *j, const char *s)
{
	put(j, "\"", 1);
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		char escaped[8];

		if (c == '"' || c == '\\' || c < 0x20 || c >= 0x7f)
			put(j, escaped, (size_t)snprintf(escaped, sizeof(escaped), "\\u%04x", c));
		else
			put(j, s, 1);
	}
	put(j, "\"", 1);
}

static void put_key(struct json *j, const char *key)
{
	if (j->comma)
		put(j, ",", 1);
	j->comma = true;
	if (key) {
		put_quoted(j, key);
		put(j, ":", 1);
	}
}

void json_open(struct json *j, const char *key, char bracket)
{
	put_key(j, key);
	put(j, &bracket, 1);
	j->comma = false;
}

void json_close(struct json *j, char bracket)
{
	put(j, &bracket, 1);
	j->comma = true;
}

void json_number(struct json *j, const char *key, uint64_t v)
{
	char text[24];

	put_key(j, key);
	put(j, text, (size_t)snprintf(text, sizeof(text), "%llu", (unsigned long long)v));
}

void json_bool(struct json *j, const char *key, bool v)
{
	put_key(j, key);
	put(j, v ? "true" : "false", v ? 4 : 5);
}

void json_string(struct json *j, const char *key, const char *v)
{
	put_key(j, key);
	put_quoted(j, v);
}
