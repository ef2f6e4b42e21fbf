/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connections to an NBD export, inside engine/. One connection, or up to HS_NBD_CONNS if the server
 * lets them share one cache (multi-conn). Any number of calls are in flight on each.
 *
 * A lost connection loses them all: calls in flight and calls made meanwhile fail at once with
 * -ENOTCONN, and in the background everything is connected anew, with growing pauses, until it
 * works.
 */
#ifndef HS_ENGINE_NBD_POOL_H
#define HS_ENGINE_NBD_POOL_H

#include "engine/target.h"

#define HS_NBD_CONNS	4

/* What the server says of the export. It must say the same after each new connection. */
struct hs_nbd_export {
	uint64_t size;			/* bytes */
	uint32_t unit;			/* bytes: smallest transfer; a power of two, at least 512 */
	uint32_t max;			/* bytes: largest transfer, a multiple of unit */
	bool read_only, multi_conn, can_flush, can_fua, can_trim, can_zero;
};

enum hs_nbd_op { HS_NBD_READ, HS_NBD_WRITE, HS_NBD_FLUSH, HS_NBD_TRIM, HS_NBD_ZERO };

struct hs_nbd_pool;

int hs_nbd_pool_open(const char *uri, struct hs_nbd_pool **pool, struct hs_error *err);
void hs_nbd_pool_close(struct hs_nbd_pool *pool);
const struct hs_nbd_export *hs_nbd_pool_export(const struct hs_nbd_pool *pool);
/*
 * Raised when a connection is lost with writes acknowledged and not flushed, before a new one is
 * used.
 */
struct hs_doubt *hs_nbd_pool_doubt(struct hs_nbd_pool *pool);

/*
 * One request to the server, within its limits. Blocks. 0, the server's error as a negative errno,
 * or -ENOTCONN: no answer, and what a write did is not known.
 */
int hs_nbd_pool_call(struct hs_nbd_pool *pool, enum hs_nbd_op op, void *buf, size_t count,
		     uint64_t offset, bool fua);

/* The same, a FLUSH of all writes acknowledged before. The doubt is the caller's to ask for. */
int hs_nbd_pool_flush(struct hs_nbd_pool *pool);

#endif
