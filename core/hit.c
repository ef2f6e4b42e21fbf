// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The short way of the commonest request: a read of one whole block of one unit that is there, with nobody else at work
 * near by. It stands in the block lock table as any reader does, so that its slot is not reused and writers wait;
 * beyond that only what the table's other users look at is filled in. What turns out not to be so simple leaves, and goes on
 * as an ordinary request (read.c).
 */
#include "core/internal.h"

void hs_hit_init(const struct hs_core *core, struct hs_req *req, u64 sector)
{
	u64 block = sector >> HS_UNIT_SECTOR_SHIFT;

	req->op = HS_OP_READ;
	req->lock_mode = HS_LOCK_SHARED;
	req->first = block;
	req->last = block;
	req->set = hs_block_set(&core->geo, block);
	req->domain = (s32)hs_set_shard(core, req->set);
}

u64 hs_hit_begin(struct hs_core *core, struct hs_req *req)
{
	struct hs_shard *sh = hs_req_shard(core, req);
	struct hs_set *st = hs_set_at(core, req->set);
	struct hs_list *bucket = hs_lock_bucket(sh, core, req->first);
	u16 way = hs_set_find_any(core, st, req->first, HS_NIL);
	enum hs_cur cur;

	if (way == HS_NIL || !hs_list_empty(bucket) || hs_peek(core->mode) == HS_MODE_BYPASS)
		return 0;
	cur = hs_cur(st->way[way].state);
	if (unlikely(cur != HS_CLEAN) && cur == HS_RETIRED)
		return 0;
	hs_list_add_only(bucket, &req->bucket);
	req->granted = HS_GRANTED;
	req->src = way;
	sh->n.read_hits++;
	hs_policy_hit(core, st, way, cur != HS_CLEAN);
	return core->data_sector + ((u64)hs_slot_of(core, req->set, way).nr << HS_UNIT_SECTOR_SHIFT);
}

bool hs_hit_end(const struct hs_core *core, struct hs_req *req, u32 crc)
{
	struct hs_list *others = req->bucket.next;

	if (others != req->bucket.prev || req->granted != HS_GRANTED ||
	    (core->geo.checksums && crc != hs_crc(core, hs_set_at(core, req->set))[req->src]))
		return false;
	hs_list_init(others);
	return true;
}

void hs_hit_leave(const struct hs_core *core, struct hs_req *req)
{
	req->flags = 0;
	req->sector.nr = hs_block_first_sector(core, req->first);
	req->sectors = HS_UNIT_SECTORS;
	req->error = 0;
	req->state = 0;
	req->io = req->ios;
	req->dst = HS_NIL;
	req->deadline = 0;
	req->csum = &req->csum1;
	req->step = hs_read_quick_end;
	hs_io_cache_only(core, req, HS_IO_READ, req->src, 0, HS_UNIT_SECTORS, HS_BUF_CALLER);
}
