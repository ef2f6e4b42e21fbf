// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See top.h; here the looks, and lines on stdout. */
#include "top.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <json-c/json.h>

#include "../nbd/stats.h"
#include "caches.h"
#include "cli.h"
#include "control.h"
#include "kernel.h"
#include "size.h"

static const struct option options[] = {
	HS_FLAG("batch", 'b'),
	HS_VALUE("interval", 'i'),
	HS_VALUE("count", 'n'),
	HS_VALUE("sort", 's'),
	HS_OPTIONS_END
};

static const char *const orders[HS_TOP_ORDERS] = { "name", "iops", "hits", "dirty", "bytes" };

const char *hs_top_order_name(enum hs_top_order order)
{
	return orders[order];
}

/* ---- a look ---------------------------------------------------------------------------------- */

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static struct json_object *stats_of(const char *name, enum hs_kind kind, bool *suspended)
{
	struct hs_kernel_state state;

	*suspended = false;
	if (kind == HS_KIND_SERVER)
		return hs_control_ask(name, "stats");
	if (hs_kernel_look(name, &state))
		return NULL;
	*suspended = state.suspended;
	return hs_stats_json(&state.stats);
}

static const char *state_of(struct json_object *stats, bool suspended)
{
	if (hs_json_bool(stats, "failed"))
		return "FAILED";
	if (hs_json_number(stats, "lost"))
		return "LOST DATA";
	if (suspended)
		return "suspended";
	return strcmp(hs_json_string(stats, "mode"), hs_json_string(stats, "mode_durable")) ? "switching" : "ok";
}

static void row_fill(struct hs_top_row *row, struct json_object *stats)
{
	uint64_t slots = hs_json_number(stats, "slots");

	snprintf(row->mode, sizeof(row->mode), "%s", hs_json_string(stats, "mode"));
	row->hits = hs_json_number(stats, "read_hits") + hs_json_number(stats, "write_hits");
	row->requests = row->hits + hs_json_number(stats, "read_misses") + hs_json_number(stats, "write_misses");
	row->block_size = hs_json_number(stats, "block_size");
	row->dirty_percent = slots ? 100.0 * hs_json_number(stats, "dirty") / slots : 0;
	row->hit_percent = -1;
}

static const struct hs_top_row *row_find(const struct hs_top *top, const char *name, enum hs_kind kind)
{
	for (size_t i = 0; i < top->nr; i++)
		if (top->rows[i].kind == kind && !strcmp(top->rows[i].name, name))
			return &top->rows[i];
	return NULL;
}

/* A cache that was restarted, or whose counters were reset, begins anew. */
static void row_rates(struct hs_top_row *row, const struct hs_top_row *before, double seconds)
{
	uint64_t requests;

	if (!before || before->requests > row->requests || before->hits > row->hits || seconds <= 0)
		return;
	requests = row->requests - before->requests;
	row->known = true;
	row->iops = requests / seconds;
	row->bytes = row->iops * row->block_size;
	if (requests)
		row->hit_percent = 100.0 * (row->hits - before->hits) / requests;
}

struct look {
	const struct hs_top *before;
	struct hs_top now;
	bool failed;
};

static void cache_look(void *arg, const char *name, enum hs_kind kind)
{
	struct look *look = arg;
	struct hs_top_row *row, *rows;
	struct json_object *stats;
	bool suspended;

	if (kind == HS_KIND_NONE)
		return;
	stats = stats_of(name, kind, &suspended);
	if (!stats)
		return;
	rows = realloc(look->now.rows, (look->now.nr + 1) * sizeof(*rows));
	if (rows) {
		look->now.rows = rows;
		row = memset(&rows[look->now.nr++], 0, sizeof(*row));
		snprintf(row->name, sizeof(row->name), "%s", name);
		row->kind = kind;
		row->state = state_of(stats, suspended);
		row_fill(row, stats);
		row_rates(row, row_find(look->before, row->name, kind),
			  (look->now.at_ns - look->before->at_ns) / 1e9);
	}
	look->failed |= !rows;
	json_object_put(stats);
}

int hs_top_look(struct hs_top *top)
{
	struct look look = { .before = top, .now = { .order = top->order, .at_ns = now_ns() } };
	int code = hs_caches_each(cache_look, &look);

	if (!code && look.failed)
		code = hs_fail("out of memory");
	hs_top_free(top);
	*top = look.now;
	hs_top_sort(top);
	return code;
}

void hs_top_free(struct hs_top *top)
{
	free(top->rows);
	top->rows = NULL;
	top->nr = 0;
}

/* ---- order ----------------------------------------------------------------------------------- */

static double value_of(const struct hs_top_row *row, enum hs_top_order order)
{
	switch (order) {
	case HS_TOP_IOPS:
		return row->iops;
	case HS_TOP_HITS:
		return row->hit_percent;
	case HS_TOP_DIRTY:
		return row->dirty_percent;
	case HS_TOP_BYTES:
		return row->bytes;
	default:
		return 0;
	}
}

/* The most first; equals by name. */
static int row_compare(const void *a, const void *b, void *arg)
{
	enum hs_top_order order = *(const enum hs_top_order *)arg;
	double va = value_of(a, order), vb = value_of(b, order);

	if (va != vb)
		return va > vb ? -1 : 1;
	return strcmp(((const struct hs_top_row *)a)->name, ((const struct hs_top_row *)b)->name);
}

void hs_top_sort(struct hs_top *top)
{
	if (top->nr)
		qsort_r(top->rows, top->nr, sizeof(*top->rows), row_compare, &top->order);
}

/* ---- lines ----------------------------------------------------------------------------------- */

void hs_top_head(char *line)
{
	snprintf(line, HS_TOP_LINE, "%-16s %-6s %-12s %-9s %9s %6s %8s %6s", "NAME", "KIND", "MODE", "STATE", "IOPS",
		 "HIT%", "MiB/S", "DIRTY%");
}

void hs_top_line(char *line, const struct hs_top_row *row)
{
	char iops[16] = "-", bytes[16] = "-", hits[16] = "-";

	if (row->known) {
		snprintf(iops, sizeof(iops), "%.0f", row->iops);
		snprintf(bytes, sizeof(bytes), "%.1f", row->bytes / (1 << 20));
	}
	if (row->hit_percent >= 0)
		snprintf(hits, sizeof(hits), "%.1f", row->hit_percent);
	snprintf(line, HS_TOP_LINE, "%-16s %-6s %-12s %-9s %9s %6s %8s %6.1f", row->name,
		 row->kind == HS_KIND_KERNEL ? "kernel" : "server", row->mode, row->state, iops, hits, bytes,
		 row->dirty_percent);
}

static int batch(struct hs_top *top, uint64_t ms, uint32_t looks)
{
	const struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
	char line[HS_TOP_LINE];
	int code;

	for (uint32_t look = 1; ; look++) {
		code = hs_top_look(top);
		if (code)
			return code;
		hs_top_head(line);
		puts(line);
		for (size_t i = 0; i < top->nr; i++) {
			hs_top_line(line, &top->rows[i]);
			puts(line);
		}
		putchar('\n');
		if (fflush(stdout))
			return HS_EXIT_FAILED;	/* main tells */
		if (look == looks)
			return HS_EXIT_OK;
		nanosleep(&time, NULL);
	}
}

/* ---- the command ----------------------------------------------------------------------------- */

static enum hs_top_order order_parse(const struct hs_cmd *cmd)
{
	for (int i = 0; i < HS_TOP_ORDERS; i++)
		if (!strcmp(optarg, orders[i]))
			return i;
	hs_usage(cmd, "--sort %s: want name, iops, hits, dirty or bytes", optarg);
}

static int run(const struct hs_cmd *cmd, int argc, char **argv)
{
	static const char *const names[] = { NULL };
	bool lines = !isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO);
	struct hs_top top = { .order = HS_TOP_NAME };
	uint64_t ms = 1000;
	uint32_t looks = 0;
	int c, code;

	while ((c = hs_option_next(cmd, argc, argv, options)) != -1) {
		if (c == 'b')
			lines = true;
		else if (c == 'i')
			ms = hs_option_milliseconds(cmd, "--interval");
		else if (c == 'n')
			looks = hs_option_number(cmd, "--count", 1, UINT32_MAX);
		else
			top.order = order_parse(cmd);
	}
	hs_arguments(cmd, argc, argv, names);
	code = lines ? batch(&top, ms, looks) : hs_top_screen(&top, ms, looks);
	hs_top_free(&top);
	return code;
}

const struct hs_cmd hs_cmd_top = {
	.name = "top",
	.args = "[--batch] [--interval SECONDS] [--count N] [--sort KEY]",
	.summary = "watch all running caches",
	.options =
	"  --batch             lines, as on what is no terminal, instead of a screen\n"
	"  --interval SECONDS  between two looks (1)\n"
	"  --count N           end after so many looks\n"
	"  --sort KEY          name, iops, hits, dirty or bytes\n"
	"Keys: s sorts by the next key, q ends.\n",
	.run = run,
};
