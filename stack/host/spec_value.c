/* Numbers with units, as specifications have them. */
#include "host/spec.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct unit {
	const char *name;
	double factor;
};

/* A number, digits with at most one point, and one of the units: scaled; false if it is none of that or
 * over @max. */
static bool scaled(const char *s, const struct unit *units, size_t n, double max, double *out)
{
	const char *p = s;
	char number[32];
	double v;

	while (isdigit((unsigned char)*p) || *p == '.')
		p++;
	if (p == s || p - s >= (long)sizeof(number) || !isdigit((unsigned char)*s))
		return false;
	memcpy(number, s, (size_t)(p - s));
	number[p - s] = '\0';
	if (strchr(number, '.') != strrchr(number, '.'))
		return false;
	v = strtod(number, NULL);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(p, units[i].name) != 0)
			continue;
		*out = v * units[i].factor;
		return *out <= max;
	}
	return false;
}

bool spec_time_ns(const char *s, int64_t *out)
{
	static const struct unit units[] = { { "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 } };
	double v;

	if (!scaled(s, units, 4, 3600e9, &v))
		return false;
	*out = (int64_t)v;
	return true;
}

bool spec_rate_bps(const char *s, uint64_t *out)
{
	static const struct unit units[] = {
		{ "bit", 1 }, { "kbit", 1e3 }, { "mbit", 1e6 }, { "gbit", 1e9 },
	};
	double v;

	if (!scaled(s, units, 4, 1e12, &v) || v < 1)
		return false;
	*out = (uint64_t)v;
	return true;
}

bool spec_ppm(const char *s, uint32_t *out)
{
	static const struct unit units[] = { { "%", 1e4 } };
	double v;

	if (!scaled(s, units, 1, 1e6, &v))
		return false;
	*out = (uint32_t)(v + .5);
	return true;
}
