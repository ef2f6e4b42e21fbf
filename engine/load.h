/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reading what stands on a cache device: superblock, then map. Writes nothing. */
#ifndef HS_ENGINE_LOAD_H
#define HS_ENGINE_LOAD_H

#include "engine/exec.h"

/*
 * *bad: bit n set if copy n is of no use. -EMEDIUMTYPE: not a hotset cache; -EPROTONOSUPPORT:
 * newer; -EUCLEAN: both copies damaged, or the device is smaller than it was; -EIO.
 */
int hs_load_sb(struct hs_target *cache, struct hs_sb *sb, unsigned int *bad, struct hs_error *err);

/* Attaches the core and loads the map. -EUCLEAN, -EIO, -ENOMEM. */
int hs_load_map(struct hs_exec *x, const struct hs_sb *sb, const struct hs_core_opts *opts,
		struct hs_error *err);

/* The public form of a geometry. */
void hs_layout_fill(struct hs_layout *layout, const struct hs_sb *sb);

/* format.c: empties the map under sb's geometry and mode and a new UUID. -EIO and the like. */
int hs_format_target(struct hs_target *cache, struct hs_sb *sb);

/* Dirty slots that the map names, lost ones included. */
u64 hs_map_dirty(struct hs_exec *x);

/*
 * identity.c: -ESTALE if the origin is not what the superblock, or a sample of clean blocks, says.
 */
int hs_identity_size(const struct hs_sb *sb, const struct hs_exec *x, struct hs_error *err);
int hs_identity_fingerprint(const struct hs_sb *sb, struct hs_exec *x, struct hs_error *err);
int hs_identity_sample(struct hs_exec *x, struct hs_error *err);

/*
 * A slot's data, whole units, into a block buffer. bad: one bool a unit: unreadable or not
 * matching.
 */
u32 hs_slot_units(const struct hs_exec *x, u64 block);
void hs_slot_verify(struct hs_exec *x, u32 slot, const struct hs_slot_view *view, u8 *buffer,
		    bool *bad);

#endif
