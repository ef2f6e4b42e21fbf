// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See size.h. */
#include "size.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char units[] = "bkmgtpe";

/* The power of two of a unit and nothing after it, or -EINVAL. No unit at all is bytes. */
static int unit_parse(const char *text)
{
	const char *unit;

	if (!*text)
		return 0;
	unit = strchr(units, tolower((unsigned char)*text));
	if (!unit)
		return -EINVAL;
	if (text[1] && (unit == units || strcmp(text + 1, "iB")))
		return -EINVAL;
	return 10 * (int)(unit - units);
}

int hs_size_parse(const char *text, uint64_t *bytes)
{
	uint64_t n = 0;
	int shift;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	for (; isdigit((unsigned char)*text); text++) {
		if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *text - '0', &n))
			return -ERANGE;
	}
	shift = unit_parse(text);
	if (shift < 0)
		return shift;
	if (n << shift >> shift != n)
		return -ERANGE;
	*bytes = n << shift;
	return 0;
}

int hs_range_parse(const char *text, uint64_t *offset, uint64_t *length)
{
	size_t at = strcspn(text, "+-");
	uint64_t first, second, end;
	char head[HS_SIZE_TEXT];
	int r;

	if (!text[at] || at >= sizeof(head))
		return -EINVAL;
	memcpy(head, text, at);
	head[at] = 0;
	r = hs_size_parse(head, &first);
	if (!r)
		r = hs_size_parse(text + at + 1, &second);
	if (r)
		return r;
	if (text[at] == '-') {
		if (second < first)
			return -EINVAL;
		second -= first;
	}
	if (!second)
		return -EINVAL;
	if (__builtin_add_overflow(first, second, &end))
		return -ERANGE;
	*offset = first;
	*length = second;
	return 0;
}

char *hs_size_print(char buf[HS_SIZE_TEXT], uint64_t bytes)
{
	double n = bytes;
	int unit = 0;

	while (n >= 1024 && units[unit + 1]) {
		n /= 1024;
		unit++;
	}
	if (!unit)
		snprintf(buf, HS_SIZE_TEXT, "%" PRIu64 " B", bytes);
	else if (n == (uint64_t)n)
		snprintf(buf, HS_SIZE_TEXT, "%.0f %ciB", n, toupper(units[unit]));
	else
		snprintf(buf, HS_SIZE_TEXT, "%.*f %ciB", n < 10 ? 2 : n < 100 ? 1 : 0, n,
			 toupper(units[unit]));
	return buf;
}
