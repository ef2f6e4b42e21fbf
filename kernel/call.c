// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Bounces: what a request may need beside its bio, as one element of a mempool, so that a request that has begun
 * never waits for a second. It holds two private buffers, of the block and of the caller's data, two bios, and room
 * for the request itself, when that outlives its bio.
 *
 * A request waits for a bounce only before it has one; those that have one wait for I/O, for a commit or for
 * write-back, which need none. So the pool always fills again.
 */
#include <linux/crc32c.h>
#include <linux/slab.h>

#include "kernel/dm.h"

#define HS_BOUNCE_RESERVE	(4 * HS_MIB)	/* bytes of buffers kept for bad times */
#define HS_BOUNCE_SPARE		(2 * HS_MIB)	/* ... and at hand in good ones */
#define HS_ORPHAN_BYTES		(32 * HS_MIB)	/* held by requests whose bios have been answered */

/* As core/platform.h asks: no inversion, as the kernel's own function. */
u32 hs_crc32c(u32 crc, const void *data, size_t bytes)
{
	return crc32c(crc, data, bytes);
}

/* ---- elements ------------------------------------------------------------------------------------------- */

static void hs_bounce_free(void *element, void *pool_data)
{
	struct hs_bounce *b = element;
	struct hs_dm *dm = pool_data;
	u32 i, k;

	for (k = 0; k < HS_PAGES_KINDS; k++)
		for (i = 0; i < dm->bounce_pages; i++)
			if (b->page[k][i])
				__free_page(b->page[k][i]);
	kfree(b);
}

/* struct hs_bounce | bios | pages | vectors | checksums */
static void *hs_bounce_alloc(gfp_t gfp, void *pool_data)
{
	struct hs_dm *dm = pool_data;
	u32 i, k, nr = dm->bounce_pages;
	struct hs_bounce *b;
	size_t bytes = sizeof(*b) + HS_REQ_IOS * sizeof(struct bio) + dm->csum_bytes +
		       nr * (HS_PAGES_KINDS * sizeof(struct page *) + HS_REQ_IOS * sizeof(struct bio_vec));

	b = kzalloc(bytes, gfp);
	if (!b)
		return NULL;
	for (k = 0; k < HS_REQ_IOS; k++)
		b->bio[k] = (struct bio *)(b + 1) + k;
	b->page[0] = (struct page **)((struct bio *)(b + 1) + HS_REQ_IOS);
	for (k = 1; k < HS_PAGES_KINDS; k++)
		b->page[k] = b->page[k - 1] + nr;
	b->vec[0] = (struct bio_vec *)(b->page[HS_PAGES_KINDS - 1] + nr);
	for (k = 1; k < HS_REQ_IOS; k++)
		b->vec[k] = b->vec[k - 1] + nr;
	b->call.csum = (u32 *)(b->vec[HS_REQ_IOS - 1] + nr);
	for (k = 0; k < HS_PAGES_KINDS; k++) {
		for (i = 0; i < nr; i++) {
			b->page[k][i] = alloc_page(gfp);
			if (!b->page[k][i]) {
				hs_bounce_free(b, dm);
				return NULL;
			}
		}
	}
	return b;
}

int hs_bounces_init(struct hs_dm *dm)
{
	u32 bytes = HS_PAGES_KINDS * (dm->block_sectors << SECTOR_SHIFT);

	dm->bounce_pages = DIV_ROUND_UP(dm->block_sectors << SECTOR_SHIFT, PAGE_SIZE);
	dm->max_spare = HS_BOUNCE_SPARE / bytes;
	dm->max_orphans = HS_ORPHAN_BYTES / bytes;
	dm->lane[HS_LANE_MAIN].most_lazy = min(dm->lane[HS_LANE_MAIN].most_lazy, max(1u, dm->max_orphans / 4u));
	spin_lock_init(&dm->spare_lock);
	hs_list_init(&dm->starved);
	return mempool_init(&dm->bounces, max(4u, HS_BOUNCE_RESERVE / bytes), hs_bounce_alloc, hs_bounce_free, dm);
}

void hs_bounces_exit(struct hs_dm *dm)
{
	while (dm->spare) {
		struct hs_bounce *b = dm->spare;

		dm->spare = b->next;
		mempool_free(b, &dm->bounces);
	}
	mempool_exit(&dm->bounces);
}

/* ---- taking and giving back ------------------------------------------------------------------------------ */

static struct hs_bounce *hs_bounce_spare(struct hs_dm *dm)
{
	struct hs_bounce *b;
	unsigned long flags;

	spin_lock_irqsave(&dm->spare_lock, flags);
	b = dm->spare;
	if (b) {
		dm->spare = b->next;
		dm->nr_spare--;
	}
	spin_unlock_irqrestore(&dm->spare_lock, flags);
	return b;
}

static void hs_call_take(struct hs_call *call, struct hs_bounce *b)
{
	call->bounce = b;
	call->lent = false;
}

bool hs_call_bounce(struct hs_call *call)
{
	struct hs_dm *dm = call->dm;
	struct hs_bounce *b;

	if (call->bounce)
		return true;
	b = hs_bounce_spare(dm);
	if (!b)
		b = mempool_alloc(&dm->bounces, GFP_NOWAIT | __GFP_NOWARN);
	if (!b)
		return false;
	hs_call_take(call, b);
	return true;
}

bool hs_call_await_bounce(struct hs_call *call)
{
	struct hs_dm *dm = call->dm;
	unsigned long flags;
	struct hs_bounce *b;

	if (hs_call_bounce(call))
		return true;
	/* Under the lock: who gives one back looks at the list after that, under the lock too. */
	spin_lock_irqsave(&dm->spare_lock, flags);
	b = mempool_alloc(&dm->bounces, GFP_NOWAIT | __GFP_NOWARN);
	if (!b) {
		call->todo = HS_TODO_PERFORM;
		hs_list_add_tail(&dm->starved, &call->req.link);
	}
	spin_unlock_irqrestore(&dm->spare_lock, flags);
	if (b)
		hs_call_take(call, b);
	return b;
}

static void hs_bounce_put(struct hs_dm *dm, struct hs_bounce *b)
{
	struct hs_req *req = NULL;
	unsigned long flags;

	spin_lock_irqsave(&dm->spare_lock, flags);
	if (hs_list_empty(&dm->starved) && dm->nr_spare < dm->max_spare) {
		b->next = dm->spare;
		dm->spare = b;
		dm->nr_spare++;
		spin_unlock_irqrestore(&dm->spare_lock, flags);
		return;
	}
	mempool_free(b, &dm->bounces);
	if (!hs_list_empty(&dm->starved)) {
		req = hs_list_entry(dm->starved.next, struct hs_req, link);
		hs_list_del(&req->link);
	}
	spin_unlock_irqrestore(&dm->spare_lock, flags);
	if (req)
		hs_lane_push(&dm->lane[HS_LANE_MAIN], req);
}

void hs_call_unbounce(struct hs_call *call)
{
	struct hs_bounce *b = call->bounce;

	if (!b)
		return;
	call->bounce = NULL;
	hs_bounce_put(call->dm, b);
}

/* ---- data ------------------------------------------------------------------------------------------------- */

void *hs_bounce_at(const struct hs_bounce *b, u32 kind, u32 offset)
{
	return page_address(b->page[kind][offset >> PAGE_SHIFT]) + offset_in_page(offset);
}

static void hs_bounce_zero(const struct hs_bounce *b, u32 kind, u32 offset, u32 bytes)
{
	while (bytes) {
		u32 n = min_t(u32, bytes, PAGE_SIZE - offset_in_page(offset));

		memset(hs_bounce_at(b, kind, offset), 0, n);
		offset += n;
		bytes -= n;
	}
}

/* Copies all of the bio's data from or to the bounce, from offset on. */
static void hs_call_copy(struct hs_call *call, u32 kind, u32 offset, bool to_bio)
{
	struct bvec_iter iter;
	struct bio_vec bv;

	__bio_for_each_segment(bv, call->bio, iter, call->iter) {
		u8 *data = bvec_kmap_local(&bv), *p = data;
		u32 left = bv.bv_len;

		while (left) {
			u32 n = min_t(u32, left, PAGE_SIZE - offset_in_page(offset));
			void *ours = hs_bounce_at(call->bounce, kind, offset);

			if (to_bio)
				memcpy(p, ours, n);
			else
				memcpy(ours, p, n);
			p += n;
			offset += n;
			left -= n;
		}
		kunmap_local(data);
		if (to_bio)
			flush_dcache_page(bv.bv_page);
	}
}

static u32 hs_call_bytes(const struct hs_call *call)
{
	return call->req.sectors << SECTOR_SHIFT;
}

static u32 hs_call_place(const struct hs_call *call)
{
	return (u32)(call->req.sector.nr & (call->dm->block_sectors - 1)) << SECTOR_SHIFT;
}

static void hs_call_fetch(struct hs_call *call, u32 kind, u32 offset)
{
	if (call->req.flags & HS_REQ_ZEROES)
		hs_bounce_zero(call->bounce, kind, offset, hs_call_bytes(call));
	else
		hs_call_copy(call, kind, offset, false);
}

/* One private copy serves all the request's writes: the caller may change its own meanwhile. */
void hs_call_lend(struct hs_call *call)
{
	if (!call->lent)
		hs_call_fetch(call, HS_PAGES_LENT, 0);
	call->lent = true;
}

static void hs_bounce_copy(const struct hs_bounce *b, u32 to, u32 bytes)
{
	u32 from = 0;

	while (bytes) {
		u32 n = min_t(u32, PAGE_SIZE - offset_in_page(to), PAGE_SIZE - offset_in_page(from));

		n = min(n, bytes);
		memcpy(hs_bounce_at(b, HS_PAGES_BLOCK, to), hs_bounce_at(b, HS_PAGES_LENT, from), n);
		to += n;
		from += n;
		bytes -= n;
	}
}

/* The caller's data over their place in the block; behind the origin's end, zeroes up to the end of the unit. */
void hs_call_overlay(struct hs_call *call)
{
	const struct hs_geometry *geo = hs_core_geometry(call->dm->core);
	u32 at = hs_call_place(call), end = at + hs_call_bytes(call);

	if (call->req.sector.nr + call->req.sectors == geo->origin_sectors)
		hs_bounce_zero(call->bounce, HS_PAGES_BLOCK, end, (u32)hs_round_up(end, HS_UNIT_BYTES) - end);
	if (call->lent)
		hs_bounce_copy(call->bounce, at, end - at);
	else
		hs_call_fetch(call, HS_PAGES_BLOCK, at);
}

void hs_call_copy_out(struct hs_call *call)
{
	hs_call_copy(call, HS_PAGES_BLOCK, hs_call_place(call), true);
}

/* ---- checksums -------------------------------------------------------------------------------------------- */

void hs_call_sum_bounce(struct hs_call *call, const struct hs_io *io)
{
	u32 kind = io->buf == HS_BUF_BLOCK ? HS_PAGES_BLOCK : HS_PAGES_LENT;
	u32 offset = io->buf_off + io->csum_skip, i;

	BUILD_BUG_ON(PAGE_SIZE % HS_UNIT_BYTES);
	for (i = 0; i < io->csum_units; i++, offset += HS_UNIT_BYTES)
		io->csum[i] = hs_unit_crc(call->dm->core, io->csum_first + i, hs_bounce_at(call->bounce, kind, offset));
}

/* The bio's one unit. */
u32 hs_call_sum_hit(const struct hs_call *call)
{
	u32 crc = hs_unit_seed(call->dm->core, call->req.first);
	struct bvec_iter iter;
	struct bio_vec bv;

	__bio_for_each_segment(bv, call->bio, iter, call->iter) {
		void *data = bvec_kmap_local(&bv);

		crc = hs_crc32c(crc, data, bv.bv_len);
		kunmap_local(data);
	}
	return ~crc;
}

/* The bio's pages need not be cut where units are. */
void hs_call_sum_bio(struct hs_call *call, const struct hs_io *io)
{
	struct hs_core *core = call->dm->core;
	u32 i = 0, left = HS_UNIT_BYTES, crc = hs_unit_seed(core, io->csum_first);
	struct bvec_iter iter;
	struct bio_vec bv;

	__bio_for_each_segment(bv, call->bio, iter, call->iter) {
		u8 *data = bvec_kmap_local(&bv), *p = data;
		u32 more = bv.bv_len;

		while (more && i < io->csum_units) {
			u32 n = min(more, left);

			crc = hs_crc32c(crc, p, n);
			p += n;
			more -= n;
			left -= n;
			if (left)
				continue;
			io->csum[i++] = ~crc;
			left = HS_UNIT_BYTES;
			crc = hs_unit_seed(core, io->csum_first + i);
		}
		kunmap_local(data);
	}
}
