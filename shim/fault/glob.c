/* glob.c - shell patterns. fnmatch(3) depends on the locale, and may allocate. */
#include "fault/glob.h"

static unsigned char lower(char c, bool fold)
{
	return (unsigned char)(fold && c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/* Matches c against the bracket expression at p, just after its '['. Returns what follows the ']', or
 * NULL if there is none: then the '[' means itself. */
static const char *match_bracket(const char *p, char ch, bool fold, bool *matched)
{
	bool negated = *p == '!' || *p == '^', found = false;
	unsigned char c = lower(ch, fold);

	if (negated)
		p++;
	for (const char *first = p; *p && (*p != ']' || p == first); p++) {
		unsigned char from = lower(*p, fold), to = from;

		if (p[1] == '-' && p[2] && p[2] != ']') {
			to = lower(p[2], fold);
			p += 2;
		}
		if (c >= from && c <= to)
			found = true;
	}
	if (*p != ']')
		return NULL;
	*matched = found != negated;
	return p + 1;
}

/* Matches one character; returns the rest of the pattern, or NULL. *p is not '*' and not the end. */
static const char *match_one(const char *p, char c, bool fold)
{
	const char *rest;
	bool matched;

	if (*p == '?')
		return p + 1;
	if (*p == '[' && (rest = match_bracket(p + 1, c, fold, &matched)))
		return matched ? rest : NULL;
	if (*p == '\\' && p[1])
		p++;
	return lower(*p, fold) == lower(c, fold) ? p + 1 : NULL;
}

bool fault_glob_match(const char *pattern, const char *text, size_t n, bool fold)
{
	const char *p = pattern, *t = text, *end = text + n;
	const char *star = NULL, *star_text = NULL;	/* after the last '*', and where it was tried */

	while (t < end || *p) {
		const char *rest = NULL;

		if (*p == '*') {
			star = ++p;
			star_text = t;
			continue;
		}
		if (t < end && *p)
			rest = match_one(p, *t, fold);
		if (rest) {
			p = rest;
			t++;
		} else if (star && star_text < end) {
			p = star;	/* the last '*' takes one character more */
			t = ++star_text;
		} else {
			return false;
		}
	}
	return true;
}
