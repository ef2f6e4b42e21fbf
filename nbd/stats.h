/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* struct hs_stats as a JSON object: its members by name, not_cached an object by reason. */
#ifndef HS_STATS_H
#define HS_STATS_H

struct hs_stats;
struct json_object;

/* The caller owns the object. */
struct json_object *hs_stats_json(const struct hs_stats *stats);

#endif
