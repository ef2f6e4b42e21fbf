/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* struct hs_stats as a JSON object: its members by name, not_cached an object by reason. */
#ifndef HS_STATS_H
#define HS_STATS_H

#include <stdbool.h>
#include <stdint.h>

struct hs_stats;
struct json_object;

/* The caller owns the object. */
struct json_object *hs_stats_json(const struct hs_stats *stats);

/* Sets the 64-bit member of that name; false if there is none. */
bool hs_stats_set(struct hs_stats *stats, const char *key, uint64_t value);

#endif
