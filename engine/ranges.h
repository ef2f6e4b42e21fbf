/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A growing list of byte ranges, told in order and merged. */
#ifndef HS_ENGINE_RANGES_H
#define HS_ENGINE_RANGES_H

#include <stddef.h>

#include "core/platform.h"

struct hs_range {
	u64 offset, count;	/* bytes */
};

struct hs_ranges {
	struct hs_range *range;
	size_t nr, max;
};

int hs_ranges_add(struct hs_ranges *ranges, u64 offset, u64 count);	/* -ENOMEM */
/* Sorts, and joins what touches. */
void hs_ranges_merge(struct hs_ranges *ranges);
/* Stops at the first non-zero, and returns it. */
int hs_ranges_tell(const struct hs_ranges *ranges, int (*fn)(void *arg, u64 offset, u64 count),
		   void *arg);
void hs_ranges_free(struct hs_ranges *ranges);

#endif
