// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Is this the origin that the cache was made for, and unchanged since? Best effort: the size; after
 * a clean stop a fingerprint of fixed regions; and a sample of clean blocks, whose bytes must be
 * the origin's (the durable map never lies). A change elsewhere goes unseen.
 */
#include "engine/load.h"

#define HS_SAMPLES		16u
#define HS_SAMPLE_SEARCH	4096u	/* slots looked at for one clean one */

static int hs_identity_changed(const struct hs_exec *x, const char *what, struct hs_error *err)
{
	return hs_error_set(err, -ESTALE,
			    "%s changed while %s was away (%s): if that was meant, drop the clean "
			    "blocks with hotset serve --accept-changed-origin",
			    x->target[HS_ORIGIN]->name, x->target[HS_CACHE]->name, what);
}

int hs_identity_size(const struct hs_sb *sb, const struct hs_exec *x, struct hs_error *err)
{
	u64 bytes = sb->geo.origin_sectors << HS_SECTOR_SHIFT;

	if (x->target[HS_ORIGIN]->size == bytes)
		return 0;
	return hs_error_set(err, -ESTALE, "%s was made for an origin of %llu bytes, %s has %llu: "
			    "give the origin that belongs to it, or format a cache for this one",
			    x->target[HS_CACHE]->name, (unsigned long long)bytes,
			    x->target[HS_ORIGIN]->name,
			    (unsigned long long)x->target[HS_ORIGIN]->size);
}

int hs_identity_fingerprint(const struct hs_sb *sb, struct hs_exec *x, struct hs_error *err)
{
	u64 fingerprint;
	int ret;

	if (!(sb->state & HS_SB_CLEAN))
		return 0;
	ret = hs_target_fingerprint(x->target[HS_ORIGIN], &fingerprint);
	if (ret)
		return hs_error_set(err, ret, "%s: cannot read it: %s", x->target[HS_ORIGIN]->name,
				    strerror(-ret));
	if (fingerprint != sb->fingerprint)
		return hs_identity_changed(x, "its fingerprint differs", err);
	return 0;
}

/* Does the slot hold what the origin holds? What cannot be read proves nothing. */
static bool hs_sample_matches(struct hs_exec *x, u32 slot, const struct hs_slot_view *view,
			      u8 *cached, u8 *original, bool *bad)
{
	struct hs_target *origin = x->target[HS_ORIGIN];
	const struct hs_geometry *geo = hs_core_geometry(x->core);
	u64 left = (u64)hs_block_valid(geo, view->block) << HS_SECTOR_SHIFT;
	u32 i;

	if (origin->ops->pread(origin, original, left, view->block << geo->block_shift))
		return true;
	hs_slot_verify(x, slot, view, cached, bad);
	for (i = 0; left; i++) {
		size_t at = (size_t)i * HS_UNIT_BYTES, bytes = hs_min(left, HS_UNIT_BYTES);

		if (!bad[i] && memcmp(cached + at, original + at, bytes))
			return false;
		left -= bytes;
	}
	return true;
}

/* A clean slot not far from `slot`. */
static bool hs_sample_find(struct hs_exec *x, u32 *slot, u32 end, struct hs_slot_view *view)
{
	for (; *slot < end; ++*slot) {
		hs_slot_look(x->core, *slot, view);
		if (view->named && !view->dirty && view->durable == HS_D_CLEAN)
			return true;
	}
	return false;
}

static bool hs_samples_match(struct hs_exec *x, u8 *cached, u8 *original, bool *bad)
{
	u32 i, slots = hs_core_geometry(x->core)->nr_slots;

	for (i = 0; i < HS_SAMPLES; i++) {
		u32 slot = (u32)((u64)slots * i / HS_SAMPLES);
		u32 end = (u32)((u64)slots * (i + 1) / HS_SAMPLES);
		struct hs_slot_view view;

		end = (u32)hs_min(end, slot + HS_SAMPLE_SEARCH);
		if (hs_sample_find(x, &slot, end, &view) &&
		    !hs_sample_matches(x, slot, &view, cached, original, bad))
			return false;
	}
	return true;
}

int hs_identity_sample(struct hs_exec *x, struct hs_error *err)
{
	u8 *buffers = hs_buffer_new(2 * (size_t)x->block_bytes);
	bool bad[1u << (HS_BLOCK_SHIFT_MAX - HS_UNIT_SHIFT)];
	bool match;

	if (!buffers)
		return hs_error_set(err, -ENOMEM, "out of memory");
	match = hs_samples_match(x, buffers, buffers + x->block_bytes, bad);
	hs_buffer_free(buffers);
	return match ? 0 : hs_identity_changed(x, "a clean block differs", err);
}
