/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Requests of any byte range over a library that wants whole 512-byte sectors.
 *
 * What is guaranteed: a write of part of a sector changes exactly its bytes. It reads the sector,
 * changes it and writes it whole, and no other write, zeroing or discard of that sector, whatever
 * its size, comes between. Without that an aligned write that was acknowledged meanwhile would be
 * undone by the older bytes written back around the new ones.
 *
 * How: the device is cut into stretches of 1 MiB, which share 64 reader-writer locks in turn. Whole
 * sectors are written under the locks of their stretches held shared: an uncontended one for nearly
 * every request. A write with a partial sector at either end takes them exclusively. Locks are
 * taken in ascending order, so two requests never wait for each other. Reads take none: the library
 * orders them against a single write, and a disk promises no more.
 *
 * Left out on purpose: a request that spans several sectors is not atomic as a whole against
 * others that overlap it; no disk is.
 *
 * All return 0 or a negative errno. flags: HS_FUA.
 */
#ifndef HS_SECTOR_H
#define HS_SECTOR_H

#include <stddef.h>
#include <stdint.h>

struct hs_dev;

#define HS_SECTOR	512u

/* Once, before the first request. */
void hs_sector_init(void);

int hs_sector_pread(struct hs_dev *dev, void *buf, size_t count, uint64_t offset);
int hs_sector_pwrite(struct hs_dev *dev, const void *buf, size_t count, uint64_t offset,
		     uint32_t flags);
int hs_sector_zero(struct hs_dev *dev, uint64_t count, uint64_t offset, uint32_t flags);
/* Partial sectors at the ends stay as they are. */
int hs_sector_discard(struct hs_dev *dev, uint64_t count, uint64_t offset, uint32_t flags);

#endif
