// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * open-fill CACHE: names every slot of a freshly formatted cache file clean, by writing its slot table.
 *
 * Cache and origin are sparse files, so every block reads as zeroes on both, and the checksums say so. A set
 * takes the first groups of neighbouring blocks that hash to it; the origin must have twice as many blocks as
 * the cache has slots, so that each set finds enough.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/core.h"

#define RUN_UNITS	256u

struct fill {
	int fd;
	struct hs_sb sb;
	struct hs_core *core;
	u64 *group;		/* by set and place in it */
	u8 *pages;		/* RUN_UNITS of them */
};

static void die(const char *what)
{
	fprintf(stderr, "bench/open-fill: %s\n", what);
	exit(1);
}

static void *need(void *p)
{
	if (!p || p == MAP_FAILED)
		die("out of memory");
	return p;
}

static void load(struct fill *f, const char *path)
{
	struct hs_core_opts opts = { .mode = -1 };
	u8 page[2][HS_PAGE];
	unsigned int bad;
	u64 bytes;

	f->fd = open(path, O_RDWR);
	if (f->fd < 0 || pread(f->fd, page[0], HS_PAGE, HS_SB_OFFSET(0)) != HS_PAGE ||
	    pread(f->fd, page[1], HS_PAGE, HS_SB_OFFSET(1)) != HS_PAGE ||
	    hs_sb_pick(page[0], page[1], &f->sb, &bad))
		die("not a cache");
	/* Of the core only the checksums are wanted. */
	bytes = hs_core_size(&f->sb.geo, &opts);
	f->core = hs_core_init(need(mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
					 0)), &f->sb, &opts);
	f->pages = need(aligned_alloc(HS_PAGE, RUN_UNITS * HS_PAGE));
}

static u32 groups_per_set(const struct hs_geometry *geo)
{
	return 1u << (geo->assoc_shift - geo->consecutive_shift);
}

static void choose_groups(struct fill *f)
{
	const struct hs_geometry *geo = &f->sb.geo;
	u32 per_set = groups_per_set(geo);
	u64 group, groups = geo->nr_blocks >> geo->consecutive_shift, left = (u64)geo->nsets * per_set;
	u32 *nr = need(calloc(geo->nsets, sizeof(*nr)));

	f->group = need(calloc(left, sizeof(*f->group)));
	for (group = 0; group < groups && left; group++) {
		u32 set = hs_block_set(geo, group << geo->consecutive_shift);

		if (nr[set] == per_set)
			continue;
		f->group[(u64)set * per_set + nr[set]++] = group;
		left--;
	}
	if (left)
		die("the origin is too small to fill every set");
	free(nr);
}

static u64 slot_block(const struct fill *f, u32 slot)
{
	const struct hs_geometry *geo = &f->sb.geo;
	u32 way = slot & (hs_assoc(geo) - 1);
	u64 group = f->group[(u64)(slot >> geo->assoc_shift) * groups_per_set(geo) +
			     (way >> geo->consecutive_shift)];

	return (group << geo->consecutive_shift) + (way & ((1u << geo->consecutive_shift) - 1));
}

static void fill_entry(const struct fill *f, u8 *entry, u32 slot)
{
	static const u8 zeroes[HS_UNIT_BYTES];
	const struct hs_geometry *geo = &f->sb.geo;
	u64 block = slot_block(f, slot), unit;
	u32 i;

	entry[0] = HS_D_CLEAN;
	hs_put(entry + 1, block, 4);
	entry[5] = (u8)(block >> 32);
	for (i = 0; geo->checksums && i < geo->units_per_block; i++) {
		unit = (block << (geo->block_shift - HS_UNIT_SHIFT)) + i;
		hs_put(entry + HS_ENTRY_BYTES + 4 * i, hs_unit_crc(f->core, unit, zeroes), 4);
	}
}

static void fill_unit(const struct fill *f, u8 *page, u32 unit)
{
	const struct hs_geometry *geo = &f->sb.geo;
	u32 first = unit * geo->entries_per_unit, i;

	memset(page, 0, HS_PAGE);
	for (i = 0; i < geo->entries_per_unit && first + i < geo->nr_slots; i++)
		fill_entry(f, hs_unit_entry(page, geo, i), first + i);
}

static void write_run(const struct fill *f, u32 unit, u32 nr)
{
	u32 copy, i;

	for (copy = 0; copy < 2; copy++) {
		for (i = 0; i < nr; i++) {
			struct hs_unit_info info = { .index = unit + i, .copy = copy };

			hs_unit_seal(f->pages + (size_t)i * HS_PAGE, &f->sb, &info);
		}
		if (pwrite(f->fd, f->pages, (size_t)nr * HS_PAGE,
			   (off_t)(f->sb.geo.table_offset[copy] + (u64)unit * HS_PAGE)) !=
		    (ssize_t)((size_t)nr * HS_PAGE))
			die("cannot write the table");
	}
}

int main(int argc, char **argv)
{
	u32 unit, i, nr;
	struct fill f;

	if (argc != 2)
		die("usage: open-fill CACHE");
	load(&f, argv[1]);
	choose_groups(&f);
	for (unit = 0; unit < f.sb.geo.table_units; unit += nr) {
		nr = (u32)hs_min(RUN_UNITS, f.sb.geo.table_units - unit);
		for (i = 0; i < nr; i++)
			fill_unit(&f, f.pages + (size_t)i * HS_PAGE, unit + i);
		write_run(&f, unit, nr);
	}
	printf("%u\n", f.sb.geo.nr_slots);
	return 0;
}
