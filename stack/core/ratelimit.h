/* Token bucket, for ICMP errors (RFC 1812 4.3.2.8, RFC 4443 2.4(f)). */
#ifndef STACK_CORE_RATELIMIT_H
#define STACK_CORE_RATELIMIT_H

#include <stdbool.h>
#include <stdint.h>

/** struct ratelimit - @per_sec tokens a second, at most @burst saved up; @per_sec 0: no limit */
struct ratelimit {
	uint32_t per_sec, burst;
	int64_t credit_ns;
	int64_t last_ns;
};

void ratelimit_init(struct ratelimit *r, uint32_t per_sec, uint32_t burst);

/** ratelimit_take() - whether one more is allowed at @now_ns */
bool ratelimit_take(struct ratelimit *r, int64_t now_ns);

#endif
