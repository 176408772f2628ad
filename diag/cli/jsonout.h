/* JSON written straight into an output. */
#ifndef DIAG_CLI_JSONOUT_H
#define DIAG_CLI_JSONOUT_H

#include "cli/out.h"

/*
 * Objects are written member by member as sockets arrive. A library that builds a tree first
 * (jansson) takes some hundred allocations for one socket's tcp_info and cannot write the outer
 * array before its end, so a listing would neither be fast nor take constant memory.
 */

/** json_string - appends a quoted string; bytes that are no UTF-8 become U+FFFD */
void json_string(struct out *o, const char *s, size_t n);

/** json_u64 - appends ,"key":value; @key is a plain word */
void json_u64(struct out *o, const char *key, uint64_t v);

/** json_text - appends ,"key":"text"; @key is a plain word */
void json_text(struct out *o, const char *key, const char *text);

#endif
