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
 * Every change of state goes through the functions here, which keep the gauges, the policy's lists, the todo list and the
 * held bits ("a commit has something to do here", now or after an origin FLUSH) in step with it.
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

#define W_SET(free, retired, work)	((u64)(free) | (u64)(retired) << 16 | (u64)(work) << 32)
#define W_PAIR(low, high)		((u64)(low) | (u64)(high) << 32)
#define WEIGHT(cur, dur, free, retired, used, dirty, work) \
	[(cur) | (dur) << HS_S_DUR_SHIFT] = { \
		.counts = W_SET(free, retired, work), \
		.gauges = { W_PAIR(used, retired), W_PAIR(free, dirty) }, \
		.unnamed = (dirty) && (dur) == HS_D_NONE, \
		.sole = (dirty) && (dur) != HS_D_NONE, \
	}
#define WEIGHTS(cur, ...) \
	WEIGHT(cur, HS_D_NONE, __VA_ARGS__), WEIGHT(cur, HS_D_CLEAN, __VA_ARGS__), \
	WEIGHT(cur, HS_D_DIRTY, __VA_ARGS__), WEIGHT(cur, HS_D_LOST, __VA_ARGS__)

const struct hs_weight hs_weights[32] = {
	/*			free retired used dirty work */
	WEIGHTS(HS_FREE,	1, 0, 0, 0, 0),
	WEIGHTS(HS_FILL,	0, 0, 0, 0, 0),
	WEIGHTS(HS_RETIRED,	0, 1, 0, 0, 0),
	WEIGHTS(HS_CLEAN,	0, 0, 1, 0, 0),
	WEIGHTS(HS_DIRTY,	0, 0, 1, 1, 1),
	WEIGHTS(HS_WRITTEN,	0, 0, 1, 1, 0),
	WEIGHTS(HS_INPLACE,	0, 0, 1, 1, 1),
};

static bool hs_slot_is_lost(u16 s)
{
	return hs_cur_dirty(hs_cur(s)) && (s & HS_S_LOST);
}

/* What LOST and STALE change in the gauges. */
static void hs_gauge_flags(struct hs_shard *sh, u16 from, u16 to)
{
	u32 sole = hs_weights[from & (HS_S_CUR | HS_S_DUR)].sole - hs_weights[to & (HS_S_CUR | HS_S_DUR)].sole;

	hs_poke(sh->lost, sh->lost + hs_slot_is_lost(to) - hs_slot_is_lost(from));
	hs_poke(sh->sole, sh->sole + sole + hs_slot_sole(to) - hs_slot_sole(from));
}

/* A slot goes on hold, or comes off: the gauge, the bit and the queue. */
static inline void hs_slot_hold(struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u32 set, u16 way, u16 s)
{
	u32 *hold = &sh->hold[!!(s & HS_S_PHASE)];

	hs_poke(*hold, *hold + 1);
	hs_bit_set(hs_held(core, st), way);
	st->nheld++;
	hs_held_push(core, sh, st, set);
}

static inline void hs_slot_unhold(struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u16 way, u16 s)
{
	u32 *hold = &sh->hold[!!(s & HS_S_PHASE)];

	hs_poke(*hold, *hold - 1);
	hs_bit_clear(hs_held(core, st), way);
	st->nheld--;
}

/* ---- changes -------------------------------------------------------------------------------------------- */

/* Has a commit something to do there? */
static inline void hs_slot_pending(struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u32 set, u16 way,
				   u16 from, u16 to)
{
	if (!hs_slot_wants(to) || (to & HS_S_TODO))
		return;
	/* Spilled, and yet to be scanned: a place on the list would make it the next gather's, and what supersedes it too. */
	if (unlikely(sh->gathering) && hs_slot_due(sh, from))
		return;
	hs_todo_push(core, sh, st, set, way);
}

/* May a parked request (or a parked gather) be waiting for this change? Slots that become free wake apart. */
static bool hs_slot_awaited(u16 from, u16 to)
{
	return ((from ^ to) & (HS_S_DUR | HS_S_LOST)) || (from & ~to & (HS_S_IN_TX | HS_S_WB)) ||
	       hs_cur(from) == HS_INPLACE || hs_cur(from) == HS_WRITTEN || hs_cur(to) == HS_WRITTEN;
}

static hs_always_inline void hs_change(struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u32 set,
				       u16 way, u16 from, u16 to)
{
	u32 old = hs_slot_list(from), new = hs_slot_list(to);

	if (old != new) {
		if (old)
			hs_policy_remove(core, st, way, old == HS_L_DIRTY);
		if (new)
			hs_policy_insert(core, st, way, new == HS_L_DIRTY);
	}
	hs_gauge(sh, st, from, to);
	st->way[way].state = to;
	if (from & ~to & HS_S_HOLD)
		hs_slot_unhold(core, sh, st, way, from);
	if (to & ~from & HS_S_HOLD)
		hs_slot_hold(core, sh, st, set, way, to);
	if (unlikely((from | to) & (HS_S_LOST | HS_S_STALE)))
		hs_gauge_flags(sh, from, to);
	hs_slot_pending(core, sh, st, set, way, from, to);
	if (unlikely(!hs_list_empty(&sh->waiters)))
		sh->wake |= hs_slot_awaited(from, to);
	if (hs_slot_freeable(core, sh, st, set, way, to))
		hs_slot_free(core, sh, st, way, HS_NIL);
}

void hs_slot_change(struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u32 set, u16 way, u16 to)
{
	hs_change(core, sh, st, set, way, st->way[way].state, to);
}

/* The origin durably holds what it was told of the slot: clean, and to be named so. */
void hs_slot_cleaned(struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u32 set, u16 way)
{
	u16 from = st->way[way].state;
	u16 to = hs_with_cur((u16)(from & ~(HS_S_HOLD | HS_S_PHASE)), HS_CLEAN);

	st->way[way].state = to;
	if (hs_cur(from) == HS_WRITTEN) {
		hs_policy_insert(core, st, way, false);
		hs_gauge_move(sh, st, HS_WRITTEN, HS_CLEAN);
		if (hs_dur(from) == HS_D_NONE)
			hs_poke(sh->unnamed, sh->unnamed - 1);
		else
			hs_poke(sh->sole, sh->sole - hs_slot_sole(from));
		sh->wake = true;
	}
	hs_slot_unhold(core, sh, st, way, from);
	hs_slot_pending(core, sh, st, set, way, from, to);
}

/* cur and its flags stay, so no list follows. */
void hs_slot_committed(struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u32 set, u16 way, u16 behind,
		       enum hs_dstate dur)
{
	u16 *state = &st->way[way].state, from = *state;
	u16 to = (u16)(hs_with_dur(from, dur) & ~HS_S_IN_TX);

	hs_assert(from & HS_S_IN_TX);
	*state = to;
	st->changed |= 1ull << (way >> core->changed_shift);
	hs_poke(sh->unnamed, sh->unnamed + hs_slot_unnamed(to) - hs_slot_unnamed(from));
	hs_poke(sh->sole, sh->sole + hs_slot_sole(to) - hs_slot_sole(from));
	if (hs_slot_freeable(core, sh, st, set, way, to))
		hs_slot_free(core, sh, st, way, behind);
	else
		hs_slot_pending(core, sh, st, set, way, from, to);
}

/* The record that would have dropped the block's durable name, with a new one, will not be written: that drop alone. */
static void hs_slot_pend_durable(struct hs_core *core, struct hs_shard *sh, u32 set, u64 block)
{
	struct hs_set *st = hs_set_at(core, set);
	u16 w = hs_set_find_any(core, st, block, HS_NIL);

	for (; w != HS_NIL; w = hs_set_find_any(core, st, block, w))
		if (hs_slot_wants(st->way[w].state))
			hs_slot_pending(core, sh, st, set, w, st->way[w].state, st->way[w].state);
}

static void hs_slot_gone(struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u32 set, u16 way, u16 s)
{
	if (hs_slot_freeable(core, sh, st, set, way, s))
		hs_slot_free(core, sh, st, way, HS_NIL);
}

/* A clean one: neither it nor what it becomes is in the gauges of what is dirty. */
static hs_always_inline u16 hs_slot_retire_clean(struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u16 way)
{
	u16 from = st->way[way].state;
	u16 to = hs_with_cur((u16)(from & ~(HS_S_HOLD | HS_S_PHASE)), HS_RETIRED);

	hs_policy_remove(core, st, way, false);
	hs_gauge_move(sh, st, HS_CLEAN, HS_RETIRED);
	st->way[way].state = to;
	if (from & HS_S_HOLD)
		hs_slot_unhold(core, sh, st, way, from);
	return to;
}

void hs_slot_retire(struct hs_core *core, struct hs_shard *sh, u32 set, u16 way)
{
	struct hs_set *st = hs_set_at(core, set);
	u16 from = st->way[way].state, to;
	u64 block = hs_tag(core, st, way);

	if (hs_cur(from) == HS_CLEAN) {
		to = hs_slot_retire_clean(core, sh, st, way);
		hs_slot_pending(core, sh, st, set, way, from, to);
		hs_slot_gone(core, sh, st, set, way, to);
	} else {
		to = hs_with_cur((u16)(from & ~(HS_S_HOLD | HS_S_PHASE | HS_S_LOST)), HS_RETIRED);
		if (hs_cur_dirty(hs_cur(from)))
			to |= from & HS_S_LOST ? HS_S_SPENT : HS_S_SPENT | HS_S_STALE;
		hs_change(core, sh, st, set, way, from, to);
	}
	if (hs_dur(from) == HS_D_NONE)
		hs_slot_pend_durable(core, sh, set, block);
}

void hs_slot_revive(struct hs_core *core, struct hs_shard *sh, u32 set, u16 way)
{
	struct hs_set *st = hs_set_at(core, set);

	hs_slot_change(core, sh, st, set, way,
		       hs_with_cur((u16)(st->way[way].state & ~(HS_S_STALE | HS_S_SPENT)), HS_DIRTY));
}

void hs_slot_passes(struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u32 set, u16 way)
{
	u64 block = hs_tag(core, st, way);
	u16 w = hs_set_find_any(core, st, block, HS_NIL);
	bool passed = false;

	for (; w != HS_NIL; w = hs_set_find_any(core, st, block, w)) {
		u16 s = st->way[w].state;

		if (w == way || (hs_dur(s) == HS_D_NONE && !(s & HS_S_IN_TX)))
			continue;
		passed = true;
		if (s & HS_S_STALE)
			hs_slot_change(core, sh, st, set, w, s & ~HS_S_STALE);
	}
	if (passed)
		hs_poke(sh->passed, sh->passed + 1);
}

void hs_slot_reclaim(struct hs_core *core, struct hs_shard *sh, u32 set, u16 way)
{
	struct hs_set *st = hs_set_at(core, set);

	if (hs_slot_freeable(core, sh, st, set, way, st->way[way].state))
		hs_slot_free(core, sh, st, way, HS_NIL);
}

/* ---- free slots ----------------------------------------------------------------------------------------- */

void hs_set_restock(struct hs_core *core, struct hs_shard *sh, u32 set, struct hs_out *out)
{
	struct hs_set *st = hs_set_at(core, set);
	u32 tries;

	for (tries = 0; tries < 4 && hs_nfree(st) + hs_nretired(st) < core->reserve; tries++) {
		u16 victim = hs_policy_victim(core, st);

		if (victim == HS_NIL)
			break;
		hs_slot_retire(core, sh, set, victim);
		sh->n.replacements++;
	}
	if ((hs_nretired(st) && hs_nfree(st) < core->reserve_low) || sh->todo.count > sh->todo.mask / 2)
		out->kick |= HS_KICK_COMMIT;
	if (hs_nwork(st) > core->dirty_high || hs_nfree(st) + hs_nretired(st) < core->reserve) {
		hs_urgent_push(core, sh, st, set);
		out->kick |= HS_KICK_WRITEBACK;
	}
}

u16 hs_slot_alloc(struct hs_core *core, struct hs_shard *sh, u32 set, u64 block, bool fill,
		  struct hs_out *out)
{
	struct hs_set *st = hs_set_at(core, set);
	u16 way = st->free_head;

	if (way == HS_NIL || (fill && hs_nfree(st) <= core->reserve / 2)) {
		hs_set_restock(core, sh, set, out);
		return HS_NIL;
	}
	hs_slot_pop(core, sh, st, way, block);
	hs_set_reserve(core, sh, st, set, out);
	return way;
}

/*
 * Of a slot that is dirty from now on. What was dirty before keeps its age: the origin has been out of date since then. Not
 * so what it has been given, or is just being: blocks that are rewritten all the time would be old for ever.
 */
static u16 hs_arrive_age(struct hs_core *core, u16 was)
{
	if (hs_cur(was) == HS_DIRTY && !(was & HS_S_WB))
		return was & HS_S_AGE;
	return (u16)(hs_peek(core->age_gen) << HS_S_AGE_SHIFT & HS_S_AGE);
}

void hs_slot_filled(struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u32 set, u16 way)
{
	u16 s = (u16)(hs_with_cur(st->way[way].state, HS_CLEAN) | HS_S_HOLD);

	hs_data_arrived(sh, 0);
	hs_assert(hs_cur(st->way[way].state) == HS_FILL);
	if (hs_peek(core->ov) & HS_OV_PHASE)
		s |= HS_S_PHASE;
	hs_policy_insert(core, st, way, false);
	hs_gauge_move(sh, st, HS_FILL, HS_CLEAN);
	st->way[way].state = s;
	hs_slot_hold(core, sh, st, set, way, s);
}

/* Dirty data of a block that was clean here, or not at all. */
static void hs_slot_dirtied(struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u32 set, u16 way, u16 old)
{
	u16 listed = st->way[way].state & HS_S_LISTED, to;

	hs_policy_insert(core, st, way, true);
	hs_gauge_move(sh, st, HS_FILL, HS_DIRTY);
	hs_poke(sh->unnamed, sh->unnamed + 1);
	st->way[way].state = (u16)(HS_DIRTY | listed | hs_arrive_age(core, 0));
	if (!(listed & HS_S_TODO))
		hs_todo_push(core, sh, st, set, way);
	if (old == HS_NIL)
		return;
	/* The drop of its name, if it has one, goes into the record of the new one. */
	to = hs_slot_retire_clean(core, sh, st, old);
	hs_slot_gone(core, sh, st, set, old, to);
}

void hs_slot_arrive(struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u32 set, u16 way, u16 old, bool lost)
{
	u16 from = st->way[way].state;
	u16 was = old == HS_NIL ? HS_FREE : st->way[old].state;

	hs_assert(hs_cur(from) == HS_FILL);
	if (!lost && hs_slot_supersedable(was)) {
		hs_slot_supersede(core, sh, st, set, way, old);
		return;
	}
	if (!lost && (old == HS_NIL || hs_cur(was) == HS_CLEAN)) {
		hs_slot_dirtied(core, sh, st, set, way, old);
		return;
	}
	hs_change(core, sh, st, set, way, from,
		  (u16)(HS_DIRTY | (from & HS_S_LISTED) | hs_arrive_age(core, was) | (lost ? HS_S_LOST : 0)));
	if (sh->gathering && hs_slot_due(sh, was))
		hs_todo_inherit(core, sh, st, set, way);
	if (old != HS_NIL)
		hs_slot_retire(core, sh, set, old);
}

/* ---- write-back ------------------------------------------------------------------------------------------ */

void hs_slot_wb_take(struct hs_core *core, struct hs_set *st, u16 way)
{
	hs_policy_remove(core, st, way, true);
	st->way[way].state |= HS_S_WB;
}

void hs_slot_wb_leave(struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u32 set, u16 way, bool written)
{
	u16 from = st->way[way].state, to = (u16)(from & ~HS_S_WB);

	if (!written || hs_cur(from) != HS_DIRTY || (from & HS_S_LOST)) {
		hs_slot_change(core, sh, st, set, way, to);
		return;
	}
	to = (u16)(hs_with_cur(to, HS_WRITTEN) & ~HS_S_PHASE) | HS_S_HOLD;
	if (hs_peek(core->ov) & HS_OV_PHASE)
		to |= HS_S_PHASE;
	hs_gauge_move(sh, st, HS_DIRTY, HS_WRITTEN);
	st->way[way].state = to;
	hs_slot_hold(core, sh, st, set, way, to);
	sh->wake = true;
}

/* ---- opening ---------------------------------------------------------------------------------------------- */

void hs_slot_load(struct hs_core *core, struct hs_shard *sh, u32 set, u16 way, enum hs_dstate dur)
{
	struct hs_set *st = hs_set_at(core, set);
	u16 s = hs_with_dur(0, dur);

	s = hs_with_cur(s, dur == HS_D_CLEAN ? HS_CLEAN : HS_DIRTY);
	if (dur == HS_D_LOST)
		s |= HS_S_LOST;
	st->way[way].state = s;
	hs_gauge(sh, st, HS_FREE, s);
	if (dur == HS_D_LOST)
		hs_gauge_flags(sh, HS_FREE, s);
	if (hs_slot_list(s))
		core->policy->insert(core, st, way, hs_slot_list(s) == HS_L_DIRTY);
}
