// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See sector.h. */
#include "sector.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <hotset/hotset.h>

#define STRETCH_SHIFT	20
#define LOCKS		64

static pthread_rwlock_t locks[LOCKS];

void hs_sector_init(void)
{
	pthread_rwlockattr_t attr;

	/* Without the preference a stream of aligned writes could starve a partial one for ever. */
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	for (int i = 0; i < LOCKS; i++)
		pthread_rwlock_init(&locks[i], &attr);
	pthread_rwlockattr_destroy(&attr);
}

/* The locks of a range, one bit each. count > 0. */
static uint64_t locks_of(uint64_t count, uint64_t offset)
{
	uint64_t first = offset >> STRETCH_SHIFT;
	uint64_t n = ((offset + count - 1) >> STRETCH_SHIFT) - first + 1;
	uint64_t mask;
	int shift = first % LOCKS;

	if (n >= LOCKS)
		return UINT64_MAX;
	mask = (1ULL << n) - 1;
	return shift ? mask << shift | mask >> (LOCKS - shift) : mask;
}

static void locks_take(uint64_t mask, bool exclusive)
{
	for (; mask; mask &= mask - 1) {
		pthread_rwlock_t *lock = &locks[__builtin_ctzll(mask)];

		if (exclusive)
			pthread_rwlock_wrlock(lock);
		else
			pthread_rwlock_rdlock(lock);
	}
}

static void locks_drop(uint64_t mask)
{
	for (; mask; mask &= mask - 1)
		pthread_rwlock_unlock(&locks[__builtin_ctzll(mask)]);
}

static bool is_whole(uint64_t count, uint64_t offset)
{
	return !((count | offset) % HS_SECTOR);
}

static uint64_t sector_down(uint64_t n)
{
	return n - n % HS_SECTOR;
}

static uint64_t sector_up(uint64_t n)
{
	return sector_down(n + HS_SECTOR - 1);
}

int hs_sector_pread(struct hs_dev *dev, void *buf, size_t count, uint64_t offset)
{
	uint64_t start = sector_down(offset), end = sector_up(offset + count);
	char *bounce;
	int r;

	if (is_whole(count, offset))
		return hs_dev_pread(dev, buf, count, offset, 0);
	bounce = malloc(end - start);
	if (!bounce)
		return -ENOMEM;
	r = hs_dev_pread(dev, bounce, end - start, start, 0);
	if (!r)
		memcpy(buf, bounce + (offset - start), count);
	free(bounce);
	return r;
}

/* Reads the sectors at either end of [start, end) that the write covers only in part. */
static int ends_read(struct hs_dev *dev, char *bounce, uint64_t start, uint64_t end, size_t count,
		     uint64_t offset)
{
	uint64_t last = end - HS_SECTOR;
	int r;

	if (start < offset) {
		r = hs_dev_pread(dev, bounce, HS_SECTOR, start, 0);
		if (r || last == start)
			return r;
	}
	if (offset + count < end)
		return hs_dev_pread(dev, bounce + (last - start), HS_SECTOR, last, 0);
	return 0;
}

/* The caller holds the range's locks exclusively. */
static int pwrite_partial(struct hs_dev *dev, const void *buf, size_t count, uint64_t offset,
			  uint32_t flags)
{
	uint64_t start = sector_down(offset), end = sector_up(offset + count);
	char *bounce = malloc(end - start);
	int r;

	if (!bounce)
		return -ENOMEM;
	r = ends_read(dev, bounce, start, end, count, offset);
	if (!r) {
		memcpy(bounce + (offset - start), buf, count);
		r = hs_dev_pwrite(dev, bounce, end - start, start, flags);
	}
	free(bounce);
	return r;
}

int hs_sector_pwrite(struct hs_dev *dev, const void *buf, size_t count, uint64_t offset,
		     uint32_t flags)
{
	bool whole = is_whole(count, offset);
	uint64_t mask;
	int r;

	if (!count)
		return 0;
	mask = locks_of(count, offset);
	locks_take(mask, !whole);
	r = whole ? hs_dev_pwrite(dev, buf, count, offset, flags)
		  : pwrite_partial(dev, buf, count, offset, flags);
	locks_drop(mask);
	return r;
}

/* Ends by writing zeroes, whole sectors by zeroing. The caller holds the locks exclusively. */
static int zero_partial(struct hs_dev *dev, uint64_t count, uint64_t offset, uint32_t flags)
{
	static const char zeroes[HS_SECTOR];
	uint64_t start = sector_up(offset), end = sector_down(offset + count);
	int r = 0;

	if (end < start)	/* within one sector */
		return pwrite_partial(dev, zeroes, count, offset, flags);
	if (offset < start)
		r = pwrite_partial(dev, zeroes, start - offset, offset, flags);
	if (!r && start < end)
		r = hs_dev_zero(dev, end - start, start, flags);
	if (!r && end < offset + count)
		r = pwrite_partial(dev, zeroes, offset + count - end, end, flags);
	return r;
}

int hs_sector_zero(struct hs_dev *dev, uint64_t count, uint64_t offset, uint32_t flags)
{
	bool whole = is_whole(count, offset);
	uint64_t mask;
	int r;

	if (!count)
		return 0;
	mask = locks_of(count, offset);
	locks_take(mask, !whole);
	r = whole ? hs_dev_zero(dev, count, offset, flags)
		  : zero_partial(dev, count, offset, flags);
	locks_drop(mask);
	return r;
}

int hs_sector_discard(struct hs_dev *dev, uint64_t count, uint64_t offset, uint32_t flags)
{
	uint64_t start = sector_up(offset), end = sector_down(offset + count);
	uint64_t mask;
	int r;

	if (end <= start)
		return 0;
	mask = locks_of(end - start, start);
	locks_take(mask, false);
	r = hs_dev_discard(dev, end - start, start, flags);
	locks_drop(mask);
	return r;
}
