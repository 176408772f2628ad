/* Requests that are tried again. */
#ifndef STACK_HOST_AGAIN_H
#define STACK_HOST_AGAIN_H

#include "host/client.h"

/**
 * again_later() - put @q off, to be run by @run once more after what happened before it has been seen
 *
 * Return: whether it was; false: no memory, and the answer there is stands.
 */
bool again_later(struct request *q, int (*run)(struct request *q));

#endif
