/* quantity.c - numbers in rules. */
#include "fault/quantity.h"

#include <string.h>

#define LARGE ((uint64_t)1 << 62)

struct unit {
	char name[4];
	uint64_t factor;
};

static const struct unit time_units[] = {
	{ "ns", 1 }, { "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 }, { "m", 60000000000 },
	{ "h", 3600000000000 },
};

static const struct unit size_units[] = {
	{ "B", 1 }, { "kB", 1000 }, { "KB", 1000 }, { "MB", 1000000 }, { "GB", 1000000000 },
	{ "KiB", 1 << 10 }, { "MiB", 1 << 20 }, { "GiB", 1 << 30 },
};

/* 12.34 is digits 1234 with scale 100. */
struct decimal {
	uint64_t digits, scale;
	bool point;
};

/* Reads a decimal number at the beginning of w. Returns its length, 0 if there is none or if it has more
 * than 18 digits. */
static size_t decimal_parse(const struct fault_word *w, struct decimal *d)
{
	size_t i, n_digits = 0;

	*d = (struct decimal){ .scale = 1 };
	for (i = 0; i < w->n; i++) {
		char c = w->s[i];

		if (c == '.' && !d->point && n_digits) {
			d->point = true;
			continue;
		}
		if (c < '0' || c > '9')
			break;
		if (++n_digits > 18)
			return 0;
		d->digits = d->digits * 10 + (uint64_t)(c - '0');
		if (d->point)
			d->scale *= 10;
	}
	return n_digits && w->s[i - 1] != '.' ? i : 0;
}

bool fault_number_parse(const struct fault_word *w, uint64_t max, uint64_t *value)
{
	struct decimal d;

	if (!w->n || decimal_parse(w, &d) != w->n || d.point || d.digits > max)
		return false;
	*value = d.digits;
	return true;
}

static const struct unit *unit_find(const struct unit *units, size_t n, const struct fault_word *w)
{
	for (size_t i = 0; i < n; i++)
		if (fault_word_is(w, units[i].name))
			return &units[i];
	return NULL;
}

static bool is_ordinal_suffix(const struct fault_word *w)
{
	return fault_word_is(w, "st") || fault_word_is(w, "nd") || fault_word_is(w, "rd") ||
	       fault_word_is(w, "th");
}

enum fault_quantity_error fault_quantity_parse(const struct fault_word *w, enum fault_quantity kind,
					       uint64_t *value, bool *has_unit)
{
	const struct unit *u;
	struct fault_word suffix;
	struct decimal d;
	size_t n = decimal_parse(w, &d);
	double v;

	if (!n)
		return FAULT_QUANTITY_FORM;
	suffix = fault_word_part(w, n, w->n);
	if (has_unit)
		*has_unit = suffix.n != 0;
	if (kind == FAULT_ORDINAL || (kind == FAULT_SIZE && !suffix.n)) {
		if (d.point || (suffix.n && !is_ordinal_suffix(&suffix)))
			return FAULT_QUANTITY_FORM;
		*value = d.digits;
		return FAULT_QUANTITY_OK;
	}
	if (!suffix.n)
		return FAULT_QUANTITY_NO_UNIT;
	if (kind == FAULT_TIME)
		u = unit_find(time_units, sizeof(time_units) / sizeof(time_units[0]), &suffix);
	else
		u = unit_find(size_units, sizeof(size_units) / sizeof(size_units[0]), &suffix);
	if (!u)
		return FAULT_QUANTITY_FORM;
	v = (double)d.digits * (double)u->factor / (double)d.scale;
	if (v > (double)LARGE)
		return FAULT_QUANTITY_LARGE;
	*value = d.scale == 1 ? d.digits * u->factor : (uint64_t)(v + 0.5);
	return FAULT_QUANTITY_OK;
}

enum fault_quantity_error fault_probability_parse(const struct fault_word *w, uint64_t *threshold)
{
	struct decimal d;
	size_t n = decimal_parse(w, &d);
	struct fault_word suffix;
	double p;

	if (!n)
		return FAULT_QUANTITY_FORM;
	suffix = fault_word_part(w, n, w->n);
	if (suffix.n && !fault_word_is(&suffix, "%"))
		return FAULT_QUANTITY_FORM;
	p = (double)d.digits / (double)d.scale / (suffix.n ? 100 : 1);
	if (p > 1)
		return FAULT_QUANTITY_LARGE;
	if (!d.digits)
		*threshold = 0;
	else if (p >= 1)
		*threshold = UINT64_MAX;
	else
		*threshold = (uint64_t)(p * 0x1p64);	/* 18 digits are never as small as 2^-64 */
	return FAULT_QUANTITY_OK;
}

bool fault_range_split(const struct fault_word *w, struct fault_word *from, struct fault_word *to)
{
	for (size_t i = 0; i + 1 < w->n; i++) {
		if (w->s[i] == '.' && w->s[i + 1] == '.') {
			*from = fault_word_part(w, 0, i);
			*to = fault_word_part(w, i + 2, w->n);
			return true;
		}
	}
	*from = *to = *w;
	return false;
}
