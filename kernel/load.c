// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What stands on the two devices: superblock, map, and whether the origin is the one that the cache was made for,
 * unchanged since. Everything here may sleep, and only claim and format write.
 */
#include <linux/blkdev.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uuid.h>
#include <linux/vmalloc.h>

#include "kernel/dm.h"

#define HS_SAMPLES		16u
#define HS_SAMPLE_SEARCH	4096u	/* slots looked at for one clean one */

int hs_bdev_read(struct block_device *bdev, u64 sector, void *mem, u32 bytes)
{
	struct bio *bio = bio_alloc(bdev, BIO_MAX_VECS, REQ_OP_READ, GFP_NOIO);
	int ret;

	bio->bi_iter.bi_sector = sector;
	hs_bio_add_mem(bio, mem, bytes);
	ret = submit_bio_wait(bio);
	bio_put(bio);
	return ret;
}

/* ---- superblock ------------------------------------------------------------------------------------------- */

static int hs_load_refusal(int code, char **why)
{
	switch (code) {
	case HS_E_NEWER:
		*why = "The cache device was made by a newer version of hotset: use that version";
		return -EPROTONOSUPPORT;
	case HS_E_DAMAGED:
		*why = "Both superblocks of the cache device are damaged; persistence 0 with the feature force starts anew";
		return -EUCLEAN;
	default:
		*why = "The cache device is not a hotset cache: make it one with hotset format, or with persistence 0";
		return -EMEDIUMTYPE;
	}
}

int hs_load_sb(struct hs_dm *dm, struct hs_sb *sb, char **why)
{
	struct block_device *bdev = dm->bdev[HS_CACHE];
	u8 *pages = kzalloc(2 * HS_PAGE, GFP_NOIO);
	unsigned int bad, i;
	int ret, error = 0;

	*why = "Out of memory";
	if (!pages)
		return -ENOMEM;
	for (i = 0; i < 2; i++) {
		if (bdev_nr_bytes(bdev) < HS_SB_OFFSET(i) + HS_PAGE)
			continue;
		/* A copy that cannot be read is a copy that is not there. */
		ret = hs_bdev_read(bdev, HS_SB_OFFSET(i) >> SECTOR_SHIFT, pages + i * HS_PAGE, HS_PAGE);
		if (ret) {
			memset(pages + i * HS_PAGE, 0, HS_PAGE);
			error = ret;
		}
	}
	ret = hs_sb_pick(pages, pages + HS_PAGE, sb, &bad);
	kfree(pages);
	if (ret == HS_E_FOREIGN && error) {
		*why = "The cache device cannot be read";
		return error;
	}
	if (ret)
		return hs_load_refusal(ret, why);
	if (bad)
		DMWARN("%pg: one superblock copy is damaged, the other serves", bdev);
	if (bdev_nr_bytes(bdev) < sb->geo.cache_bytes) {
		*why = "The cache device is smaller than it was when formatted: bring back its missing end, or format anew";
		return -EUCLEAN;
	}
	return 0;
}

/* ---- map -------------------------------------------------------------------------------------------------- */

/* Runs a request of opening to its end; nothing else may run. */
int hs_load_alone(struct hs_dm *dm, struct hs_req *req)
{
	for (;;) {
		struct hs_out out;
		enum hs_step_result ret;

		hs_out_init(&out);
		ret = hs_step(dm->core, req, &out);
		if (ret == HS_DONE)
			return req->error;
		if (ret == HS_IO)
			hs_machine_perform_wait(dm, req);
		cond_resched();
	}
}

int hs_load_dirty(struct hs_dm *dm, const struct hs_sb *sb, u64 *dirty)
{
	struct hs_core_opts opts = { .mode = -1 };
	struct hs_counters sum = { 0 };
	void *mem = vmalloc(hs_core_size(&sb->geo, &opts));
	s32 domain;
	int ret;

	if (!mem)
		return -ENOMEM;
	dm->core = hs_core_init(mem, sb, &opts);
	ret = hs_load_alone(dm, hs_core_open(dm->core));
	for (domain = 0; !ret && domain < (s32)hs_core_shards(dm->core); domain++)
		hs_core_count(dm->core, domain, &sum);
	*dirty = sum.dirty;
	dm->core = NULL;
	vfree(mem);
	return ret;
}

int hs_load_format(struct hs_dm *dm)
{
	struct hs_format_job *job = kzalloc(sizeof(*job), GFP_NOIO);
	u8 *buffer = vmalloc(HS_FORMAT_BUFFER);
	enum hs_step_result step;
	int ret = -ENOMEM;

	if (job && buffer) {
		uuid_gen((uuid_t *)dm->sb.uuid);
		hs_format_start(job, &dm->sb, buffer);
		while ((step = hs_format_step(job)) != HS_DONE) {
			if (step == HS_IO)
				hs_machine_perform_wait(dm, &job->req);
			cond_resched();
		}
		ret = job->req.error;
	}
	if (ret)
		DMERR("%pg: cannot be formatted: error %d", dm->bdev[HS_CACHE], ret);
	vfree(buffer);
	kfree(job);
	return ret;
}

/* ---- the origin's fingerprint: the same bytes, the same way, as in engine/target.c --------------------------- */

#define FP_END		(128 * HS_KIB)
#define FP_REGION	(64 * HS_KIB)
#define FP_REGIONS	12u

static u64 hs_fp_mix(u64 fp, u64 word)
{
	fp = (fp ^ word) * 0x9e3779b97f4a7c15ull;
	return fp ^ fp >> 29;
}

static int hs_fp_region(struct hs_dm *dm, u64 *fp, u8 *buf, u32 bytes, u64 offset)
{
	int ret = hs_bdev_read(dm->bdev[HS_ORIGIN], offset >> SECTOR_SHIFT, buf, bytes);
	u32 i;

	for (i = 0; !ret && i < bytes; i += 8)
		*fp = hs_fp_mix(*fp, hs_get(buf + i, 8));
	return ret;
}

static int hs_fp_regions(struct hs_dm *dm, u64 size, u64 *fp, u8 *buf)
{
	u64 span = size - 2 * FP_END - FP_REGION;
	u32 i;
	int ret = hs_fp_region(dm, fp, buf, FP_END, 0);

	for (i = 0; i < FP_REGIONS && !ret; i++)
		ret = hs_fp_region(dm, fp, buf, FP_REGION,
				   FP_END + (div_u64(span, FP_REGIONS - 1) * i & ~4095ull));
	return ret ? ret : hs_fp_region(dm, fp, buf, FP_END, (size - FP_END) & ~511ull);
}

static int hs_fp_whole(struct hs_dm *dm, u64 size, u64 *fp, u8 *buf)
{
	u64 at, bytes;
	int ret = 0;

	for (at = 0; at < size && !ret; at += bytes) {
		bytes = hs_min(size - at, FP_END);
		ret = hs_fp_region(dm, fp, buf, (u32)bytes, at);
	}
	return ret;
}

int hs_load_fingerprint(struct hs_dm *dm, u64 *fingerprint)
{
	u64 size = dm->sb.geo.origin_sectors << SECTOR_SHIFT, fp = hs_fp_mix(0, size);
	u8 *buf = kvmalloc(FP_END, GFP_NOIO);
	int ret;

	if (!buf)
		return -ENOMEM;
	if (size <= 2 * FP_END + FP_REGIONS * FP_REGION)
		ret = hs_fp_whole(dm, size, &fp, buf);
	else
		ret = hs_fp_regions(dm, size, &fp, buf);
	kvfree(buf);
	*fingerprint = fp;
	return ret;
}

static int hs_load_identity(struct hs_dm *dm)
{
	u64 fingerprint;
	int ret;

	if (!(dm->sb.state & HS_SB_CLEAN) || dm->opts.accept_changed_origin)
		return 0;
	ret = hs_load_fingerprint(dm, &fingerprint);
	if (ret)
		DMERR("%pg cannot be read: error %d", dm->bdev[HS_ORIGIN], ret);
	if (ret || fingerprint == dm->sb.fingerprint)
		return ret;
	DMERR("%pg changed while %pg was away (its fingerprint differs): if that was meant, drop what is cached with the feature accept_changed_origin",
	      dm->bdev[HS_ORIGIN], dm->bdev[HS_CACHE]);
	return -ESTALE;
}

/* ---- a sample of clean blocks: the durable map never lies, so they are the origin's bytes ------------------------ */

static bool hs_unit_differs(struct hs_dm *dm, const struct hs_slot_view *view, u32 i, const u8 *cached,
			    const u8 *original, u32 bytes)
{
	u64 unit = view->block * (dm->block_sectors / HS_UNIT_SECTORS) + i;

	/* One that rotted proves nothing. */
	if (view->crcs && hs_unit_crc(dm->core, unit, cached) != view->crcs[i])
		return false;
	return memcmp(cached, original, bytes);
}

static bool hs_sample_differs(struct hs_dm *dm, u32 slot, const struct hs_slot_view *view, u8 *buf)
{
	const struct hs_geometry *geo = hs_core_geometry(dm->core);
	u32 valid = hs_block_valid(geo, view->block) << SECTOR_SHIFT, units = hs_block_units(geo, view->block), i;
	u8 *original = buf + hs_block_bytes(geo);

	if (hs_bdev_read(dm->bdev[HS_ORIGIN], view->block * dm->block_sectors, original, valid) ||
	    hs_bdev_read(dm->bdev[HS_CACHE], hs_slot_sector(dm->core, slot), buf, units * HS_UNIT_BYTES))
		return false;
	for (i = 0; i < units; i++, buf += HS_UNIT_BYTES, original += HS_UNIT_BYTES, valid -= HS_UNIT_BYTES)
		if (hs_unit_differs(dm, view, i, buf, original, (u32)hs_min(valid, HS_UNIT_BYTES)))
			return true;
	return false;
}

static bool hs_sample_find(struct hs_dm *dm, u32 *slot, u32 end, struct hs_slot_view *view)
{
	for (; *slot < end; ++*slot) {
		hs_slot_look(dm->core, *slot, view);
		if (view->named && !view->dirty && view->durable == HS_D_CLEAN)
			return true;
	}
	return false;
}

static int hs_load_sample(struct hs_dm *dm)
{
	u32 i, slots = dm->sb.geo.nr_slots;
	u8 *buf = vmalloc(2 * hs_block_bytes(&dm->sb.geo));
	bool differs = false;

	if (!buf)
		return -ENOMEM;
	for (i = 0; i < HS_SAMPLES && !differs; i++) {
		u32 slot = (u32)((u64)slots * i / HS_SAMPLES), end = (u32)((u64)slots * (i + 1) / HS_SAMPLES);
		struct hs_slot_view view;

		if (hs_sample_find(dm, &slot, min(end, slot + HS_SAMPLE_SEARCH), &view))
			differs = hs_sample_differs(dm, slot, &view, buf);
	}
	vfree(buf);
	if (!differs)
		return 0;
	DMERR("%pg changed while %pg was away (a clean block differs): if that was meant, drop what is cached with the feature accept_changed_origin",
	      dm->bdev[HS_ORIGIN], dm->bdev[HS_CACHE]);
	return -ESTALE;
}

/* ---- open ------------------------------------------------------------------------------------------------- */

static void hs_load_report(struct hs_dm *dm, u64 took_ns)
{
	const struct hs_open_report *r = hs_core_report(dm->core);
	struct block_device *bdev = dm->bdev[HS_CACHE];

	/* The claim of a new cache is its second incarnation: nothing was there to recover. */
	if (!r->clean_stop && hs_core_sb(dm->core)->incarnation > 2)
		DMINFO("%pg was not stopped cleanly: recovered %llu transactions in %llu ms", bdev, r->transactions,
		       div_u64(took_ns, NSEC_PER_MSEC));
	if (r->dropped_last)
		DMWARN("%pg: the last transaction was never acknowledged and its data are not all there: dropped",
		       bdev);
	if (r->torn_tail)
		DMINFO("%pg: an incomplete transaction at the journal's end was dropped", bdev);
	if (r->unit_copies_bad)
		DMWARN("%pg: %llu pages of the map were damaged, their mirrors serve", bdev, r->unit_copies_bad);
}

int hs_load_map(struct hs_dm *dm)
{
	struct block_device *cache = dm->bdev[HS_CACHE];
	struct hs_core_opts opts = {
		.mode = dm->opts.mode,
		.now = ktime_get_ns(),
		.cache_fua = bdev_fua(cache) || !bdev_write_cache(cache),
	};
	const char *why;
	int ret;

	dm->core = hs_core_init(dm->mem, &dm->sb, &opts);
	dm->shards = hs_core_shards(dm->core);
	ret = hs_load_alone(dm, hs_core_open(dm->core));
	why = hs_core_open_why(dm->core);
	if (ret)
		DMERR("%pg: %s: see hotset check: error %d", dm->bdev[HS_CACHE], why ?: "cannot read the map", ret);
	return ret;
}

/* The origin may have changed: nothing clean is to be trusted, so nothing dirty may exist; then start anew. */
static int hs_load_void(struct hs_dm *dm)
{
	struct hs_counters sum = { 0 };
	s32 domain;
	char *why;
	int ret;

	for (domain = 0; domain < (s32)hs_core_shards(dm->core); domain++)
		hs_core_count(dm->core, domain, &sum);
	if (sum.dirty) {
		DMERR("%pg holds %llu dirty blocks, which belong to the origin as it was: write them back to it first",
		      dm->bdev[HS_CACHE], sum.dirty);
		return -ESTALE;
	}
	ret = hs_load_format(dm);
	if (!ret)
		ret = hs_load_sb(dm, &dm->sb, &why);
	DMINFO("%pg: every clean block was dropped", dm->bdev[HS_CACHE]);
	return ret ? ret : hs_load_map(dm);
}

int hs_load_open(struct hs_dm *dm)
{
	u64 begun = ktime_get_ns();
	int ret = hs_load_identity(dm);

	if (!ret)
		ret = hs_load_grow(dm);
	if (!ret)
		ret = hs_load_map(dm);
	if (!ret)
		ret = dm->opts.accept_changed_origin ? hs_load_void(dm) : hs_load_sample(dm);
	if (!ret)
		ret = hs_load_alone(dm, hs_core_claim(dm->core));
	dm->open_ns = ktime_get_ns() - begun;
	if (!ret)
		hs_load_report(dm, dm->open_ns);
	return ret;
}
