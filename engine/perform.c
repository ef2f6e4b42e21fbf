// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Performing I/Os. Those of all requests in hand are laid out in a row; neighbours in the row that
 * are also neighbours on the device become one transfer:
 *
 *	request    0       1       2    3
 *	I/O        origin  origin  hit  origin	one origin read for 0 and 1, one for 3
 *
 * so a long read over blocks that are all missing costs the slow origin one request, not hundreds.
 * When a merged transfer fails each part is done again alone, so that each gets the error that is
 * its own. Never a flush: the kernel tells of a failed one once, and the next may succeed though
 * data were lost.
 */
#include "engine/call.h"
#include "engine/exec.h"

#define HS_ROW	256u

/* An I/O with the place of its data in memory. */
struct hs_piece {
	struct hs_req *req;
	struct hs_io *io;
	u8 *data;
};

static size_t hs_io_bytes(const struct hs_io *io)
{
	return (size_t)io->sectors << HS_SECTOR_SHIFT;
}

static bool hs_io_has_data(const struct hs_io *io)
{
	return io->op == HS_IO_READ || io->op == HS_IO_WRITE;
}

/* ---- one I/O --------------------------------------------------------------------------------- */

static inline u8 *hs_io_data(struct hs_exec *x, struct hs_req *req, const struct hs_io *io)
{
	u8 *base = NULL;

	switch (io->buf) {
	case HS_BUF_NONE:
		return NULL;
	case HS_BUF_MEM:
		return (u8 *)io->mem + io->buf_off;
	case HS_BUF_BLOCK:
		base = hs_call_block(x, hs_call_of(req));
		break;
	case HS_BUF_CALLER:
		if (io->op == HS_IO_WRITE)
			base = hs_call_lend(x, hs_call_of(req));
		else
			base = hs_call_of(req)->data;
		break;
	}
	return base ? base + io->buf_off : NULL;
}

static inline void hs_io_sum(struct hs_exec *x, const struct hs_io *io, const u8 *data)
{
	u32 i;

	data += io->csum_skip;
	for (i = 0; i < io->csum_units; i++, data += HS_UNIT_BYTES)
		io->csum[i] = hs_unit_crc(x->core, io->csum_first + i, data);
}

/* Before the transfer: where are the data, and for a write, make them final. */
static inline bool hs_piece_prepare(struct hs_exec *x, struct hs_piece *p)
{
	struct hs_io *io = p->io;

	io->error = 0;
	p->data = hs_io_data(x, p->req, io);
	if (hs_io_has_data(io) && !p->data) {
		io->error = -ENOMEM;
		return false;
	}
	if (io->op != HS_IO_WRITE)
		return true;
	if (io->flags & HS_IO_OVERLAY)
		io->error = hs_call_overlay(x, hs_call_of(p->req));
	if (io->error)
		return false;
	if (io->csum)
		hs_io_sum(x, io, p->data);
	return true;
}

/* After a read: what the origin does not have is zeroes up to the end of the unit. */
static inline void hs_piece_finish(struct hs_exec *x, struct hs_piece *p)
{
	struct hs_io *io = p->io;

	if (io->op != HS_IO_READ || io->error)
		return;
	if (io->dev == HS_ORIGIN && io->buf == HS_BUF_BLOCK) {
		u64 end = io->buf_off + hs_io_bytes(io);

		memset(p->data + hs_io_bytes(io), 0, hs_round_up(end, HS_UNIT_BYTES) - end);
	}
	if (io->csum)
		hs_io_sum(x, io, p->data);
}

static int hs_transfer(struct hs_exec *x, const struct hs_io *io, void *data, u64 bytes)
{
	struct hs_target *t = x->target[io->dev];
	u64 offset = io->sector << HS_SECTOR_SHIFT;
	bool fua = io->flags & HS_IO_FUA;
	int ret;

	if (unlikely(__atomic_load_n(&x->abandoned, __ATOMIC_RELAXED)))
		return -EIO;
	switch (io->op) {
	case HS_IO_READ:
		return t->ops->pread(t, data, bytes, offset);
	case HS_IO_WRITE:
		return t->ops->pwrite(t, data, bytes, offset, fua);
	case HS_IO_FLUSH:
		return t->ops->flush(t);
	case HS_IO_DISCARD:
		ret = t->ops->discard(t, bytes, offset);
		return ret || !fua ? ret : t->ops->flush(t);
	case HS_IO_ZERO:
		return t->ops->zero(t, bytes, offset, fua);
	}
	return -EINVAL;
}

static inline void hs_piece_perform(struct hs_exec *x, struct hs_piece *p)
{
	p->io->error = hs_transfer(x, p->io, p->data, hs_io_bytes(p->io));
}

/* ---- a row of them --------------------------------------------------------------------------- */

static bool hs_io_follows(const struct hs_io *a, const struct hs_io *b)
{
	if (a->dev != b->dev || a->op != b->op || (a->flags ^ b->flags) & HS_IO_FUA)
		return false;
	return a->op == HS_IO_FLUSH || a->sector + a->sectors == b->sector;
}

/* How many pieces from the first on make one transfer; *bytes: of all; *adjacent: in memory too. */
static u32 hs_row_run(const struct hs_piece *p, u32 nr, size_t *bytes, bool *adjacent)
{
	u32 i;

	*bytes = hs_io_bytes(p->io);
	*adjacent = true;
	for (i = 1; i < nr; i++) {
		size_t more = hs_io_bytes(p[i].io);

		if (!hs_io_follows(p[i - 1].io, p[i].io))
			break;
		if (hs_io_has_data(p->io)) {
			if (*bytes + more > HS_MERGE_BYTES)
				break;
			*adjacent &= p[i].data == p->data + *bytes;
		}
		*bytes += more;
	}
	return i;
}

static void hs_row_copy(struct hs_piece *p, u32 nr, u8 *merged, bool gather)
{
	u32 i;

	for (i = 0; i < nr; i++) {
		size_t bytes = hs_io_bytes(p[i].io);

		if (gather)
			memcpy(merged, p[i].data, bytes);
		else
			memcpy(p[i].data, merged, bytes);
		merged += bytes;
	}
}

static bool hs_io_flushes(const struct hs_io *io)
{
	return io->op == HS_IO_FLUSH || io->flags & HS_IO_FUA;
}

/* False: each is to be done alone. */
static bool hs_row_merged(struct hs_exec *x, struct hs_piece *p, u32 nr, size_t bytes,
			  bool adjacent)
{
	u8 *data = p->data, *merged = NULL;
	u32 i;
	int ret;

	if (hs_io_has_data(p->io) && !adjacent) {
		merged = hs_pool_get(&x->merges);
		if (!merged)
			return false;
		data = merged;
	}
	if (merged && p->io->op == HS_IO_WRITE)
		hs_row_copy(p, nr, merged, true);
	ret = hs_transfer(x, p->io, data, bytes);
	if (merged && !ret && p->io->op == HS_IO_READ)
		hs_row_copy(p, nr, merged, false);
	hs_pool_put(&x->merges, merged);
	if (ret && !hs_io_flushes(p->io))
		return false;
	for (i = 0; i < nr; i++)
		p[i].io->error = ret;
	return true;
}

static void hs_row_perform(struct hs_exec *x, struct hs_piece *p, u32 nr)
{
	u32 i, run;

	for (; nr; p += run, nr -= run) {
		size_t bytes;
		bool adjacent;

		run = hs_row_run(p, nr, &bytes, &adjacent);
		if (run == 1 || !hs_row_merged(x, p, run, bytes, adjacent))
			for (i = 0; i < run; i++)
				hs_piece_perform(x, &p[i]);
		for (i = 0; i < run; i++)
			hs_piece_finish(x, &p[i]);
	}
}

static __attribute__((noinline)) void hs_perform_rows(struct hs_exec *x, struct hs_list *reqs)
{
	struct hs_piece row[HS_ROW];
	struct hs_list *l;
	u32 i, nr = 0;

	hs_list_for_each(l, reqs) {
		struct hs_req *req = hs_list_entry(l, struct hs_req, link);

		for (i = 0; i < req->nr_io; i++) {
			row[nr] = (struct hs_piece){ .req = req, .io = &req->io[i] };
			if (hs_piece_prepare(x, &row[nr]))
				nr++;
			if (nr == HS_ROW) {
				hs_row_perform(x, row, nr);
				nr = 0;
			}
		}
	}
	hs_row_perform(x, row, nr);
}

void hs_perform_one(struct hs_exec *x, struct hs_req *req)
{
	struct hs_piece p = { .req = req, .io = req->io };

	if (!hs_piece_prepare(x, &p))
		return;
	hs_piece_perform(x, &p);
	hs_piece_finish(x, &p);
}

void hs_perform(struct hs_exec *x, struct hs_list *reqs)
{
	struct hs_req *req = hs_list_entry(reqs->next, struct hs_req, link);

	if (reqs->next == reqs->prev && req->nr_io == 1)
		hs_perform_one(x, req);
	else
		hs_perform_rows(x, reqs);
}
