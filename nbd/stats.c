// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See stats.h. */
#include "stats.h"

#include <stddef.h>
#include <string.h>

#include <hotset/hotset.h>
#include <json-c/json.h>

#define FIELD(member)	{ #member, offsetof(struct hs_stats, member) }

static const struct field {
	const char *name;
	size_t offset;
} fields[] = {
	FIELD(reads),
	FIELD(writes),
	FIELD(flushes),
	FIELD(discards),
	FIELD(zeroes),
	FIELD(read_hits),
	FIELD(read_misses),
	FIELD(write_hits),
	FIELD(write_misses),
	FIELD(inserts),
	FIELD(replacements),
	FIELD(write_backs),
	FIELD(write_back_errors),
	FIELD(commits),
	FIELD(checkpoints),
	FIELD(cache_flushes),
	FIELD(origin_flushes),
	FIELD(journal_bytes),
	FIELD(table_bytes),
	FIELD(checksum_errors),
	FIELD(repairs),
	FIELD(cache_errors),
	FIELD(origin_errors),
	FIELD(slot_waits),
	FIELD(slots),
	FIELD(used),
	FIELD(dirty),
	FIELD(free),
	FIELD(retired),
	FIELD(lost),
	FIELD(origin_size),
	FIELD(cache_size),
	FIELD(ram_bytes),
	FIELD(recovery_ns),
	FIELD(recovered_transactions),
};

bool hs_stats_set(struct hs_stats *stats, const char *key, uint64_t value)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (strcmp(fields[i].name, key))
			continue;
		*(uint64_t *)((char *)stats + fields[i].offset) = value;
		return true;
	}
	return false;
}

static struct json_object *not_cached_json(const struct hs_stats *stats)
{
	struct json_object *obj = json_object_new_object();

	for (int why = 0; why < HS_WHY_COUNT; why++)
		json_object_object_add(obj, hs_reason_name(why),
				       json_object_new_uint64(stats->not_cached[why]));
	return obj;
}

struct json_object *hs_stats_json(const struct hs_stats *stats)
{
	struct json_object *obj = json_object_new_object();

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		const char *at = (const char *)stats + fields[i].offset;

		json_object_object_add(obj, fields[i].name,
				       json_object_new_uint64(*(const uint64_t *)at));
	}
	json_object_object_add(obj, "not_cached", not_cached_json(stats));
	json_object_object_add(obj, "block_size", json_object_new_uint64(stats->block_size));
	json_object_object_add(obj, "assoc", json_object_new_uint64(stats->assoc));
	json_object_object_add(obj, "mode", json_object_new_string(hs_mode_name(stats->mode)));
	json_object_object_add(obj, "mode_durable",
			       json_object_new_string(hs_mode_name(stats->mode_durable)));
	json_object_object_add(obj, "failed", json_object_new_boolean(stats->failed));
	json_object_object_add(obj, "clean_start", json_object_new_boolean(stats->clean_start));
	return obj;
}
