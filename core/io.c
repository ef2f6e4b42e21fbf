// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Filling in the I/Os that a step hands out. */
#include "core/internal.h"

struct hs_io *hs_io_next(struct hs_req *req)
{
	struct hs_io *io = &req->io[req->nr_io++];

	*io = (struct hs_io){ 0 };
	return io;
}

void hs_req_span(const struct hs_core *core, const struct hs_req *req, struct hs_span *span)
{
	u64 start = hs_block_first_sector(core, req->first);
	u32 valid = hs_block_valid(&core->geo, req->first);
	u32 end;

	span->first = (u32)(req->sector.nr - start);
	span->sectors = req->sectors;
	end = span->first + span->sectors;
	span->unit = span->first / HS_UNIT_SECTORS;
	span->units = (end + HS_UNIT_SECTORS - 1) / HS_UNIT_SECTORS - span->unit;
	span->aligned = !(span->first % HS_UNIT_SECTORS) &&
			(!(end % HS_UNIT_SECTORS) || end == valid);
	span->exact = !((span->first | span->sectors) % HS_UNIT_SECTORS);
	span->whole = !span->first && end == valid;
}

void hs_io_cache(const struct hs_core *core, struct hs_req *req, enum hs_io_op op, u16 way, u32 unit,
		 u32 units, enum hs_io_buf buf)
{
	struct hs_io *io = &req->io[req->nr_io++];
	hs_slot_t slot = hs_slot_of(core, req->set, way);

	*io = (struct hs_io){
		.dev = HS_CACHE,
		.op = (u8)op,
		.buf = (u8)buf,
		.sector = hs_slot_first_sector(core, slot) + (u64)unit * HS_UNIT_SECTORS,
		.sectors = units * HS_UNIT_SECTORS,
		.buf_off = buf == HS_BUF_BLOCK ? unit * HS_UNIT_BYTES : 0,
	};
	if (core->geo.checksums) {
		io->csum = req->csum + unit;
		io->csum_units = units;
		io->csum_first = hs_block_first_unit(core, req->first) + unit;
	}
}

void hs_io_origin(const struct hs_core *core, struct hs_req *req, enum hs_io_op op, u64 sector,
		  u32 sectors, enum hs_io_buf buf, u32 buf_off)
{
	struct hs_io *io = hs_io_next(req);
	struct hs_shard *sh;

	if (req->op < HS_OP_COUNT) {
		sh = &core->shards[req->domain];
		hs_poke(sh->asked, sh->asked + 1);
	}
	io->dev = HS_ORIGIN;
	io->op = (u8)op;
	io->buf = (u8)buf;
	io->sector = sector;
	io->sectors = sectors;
	io->buf_off = buf_off;
}

void hs_io_page(struct hs_req *req, enum hs_io_op op, u64 offset, void *mem, u32 bytes)
{
	struct hs_io *io = hs_io_next(req);

	io->dev = HS_CACHE;
	io->op = (u8)op;
	io->buf = HS_BUF_MEM;
	io->mem = mem;
	io->sector = offset >> HS_SECTOR_SHIFT;
	io->sectors = bytes >> HS_SECTOR_SHIFT;
}

void hs_io_flush(struct hs_req *req, enum hs_io_dev dev)
{
	struct hs_io *io = hs_io_next(req);

	io->dev = (u8)dev;
	io->op = HS_IO_FLUSH;
}

s32 hs_io_error(const struct hs_req *req)
{
	u32 i;

	for (i = 0; i < req->nr_io; i++)
		if (req->io[i].error)
			return req->io[i].error;
	return 0;
}
