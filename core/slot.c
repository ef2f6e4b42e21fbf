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
 * Every change of state goes through hs_slot_change, or hs_slot_take and hs_slot_taken, which keep the gauges, the policy's lists and the
 * pending and held bits ("a commit has something to do here", now or after an origin FLUSH) in step with it.
 */
#include "core/internal.h"

enum { HS_L_NONE, HS_L_CLEAN, HS_L_DIRTY };

static u32 hs_slot_list(u16 s)
{
	if (hs_cur(s) == HS_CLEAN)
		return HS_L_CLEAN;
	/* Lost blocks cannot be written back, those in write-back need not be found again. */
	if ((hs_cur(s) == HS_DIRTY || hs_cur(s) == HS_INPLACE) && !(s & (HS_S_LOST | HS_S_WB)))
		return HS_L_DIRTY;
	return HS_L_NONE;
}

static bool hs_slot_unnamed(u16 s)
{
	return hs_cur_dirty(hs_cur(s)) && hs_dur(s) == HS_D_NONE;
}

/* The durable map may hold flushed data here that are nowhere else, though they may have been overwritten since. */
static bool hs_slot_sole(u16 s)
{
	if (hs_dur(s) == HS_D_NONE)
		return false;
	return hs_cur_dirty(hs_cur(s)) ? !(s & HS_S_LOST) : s & HS_S_STALE;
}

static void hs_slot_gauges(struct hs_shard *sh, struct hs_set *set, u16 s, int sign)
{
	enum hs_cur cur = hs_cur(s);

	if (cur == HS_FREE) {
		sh->n.free += (u64)(s64)sign;
		return;
	}
	if (cur == HS_RETIRED) {
		sh->n.retired += (u64)(s64)sign;
		set->nretired = (u16)(set->nretired + sign);
	}
	if (hs_cur_named(cur))
		sh->n.used += (u64)(s64)sign;
	if (hs_cur_dirty(cur)) {
		sh->n.dirty += (u64)(s64)sign;
		hs_poke(sh->dirty_now, sh->dirty_now + (u32)sign);
		if (cur != HS_WRITTEN)
			set->ndirty = (u16)(set->ndirty + sign);
		if (s & HS_S_LOST)
			sh->n.lost += (u64)(s64)sign;
	}
	if (hs_slot_sole(s))
		hs_poke(sh->sole, sh->sole + (u32)sign);
	if (hs_slot_unnamed(s))
		hs_poke(sh->unnamed, sh->unnamed + (u32)sign);
	if (s & HS_S_HOLD)
		hs_poke(sh->hold[!!(s & HS_S_PHASE)], sh->hold[!!(s & HS_S_PHASE)] + (u32)sign);
}

static void hs_slot_pending(struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u32 set, u16 way,
			    u16 s)
{
	bool take = !(s & HS_S_IN_TX) && hs_slot_desired(s) != hs_dur(s), hold = s & HS_S_HOLD;

	if (hold && !hs_bit(hs_held(core, st), way)) {
		hs_bit_set(hs_held(core, st), way);
		st->nheld++;
		hs_held_push(core, sh, set);
	} else if (!hold && hs_bit(hs_held(core, st), way)) {
		hs_bit_clear(hs_held(core, st), way);
		st->nheld--;
	}
	if (take) {
		hs_bit_set(st->pending, way);
		hs_ready_push(core, sh, set);
	} else {
		hs_bit_clear(st->pending, way);
	}
}

static bool hs_slot_freeable(struct hs_core *core, struct hs_shard *sh, u32 set, u16 way, u16 s)
{
	return hs_cur(s) == HS_RETIRED && hs_dur(s) == HS_D_NONE && !(s & (HS_S_IN_TX | HS_S_WB)) &&
	       !hs_lock_slot_used(sh, core, hs_tag(core, hs_set_at(core, set), way), set, way);
}

static void hs_slot_free(struct hs_core *core, struct hs_shard *sh, u32 set, u16 way)
{
	struct hs_set *st = hs_set_at(core, set);

	hs_slot_gauges(sh, st, hs_state(core, st)[way], -1);
	hs_set_unindex(core, st, way);
	hs_state(core, st)[way] = HS_FREE;
	hs_next(core, st)[way] = st->free_head;
	st->free_head = way;
	st->nfree++;
	sh->n.free++;
	sh->wake = true;
}

/* May a parked request (or a parked gather) be waiting for this change? Slots that become free wake apart. */
static bool hs_slot_awaited(u16 from, u16 to)
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
	hs_slot_gauges(sh, st, from, -1);
	hs_slot_gauges(sh, st, to, 1);
	hs_state(core, st)[way] = to;
	hs_slot_pending(core, sh, st, set, way, to);
	sh->wake |= hs_slot_awaited(from, to);
	if (hs_slot_freeable(core, sh, set, way, to))
		hs_slot_free(core, sh, set, way);
}

/* The two changes that a commit makes leave cur and its flags alone: no list, and but one gauge, follows. */
void hs_slot_take(struct hs_core *core, u32 set, u16 way)
{
	struct hs_set *st = hs_set_at(core, set);

	hs_state(core, st)[way] |= HS_S_IN_TX;
	hs_bit_clear(st->pending, way);
}

void hs_slot_taken(struct hs_core *core, struct hs_shard *sh, u32 set, u16 way, enum hs_dstate dur)
{
	struct hs_set *st = hs_set_at(core, set);
	u16 from = hs_state(core, st)[way], to = (u16)(hs_with_dur(from, dur) & ~HS_S_IN_TX);

	if (hs_slot_unnamed(from) != hs_slot_unnamed(to))
		hs_poke(sh->unnamed, sh->unnamed + (hs_slot_unnamed(to) ? 1 : ~0u));
	if (hs_slot_sole(from) != hs_slot_sole(to))
		hs_poke(sh->sole, sh->sole + (hs_slot_sole(to) ? 1 : ~0u));
	hs_state(core, st)[way] = to;
	sh->wake = true;
	if (hs_cur(to) != HS_RETIRED || dur != HS_D_NONE)
		hs_slot_pending(core, sh, st, set, way, to);
	else if (hs_slot_freeable(core, sh, set, way, to))
		hs_slot_free(core, sh, set, way);
}

void hs_slot_retire(struct hs_core *core, struct hs_shard *sh, u32 set, u16 way)
{
	u16 s = hs_state(core, hs_set_at(core, set))[way];

	if (hs_cur_dirty(hs_cur(s)) && !(s & HS_S_LOST))
		s |= HS_S_STALE;
	s = hs_with_cur((u16)(s & ~(HS_S_HOLD | HS_S_LOST)), HS_RETIRED);
	hs_slot_change(core, sh, set, way, s);
}

void hs_slot_reclaim(struct hs_core *core, struct hs_shard *sh, u32 set, u16 way)
{
	u16 s = hs_state(core, hs_set_at(core, set))[way];

	if (hs_slot_freeable(core, sh, set, way, s))
		hs_slot_free(core, sh, set, way);
}

/* Write-back comes to a set once this many of its slots are dirty. */
static u32 hs_dirty_high(const struct hs_core *core)
{
	return hs_assoc(&core->geo) - hs_assoc(&core->geo) / 4;
}

void hs_set_reserve(struct hs_core *core, struct hs_shard *sh, u32 set, struct hs_out *out)
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
	if (st->nretired && st->nfree < core->reserve - core->reserve / 4)
		out->kick |= HS_KICK_COMMIT;
	if (st->ndirty > hs_dirty_high(core) || st->nfree + st->nretired < core->reserve) {
		hs_urgent_push(core, sh, set);
		out->kick |= HS_KICK_WRITEBACK;
	}
}

u16 hs_slot_alloc(struct hs_core *core, struct hs_shard *sh, u32 set, u64 block, bool fill,
		  struct hs_out *out)
{
	struct hs_set *st = hs_set_at(core, set);
	u16 way = st->free_head;

	if (way == HS_NIL || (fill && st->nfree <= core->reserve / 2)) {
		hs_set_reserve(core, sh, set, out);
		return HS_NIL;
	}
	st->free_head = hs_next(core, st)[way];
	st->nfree--;
	sh->n.free--;
	hs_set_index(core, st, way, block);
	hs_state(core, st)[way] = HS_FILL;
	hs_set_reserve(core, sh, set, out);
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

/* A dirty slot takes the place of another: one more is retired, as many are used, dirty and sole as before. */
static void hs_slot_supersede(struct hs_core *core, struct hs_shard *sh, u32 set, u16 way, u16 to, u16 old)
{
	struct hs_set *st = hs_set_at(core, set);
	u16 *state = hs_state(core, st);
	u16 was = state[old], retired = hs_with_cur(was | HS_S_STALE, HS_RETIRED);

	core->policy->replace(core, st, old, way);
	sh->n.retired++;
	st->nretired++;
	if (!hs_slot_unnamed(was))
		hs_poke(sh->unnamed, sh->unnamed + 1);
	sh->wake |= hs_slot_awaited(was, retired);
	state[way] = to;
	state[old] = retired;
	hs_slot_pending(core, sh, st, set, way, to);
	hs_slot_pending(core, sh, st, set, old, retired);
	if (hs_slot_freeable(core, sh, set, old, retired))
		hs_slot_free(core, sh, set, old);
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
	if (old != HS_NIL && hs_slot_list(was) == HS_L_DIRTY && hs_slot_list(to) == HS_L_DIRTY) {
		hs_slot_supersede(core, sh, set, way, to, old);
		return;
	}
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
	hs_slot_gauges(sh, st, s, 1);
	if (hs_slot_list(s))
		core->policy->insert(core, st, way, hs_slot_list(s) == HS_L_DIRTY);
}
