// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Dirty data that cannot be read any more. The map flags whole blocks; which units of them are lost
 * is found by reading each, so that nothing is given up that can be had.
 */
#include <stdlib.h>

#include "engine/dev.h"
#include "engine/load.h"
#include "engine/ranges.h"

#define HS_LOST_LOOK	64u	/* slots looked at in one critical section */

/* Out of service, any dirty block may be out of reach, flagged or not. */
static bool hs_slot_suspect(const struct hs_slot_view *view, bool failed)
{
	return view->named && view->dirty && (view->lost || failed);
}

/* Adds the suspect blocks among the slots [slot, end), all in one domain. */
static int hs_lost_look(struct hs_dev *dev, u32 slot, u32 end, struct hs_ranges *blocks)
{
	struct hs_core *core = dev->run.x.core;
	bool failed = hs_core_failed(core);
	s32 domain = hs_slot_domain(core, slot);
	int ret = 0;

	hs_domain_lock(&dev->run, domain);
	for (; !ret && slot < end; slot++) {
		struct hs_slot_view view;

		hs_slot_look(core, slot, &view);
		if (hs_slot_suspect(&view, failed))
			ret = hs_ranges_add(blocks, view.block * dev->run.x.block_bytes,
					    dev->run.x.block_bytes);
	}
	hs_domain_unlock(&dev->run, domain);
	return ret;
}

static int hs_lost_blocks(struct hs_dev *dev, struct hs_ranges *blocks)
{
	struct hs_core *core = dev->run.x.core;
	u32 slot, step, slots = hs_core_geometry(core)->nr_slots;
	struct hs_counters sum;
	int ret = 0;

	hs_dev_count(dev, &sum);
	if (!sum.lost && !hs_core_failed(core))
		return 0;
	/* Sets are powers of two of at least 16 slots, and a set is in one domain. */
	step = (u32)hs_min(HS_LOST_LOOK, hs_assoc(hs_core_geometry(core)));
	for (slot = 0; !ret && slot < slots; slot += step)
		ret = hs_lost_look(dev, slot, slot + step, blocks);
	hs_ranges_merge(blocks);
	return ret;
}

/* Reads a range of blocks unit by unit. */
static int hs_lost_units(struct hs_dev *dev, const struct hs_range *range, u8 *unit,
			 struct hs_ranges *lost)
{
	u64 offset, end = hs_min(range->offset + range->count, dev->size);
	int ret = 0;

	for (offset = range->offset; !ret && offset < end; offset += HS_UNIT_BYTES) {
		u32 bytes = (u32)hs_min(HS_UNIT_BYTES, end - offset);

		if (hs_dev_pread(dev, unit, bytes, offset, HS_NO_INSERT))
			ret = hs_ranges_add(lost, offset, bytes);
	}
	return ret;
}

static int hs_lost_find(struct hs_dev *dev, struct hs_ranges *lost)
{
	u8 *unit = hs_buffer_new(HS_UNIT_BYTES);
	struct hs_ranges blocks = { 0 };
	int ret = -ENOMEM;
	size_t i;

	if (unit)
		ret = hs_lost_blocks(dev, &blocks);
	for (i = 0; !ret && i < blocks.nr; i++)
		ret = hs_lost_units(dev, &blocks.range[i], unit, lost);
	hs_ranges_free(&blocks);
	hs_buffer_free(unit);
	return ret;
}

int hs_dev_lost(struct hs_dev *dev, int (*fn)(void *arg, u64 offset, u64 count), void *arg)
{
	struct hs_ranges lost = { 0 };
	int ret = hs_lost_find(dev, &lost);

	hs_ranges_merge(&lost);
	if (!ret)
		ret = hs_ranges_tell(&lost, fn, arg);
	hs_ranges_free(&lost);
	return ret;
}

/* ---- forget ---------------------------------------------------------------------------------- */

/*
 * Giving up a unit is a write of it: whole, for only that heals it. What it writes is found once its block is its
 * own. A caller may have overwritten the unit since it was seen to be lost, and that must stay.
 */
struct hs_forget {
	struct hs_source source;
	struct hs_dev *dev;
	struct hs_range unit;	/* bytes */
	u8 *block;		/* a block buffer */
	bool bad[1u << (HS_BLOCK_SHIFT_MAX - HS_UNIT_SHIFT)];
	int error;		/* of the origin */
};

/* Where the block's current data are, if they are in the cache. No one else can change that now. */
static bool hs_forget_slot(struct hs_forget *f, u64 block, u32 *slot, struct hs_slot_view *view)
{
	struct hs_core *core = f->dev->run.x.core;
	const struct hs_geometry *geo = hs_core_geometry(core);
	u32 first = hs_block_set(geo, block) << geo->assoc_shift, end = first + hs_assoc(geo), last;
	s32 domain = hs_slot_domain(core, first);
	bool found = false;

	for (; !found && first < end; first = last) {
		last = (u32)hs_min(first + HS_LOST_LOOK, end);
		hs_domain_lock(&f->dev->run, domain);
		for (*slot = first; *slot < last; ++*slot) {
			hs_slot_look(core, *slot, view);
			found = view->named && view->block == block;
			if (found)
				break;
		}
		hs_domain_unlock(&f->dev->run, domain);
	}
	return found;
}

/* The unit as the cache has it, if that can be read. */
static bool hs_forget_cached(struct hs_forget *f, u8 *to)
{
	struct hs_exec *x = &f->dev->run.x;
	u64 block = f->unit.offset / x->block_bytes;
	u32 slot, unit = (u32)(f->unit.offset % x->block_bytes) / HS_UNIT_BYTES;
	struct hs_slot_view view;

	if (!hs_forget_slot(f, block, &slot, &view))
		return false;
	hs_slot_verify(x, slot, &view, f->block, f->bad);
	/* Without checksums the flag is all that is known. */
	if (f->bad[unit] || (view.lost && !view.crcs))
		return false;
	memcpy(to, f->block + (size_t)unit * HS_UNIT_BYTES, f->unit.count);
	return true;
}

static int hs_forget_fetch(struct hs_source *source, u8 *to)
{
	struct hs_forget *f = container_of(source, struct hs_forget, source);
	struct hs_target *origin = f->dev->run.x.target[HS_ORIGIN];

	if (hs_forget_cached(f, to))
		return 0;
	f->error = origin->ops->pread(origin, to, f->unit.count, f->unit.offset);
	return f->error;
}

static int hs_forget_unit(struct hs_forget *f, struct hs_error *err)
{
	unsigned long long at = f->unit.offset;
	int ret;

	f->error = 0;
	ret = hs_dev_write_from(f->dev, &f->source, (u32)f->unit.count, f->unit.offset);
	if (f->error)
		return hs_error_set(err, f->error, "%s: cannot read what stands at %llu: %s",
				    f->dev->run.x.target[HS_ORIGIN]->name, at, strerror(-f->error));
	if (ret)
		return hs_error_set(err, ret, "cannot give up what is lost at %llu: %s", at,
				    strerror(-ret));
	return 0;
}

static int hs_forget_all(struct hs_forget *f, const struct hs_range *range, struct hs_error *err)
{
	struct hs_ranges lost = { 0 };
	int ret = hs_lost_find(f->dev, &lost);
	size_t i;

	if (ret)
		hs_error_set(err, ret, "cannot list what is lost: %s", strerror(-ret));
	for (i = 0; !ret && i < lost.nr; i++) {
		f->unit = lost.range[i];
		if (f->unit.offset < range->offset + range->count &&
		    range->offset < f->unit.offset + f->unit.count)
			ret = hs_forget_unit(f, err);
	}
	hs_ranges_free(&lost);
	return ret;
}

/* More than was asked for is never given up, and less cannot be. */
static bool hs_forget_range_ok(const struct hs_dev *dev, u64 offset, u64 count)
{
	return offset <= dev->size && count <= dev->size - offset && !(offset % HS_UNIT_BYTES) &&
	       (!(count % HS_UNIT_BYTES) || offset + count == dev->size);
}

int hs_dev_forget(struct hs_dev *dev, u64 offset, u64 count, struct hs_error *err)
{
	const struct hs_range range = { offset, count };
	struct hs_forget *f;
	int ret = -ENOMEM;

	if (!hs_forget_range_ok(dev, offset, count))
		return hs_error_set(err, -EINVAL, "%llu+%llu: what is lost can be forgotten in whole 4 KiB of the "
				    "device only", (unsigned long long)offset, (unsigned long long)count);
	f = calloc(1, sizeof(*f));
	if (f)
		f->block = hs_buffer_new(dev->run.x.block_bytes);
	if (f && f->block) {
		f->source.fetch = hs_forget_fetch;
		f->dev = dev;
		ret = hs_forget_all(f, &range, err);
	} else {
		hs_error_set(err, ret, "out of memory");
	}
	if (f)
		hs_buffer_free(f->block);
	free(f);
	return ret;
}
