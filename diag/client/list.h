/* A dump on a conversation of its own, gathered into a growing array. */
#ifndef DIAG_CLIENT_LIST_H
#define DIAG_CLIENT_LIST_H

#include <stddef.h>

#include "client/dump.h"

/** struct diag_list - an array being gathered; zeroed but for @each to begin with */
struct diag_list {
	void *at;     /* the elements; whoever ends the gathering owns them */
	size_t count;
	size_t each;  /* bytes of an element */
	size_t room;
	struct diag_err error; /* why gathering stopped */
};

/** diag_list_add - room for one more element, zeroed; NULL without memory, which @l->error then says */
void *diag_list_add(struct diag_list *l);

/**
 * diag_list_gather - opens the kernel, dumps, closes
 * @r:    the request
 * @buf:  what datagrams are read into, aligned to 4; NULL: a buffer of the function's own
 * @size: bytes at @buf
 * @tap, @tap_arg: see every byte read; NULL: nobody does
 * @fn:   gets each answer and @l; it adds an element, or sets @l->error and returns nonzero
 *
 * Return: DIAG_OK, or the first error. What was gathered before it stays in @l.
 */
struct diag_err diag_list_gather(struct diag_req *r, void *buf, size_t size, diag_tap_fn tap, void *tap_arg,
				 diag_msg_fn fn, struct diag_list *l);

#endif
