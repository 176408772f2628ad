/* Token bucket, counted in nanoseconds of credit. */
#include "core/ratelimit.h"

#include "base/clock.h"

void ratelimit_init(struct ratelimit *r, uint32_t per_sec, uint32_t burst)
{
	*r = (struct ratelimit){ .per_sec = per_sec, .burst = burst, .last_ns = -1 };
}

bool ratelimit_take(struct ratelimit *r, int64_t now_ns)
{
	int64_t cost, full;

	if (r->per_sec == 0)
		return true;
	cost = NS_PER_SEC / r->per_sec;
	full = cost * r->burst;
	if (r->last_ns < 0 || now_ns - r->last_ns >= full)
		r->credit_ns = full;
	else
		r->credit_ns += now_ns - r->last_ns;
	if (r->credit_ns > full)
		r->credit_ns = full;
	r->last_ns = now_ns;
	if (r->credit_ns < cost)
		return false;
	r->credit_ns -= cost;
	return true;
}
