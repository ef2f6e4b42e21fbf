/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the kinds of target (file.c, nbd_target.c) share, inside engine/. Contract: engine/io.h. */
#ifndef HS_ENGINE_TARGET_H
#define HS_ENGINE_TARGET_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "core/platform.h"
#include "engine/io.h"

int hs_file_open(const char *path, unsigned int flags, struct hs_target **t, struct hs_error *err);
int hs_nbd_open(const char *uri, unsigned int flags, struct hs_target **t, struct hs_error *err);

/* -EBUSY if the file or block device is mounted, even in part, swap, or behind a loop device. */
int hs_file_in_use(const struct stat *st, const char *path, struct hs_error *err);

/* A write beyond the end would make a file grow. */
static inline bool hs_target_takes(const struct hs_target *t, uint64_t count, uint64_t offset)
{
	return !((count | offset) & 511) && offset <= t->size && count <= t->size - offset;
}

/* Zeroes by writing, in pieces. */
int hs_target_write_zeroes(struct hs_target *t, uint64_t count, uint64_t offset, bool fua);

/* ---- edges.c: transfers that the medium does not take as they are ---------------------------- */

/*
 * A medium takes whole units only (512 or 4096 bytes, rarely more), from memory aligned to
 * mem_align. Any other transfer goes through a private aligned copy; a write that ends inside a
 * unit reads the unit first. Between that read and its write nobody else may write the unit, so
 * writers hold the lock: shared for whole units, alone for parts. With units of 512 bytes there are
 * no parts, and nobody takes the lock.
 */
struct hs_edges {
	uint32_t unit, mem_align;	/* powers of two, bytes */
	pthread_rwlock_t lock;
	/* Whole units in aligned memory. */
	int (*read)(struct hs_target *t, void *buf, size_t count, uint64_t offset);
	int (*write)(struct hs_target *t, const void *buf, size_t count, uint64_t offset, bool fua);
};

int hs_edges_init(struct hs_edges *e, uint32_t unit, uint32_t mem_align);
void hs_edges_destroy(struct hs_edges *e);
int hs_edges_pread(struct hs_edges *e, struct hs_target *t, void *buf, size_t count,
		   uint64_t offset);
int hs_edges_pwrite(struct hs_edges *e, struct hs_target *t, const void *buf, size_t count,
		    uint64_t offset, bool fua);
/* Around whole-unit writes other than by hs_edges_pwrite. */
void hs_edges_share(struct hs_edges *e);
void hs_edges_unshare(struct hs_edges *e);

static inline bool hs_edges_whole(const struct hs_edges *e, uint64_t count, uint64_t offset)
{
	return !((count | offset) & (e->unit - 1));
}

static inline bool hs_edges_fit(const struct hs_edges *e, const void *buf, size_t count,
				uint64_t offset)
{
	return hs_edges_whole(e, count, offset) && !((uintptr_t)buf & (e->mem_align - 1));
}

/* ---- doubt: who must hear of writes that were acknowledged and then lost --------------------- */

/*
 * Linux reports a failed write-back of the page cache once for an open file, to whichever fsync,
 * fdatasync or RWF_DSYNC write comes first, and then takes the pages for clean: the next fdatasync
 * returns 0 although the data are gone. The same holds for an NBD server, which is such a program,
 * and for one that died with writes in its cache. But the news concerns everybody who has
 * acknowledged writes waiting for a flush, so it is counted here:
 *
 *	a flush that overlaps with a failed one fails (its own fdatasync may have returned 0);
 *	after news from elsewhere (a FUA write's error, a lost connection) the next flush fails;
 *	later ones may succeed again: the caller knows, and has written anew what it needs.
 */
struct hs_doubt {
	atomic_uint_fast64_t raised;	/* pieces of bad news */
	atomic_uint_fast64_t told;	/* of them, told by a flush that failed */
};

/* Before a flush asks the medium: what it will be compared with. */
static inline uint64_t hs_doubt_begin(struct hs_doubt *d)
{
	return atomic_load(&d->told);
}

static inline void hs_doubt_raise(struct hs_doubt *d)
{
	atomic_fetch_add(&d->raised, 1);
}

/* When the medium has answered the flush: what the flush must return. */
int hs_doubt_end(struct hs_doubt *d, uint64_t begin, int error);

/*
 * The same around a durable write, from before its data are written. It takes no news away from a
 * flush; it fails if there is any since it began, for that may be its own.
 */
static inline uint64_t hs_doubt_fua_begin(struct hs_doubt *d)
{
	return atomic_load(&d->raised);
}

int hs_doubt_fua_end(struct hs_doubt *d, uint64_t begin, int error);

#endif
