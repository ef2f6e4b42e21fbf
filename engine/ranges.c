// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <stdlib.h>

#include "engine/ranges.h"

int hs_ranges_add(struct hs_ranges *ranges, u64 offset, u64 count)
{
	if (ranges->nr == ranges->max) {
		size_t max = ranges->max ? 2 * ranges->max : 64;
		struct hs_range *range = realloc(ranges->range, max * sizeof(*range));

		if (!range)
			return -ENOMEM;
		ranges->range = range;
		ranges->max = max;
	}
	ranges->range[ranges->nr++] = (struct hs_range){ offset, count };
	return 0;
}

static int hs_range_order(const void *a, const void *b)
{
	const struct hs_range *x = a, *y = b;

	return (x->offset > y->offset) - (x->offset < y->offset);
}

void hs_ranges_merge(struct hs_ranges *ranges)
{
	size_t from, to = 0;

	if (!ranges->nr)
		return;
	qsort(ranges->range, ranges->nr, sizeof(*ranges->range), hs_range_order);
	for (from = 1; from < ranges->nr; from++) {
		struct hs_range *last = &ranges->range[to], *next = &ranges->range[from];
		u64 end = hs_max(last->offset + last->count, next->offset + next->count);

		if (next->offset <= last->offset + last->count)
			last->count = end - last->offset;
		else
			ranges->range[++to] = *next;
	}
	ranges->nr = to + 1;
}

int hs_ranges_tell(const struct hs_ranges *ranges, int (*fn)(void *arg, u64 offset, u64 count),
		   void *arg)
{
	size_t i;
	int ret = 0;

	for (i = 0; !ret && i < ranges->nr; i++)
		ret = fn(arg, ranges->range[i].offset, ranges->range[i].count);
	return ret;
}

void hs_ranges_free(struct hs_ranges *ranges)
{
	free(ranges->range);
	memset(ranges, 0, sizeof(*ranges));
}
