/* Route attributes: lengths, and the table by number. */
#include "wire/attr.h"

size_t diag_rta_length(size_t len)
{
	return RTA_LENGTH(len);
}

size_t diag_rta_payload(const struct rtattr *rta)
{
	return rta->rta_len < RTA_LENGTH(0) ? 0 : RTA_PAYLOAD(rta);
}

struct diag_err diag_attr_table(const void *attrs, size_t len, struct diag_attr *table, size_t count)
{
	const uint8_t *pos = attrs;
	struct diag_attr a;
	int rc;

	memset(table, 0, count * sizeof(*table));
	while ((rc = diag_attr_next(&pos, &len, &a)) > 0)
		if (a.type < count)
			table[a.type] = a;
	return rc < 0 ? diag_err_nle(DIAG_NLE_ATTRSIZE) : DIAG_OK;
}
