/* A link that shows every frame that passes, and may stand in for a device that segments. */
#ifndef TESTS_SIM_WATCH_H
#define TESTS_SIM_WATCH_H

#include "core/link.h"

/** watch_fn - sees a frame as the host sent it (@sent) or as it arrived; borrows until return */
typedef void watch_fn(void *ctx, bool sent, const uint8_t *frame, size_t len);

/**
 * watch_new() - wrap @lower, which it owns from now on
 * @offload: offer checksums and segmentation upwards, and do both here
 */
struct link *watch_new(struct link *lower, bool offload, watch_fn *fn, void *ctx);

#endif
