// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * I/O of the core's own requests: on its own memory, one bio each, as many at a time as the request has. Each bio is
 * on its way before the next is allocated, so the bio set's reserve is enough.
 */
#include <linux/blkdev.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "kernel/dm.h"

#define HS_BIOS_RESERVE	16

struct hs_machine_bio {
	struct hs_flight *flight;
	struct hs_io *io;
	struct bio bio;			/* last: its vectors follow */
};

int hs_flights_init(struct hs_dm *dm)
{
	u32 i;

	spin_lock_init(&dm->flight_lock);
	for (i = 0; i < HS_FLIGHTS; i++)
		dm->flight[i].dm = dm;
	return bioset_init(&dm->bios, HS_BIOS_RESERVE, offsetof(struct hs_machine_bio, bio), BIOSET_NEED_BVECS);
}

void hs_flights_exit(struct hs_dm *dm)
{
	bioset_exit(&dm->bios);
}

static struct hs_flight *hs_flight_find(struct hs_dm *dm, const struct hs_req *req)
{
	u32 i;

	for (i = 0; i < HS_FLIGHTS; i++)
		if (dm->flight[i].req == req)
			return &dm->flight[i];
	return NULL;
}

static struct hs_flight *hs_flight_begin(struct hs_dm *dm, struct hs_req *req, bool deferred)
{
	struct hs_flight *f;
	unsigned long flags;

	spin_lock_irqsave(&dm->flight_lock, flags);
	f = hs_flight_find(dm, NULL);
	hs_assert(f);
	f->req = req;
	f->deferred = deferred;
	spin_unlock_irqrestore(&dm->flight_lock, flags);
	return f;
}

static void hs_flight_put(struct hs_flight *f)
{
	struct hs_req *req = f->req;

	if (!atomic_dec_and_test(&f->pending))
		return;
	if (f->wait)
		complete(f->wait);
	else
		hs_machine_ended_io(f->dm, req);
}

static void hs_machine_end_io(struct bio *bio)
{
	struct hs_machine_bio *m = container_of(bio, struct hs_machine_bio, bio);
	struct hs_flight *f = m->flight;

	m->io->error = blk_status_to_errno(bio->bi_status);
	bio_put(bio);
	hs_flight_put(f);
}

static blk_opf_t hs_io_opf(const struct hs_io *io)
{
	switch (io->op) {
	case HS_IO_READ:
		return REQ_OP_READ;
	case HS_IO_WRITE:
		return REQ_OP_WRITE | (io->flags & HS_IO_FUA ? REQ_FUA : 0);
	default:
		return REQ_OP_WRITE | REQ_PREFLUSH;
	}
}

void hs_bio_add_mem(struct bio *bio, u8 *mem, u32 bytes)
{
	while (bytes) {
		u32 n = min_t(u32, bytes, PAGE_SIZE - offset_in_page(mem));
		struct page *page = is_vmalloc_addr(mem) ? vmalloc_to_page(mem) : virt_to_page(mem);

		__bio_add_page(bio, page, n, offset_in_page(mem));
		mem += n;
		bytes -= n;
	}
}

static u32 hs_mem_pages(const u8 *mem, u32 bytes)
{
	return DIV_ROUND_UP(offset_in_page(mem) + bytes, PAGE_SIZE);
}

static void hs_io_sum(struct hs_dm *dm, const struct hs_io *io)
{
	const u8 *data = (u8 *)io->mem + io->buf_off + io->csum_skip;
	u32 i;

	for (i = 0; i < io->csum_units; i++, data += HS_UNIT_BYTES)
		io->csum[i] = hs_unit_crc(dm->core, io->csum_first + i, data);
}

static void hs_machine_submit(struct hs_flight *f, struct hs_io *io)
{
	struct hs_dm *dm = f->dm;
	u32 bytes = io->op == HS_IO_FLUSH ? 0 : io->sectors << SECTOR_SHIFT;
	u8 *mem = (u8 *)io->mem + io->buf_off;
	struct hs_machine_bio *m;
	struct bio *bio;

	if (io->op == HS_IO_WRITE && io->csum)
		hs_io_sum(dm, io);
	bio = bio_alloc_bioset(dm->bdev[io->dev], bytes ? hs_mem_pages(mem, bytes) : 0, hs_io_opf(io), GFP_NOIO,
			       &dm->bios);
	m = container_of(bio, struct hs_machine_bio, bio);
	m->flight = f;
	m->io = io;
	bio->bi_iter.bi_sector = io->sector;
	bio->bi_end_io = hs_machine_end_io;
	hs_bio_add_mem(bio, mem, bytes);
	submit_bio_noacct(bio);
}

static void hs_flight_run(struct hs_flight *f)
{
	struct hs_req *req = f->req;
	u32 i, nr = req->nr_io;
	struct blk_plug plug;

	/* One for ourselves: until the last is submitted the request stays ours. */
	atomic_set(&f->pending, nr + 1);
	blk_start_plug(&plug);
	for (i = 0; i < nr; i++)
		hs_machine_submit(f, &req->io[i]);
	blk_finish_plug(&plug);
	hs_flight_put(f);
}

void hs_machine_perform(struct hs_dm *dm, struct hs_req *req)
{
	struct hs_flight *f = hs_flight_begin(dm, req, false);

	f->wait = NULL;
	hs_flight_run(f);
}

void hs_machine_defer(struct hs_dm *dm, struct hs_req *req)
{
	hs_flight_begin(dm, req, true);
}

bool hs_machine_finish(struct hs_dm *dm, struct hs_req *req)
{
	bool deferred = false;
	struct hs_flight *f;
	unsigned long flags;
	u32 i;

	spin_lock_irqsave(&dm->flight_lock, flags);
	f = hs_flight_find(dm, req);
	if (f) {
		deferred = f->deferred;
		f->req = NULL;
	}
	spin_unlock_irqrestore(&dm->flight_lock, flags);
	if (!f || deferred)
		return !deferred;
	for (i = 0; i < req->nr_io; i++)
		if (req->io[i].op == HS_IO_READ && req->io[i].csum && !req->io[i].error)
			hs_io_sum(dm, &req->io[i]);
	return true;
}

void hs_machine_perform_wait(struct hs_dm *dm, struct hs_req *req)
{
	struct hs_flight *f = hs_flight_begin(dm, req, false);
	DECLARE_COMPLETION_ONSTACK(done);

	f->wait = &done;
	hs_flight_run(f);
	wait_for_completion_io(&done);
	hs_machine_finish(dm, req);
}
