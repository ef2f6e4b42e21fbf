/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The words that the library's callers and the core share. Includes nothing: the kernel reads it too. */
#ifndef HOTSET_ENUMS_H
#define HOTSET_ENUMS_H

/* How writes travel. The names are hs_mode_name()'s: writeback, writethrough, writearound, bypass. */
enum hs_mode {
	HS_MODE_WRITEBACK,	/* acknowledged once in the cache, written to the origin later */
	HS_MODE_WRITETHROUGH,	/* to the origin, a cached copy is kept in step */
	HS_MODE_WRITEAROUND,	/* to the origin, a cached copy is dropped */
	HS_MODE_BYPASS,		/* the origin alone; nothing is inserted, no dirty block exists */
	HS_MODE_COUNT,
};

/* Why a request (or the part of it in one block) was served without being inserted into the cache. */
enum hs_reason {
	HS_WHY_MODE,		/* bypass; or a write miss in writethrough or writearound */
	HS_WHY_SEQUENTIAL,	/* part of a sequential stream beyond seq_cutoff, or HS_NO_INSERT */
	HS_WHY_NO_SLOT,		/* no slot of its set was free */
	HS_WHY_DISCARD,		/* discards and zeroings that went to the origin */
	HS_WHY_ERROR,		/* an I/O error on the way in */
	HS_WHY_FAILED,		/* the cache device is out of service */
	HS_WHY_COUNT,
};
#endif
