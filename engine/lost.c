// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Dirty data that cannot be read any more. The map flags whole blocks; which units of them are lost
 * is found by reading each, so that nothing is given up that can be had.
 */
#include "engine/dev.h"
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

/* One unit: from the origin over the lost data. Whole, for only that heals it. */
static int hs_forget_unit(struct hs_dev *dev, const struct hs_range *unit, u8 *buffer,
			  struct hs_error *err)
{
	struct hs_target *origin = dev->run.x.target[HS_ORIGIN];
	int ret = origin->ops->pread(origin, buffer, unit->count, unit->offset);

	if (ret)
		return hs_error_set(err, ret, "%s: cannot read what stands at %llu: %s",
				    origin->name, (unsigned long long)unit->offset, strerror(-ret));
	ret = hs_dev_pwrite(dev, buffer, unit->count, unit->offset, HS_FUA);
	if (ret)
		return hs_error_set(err, ret, "cannot give up what is lost at %llu: %s",
				    (unsigned long long)unit->offset, strerror(-ret));
	return 0;
}

int hs_dev_forget(struct hs_dev *dev, u64 offset, u64 count, struct hs_error *err)
{
	u8 *buffer = hs_buffer_new(HS_UNIT_BYTES);
	struct hs_ranges lost = { 0 };
	size_t i;
	int ret;

	ret = buffer ? hs_lost_find(dev, &lost) : -ENOMEM;
	if (ret)
		hs_error_set(err, ret, "cannot list what is lost: %s", strerror(-ret));
	for (i = 0; !ret && i < lost.nr; i++) {
		const struct hs_range *unit = &lost.range[i];

		if (unit->offset < offset + count && offset < unit->offset + unit->count)
			ret = hs_forget_unit(dev, unit, buffer, err);
	}
	hs_ranges_free(&lost);
	hs_buffer_free(buffer);
	return ret;
}
