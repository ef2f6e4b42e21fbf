// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Looking at a cache that nobody serves. Nothing is written. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/load.h"
#include "engine/ranges.h"

struct hs_checker {
	const struct hs_check_opts *opts;
	struct hs_check_result *res;
	struct hs_exec x;
	struct hs_sb sb;
	u8 *buffer;		/* a block */
	bool bad[1u << (HS_BLOCK_SHIFT_MAX - HS_UNIT_SHIFT)];
	struct hs_ranges lost;	/* found by reading */
};

static __attribute__((format(printf, 3, 4)))
void hs_check_problem(struct hs_checker *c, enum hs_problem_kind kind, const char *fmt, ...)
{
	char line[512];
	va_list args;

	/* After a crash the journal's end is as a crash leaves it. */
	c->res->problems += kind != HS_PROBLEM_JOURNAL || c->res->clean_stop;
	if (!c->opts->problem)
		return;
	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	c->opts->problem(c->opts->arg, kind, line);
}

/* ---- metadata -------------------------------------------------------------------------------- */

static void hs_check_superblock(struct hs_checker *c, unsigned int bad)
{
	struct hs_check_result *res = c->res;
	unsigned int copy;

	hs_layout_fill(&res->geo, &c->sb);
	res->mode = (enum hs_mode)c->sb.mode;
	res->clean_stop = c->sb.state & HS_SB_CLEAN;
	res->incarnation = c->sb.incarnation;
	res->superblock_sequence = c->sb.sb_seq;
	for (copy = 0; copy < 2; copy++)
		if (bad & 1u << copy)
			hs_check_problem(c, HS_PROBLEM_SUPERBLOCK,
					 "superblock copy %u at byte %llu is damaged, "
					 "the other serves",
					 copy, (unsigned long long)HS_SB_OFFSET(copy));
}

static void hs_check_report(struct hs_checker *c)
{
	const struct hs_open_report *report = hs_core_report(c->x.core);

	c->res->transactions = report->transactions;
	c->res->sequence = c->sb.tail.seq + report->transactions;
	if (report->unit_copies_bad)
		hs_check_problem(c, HS_PROBLEM_TABLE_COPY,
				 "%llu pages of the map are damaged in one copy, "
				 "their mirrors serve",
				 (unsigned long long)report->unit_copies_bad);
	if (report->torn_tail)
		hs_check_problem(c, HS_PROBLEM_JOURNAL,
				 "the journal ends in an incomplete transaction, which is dropped");
	if (report->dropped_last)
		hs_check_problem(c, HS_PROBLEM_JOURNAL,
				 "the last transaction was not acknowledged and its "
				 "data are not all there: it is dropped");
	if (report->map_conflicts)
		hs_check_problem(c, HS_PROBLEM_MAP, "the map contradicts itself in %llu places",
				 (unsigned long long)report->map_conflicts);
}

/* ---- slots ----------------------------------------------------------------------------------- */

static u64 hs_check_length(const struct hs_checker *c, u64 block)
{
	return (u64)hs_block_valid(&c->sb.geo, block) << HS_SECTOR_SHIFT;
}

/* Adds the damaged units of the slot to the ranges. */
static int hs_check_read(struct hs_checker *c, u32 slot, const struct hs_slot_view *view,
			 struct hs_ranges *ranges)
{
	u64 start = view->block << c->sb.geo.block_shift,
	    end = start + hs_check_length(c, view->block);
	u32 i, units = hs_slot_units(&c->x, view->block);
	int ret = 0;

	hs_slot_verify(&c->x, slot, view, c->buffer, c->bad);
	for (i = 0; !ret && i < units; i++) {
		u64 offset = start + (u64)i * HS_UNIT_BYTES;

		/* Without checksums the flag is all that is known. */
		if (c->bad[i] || (view->lost && !view->crcs))
			ret = hs_ranges_add(ranges, offset, hs_min(HS_UNIT_BYTES, end - offset));
	}
	return ret;
}

static int hs_check_data(struct hs_checker *c, u32 slot, const struct hs_slot_view *view)
{
	struct hs_ranges bad = { 0 };
	int ret = hs_check_read(c, slot, view, &bad);
	size_t i;

	hs_ranges_merge(&bad);
	for (i = 0; i < bad.nr; i++)
		hs_check_problem(c, view->dirty ? HS_PROBLEM_DATA_DIRTY : HS_PROBLEM_DATA_CLEAN,
				 "slot %u is damaged: bytes %llu to %llu of the origin %s", slot,
				 (unsigned long long)bad.range[i].offset,
				 (unsigned long long)(bad.range[i].offset + bad.range[i].count - 1),
				 view->dirty ? "are lost" : "are served from there");
	hs_ranges_free(&bad);
	return ret;
}

static int hs_check_slot(struct hs_checker *c, u32 slot, const struct hs_slot_view *view)
{
	struct hs_slot_info info = {
		.slot = slot,
		.offset = view->block << c->sb.geo.block_shift,
		.length = (u32)hs_check_length(c, view->block),
		.dirty = view->dirty,
		.lost = view->lost,
	};
	int ret = 0;

	c->res->clean += !view->dirty;
	c->res->dirty += view->dirty;
	c->res->lost += view->lost;
	if (c->opts->slot)
		ret = c->opts->slot(c->opts->arg, &info);
	if (!ret && c->opts->data)
		ret = hs_check_data(c, slot, view);
	return ret;
}

static int hs_check_slots(struct hs_checker *c, int (*fn)(struct hs_checker *c, u32 slot,
							  const struct hs_slot_view *view))
{
	u32 slot;
	int ret = 0;

	for (slot = 0; !ret && slot < c->sb.geo.nr_slots; slot++) {
		struct hs_slot_view view;

		hs_slot_look(c->x.core, slot, &view);
		if (view.named)
			ret = fn(c, slot, &view);
	}
	return ret;
}

/* ---- the calls ------------------------------------------------------------------------------- */

static int hs_checker_load(struct hs_checker *c, unsigned int *bad, struct hs_error *err)
{
	struct hs_core_opts opts = { .mode = -1 };
	struct hs_target **cache = &c->x.target[HS_CACHE];
	int ret;

	ret = hs_target_open(c->opts->cache, HS_TARGET_CACHE, cache, err);
	if (!ret)
		ret = hs_load_sb(*cache, &c->sb, bad, err);
	if (!ret)
		ret = hs_load_map(&c->x, &c->sb, &opts, err);
	if (ret)
		return ret;
	c->buffer = hs_buffer_new(c->x.block_bytes);
	return c->buffer ? 0 : hs_error_set(err, -ENOMEM, "out of memory");
}

static struct hs_checker *hs_checker_new(const struct hs_check_opts *opts,
					 struct hs_check_result *res)
{
	struct hs_checker *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	memset(res, 0, sizeof(*res));
	c->opts = opts;
	c->res = res;
	hs_exec_init(&c->x);
	return c;
}

static void hs_checker_free(struct hs_checker *c)
{
	struct hs_target *cache = c->x.target[HS_CACHE];

	hs_exec_destroy(&c->x);
	if (cache)
		hs_target_close(cache);
	hs_ranges_free(&c->lost);
	hs_buffer_free(c->buffer);
	free(c);
}

int hs_check(const struct hs_check_opts *opts, struct hs_check_result *res, struct hs_error *err)
{
	struct hs_checker *c = hs_checker_new(opts, res);
	unsigned int bad;
	int ret;

	if (!c)
		return hs_error_set(err, -ENOMEM, "out of memory");
	ret = hs_checker_load(c, &bad, err);
	if (!ret) {
		hs_check_superblock(c, bad);
		hs_check_report(c);
		ret = hs_check_slots(c, hs_check_slot);
	}
	hs_checker_free(c);
	return ret;
}

static int hs_lost_slot(struct hs_checker *c, u32 slot, const struct hs_slot_view *view)
{
	return view->lost ? hs_check_read(c, slot, view, &c->lost) : 0;
}

int hs_lost(const char *cache, int (*fn)(void *arg, u64 offset, u64 count), void *arg,
	    struct hs_error *err)
{
	struct hs_check_opts opts = { .cache = cache };
	struct hs_check_result res;
	struct hs_checker *c = hs_checker_new(&opts, &res);
	unsigned int bad;
	int ret;

	if (!c)
		return hs_error_set(err, -ENOMEM, "out of memory");
	ret = hs_checker_load(c, &bad, err);
	if (!ret)
		ret = hs_check_slots(c, hs_lost_slot);
	hs_ranges_merge(&c->lost);
	if (!ret)
		ret = hs_ranges_tell(&c->lost, fn, arg);
	hs_checker_free(c);
	return ret;
}
