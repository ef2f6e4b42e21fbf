// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The layout is worked out from the chosen values alone, the same way at format and at load: only those
 * stand in the superblock, so the two can never disagree.
 */
#include "core/format.h"

#define JOURNAL_PAGES_MIN	64u			/* 256 KiB */
#define JOURNAL_PAGES_MAX	(1024u * HS_MIB / HS_PAGE)
#define JOURNAL_PAGES_LARGE	(128u * HS_MIB / HS_PAGE)	/* more than this only on request */
#define JOURNAL_SLOT_BYTES	64u
#define DATA_ALIGN		((u64)HS_MIB)

static u32 hs_log2(u64 x)
{
	u32 n = 0;

	while (x >>= 1)
		n++;
	return n;
}

static bool hs_is_power_of_two(u64 x)
{
	return x && !(x & (x - 1));
}

static void hs_geometry_entries(struct hs_geometry *geo)
{
	geo->units_per_block = 1u << (geo->block_shift - HS_UNIT_SHIFT);
	geo->entry_bytes = HS_ENTRY_BYTES + (geo->checksums ? 4 * geo->units_per_block : 0);
	geo->entries_per_unit = (HS_PAGE - HS_UNIT_HEADER) / geo->entry_bytes;
}

int hs_geometry_derive(struct hs_geometry *geo)
{
	u64 slots;

	if (geo->block_shift < HS_BLOCK_SHIFT_MIN || geo->block_shift > HS_BLOCK_SHIFT_MAX ||
	    geo->assoc_shift < 4 || geo->assoc_shift > 15 ||
	    geo->consecutive_shift + 2 > geo->assoc_shift || !geo->nsets ||
	    geo->journal_pages < JOURNAL_PAGES_MIN || geo->journal_pages > JOURNAL_PAGES_MAX ||
	    !geo->origin_sectors || geo->origin_sectors >> 52)
		return -EINVAL;
	slots = (u64)geo->nsets << geo->assoc_shift;
	geo->nr_blocks = ((geo->origin_sectors - 1) >> (geo->block_shift - HS_SECTOR_SHIFT)) + 1;
	if (slots > HS_SLOTS_MAX || geo->nr_blocks > HS_BLOCKS_MAX)
		return -EINVAL;
	geo->nr_slots = (u32)slots;
	hs_geometry_entries(geo);
	geo->table_units = (geo->nr_slots + geo->entries_per_unit - 1) / geo->entries_per_unit;
	geo->table_offset[0] = HS_JOURNAL_OFFSET + (u64)geo->journal_pages * HS_PAGE;
	geo->table_offset[1] = geo->table_offset[0] + (u64)geo->table_units * HS_PAGE;
	geo->data_offset = hs_round_up(geo->table_offset[1] + (u64)geo->table_units * HS_PAGE,
				       DATA_ALIGN);
	if (geo->data_offset + (slots << geo->block_shift) > geo->cache_bytes)
		return -EINVAL;
	return 0;
}

/*
 * A checkpoint comes each time most of the ring is full, and rewrites up to the whole table, twice. A commit
 * takes a page at least, so what counts for small ones is the number of pages: 64 bytes a slot, or half a
 * copy of the table where that is more.
 */
static u32 hs_journal_pages(u64 slots, u32 entry_bytes)
{
	u64 pages = slots * hs_max(entry_bytes / 2, JOURNAL_SLOT_BYTES) / HS_PAGE;

	if (pages < JOURNAL_PAGES_MIN)
		pages = JOURNAL_PAGES_MIN;
	return (u32)hs_min(pages, JOURNAL_PAGES_LARGE);
}

static int hs_wish_check(const struct hs_geometry_wish *wish, const char **why)
{
	if (wish->block_size && (!hs_is_power_of_two(wish->block_size) ||
				 wish->block_size < 4 * HS_KIB || wish->block_size > HS_MIB)) {
		*why = "block size must be a power of two from 4k to 1M";
		return -EINVAL;
	}
	if (wish->assoc && (!hs_is_power_of_two(wish->assoc) || wish->assoc < HS_ASSOC_MIN ||
			    wish->assoc > HS_ASSOC_MAX)) {
		*why = "associativity must be a power of two from 16 to 32768";
		return -EINVAL;
	}
	if (wish->consecutive && !hs_is_power_of_two(wish->consecutive)) {
		*why = "consecutive must be a power of two";
		return -EINVAL;
	}
	if (wish->origin_bytes < 512) {
		*why = "the origin is empty; it must hold at least one sector of 512 bytes";
		return -EINVAL;
	}
	if (wish->origin_bytes >> 61) {
		*why = "the origin is larger than 2 EiB";
		return -EFBIG;
	}
	return 0;
}

static bool hs_sets_fit(struct hs_geometry *geo, u32 nsets, u64 journal_bytes)
{
	hs_geometry_entries(geo);
	geo->nsets = nsets;
	geo->journal_pages = journal_bytes ?
		(u32)hs_min(journal_bytes / HS_PAGE, 0xffffffffu) :
		hs_journal_pages((u64)nsets << geo->assoc_shift, geo->entry_bytes);
	return !hs_geometry_derive(geo);
}

/* The largest number of sets that fits, by bisection: the layout itself says what fits. */
static u32 hs_largest_nsets(struct hs_geometry *geo, u64 max_slots, u64 journal_bytes)
{
	u32 low = 0, high = (u32)(hs_min(max_slots ? max_slots : HS_SLOTS_MAX, HS_SLOTS_MAX) >>
				  geo->assoc_shift);

	while (low < high) {
		u32 mid = high - (high - low) / 2;

		if (hs_sets_fit(geo, mid, journal_bytes))
			low = mid;
		else
			high = mid - 1;
	}
	return low;
}

static int hs_wish_sizes(const struct hs_geometry_wish *wish, struct hs_geometry *geo,
			 const char **why)
{
	u64 pages = wish->journal_bytes / HS_PAGE;

	geo->origin_sectors = wish->origin_bytes >> HS_SECTOR_SHIFT;
	geo->cache_bytes = wish->cache_bytes;
	geo->block_shift = wish->block_size ? hs_log2(wish->block_size) : HS_BLOCK_SHIFT_MIN;
	geo->checksums = !wish->no_checksums;
	if ((geo->origin_sectors - 1) >> (geo->block_shift - HS_SECTOR_SHIFT) >= HS_BLOCKS_MAX) {
		*why = "the origin has more than 2^40 blocks; use a larger block size";
		return -EFBIG;
	}
	if (wish->journal_bytes && (pages < JOURNAL_PAGES_MIN || pages > JOURNAL_PAGES_MAX)) {
		*why = "the journal must be from 256k to 1G";
		return -EINVAL;
	}
	return 0;
}

/* A cache too small for one set of the default associativity gets smaller sets. */
static bool hs_choose_sets(const struct hs_geometry_wish *wish, struct hs_geometry *geo)
{
	u32 assoc = wish->assoc ? wish->assoc : HS_ASSOC_DEFAULT;

	for (; assoc >= HS_ASSOC_MIN; assoc /= 2) {
		u32 consecutive = wish->consecutive ? wish->consecutive : HS_CONSECUTIVE_DEFAULT;
		u32 nsets;

		geo->assoc_shift = hs_log2(assoc);
		geo->consecutive_shift = hs_log2(hs_min(consecutive, assoc / 4));
		nsets = hs_largest_nsets(geo, wish->max_slots, wish->journal_bytes);
		if (nsets)
			return hs_sets_fit(geo, nsets, wish->journal_bytes);
		if (wish->assoc)
			break;
	}
	return false;
}

int hs_geometry_choose(const struct hs_geometry_wish *wish, struct hs_geometry *geo,
		       const char **why)
{
	int err = hs_wish_check(wish, why);

	memset(geo, 0, sizeof(*geo));
	if (!err)
		err = hs_wish_sizes(wish, geo, why);
	if (err)
		return err;
	if (wish->assoc && wish->consecutive > wish->assoc / 4) {
		*why = "consecutive must be at most a quarter of the associativity";
		return -EINVAL;
	}
	if (!hs_choose_sets(wish, geo)) {
		*why = "the cache device is too small: metadata and one set of slots must fit";
		return -ENOSPC;
	}
	return 0;
}
