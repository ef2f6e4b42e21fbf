// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The life of a slot.
 *
 *	FREE -> FILL -> CLEAN ------------------> RETIRED -> FREE
 *	            \-> DIRTY -> WRITTEN -> CLEAN     ^
 *	              <-> INPLACE \___________________|   (overwritten: a newer slot took over)
 *
 * A slot's data are written once, between FREE and CLEAN or DIRTY; the one exception is INPLACE, allowed
 * only while no durable map names the slot. So whatever the durable map names stays as it was (R1), and
 * RETIRED becomes FREE only when no durable map, transaction, write-back or request knows the slot.
 *
 * Every change of state goes through the functions here, which keep the gauges, the policy's lists and the pending
 * and held bits ("a commit has something to do here", now or after an origin FLUSH) in step with it.
 */
#include "core/internal.h"

enum { HS_L_NONE, HS_L_CLEAN, HS_L_DIRTY };

static inline u32 hs_slot_list(u16 s)
{
	if (hs_cur(s) == HS_CLEAN)
		return HS_L_CLEAN;
	/* Lost blocks cannot be written back, those in write-back need not be found again. */
	if ((hs_cur(s) == HS_DIRTY || hs_cur(s) == HS_INPLACE) && !(s & (HS_S_LOST | HS_S_WB)))
		return HS_L_DIRTY;
	return HS_L_NONE;
}

static inline bool hs_slot_unnamed(u16 s)
{
	return hs_cur_dirty(hs_cur(s)) && hs_dur(s) == HS_D_NONE;
}

/* ---- gauges --------------------------------------------------------------------------------------------- */

/* Which gauges count a slot in that state. */
#define HS_G_FREE	1u
#define HS_G_RETIRED	2u
#define HS_G_USED	4u
#define HS_G_DIRTY	8u
#define HS_G_WORK	16u	/* for write-back */

static const u8 hs_gauges_of[8] = {
	[HS_FREE] = HS_G_FREE,
	[HS_FILL] = 0,
	[HS_RETIRED] = HS_G_RETIRED,
	[HS_CLEAN] = HS_G_USED,
	[HS_DIRTY] = HS_G_USED | HS_G_DIRTY | HS_G_WORK,
	[HS_WRITTEN] = HS_G_USED | HS_G_DIRTY,
	[HS_INPLACE] = HS_G_USED | HS_G_DIRTY | HS_G_WORK,
};

static inline u64 hs_one(bool up)
{
	return up ? 1 : ~0ull;
}

static void hs_gauges_cur(struct hs_shard *sh, struct hs_set *st, u32 was, u32 is)
{
	u32 differ = was ^ is;

	if (differ & HS_G_FREE)
		sh->n.free += hs_one(is & HS_G_FREE);
	if (differ & HS_G_RETIRED) {
		sh->n.retired += hs_one(is & HS_G_RETIRED);
		st->nretired = (u16)(st->nretired + hs_one(is & HS_G_RETIRED));
	}
	if (differ & HS_G_USED)
		sh->n.used += hs_one(is & HS_G_USED);
	if (differ & HS_G_DIRTY)
		hs_poke(sh->dirty_now, sh->dirty_now + (u32)hs_one(is & HS_G_DIRTY));
	if (differ & HS_G_WORK)
		st->ndirty = (u16)(st->ndirty + hs_one(is & HS_G_WORK));
}

static bool hs_slot_is_lost(u16 s)
{
	return hs_cur_dirty(hs_cur(s)) && (s & HS_S_LOST);
}

static void hs_gauges_hold(struct hs_shard *sh, u16 s, bool up)
{
	if (s & HS_S_HOLD)
		hs_poke(sh->hold[!!(s & HS_S_PHASE)], sh->hold[!!(s & HS_S_PHASE)] + (u32)hs_one(up));
}

static void hs_gauges(struct hs_shard *sh, struct hs_set *st, u16 from, u16 to)
{
	hs_gauges_cur(sh, st, hs_gauges_of[hs_cur(from)], hs_gauges_of[hs_cur(to)]);
	if (hs_slot_is_lost(from) != hs_slot_is_lost(to))
		hs_poke(sh->lost_now, sh->lost_now + (u32)hs_one(hs_slot_is_lost(to)));
	if (hs_slot_unnamed(from) != hs_slot_unnamed(to))
		hs_poke(sh->unnamed, sh->unnamed + (u32)hs_one(hs_slot_unnamed(to)));
	if ((from ^ to) & (HS_S_HOLD | HS_S_PHASE)) {
		hs_gauges_hold(sh, from, false);
		hs_gauges_hold(sh, to, true);
	}
}

/* ---- changes -------------------------------------------------------------------------------------------- */

static inline void hs_slot_pending(struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u32 set, u16 way,
				   u16 s)
{
	if (hs_slot_wants(s)) {
		hs_pending_set(core, st, way);
		hs_ready_push(core, sh, st, set);
	} else {
		hs_pending_clear(core, st, way);
	}
}

static void hs_slot_held(struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u32 set, u16 way, u16 s)
{
	if (s & HS_S_HOLD) {
		hs_bit_set(hs_held(core, st), way);
		st->nheld++;
		hs_held_push(core, sh, st, set);
	} else {
		hs_bit_clear(hs_held(core, st), way);
		st->nheld--;
	}
}

void hs_slot_free(struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u16 way)
{
	sh->n.retired--;
	st->nretired--;
	hs_set_unindex(core, st, way);
	hs_state(core, st)[way] = HS_FREE;
	hs_next(core, st)[way] = st->free_head;
	st->free_head = way;
	st->nfree++;
	sh->n.free++;
	sh->wake = true;
}

/* May a parked request (or a parked gather) be waiting for this change? Slots that become free wake apart. */
static inline bool hs_slot_awaited(u16 from, u16 to)
{
	return ((from ^ to) & (HS_S_DUR | HS_S_LOST)) || (from & ~to & (HS_S_IN_TX | HS_S_WB)) ||
	       hs_cur(from) == HS_INPLACE || hs_cur(from) == HS_WRITTEN || hs_cur(to) == HS_WRITTEN;
}

void hs_slot_change(struct hs_core *core, struct hs_shard *sh, u32 set, u16 way, u16 to)
{
	struct hs_set *st = hs_set_at(core, set);
	u16 from = hs_state(core, st)[way];
	u32 old = hs_slot_list(from), new = hs_slot_list(to);

	if (old != new) {
		if (old)
			core->policy->remove(core, st, way, old == HS_L_DIRTY);
		if (new)
			core->policy->insert(core, st, way, new == HS_L_DIRTY);
	}
	hs_gauges(sh, st, from, to);
	hs_state(core, st)[way] = to;
	if ((from ^ to) & HS_S_HOLD)
		hs_slot_held(core, sh, st, set, way, to);
	hs_slot_pending(core, sh, st, set, way, to);
	sh->wake |= hs_slot_awaited(from, to);
	if (hs_slot_freeable(core, sh, st, set, way, to))
		hs_slot_free(core, sh, st, way);
}

void hs_slot_review(struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u32 set, u16 way)
{
	hs_slot_pending(core, sh, st, set, way, hs_state(core, st)[way]);
}

/* The record that would have dropped the block's durable name, with a new one, will not be written: that drop alone. */
static void hs_slot_pend_durable(struct hs_core *core, struct hs_shard *sh, u32 set, u64 block)
{
	struct hs_set *st = hs_set_at(core, set);
	u16 w = hs_set_find_any(core, st, block, HS_NIL);

	for (; w != HS_NIL; w = hs_set_find_any(core, st, block, w))
		if (hs_slot_wants(hs_state(core, st)[w]))
			hs_slot_pending(core, sh, st, set, w, hs_state(core, st)[w]);
}

void hs_slot_retire(struct hs_core *core, struct hs_shard *sh, u32 set, u16 way)
{
	struct hs_set *st = hs_set_at(core, set);
	u64 block = hs_tag(core, st, way);
	u16 from = hs_state(core, st)[way];

	hs_slot_change(core, sh, set, way,
		       hs_with_cur((u16)(from & ~(HS_S_HOLD | HS_S_LOST)), HS_RETIRED));
	if (hs_dur(from) == HS_D_NONE)
		hs_slot_pend_durable(core, sh, set, block);
}

void hs_slot_reclaim(struct hs_core *core, struct hs_shard *sh, u32 set, u16 way)
{
	struct hs_set *st = hs_set_at(core, set);

	if (hs_slot_freeable(core, sh, st, set, way, hs_state(core, st)[way]))
		hs_slot_free(core, sh, st, way);
}

/* ---- free slots ----------------------------------------------------------------------------------------- */

void hs_set_restock(struct hs_core *core, struct hs_shard *sh, u32 set, struct hs_out *out)
{
	struct hs_set *st = hs_set_at(core, set);
	u32 tries;

	for (tries = 0; tries < 4 && st->nfree + st->nretired < core->reserve; tries++) {
		u16 victim = core->policy->victim(core, st);

		if (victim == HS_NIL)
			break;
		sh->n.replacements++;
		hs_slot_retire(core, sh, set, victim);
	}
	if (st->nretired && st->nfree < core->reserve_low)
		out->kick |= HS_KICK_COMMIT;
	if (st->ndirty > core->dirty_high || st->nfree + st->nretired < core->reserve) {
		hs_urgent_push(core, sh, st, set);
		out->kick |= HS_KICK_WRITEBACK;
	}
}

u16 hs_slot_alloc(struct hs_core *core, struct hs_shard *sh, u32 set, u64 block, bool fill,
		  struct hs_out *out)
{
	struct hs_set *st = hs_set_at(core, set);
	u16 way = st->free_head;

	if (way == HS_NIL || (fill && st->nfree <= core->reserve / 2)) {
		hs_set_restock(core, sh, set, out);
		return HS_NIL;
	}
	hs_slot_pop(core, sh, st, way, block);
	hs_set_reserve(core, sh, st, set, out);
	return way;
}

static u16 hs_arrive_state(struct hs_core *core, u16 s, u16 old, enum hs_cur as, bool lost)
{
	s = hs_with_cur(s, as);
	if (as == HS_CLEAN)
		return (u16)(s | HS_S_HOLD | (hs_peek(core->ov) & HS_OV_PHASE ? HS_S_PHASE : 0));
	s = (u16)(s & ~(HS_S_AGE | HS_S_LOST));
	if (lost)
		s |= HS_S_LOST;
	/* What was dirty before keeps its age: the origin has been out of date since then. */
	if (hs_cur_dirty(hs_cur(old)))
		return (u16)(s | (old & HS_S_AGE));
	return (u16)(s | (hs_peek(core->age_gen) << HS_S_AGE_SHIFT & HS_S_AGE));
}

/*
 * One more is retired, as many are used and dirty as before, and nobody waits for that. A FLUSH may wait for what
 * a gather would have found at `old`: if it has passed by `way` already it must look again.
 */
void hs_slot_supersede(struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u32 set, u16 way, u16 old)
{
	u16 *state = hs_state(core, st), was = state[old];
	u16 retired = hs_with_cur(was, HS_RETIRED);

	core->policy->replace(core, st, old, way);
	/* The origin has been out of date since the old one became dirty. */
	state[way] = (u16)(HS_DIRTY | (was & HS_S_AGE));
	state[old] = retired;
	sh->n.retired++;
	st->nretired++;
	hs_pending_set(core, st, way);
	hs_ready_push(core, sh, st, set);
	if (!hs_slot_unnamed(was)) {
		/* Its drop goes into the record of the new name. */
		hs_poke(sh->unnamed, sh->unnamed + 1);
		return;
	}
	if (way < st->scan_way && old >= st->scan_way)
		st->overtaken = true;
	hs_pending_clear(core, st, old);
	if (hs_slot_freeable(core, sh, st, set, old, retired))
		hs_slot_free(core, sh, st, old);
}

void hs_slot_arrive(struct hs_core *core, struct hs_shard *sh, u32 set, u16 way, u16 old,
		    enum hs_cur as, bool lost)
{
	struct hs_set *st = hs_set_at(core, set);
	u16 from = hs_state(core, st)[way];
	u16 was = old == HS_NIL ? HS_FREE : hs_state(core, st)[old];
	u16 to = hs_arrive_state(core, from, old == HS_NIL ? from : was, as, lost);

	hs_assert(hs_cur(from) == HS_FILL || hs_cur(from) == HS_INPLACE);
	if (old != HS_NIL && hs_slot_unnamed(was) && way < st->scan_way && old >= st->scan_way)
		st->overtaken = true;
	hs_slot_change(core, sh, set, way, to);
	if (old != HS_NIL)
		hs_slot_retire(core, sh, set, old);
}

void hs_slot_load(struct hs_core *core, struct hs_shard *sh, u32 set, u16 way, enum hs_dstate dur)
{
	struct hs_set *st = hs_set_at(core, set);
	u16 s = hs_with_dur(0, dur);

	s = hs_with_cur(s, dur == HS_D_CLEAN ? HS_CLEAN : HS_DIRTY);
	if (dur == HS_D_LOST)
		s |= HS_S_LOST;
	hs_state(core, st)[way] = s;
	hs_gauges(sh, st, HS_FILL, s);
	if (hs_slot_list(s))
		core->policy->insert(core, st, way, hs_slot_list(s) == HS_L_DIRTY);
}
