// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * From bio to request and back.
 *
 *	map ---> hit ------------------------------------------> the bio, remapped --> end_io -----------> done
 *	 `-----> step --- one I/O of the caller's own data ----> the bio, remapped --> end_io --> step --> done
 *	          | `-- others, if memory is at hand ---> bios of the bounce --> end_io --> step ...
 *	          `---- or else: a lane; a worker performs them
 *
 * Completions step the request at once, in whatever context they come; what may sleep or takes long is left to a
 * worker: submitting bios, and checksums or copies of more than HS_QUICK_BYTES.
 */
#include <linux/blkdev.h>

#include "kernel/dm.h"

#define HS_QUICK_BYTES	(16 * HS_KIB)

/* Where a request is being taken on. */
enum hs_where {
	HS_IN_MAP,		/* the bio may be returned remapped */
	HS_IN_WORKER,		/* of the main lane */
	HS_IN_END_IO,		/* no submitting */
};

enum hs_went {
	HS_WENT_OFF,		/* not ours any more */
	HS_WENT_REMAPPED,	/* in map: dm submits the bio */
	HS_WENT_ENDED,		/* the caller of hs_call_go ends the bio with req->error */
};

static enum hs_went hs_call_go(struct hs_call *call, enum hs_where where);

/* ---- ending ----------------------------------------------------------------------------------------------- */

static void hs_bio_end(struct hs_call *call)
{
	struct bio *bio = call->bio;

	call->answered = true;
	bio->bi_status = errno_to_blk_status(call->req.error);
	/* It may have been down to a device and back already. */
	bio_clear_flag(bio, BIO_QOS_THROTTLED);
	bio_clear_flag(bio, BIO_QOS_MERGED);
	bio_endio(bio);
}

/* A zeroing that met dirty data goes on block by block, as writes of zeroes. */
static bool hs_call_zero_next(struct hs_call *call)
{
	struct hs_req *req = &call->req;
	u64 next;

	if (req->op == HS_OP_ZERO && req->error == -EAGAIN) {
		call->zero_end = req->sector.nr + req->sectors;
		next = req->sector.nr;
	} else if (call->zero_end && !req->error) {
		next = req->sector.nr + req->sectors;
	} else {
		return false;
	}
	if (next == call->zero_end)
		return false;
	hs_call_unbounce(call);
	req->op = HS_OP_WRITE;
	req->flags = HS_REQ_ZEROES | (call->bio->bi_opf & REQ_FUA ? HS_REQ_FUA : 0);
	req->sector.nr = next;
	req->sectors = hs_block_limit(call->dm->core, next, call->zero_end - next);
	hs_req_init(call->dm->core, req, call->csum);
	return true;
}

static bool hs_call_copies_out(const struct hs_call *call)
{
	return (call->req.flags & HS_REQ_COPYOUT) && call->req.op == HS_OP_READ && !call->req.error && call->bio;
}

/* The request has ended. */
static enum hs_went hs_call_end(struct hs_call *call, enum hs_where where)
{
	struct hs_dm *dm = call->dm;

	if (!call->bio) {
		hs_call_unbounce(call);
		hs_dm_orphan_end(dm);
		return HS_WENT_OFF;
	}
	if (unlikely(hs_call_zero_next(call)))
		return hs_call_go(call, where);
	if (hs_call_copies_out(call))
		hs_call_copy_out(call);
	hs_call_unbounce(call);
	return HS_WENT_ENDED;
}

/*
 * The bio is answered, its request goes on: from now on it lives in its bounce. Returns it there.
 */
static struct hs_call *hs_call_answer(struct hs_call *call)
{
	struct hs_call *to = &call->bounce->call;
	struct hs_dm *dm = call->dm;
	spinlock_t *lock = hs_dm_lock(dm, call->req.domain);
	unsigned long flags;

	call->req.flags &= ~HS_REQ_ANSWER;
	/* Only what has been read is answered early, and that is in the bounce. */
	if (hs_call_copies_out(call))
		hs_call_copy_out(call);
	to->dm = dm;
	to->bio = NULL;
	to->bounce = call->bounce;
	to->zero_end = 0;
	to->remapped = false;
	to->lent = false;
	hs_dm_orphan_begin(dm);
	spin_lock_irqsave(lock, flags);
	hs_req_move(&to->req, &call->req, dm->csum_bytes ? to->csum : NULL, dm->csum_bytes ?: sizeof(u32));
	spin_unlock_irqrestore(lock, flags);
	hs_bio_end(call);
	return to;
}

/* Too many that have left would hold too much memory: then the bio waits for the end. */
static struct hs_call *hs_call_may_leave(struct hs_call *call)
{
	struct hs_dm *dm = call->dm;

	if (likely(atomic_read(&dm->orphans) < dm->max_orphans))
		return hs_call_answer(call);
	call->req.flags &= ~HS_REQ_ANSWER;
	return call;
}

/* ---- performing ------------------------------------------------------------------------------------------- */

/* Can the bio itself do it? */
static hs_always_inline bool hs_call_remaps(const struct hs_call *call)
{
	const struct hs_req *req = &call->req;
	const struct hs_io *io = req->io;

	if (req->nr_io != 1 || !call->bio || call->zero_end)
		return false;
	switch (io->op) {
	case HS_IO_READ:
		return io->buf == HS_BUF_CALLER;
	case HS_IO_WRITE:
		/* A checksum needs data that hold still. */
		return io->buf == HS_BUF_CALLER && !io->csum && !(req->flags & HS_REQ_ZEROES);
	default:
		return true;
	}
}

static hs_always_inline void hs_call_remap(struct hs_call *call)
{
	const struct hs_io *io = call->req.io;
	struct bio *bio = call->bio;

	call->remapped = true;
	bio->bi_iter = call->iter;
	bio->bi_iter.bi_sector = io->sector;
	bio_set_dev(bio, call->dm->bdev[io->dev]);
	if (io->flags & HS_IO_FUA)
		bio->bi_opf |= REQ_FUA;
	else
		bio->bi_opf &= ~REQ_FUA;
}

/* Out of map: it may have been down once. */
static void hs_call_resubmit(struct hs_call *call)
{
	struct bio *bio = call->bio;

	hs_call_remap(call);
	bio->bi_opf &= ~REQ_NOWAIT;
	bio->bi_status = BLK_STS_OK;
	/* Left from a request that it shared with others. */
	bio->bi_next = NULL;
	atomic_set(&bio->__bi_remaining, 1);
	bio_clear_flag(bio, BIO_QOS_THROTTLED);
	bio_clear_flag(bio, BIO_QOS_MERGED);
	submit_bio_noacct(bio);
}

static void hs_bounce_end_io(struct bio *bio)
{
	struct hs_call *call = bio->bi_private;

	call->req.io[bio == call->bounce->bio[1]].error = blk_status_to_errno(bio->bi_status);
	bio_uninit(bio);
	if (!atomic_dec_and_test(&call->pending))
		return;
	if (hs_call_go(call, HS_IN_END_IO) == HS_WENT_ENDED)
		hs_bio_end(call);
}

static blk_opf_t hs_bounce_opf(const struct hs_call *call, const struct hs_io *io)
{
	blk_opf_t opf = io->op == HS_IO_READ ? REQ_OP_READ : REQ_OP_WRITE;

	if (call->bio)
		opf |= call->bio->bi_opf & (REQ_SYNC | REQ_META | REQ_PRIO | REQ_IDLE);
	return opf | (io->flags & HS_IO_FUA ? REQ_FUA : 0);
}

static void hs_bounce_add(struct hs_bounce *b, struct bio *bio, u32 kind, u32 offset, u32 bytes)
{
	while (bytes) {
		u32 n = min_t(u32, bytes, PAGE_SIZE - offset_in_page(offset));

		__bio_add_page(bio, b->page[kind][offset >> PAGE_SHIFT], n, offset_in_page(offset));
		offset += n;
		bytes -= n;
	}
}

/* Makes a write's data final. */
static void hs_call_prepare(struct hs_call *call, struct hs_io *io)
{
	if (io->op != HS_IO_WRITE)
		return;
	if (io->buf == HS_BUF_CALLER)
		hs_call_lend(call);
	if (io->flags & HS_IO_OVERLAY)
		hs_call_overlay(call);
	if (io->csum)
		hs_call_sum_bounce(call, io);
}

static void hs_call_build(struct hs_call *call, u32 i)
{
	struct hs_bounce *b = call->bounce;
	struct hs_io *io = &call->req.io[i];
	struct bio *bio = b->bio[i];

	bio_init(bio, call->dm->bdev[io->dev], b->vec[i], (u16)call->dm->bounce_pages, hs_bounce_opf(call, io));
	bio->bi_iter.bi_sector = io->sector;
	bio->bi_private = call;
	bio->bi_end_io = hs_bounce_end_io;
	hs_bounce_add(b, bio, io->buf == HS_BUF_BLOCK ? HS_PAGES_BLOCK : HS_PAGES_LENT, io->buf_off,
		      io->sectors << SECTOR_SHIFT);
}

/*
 * A bounce is there. With the last bio on its way the request may end, and all that belongs to it; so every one is
 * built before the first goes.
 */
static void hs_call_submit(struct hs_call *call)
{
	struct bio *bio[HS_REQ_IOS];
	u32 i, nr = call->req.nr_io;

	call->todo = HS_TODO_FINISH;
	atomic_set(&call->pending, nr);
	for (i = 0; i < nr; i++) {
		hs_call_prepare(call, &call->req.io[i]);
		hs_call_build(call, i);
		bio[i] = call->bounce->bio[i];
	}
	for (i = 0; i < nr; i++)
		submit_bio_noacct(bio[i]);
}

static void hs_call_later(struct hs_call *call, enum hs_call_todo todo, u32 lane)
{
	call->todo = todo;
	hs_lane_push(&call->dm->lane[lane], &call->req);
}

/* Nobody waits for its end: a fill on its way into the cache. */
static void hs_call_some_time(struct hs_call *call)
{
	call->todo = HS_TODO_PERFORM;
	hs_lane_push_lazy(&call->dm->lane[HS_LANE_MAIN], &call->req);
}

static u32 hs_call_lane(const struct hs_call *call)
{
	u32 i;

	for (i = 0; i < call->req.nr_io; i++)
		if (call->req.io[i].dev == HS_ORIGIN)
			return HS_LANE_ORIGIN;
	return HS_LANE_MAIN;
}

/* A worker's: may sleep in the submission, waits for nothing else. */
static void hs_call_perform(struct hs_call *call)
{
	if (hs_call_remaps(call))
		hs_call_resubmit(call);
	else if (hs_call_await_bounce(call))
		hs_call_submit(call);
}

static enum hs_went hs_call_begin_io(struct hs_call *call, enum hs_where where)
{
	if (where == HS_IN_MAP && hs_call_remaps(call)) {
		hs_call_remap(call);
		return HS_WENT_REMAPPED;
	}
	/* In map a submission only queues the bio: it goes, and may wait for a tag, once the caller is out of map. */
	if (where == HS_IN_MAP && !(call->bio->bi_opf & REQ_NOWAIT) && hs_call_bounce(call))
		hs_call_submit(call);
	else if (where == HS_IN_WORKER && hs_call_lane(call) == HS_LANE_MAIN)
		hs_call_perform(call);
	else if (!call->bio && hs_call_lane(call) == HS_LANE_MAIN)
		hs_call_some_time(call);
	else
		hs_call_later(call, HS_TODO_PERFORM, hs_call_lane(call));
	return HS_WENT_OFF;
}

/* ---- finishing -------------------------------------------------------------------------------------------- */

static bool hs_call_is_long(const struct hs_call *call)
{
	const struct hs_io *io = call->req.io;

	return io->op == HS_IO_READ && (io->csum || io->buf == HS_BUF_BLOCK) &&
	       io->sectors << SECTOR_SHIFT > HS_QUICK_BYTES;
}

/* After a read: what the origin does not have is zeroes up to the end of the unit; then the checksums. */
static void hs_call_finish(struct hs_call *call)
{
	struct hs_io *io = call->req.io;
	u32 end;

	call->todo = HS_TODO_STEP;
	if (io->op != HS_IO_READ || io->error)
		return;
	if (io->dev == HS_ORIGIN && io->buf == HS_BUF_BLOCK) {
		end = io->buf_off + (io->sectors << SECTOR_SHIFT);
		for (; end % HS_UNIT_BYTES; end += 1 << SECTOR_SHIFT)
			memset(hs_bounce_at(call->bounce, HS_PAGES_BLOCK, end), 0, 1 << SECTOR_SHIFT);
	}
	if (!io->csum)
		return;
	if (io->buf == HS_BUF_BLOCK)
		hs_call_sum_bounce(call, io);
	else
		hs_call_sum_bio(call, io);
}

/* ---- stepping --------------------------------------------------------------------------------------------- */

/* Takes on what a step said. */
static enum hs_went hs_call_on(struct hs_call *call, enum hs_step_result said, enum hs_where where)
{
	struct hs_dm *dm = call->dm;

	while (said == HS_AGAIN)
		said = hs_dm_step(dm, &call->req);
	switch (said) {
	case HS_DONE:
		return hs_call_end(call, where);
	case HS_IO:
		if (unlikely(call->req.flags & HS_REQ_ANSWER))
			call = hs_call_may_leave(call);
		return hs_call_begin_io(call, where);
	default:
		/*
		 * It is not ours any more. What it waits for may be lying on a lane that nobody has hurried to. (At the
		 * end of an I/O the device may be gone by now; then it waits for the next jiffy.)
		 */
		if (where != HS_IN_END_IO)
			hs_lane_hurry(&dm->lane[HS_LANE_MAIN]);
		return HS_WENT_OFF;
	}
}

static enum hs_went hs_call_go(struct hs_call *call, enum hs_where where)
{
	struct hs_dm *dm = call->dm;

	if (call->todo == HS_TODO_FINISH) {
		if (where == HS_IN_END_IO && hs_call_is_long(call)) {
			hs_lane_push(&dm->lane[HS_LANE_MAIN], &call->req);
			return HS_WENT_OFF;
		}
		hs_call_finish(call);
	}
	return hs_call_on(call, hs_dm_step(dm, &call->req), where);
}

void hs_call_wake(struct hs_call *call)
{
	call->todo = HS_TODO_STEP;
	if (hs_call_go(call, HS_IN_END_IO) == HS_WENT_ENDED)
		hs_bio_end(call);
}

void hs_call_work(struct hs_call *call, const struct hs_lane *lane)
{
	if (call->todo == HS_TODO_PERFORM) {
		struct hs_lane *right = &call->dm->lane[hs_call_lane(call)];

		/* One that waited for a bounce comes by the main lane. */
		if (lane == right)
			hs_call_perform(call);
		else
			hs_lane_push(right, &call->req);
	} else if (hs_call_go(call, HS_IN_WORKER) == HS_WENT_ENDED) {
		hs_bio_end(call);
	}
}

/* ---- device-mapper's entries ------------------------------------------------------------------------------ */

static noinline bool hs_bio_note(struct hs_dm *dm, u64 sector, u32 sectors, u64 cutoff)
{
	unsigned long flags;
	bool ret;

	spin_lock_irqsave(&dm->streams_lock, flags);
	ret = hs_streams_note(&dm->streams, sector, sectors, cutoff);
	spin_unlock_irqrestore(&dm->streams_lock, flags);
	return ret;
}

static inline bool hs_bio_streams(struct hs_dm *dm, u64 sector, u32 sectors)
{
	u64 cutoff = hs_peek(dm->seq_cutoff);

	return unlikely(cutoff) && hs_bio_note(dm, sector, sectors, cutoff);
}

static inline void hs_call_set(struct hs_call *call, enum hs_op op, u64 sector, u32 sectors, u32 flags)
{
	call->req.op = op;
	call->req.flags = flags;
	call->req.sector.nr = sector;
	call->req.sectors = sectors;
}

/* By dm_set_target_max_io_len it lies within a block. */
static inline void hs_map_rw(struct hs_call *call, struct bio *bio, enum hs_op op, u64 sector)
{
	u32 sectors = bio_sectors(bio), flags = 0;

	if (hs_bio_streams(call->dm, sector, sectors))
		flags |= HS_REQ_SEQUENTIAL;
	if (bio->bi_opf & REQ_FUA && op == HS_OP_WRITE)
		flags |= HS_REQ_FUA;
	hs_call_set(call, op, sector, sectors, flags);
}

/* Whole blocks from the bio's start on; the last of the origin counts as whole. */
static u32 hs_bio_whole(struct hs_dm *dm, u64 sector, u32 sectors)
{
	u64 end = sector + sectors;

	if (sector & (dm->block_sectors - 1))
		return 0;
	if (end != hs_core_geometry(dm->core)->origin_sectors)
		end &= ~(u64)(dm->block_sectors - 1);
	return end > sector ? (u32)hs_range_limit(dm->core, sector, end - sector) : 0;
}

/* Discards of parts of blocks are left undone: they are advice. False: nothing to do. */
static bool hs_map_range(struct hs_call *call, struct bio *bio, enum hs_op op, u64 sector)
{
	u32 sectors = bio_sectors(bio), whole = hs_bio_whole(call->dm, sector, sectors);
	u32 part = whole ?: hs_block_limit(call->dm->core, sector, sectors);
	u32 flags = bio->bi_opf & REQ_FUA ? HS_REQ_FUA : 0;

	if (part < sectors)
		dm_accept_partial_bio(bio, part);
	if (!whole && op == HS_OP_DISCARD)
		return false;
	if (whole)
		hs_call_set(call, op, sector, part, flags);
	else
		hs_call_set(call, HS_OP_WRITE, sector, part, flags | HS_REQ_ZEROES);
	return true;
}

/* All that is no ordinary read or write. */
static noinline bool hs_map_other(struct hs_call *call, struct bio *bio, u64 sector)
{
	switch (bio_op(bio)) {
	case REQ_OP_WRITE:
	case REQ_OP_FLUSH:
		hs_call_set(call, HS_OP_FLUSH, 0, 0, 0);
		return true;
	case REQ_OP_DISCARD:
		return hs_map_range(call, bio, HS_OP_DISCARD, sector);
	case REQ_OP_WRITE_ZEROES:
		return hs_map_range(call, bio, HS_OP_ZERO, sector);
	default:
		call->req.error = -EOPNOTSUPP;
		return false;
	}
}

static inline bool hs_map_call(struct hs_call *call, struct bio *bio, u64 sector)
{
	if (bio_op(bio) == REQ_OP_READ)
		hs_map_rw(call, bio, HS_OP_READ, sector);
	else if (bio_op(bio) == REQ_OP_WRITE && likely(bio->bi_iter.bi_size))
		hs_map_rw(call, bio, HS_OP_WRITE, sector);
	else
		return hs_map_other(call, bio, sector);
	return true;
}

static inline void hs_call_init(struct hs_call *call)
{
	call->bounce = NULL;
	call->csum = call->dm->csum_bytes ? (u32 *)(call + 1) : NULL;
	call->zero_end = 0;
	call->todo = HS_TODO_STEP;
	call->hit = false;
	call->remapped = false;
	call->answered = false;
	call->lent = false;
	call->req.error = 0;
}

/*
 * The short way (core.h, hs_hit_begin): the bio is remapped, and comes back to hs_end_hit. Being of the size of a block it
 * is a whole one, for it lies within one.
 */
static hs_always_inline bool hs_map_hit(struct hs_dm *dm, struct hs_call *call, struct bio *bio, u64 sector)
{
	struct hs_domain *d;
	u64 at;

	if (bio_op(bio) != REQ_OP_READ || bio->bi_iter.bi_size != dm->hit_bytes || hs_peek(dm->seq_cutoff))
		return false;
	hs_hit_init(dm->core, &call->req, sector);
	d = &dm->domains[call->req.domain];
	spin_lock_irq(&d->lock);
	at = hs_hit_begin(dm->core, &call->req);
	spin_unlock_irq(&d->lock);
	if (!at)
		return false;
	call->hit = true;
	call->iter = bio->bi_iter;
	bio->bi_iter.bi_sector = at;
	bio_set_dev(bio, dm->bdev[HS_CACHE]);
	return true;
}

int hs_map(struct dm_target *ti, struct bio *bio)
{
	enum hs_step_result said;
	struct hs_dm *dm = ti->private;
	struct hs_call *call = dm_per_bio_data(bio, ti->per_io_data_size);

	call->dm = dm;
	call->bio = bio;
	if (hs_map_hit(dm, call, bio, dm_target_offset(ti, bio->bi_iter.bi_sector)))
		return DM_MAPIO_REMAPPED;
	hs_call_init(call);
	if (unlikely(!hs_map_call(call, bio, dm_target_offset(ti, bio->bi_iter.bi_sector)))) {
		hs_bio_end(call);
		return DM_MAPIO_SUBMITTED;
	}
	call->iter = bio->bi_iter;
	hs_req_init(dm->core, &call->req, call->csum);
	said = hs_dm_step_open(dm, &call->req);
	if (likely(said == HS_IO && hs_call_remaps(call))) {
		hs_call_remap(call);
		return DM_MAPIO_REMAPPED;
	}
	switch (hs_call_on(call, said, HS_IN_MAP)) {
	case HS_WENT_REMAPPED:
		return DM_MAPIO_REMAPPED;
	case HS_WENT_ENDED:
		hs_bio_end(call);
		fallthrough;
	default:
		return DM_MAPIO_SUBMITTED;
	}
}

/* With --noflush, what fails while the device is being suspended waits for the next table, which may mend it. */
static int hs_end_error(struct dm_target *ti, blk_status_t *status)
{
	if (dm_noflush_suspending(ti))
		*status = BLK_STS_DM_REQUEUE;
	return DM_ENDIO_DONE;
}

/* The device below had no room and the submitter must not wait: a worker does. */
static bool hs_end_again(struct hs_call *call, blk_status_t status)
{
	if (likely(status != BLK_STS_AGAIN) || !(call->bio->bi_opf & REQ_NOWAIT))
		return false;
	hs_call_later(call, HS_TODO_PERFORM, hs_call_lane(call));
	return true;
}

/* Nothing is left but to let the bio end. */
static inline bool hs_call_ends(const struct hs_call *call)
{
	return !call->bounce && !call->zero_end && !call->req.error && !(call->req.flags & HS_REQ_COPYOUT);
}

/* A remapped bio has ended. */
static inline int hs_end_remapped(struct dm_target *ti, struct hs_call *call, blk_status_t *status)
{
	struct hs_io *io = call->req.io;
	enum hs_step_result said;
	enum hs_went went;

	call->remapped = false;
	if (likely(!*status && !io->csum)) {
		io->error = 0;
		said = hs_dm_step_inline(call->dm, &call->req);
		if (likely(said == HS_DONE && hs_call_ends(call)))
			return DM_ENDIO_DONE;
		call->todo = HS_TODO_STEP;
		went = hs_call_on(call, said, HS_IN_END_IO);
	} else {
		if (hs_end_again(call, *status))
			return DM_ENDIO_INCOMPLETE;
		call->todo = HS_TODO_FINISH;
		io->error = blk_status_to_errno(*status);
		went = hs_call_go(call, HS_IN_END_IO);
	}
	if (went != HS_WENT_ENDED)
		return DM_ENDIO_INCOMPLETE;
	*status = errno_to_blk_status(call->req.error);
	return likely(!*status) ? DM_ENDIO_DONE : hs_end_error(ti, status);
}

/* Not so simple any more, or not so good: an ordinary request that was remapped. */
static noinline int hs_end_hit_leave(struct dm_target *ti, struct hs_call *call, blk_status_t *status)
{
	hs_hit_leave(call->dm->core, &call->req);
	hs_call_init(call);
	return hs_end_remapped(ti, call, status);
}

static hs_always_inline int hs_end_hit(struct dm_target *ti, struct hs_call *call, blk_status_t *status)
{
	struct hs_dm *dm = call->dm;
	struct hs_domain *d = &dm->domains[call->req.domain];
	unsigned long flags;
	u32 crc = 0;
	bool ended;

	if (unlikely(*status))
		return hs_end_hit_leave(ti, call, status);
	if (dm->checksums)
		crc = hs_call_sum_hit(call);
	spin_lock_irqsave(&d->lock, flags);
	ended = hs_hit_end(dm->core, &call->req, crc);
	spin_unlock_irqrestore(&d->lock, flags);
	return likely(ended) ? DM_ENDIO_DONE : hs_end_hit_leave(ti, call, status);
}

/* A remapped bio has ended; or one that hs_bio_end ends. */
int hs_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *status)
{
	struct hs_call *call = dm_per_bio_data(bio, ti->per_io_data_size);

	if (likely(call->hit))
		return hs_end_hit(ti, call, status);
	if (likely(!call->answered && call->remapped))
		return hs_end_remapped(ti, call, status);
	return likely(!*status) ? DM_ENDIO_DONE : hs_end_error(ti, status);
}
