/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Caches that must not be used again. When a cache device has failed, writes go to the origin past names that
 * still stand on it; should the device come back, those names would lie. So before the first such write a file
 * named after the cache's UUID is made durable in $HOTSET_STATEDIR, or /var/lib/hotset.
 */
#ifndef HS_ENGINE_ABANDON_H
#define HS_ENGINE_ABANDON_H

#include "core/format.h"
#include "engine/io.h"

/* Makes the record durable. 0 or a negative errno. */
int hs_abandon_record(const u8 *uuid, const char *cache);
/* -ESTALE with the way out if the cache was abandoned, else 0. */
int hs_abandon_check(const u8 *uuid, const char *cache, struct hs_error *err);
/* The cache was emptied: the record has done its duty. */
void hs_abandon_forget(const u8 *uuid);

#endif
