// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * See prometheus.h. Counters end in _total, units are base units, and everything carries the
 * server's name, which has no character that a label would need to escape.
 */
#include "prometheus.h"

#include <inttypes.h>
#include <stdio.h>

#include <json-c/json.h>

#include "control.h"

static const struct metric {
	const char *key, *name, *type, *help;
} metrics[] = {
	{ "reads", "reads_total", "counter", "Read requests, by block touched." },
	{ "writes", "writes_total", "counter", "Write requests, by block touched." },
	{ "flushes", "flushes_total", "counter", "Flush requests." },
	{ "discards", "discards_total", "counter", "Discard requests, by block touched." },
	{ "zeroes", "zeroes_total", "counter", "Zeroing requests, by block touched." },
	{ "read_hits", "read_hits_total", "counter", "Reads served by the cache." },
	{ "read_misses", "read_misses_total", "counter", "Reads not found in the cache." },
	{ "write_hits", "write_hits_total", "counter", "Writes to a cached block." },
	{ "write_misses", "write_misses_total", "counter", "Writes to a block not cached." },
	{ "inserts", "inserts_total", "counter", "Blocks filled by read misses." },
	{ "replacements", "replacements_total", "counter", "Clean blocks evicted to make room." },
	{ "write_backs", "write_backs_total", "counter", "Dirty blocks written to the origin." },
	{ "write_back_errors", "write_back_errors_total", "counter", "Write-backs that failed." },
	{ "commits", "commits_total", "counter", "Transactions committed to the journal." },
	{ "checkpoints", "checkpoints_total", "counter", "Checkpoints of journal into table." },
	{ "cache_flushes", "cache_flushes_total", "counter", "Flushes of the cache device." },
	{ "origin_flushes", "origin_flushes_total", "counter", "Flushes of the origin." },
	{ "journal_bytes", "journal_bytes_total", "counter", "Bytes written to the journal." },
	{ "table_bytes", "table_bytes_total", "counter", "Bytes written to the slot table." },
	{ "checksum_errors", "checksum_errors_total", "counter", "Cached data found damaged." },
	{ "repairs", "repairs_total", "counter", "Damaged clean blocks filled anew." },
	{ "cache_errors", "cache_errors_total", "counter", "I/O errors of the cache device." },
	{ "origin_errors", "origin_errors_total", "counter", "I/O errors of the origin." },
	{ "slot_waits", "slot_waits_total", "counter", "Requests that waited for a free slot." },
	{ "slots", "slots", "gauge", "Slots of the cache." },
	{ "used", "slots_used", "gauge", "Slots that hold a block." },
	{ "dirty", "slots_dirty", "gauge", "Slots whose block the origin lacks." },
	{ "free", "slots_free", "gauge", "Slots free for use." },
	{ "retired", "slots_retired", "gauge", "Slots that wait for a commit to be free." },
	{ "lost", "slots_lost", "gauge", "Dirty slots that cannot be read any more." },
	{ "origin_size", "origin_size_bytes", "gauge", "Size of the origin." },
	{ "cache_size", "cache_size_bytes", "gauge", "Size of the cache device in use." },
	{ "block_size", "block_size_bytes", "gauge", "Size of a block." },
	{ "ram_bytes", "ram_bytes", "gauge", "Memory taken by the map." },
	{ "failed", "cache_failed", "gauge", "1 when the cache device is out of service." },
	{ "clean_start", "clean_start", "gauge", "1 when the last stop was clean." },
	{ "recovered_transactions", "recovered_transactions", "gauge",
	  "Transactions replayed at the start." },
};

static void metric_head(const char *name, const char *type, const char *help)
{
	printf("# HELP hotset_%s %s\n# TYPE hotset_%s %s\n", name, help, name, type);
}

static void print_not_cached(const char *name, struct json_object *stats)
{
	struct json_object *reasons = json_object_object_get(stats, "not_cached");

	if (!reasons)
		return;
	metric_head("not_cached_total", "counter", "Requests not inserted, by reason.");
	json_object_object_foreach(reasons, why, count)
		printf("hotset_not_cached_total{name=\"%s\",reason=\"%s\"} %" PRIu64 "\n", name,
		       why, json_object_get_uint64(count));
}

void hs_prometheus_print(const char *name, struct json_object *stats)
{
	for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++) {
		const struct metric *metric = &metrics[i];

		metric_head(metric->name, metric->type, metric->help);
		printf("hotset_%s{name=\"%s\"} %" PRIu64 "\n", metric->name, name,
		       hs_json_number(stats, metric->key));
	}
	print_not_cached(name, stats);
	metric_head("recovery_seconds", "gauge", "Time that the start took.");
	printf("hotset_recovery_seconds{name=\"%s\"} %.9f\n", name,
	       hs_json_number(stats, "recovery_ns") / 1e9);
	metric_head("info", "gauge", "Always 1; the mode is in the label.");
	printf("hotset_info{name=\"%s\",mode=\"%s\"} 1\n", name, hs_json_string(stats, "mode"));
}
