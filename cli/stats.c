// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* hotset stats: counters of a running cache, once or at intervals. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include <json-c/json.h>

#include "cache.h"
#include "cli.h"
#include "control.h"
#include "prometheus.h"
#include "size.h"

#define HEAD_EVERY	20	/* lines of --watch */

enum format {
	TEXT,
	JSON,
	PROMETHEUS,
};

static const struct option options[] = {
	HS_FLAG("json", 'j'),
	HS_FLAG("prometheus", 'p'),
	HS_VALUE("watch", 'w'),
	HS_OPTIONS_END
};

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * part / whole : 0;
}

/* ---- once, for people ------------------------------------------------------------------------ */

static void line_requests(struct json_object *stats, const char *what, const char *hits,
			  const char *misses)
{
	uint64_t hit = hs_json_number(stats, hits);
	uint64_t all = hit + hs_json_number(stats, misses);

	printf("%-10s %" PRIu64 " blocks, %.1f %% hits\n", what, all, percent(hit, all));
}

static void print_cache(struct json_object *stats)
{
	uint64_t slots = hs_json_number(stats, "slots");
	uint64_t used = hs_json_number(stats, "used");
	uint64_t dirty = hs_json_number(stats, "dirty");
	char text[HS_SIZE_TEXT], block[HS_SIZE_TEXT];

	printf("mode       %s", hs_json_string(stats, "mode"));
	if (json_object_get_string_len(json_object_object_get(stats, "mode_durable")) &&
	    !json_object_equal(json_object_object_get(stats, "mode"),
			       json_object_object_get(stats, "mode_durable")))
		printf(" (switching from %s)", hs_json_string(stats, "mode_durable"));
	printf("%s\n", hs_json_bool(stats, "failed") ? ", the cache device is OUT OF SERVICE" : "");
	printf("origin     %s\n", hs_size_print(text, hs_json_number(stats, "origin_size")));
	printf("cache      %s: %" PRIu64 " slots of %s\n",
	       hs_size_print(text, hs_json_number(stats, "cache_size")), slots,
	       hs_size_print(block, hs_json_number(stats, "block_size")));
	printf("used       %" PRIu64 " (%.1f %%)\n", used, percent(used, slots));
	printf("dirty      %" PRIu64 " (%.1f %%)\n", dirty, percent(dirty, slots));
	printf("RAM        %s\n", hs_size_print(text, hs_json_number(stats, "ram_bytes")));
}

static void print_not_cached(struct json_object *stats)
{
	struct json_object *reasons = json_object_object_get(stats, "not_cached");
	const char *separator = "not cached ";

	if (!reasons)
		return;
	json_object_object_foreach(reasons, why, count) {
		if (!json_object_get_uint64(count))
			continue;
		printf("%s%" PRIu64 " %s", separator, json_object_get_uint64(count), why);
		separator = ", ";
	}
	if (*separator == ',')
		putchar('\n');
}

/* What is worth a line only when it happened. */
static void print_troubles(struct json_object *stats)
{
	static const struct {
		const char *key, *text;
	} troubles[] = {
		{ "lost", "dirty blocks are LOST: see 'hotset lost'" },
		{ "write_back_errors", "errors while writing back" },
		{ "cache_errors", "errors of the cache device" },
		{ "origin_errors", "errors of the origin" },
		{ "checksum_errors", "checksum errors" },
		{ "repairs", "clean blocks repaired from the origin" },
		{ "slot_waits", "waits for a free slot" },
	};

	for (size_t i = 0; i < sizeof(troubles) / sizeof(troubles[0]); i++) {
		uint64_t n = hs_json_number(stats, troubles[i].key);

		if (n)
			printf("%-10" PRIu64 " %s\n", n, troubles[i].text);
	}
}

static void print_text(struct json_object *stats)
{
	print_cache(stats);
	line_requests(stats, "reads", "read_hits", "read_misses");
	line_requests(stats, "writes", "write_hits", "write_misses");
	printf("background %" PRIu64 " blocks written back, %" PRIu64 " inserted, %" PRIu64
	       " replaced\n", hs_json_number(stats, "write_backs"),
	       hs_json_number(stats, "inserts"), hs_json_number(stats, "replacements"));
	printf("durability %" PRIu64 " flushes asked, %" PRIu64 " commits, %" PRIu64
	       " cache and %" PRIu64 " origin flushes\n", hs_json_number(stats, "flushes"),
	       hs_json_number(stats, "commits"), hs_json_number(stats, "cache_flushes"),
	       hs_json_number(stats, "origin_flushes"));
	print_not_cached(stats);
	print_troubles(stats);
}

/* ---- at intervals, for people ---------------------------------------------------------------- */

static uint64_t delta(struct json_object *now, struct json_object *before, const char *key)
{
	uint64_t a = hs_json_number(before, key), b = hs_json_number(now, key);

	return b > a ? b - a : 0;	/* a cache that was restarted begins at 0 */
}

static void watch_line(struct json_object *now, struct json_object *before, double seconds)
{
	uint64_t read_hits = delta(now, before, "read_hits");
	uint64_t reads = read_hits + delta(now, before, "read_misses");
	uint64_t write_hits = delta(now, before, "write_hits");
	uint64_t writes = write_hits + delta(now, before, "write_misses");

	printf("%10.0f %5.1f %10.0f %5.1f %10.0f %10.0f %10" PRIu64 " %10" PRIu64 "\n",
	       reads / seconds, percent(read_hits, reads), writes / seconds,
	       percent(write_hits, writes), delta(now, before, "flushes") / seconds,
	       delta(now, before, "write_backs") / seconds, hs_json_number(now, "used"),
	       hs_json_number(now, "dirty"));
}

static void watch_head(void)
{
	printf("%10s %5s %10s %5s %10s %10s %10s %10s\n", "reads/s", "hit%", "writes/s", "hit%",
	       "flushes/s", "writeb/s", "used", "dirty");
}

/* ---- both ------------------------------------------------------------------------------------ */

static void print(const char *name, struct json_object *stats, enum format format)
{
	switch (format) {
	case TEXT:
		print_text(stats);
		break;
	case JSON:
		hs_json_print(stats);
		break;
	case PROMETHEUS:
		hs_prometheus_print(name, stats);
		break;
	}
	fflush(stdout);
}

static void sleep_ms(uint64_t ms)
{
	const struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&time, NULL);
}

/* Until the cache ends, which is a failure to answer. */
static int watch(const char *name, enum format format, uint64_t ms)
{
	struct json_object *before = NULL, *now;

	for (unsigned int line = 0; (now = hs_cache_stats(name)); line++) {
		if (format != TEXT) {
			print(name, now, format);
		} else {
			if (line % HEAD_EVERY == 0)
				watch_head();
			if (before)
				watch_line(now, before, ms / 1000.0);
			fflush(stdout);
		}
		json_object_put(before);
		before = now;
		sleep_ms(ms);
	}
	json_object_put(before);
	return HS_EXIT_FAILED;
}

static int once(const char *name, enum format format)
{
	struct json_object *stats = hs_cache_stats(name);

	if (!stats)
		return HS_EXIT_FAILED;
	print(name, stats, format);
	json_object_put(stats);
	return HS_EXIT_OK;
}

static int run(const struct hs_cmd *cmd, int argc, char **argv)
{
	static const char *const names[] = { "NAME", NULL };
	bool json = false, prometheus = false;
	enum format format;
	const char *name;
	uint64_t ms = 0;
	int c;

	while ((c = hs_option_next(cmd, argc, argv, options)) != -1) {
		json |= c == 'j';
		prometheus |= c == 'p';
		if (c == 'w')
			ms = hs_option_milliseconds(cmd, "--watch");
	}
	if (json && prometheus)
		hs_usage(cmd, "--json and --prometheus exclude each other");
	name = hs_arguments(cmd, argc, argv, names)[0];
	format = json ? JSON : prometheus ? PROMETHEUS : TEXT;
	return ms ? watch(name, format, ms) : once(name, format);
}

const struct hs_cmd hs_cmd_stats = {
	.name = "stats",
	.args = "NAME [--json | --prometheus] [--watch SECONDS]",
	.summary = "show the counters of a running cache",
	.options =
	"  --json           one object, on a line of its own\n"
	"  --prometheus     in the text format that Prometheus reads\n"
	"  --watch SECONDS  again and again; without a format, rates\n",
	.run = run,
};
