/* JSON text, written in order. */
#ifndef STACK_HOST_JSON_H
#define STACK_HOST_JSON_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct host;

/**
 * struct json - text so far
 * @comma:  the next member needs one before it
 * @failed: there was no memory
 */
struct json {
	char *text;
	size_t len, room;
	bool comma, failed;
};

void json_init(struct json *j);
void json_free(struct json *j);

/** json_open(), json_close() - '{' or '['; @key NULL in a list or at the top */
void json_open(struct json *j, const char *key, char bracket);
void json_close(struct json *j, char bracket);
void json_number(struct json *j, const char *key, uint64_t v);
void json_bool(struct json *j, const char *key, bool v);
void json_string(struct json *j, const char *key, const char *v);

/** report_info(), report_stats() - what there is to say of a host (report.c) */
void report_info(const struct host *h, struct json *j);
void report_stats(const struct host *h, struct json *j);

#endif
