// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Requests: preparing them, stepping them, and what all kinds share at their end. */
#include "core/internal.h"

typedef enum hs_step_result (*hs_step_fn)(struct hs_core *, struct hs_req *, struct hs_out *);

static const hs_step_fn hs_steps[HS_OP_ALL] = {
	[HS_OP_READ] = hs_read_step,
	[HS_OP_WRITE] = hs_write_step,
	[HS_OP_DISCARD] = hs_range_step,
	[HS_OP_ZERO] = hs_range_step,
	[HS_OP_FLUSH] = hs_flush_step,
	[HS_OP_COMMIT] = hs_commit_step,
	[HS_OP_OFLUSH] = hs_oflush_step,
	[HS_OP_META] = hs_meta_step,
	[HS_OP_WRITEBACK] = hs_wb_step,
	[HS_OP_OPEN] = hs_open_step,
	[HS_OP_STOP] = hs_stop_step,
};

u32 hs_req_csum_bytes(const struct hs_core *core)
{
	return 4 * core->geo.units_per_block;
}

void hs_req_init(struct hs_core *core, struct hs_req *req, u32 *csum)
{
	static const hs_step_fn first[HS_OP_COUNT] = {
		hs_read_quick_start, hs_write_quick_start, hs_step_any, hs_step_any, hs_step_any,
	};
	u32 shift = core->slot_shift;
	u64 end = req->sector.nr + req->sectors, group;

	req->flags &= HS_REQ_GIVEN;
	req->error = 0;
	req->nr_io = 0;
	req->io = req->ios;
	req->state = 0;
	req->lock_mode = 0;
	req->granted = 0;
	req->src = HS_NIL;
	req->dst = HS_NIL;
	req->deadline = 0;
	req->step = first[req->op];
	req->csum = csum ? csum : &req->csum1;
	if (unlikely(req->op == HS_OP_FLUSH)) {
		req->domain = hs_journal_domain(core);
		return;
	}
	hs_assert(end > req->sector.nr && end <= core->geo.origin_sectors);
	req->first = req->sector.nr >> shift;
	req->last = (end - 1) >> shift;
	req->set = hs_block_set(&core->geo, req->first);
	req->domain = (s32)hs_set_shard(core, req->set);
	if (likely(req->first == req->last))
		return;
	group = hs_block_group(&core->geo, req->first);
	hs_assert(req->op >= HS_OP_DISCARD && group == hs_block_group(&core->geo, req->last));
}

/* In hand, it stands on one list alone: its bucket of the block lock table, or (FLUSH) on none. */
void hs_req_move(struct hs_req *to, struct hs_req *from, u32 *csum, u32 csum_bytes)
{
	u32 *old = from->csum, i;

	memcpy(to, from, sizeof(*to));
	to->io = to->ios;
	to->csum = csum ? csum : &to->csum1;
	memcpy(to->csum, old, csum_bytes);
	for (i = 0; i < to->nr_io; i++)
		if (to->ios[i].csum)
			to->ios[i].csum = to->csum + (to->ios[i].csum - old);
	if (to->op == HS_OP_FLUSH)
		return;
	to->bucket.next->prev = &to->bucket;
	to->bucket.prev->next = &to->bucket;
}

enum hs_step_result hs_step_any(struct hs_core *core, struct hs_req *req, struct hs_out *out)
{
	s32 domain = req->domain;
	enum hs_step_result ret;

	req->step = hs_step_any;
	ret = hs_steps[req->op](core, req, out);
	if ((u32)domain < core->nr_shards && core->shards[domain].wake)
		hs_wake_all(&core->shards[domain], out);
	return ret;
}

u32 hs_block_limit(const struct hs_core *core, u64 sector, u64 sectors)
{
	u32 size = hs_block_sectors(&core->geo);

	return (u32)hs_min(sectors, size - (sector & (size - 1)));
}

u64 hs_range_limit(const struct hs_core *core, u64 sector, u64 sectors)
{
	u32 blocks = (u32)hs_min(1u << core->geo.consecutive_shift, HS_RANGE_BLOCKS);
	u64 size = (u64)blocks << (core->geo.block_shift - HS_SECTOR_SHIFT);

	return hs_min(sectors, size - (sector & (size - 1)));
}

enum hs_step_result hs_req_end(struct hs_core *core, struct hs_shard *sh, struct hs_req *req, s32 error,
			       struct hs_out *out)
{
	req->error = error;
	hs_req_use(core, sh, req, HS_NIL);
	if (req->flags & HS_P_WRITING)
		sh->writing--;
	hs_lock_leave(sh, core, req, out);
	return HS_DONE;
}
