/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sizes and places: origin, blocks, sets, slots, and where the parts lie on the cache device. */
#ifndef HS_GEOMETRY_H
#define HS_GEOMETRY_H

#include "core/platform.h"

/* Distinct types, so that one is never taken for another. */
typedef struct {
	u64 nr;			/* number of a block on the origin */
} hs_block_t;

typedef struct {
	u32 nr;			/* number of a slot on the cache device */
} hs_slot_t;

typedef struct {
	u64 nr;			/* 512-byte sector on the origin */
} hs_sector_t;

#define HS_UNIT_BYTES		4096u	/* one checksum covers this much data */
#define HS_UNIT_SHIFT		12
#define HS_UNIT_SECTORS		(HS_UNIT_BYTES >> HS_SECTOR_SHIFT)
#define HS_UNIT_SECTOR_SHIFT	(HS_UNIT_SHIFT - HS_SECTOR_SHIFT)

#define HS_BLOCK_SHIFT_MIN	12
#define HS_BLOCK_SHIFT_MAX	20
#define HS_ASSOC_MIN		16u
#define HS_ASSOC_MAX		32768u
#define HS_ASSOC_DEFAULT	512u
#define HS_CONSECUTIVE_DEFAULT	64u
#define HS_BLOCKS_MAX		(1ull << 40)
#define HS_SLOTS_MAX		(1u << 31)

struct hs_geometry {
	/* chosen */
	u64 origin_sectors;
	u64 cache_bytes;	/* of the device in use */
	u32 block_shift;	/* log2 of bytes */
	u32 assoc_shift;
	u32 consecutive_shift;
	bool checksums;
	u32 nsets;
	u32 journal_pages;
	/* derived by hs_geometry_derive */
	u64 nr_blocks;		/* of the origin, the last one may be short */
	u32 nr_slots;
	u32 units_per_block;
	u32 entry_bytes;	/* of the slot table */
	u32 entries_per_unit;
	u32 table_units;
	u64 table_offset[2];	/* bytes */
	u64 data_offset;	/* bytes */
};

/* What a person asks for; 0 means the default. */
struct hs_geometry_wish {
	u64 origin_bytes, cache_bytes, journal_bytes;
	u32 block_size, assoc, consecutive;
	u64 max_slots;		/* 0: as many as fit */
	bool no_checksums;
};

/*
 * Chooses a geometry. 0, or a negative errno with *why, a sentence that names the value and the way out:
 * -EINVAL (a value out of its range), -ENOSPC (cache too small), -EFBIG (too large).
 */
int hs_geometry_choose(const struct hs_geometry_wish *wish, struct hs_geometry *geo,
		       const char **why);

/* Fills the derived part from the chosen one; -EINVAL if a chosen value is not allowed. */
int hs_geometry_derive(struct hs_geometry *geo);

static inline u32 hs_block_bytes(const struct hs_geometry *geo)
{
	return 1u << geo->block_shift;
}

static inline u32 hs_block_sectors(const struct hs_geometry *geo)
{
	return 1u << (geo->block_shift - HS_SECTOR_SHIFT);
}

static inline u32 hs_assoc(const struct hs_geometry *geo)
{
	return 1u << geo->assoc_shift;
}

/* Sectors of the block that exist on the origin. */
static inline u32 hs_block_valid(const struct hs_geometry *geo, u64 block)
{
	return (u32)hs_min(hs_block_sectors(geo),
			   geo->origin_sectors -
			   (block << (geo->block_shift - HS_SECTOR_SHIFT)));
}

/* Units of data that hold them. */
static inline u32 hs_block_units(const struct hs_geometry *geo, u64 block)
{
	return (hs_block_valid(geo, block) + HS_UNIT_SECTORS - 1) / HS_UNIT_SECTORS;
}

static inline u64 hs_block_group(const struct hs_geometry *geo, u64 block)
{
	return block >> geo->consecutive_shift;
}

/* Fibonacci hashing (Knuth, TAOCP 3, 6.4) of the group, scaled to nsets by multiply and shift. */
static inline u32 hs_block_set(const struct hs_geometry *geo, u64 block)
{
	u64 hash = (hs_block_group(geo, block) * 0x9e3779b97f4a7c15ull) >> 32;

	return (u32)((hash * geo->nsets) >> 32);
}

#endif
