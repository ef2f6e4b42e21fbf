/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The life of a slot, with what it leans on (order of replacement, block locks): a part of internal.h, which includes it. */
#ifndef HS_SLOT_H
#define HS_SLOT_H

#include "core/internal.h"

/* ---- policy_lru.c: the default, whose steps are not worth an indirect call --------------------------- */

static inline void hs_lru_hit(const struct hs_core *core, struct hs_set *set, u16 way, bool dirty)
{
	struct hs_way *w = &set->way[way];
	u16 first = set->policy[0], prev, next;

	if (dirty || first == way)
		return;
	/* To the front of the clean list; something is before it. */
	prev = w->prev;
	next = w->next;
	w->prev = HS_NIL;
	w->next = first;
	set->way[prev].next = next;
	if (next == HS_NIL)
		set->policy[1] = prev;
	else
		set->way[next].prev = prev;
	set->way[first].prev = way;
	set->policy[0] = way;
}

static inline void hs_lru_insert(const struct hs_core *core, struct hs_set *set, u16 way, bool dirty)
{
	u16 *list = &set->policy[dirty ? 2 : 0], first = list[0];
	struct hs_way *w = &set->way[way];

	w->prev = HS_NIL;
	w->next = first;
	if (first == HS_NIL)
		list[1] = way;
	else
		set->way[first].prev = way;
	list[0] = way;
}

static inline void hs_lru_remove(const struct hs_core *core, struct hs_set *set, u16 way, bool dirty)
{
	u16 *list = &set->policy[dirty ? 2 : 0];
	u16 prev = set->way[way].prev, next = set->way[way].next;

	if (prev == HS_NIL)
		list[0] = next;
	else
		set->way[prev].next = next;
	if (next == HS_NIL)
		list[1] = prev;
	else
		set->way[next].prev = prev;
}

static inline void hs_policy_insert(const struct hs_core *core, struct hs_set *set, u16 way, bool dirty)
{
	if (likely(core->policy == &hs_policy_lru))
		hs_lru_insert(core, set, way, dirty);
	else
		core->policy->insert(core, set, way, dirty);
}

static inline void hs_policy_remove(const struct hs_core *core, struct hs_set *set, u16 way, bool dirty)
{
	if (likely(core->policy == &hs_policy_lru))
		hs_lru_remove(core, set, way, dirty);
	else
		core->policy->remove(core, set, way, dirty);
}

static inline u16 hs_policy_victim(const struct hs_core *core, const struct hs_set *set)
{
	return likely(core->policy == &hs_policy_lru) ? set->policy[1] : core->policy->victim(core, set);
}

static inline void hs_lru_replace(const struct hs_core *core, struct hs_set *set, u16 old, u16 way)
{
	struct hs_way *w = &set->way[way];
	u16 prev = set->way[old].prev, next = set->way[old].next;

	w->prev = prev;
	w->next = next;
	if (prev == HS_NIL)
		set->policy[2] = way;
	else
		set->way[prev].next = way;
	if (next == HS_NIL)
		set->policy[3] = way;
	else
		set->way[next].prev = way;
}

static inline void hs_policy_replace(const struct hs_core *core, struct hs_set *set, u16 old, u16 way)
{
	if (likely(core->policy == &hs_policy_lru))
		hs_lru_replace(core, set, old, way);
	else
		core->policy->replace(core, set, old, way);
}

static inline void hs_policy_hit(const struct hs_core *core, struct hs_set *set, u16 way, bool dirty)
{
	if (likely(core->policy == &hs_policy_lru))
		hs_lru_hit(core, set, way, dirty);
	else
		core->policy->hit(core, set, way, dirty);
}

/* ---- slot.c: life of a slot; the shard's domain ----------------------------------------------------- */

/* Acknowledged dirty data that no durable map names. */
static inline bool hs_slot_unnamed(u16 s)
{
	return hs_cur_dirty(hs_cur(s)) && hs_dur(s) == HS_D_NONE;
}

/* What the durable map should say about a slot in this state. */
static inline enum hs_dstate hs_slot_desired(u16 s)
{
	if (hs_cur_dirty(hs_cur(s)))
		return s & HS_S_LOST ? HS_D_LOST : HS_D_DIRTY;
	return hs_cur(s) == HS_CLEAN && !(s & HS_S_HOLD) ? HS_D_CLEAN : HS_D_NONE;
}

/* Does a commit have to change the durable map for it? */
static inline bool hs_slot_wants(u16 s)
{
	return !(s & HS_S_IN_TX) && hs_slot_desired(s) != hs_dur(s);
}

/* Any change of state: keeps gauges, policy lists, todo list; frees what can be freed. */
void hs_slot_change(struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u32 set, u16 way, u16 to);
/* On a failed cache a WRITTEN slot is about to be clean: older names of its block hold nothing of worth any more. */
void hs_slot_passes(struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u32 set, u16 way);
/* On a failed cache: a discard had retired the slot, but its dirty name will not be dropped any more. */
void hs_slot_revive(struct hs_core *core, struct hs_shard *sh, u32 set, u16 way);
/* On hold no longer, and clean; a WRITTEN one is so now. */
void hs_slot_cleaned(struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u32 set, u16 way);
/* Takes a free slot for the block (FILL, indexed) and keeps the set's reserve up; HS_NIL if there is none.
 * foreground writers may use the last of the reserve, fills may not. */
u16 hs_slot_alloc(struct hs_core *core, struct hs_shard *sh, u32 set, u64 block, bool fill,
		  struct hs_out *out);
/* Takes the first free slot, `way`, for the block. */
static inline void hs_slot_pop(struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u16 way, u64 block)
{
	st->free_head = st->way[way].next;
	st->counts -= HS_W_FREE;
	hs_poke(sh->gauges[1], sh->gauges[1] - HS_W_FREE);
	hs_set_index(core, st, way, block);
	st->way[way].state = (u16)(HS_FILL | (st->way[way].state & HS_S_LISTED));
}
void hs_slot_retire(struct hs_core *core, struct hs_shard *sh, u32 set, u16 way);
/* A fill's data are there: clean, on hold until an origin FLUSH. */
void hs_slot_filled(struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u32 set, u16 way);
/* Write-back takes up a dirty slot ... */
void hs_slot_wb_take(struct hs_core *core, struct hs_set *st, u16 way);
/* ... and leaves it, written or not. */
void hs_slot_wb_leave(struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u32 set, u16 way, bool written);
/* A FILL slot's data are there: it becomes the block's current one, dirty; an old one retires. */
void hs_slot_arrive(struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u32 set, u16 way, u16 old, bool lost);
/* A user of the slot went: free it if that was all it waited for. */
void hs_slot_reclaim(struct hs_core *core, struct hs_shard *sh, u32 set, u16 way);
static inline void hs_slot_release(struct hs_core *core, struct hs_shard *sh, u32 set, u16 way)
{
	if (unlikely(hs_cur(hs_set_at(core, set)->way[way].state) == HS_RETIRED))
		hs_slot_reclaim(core, sh, set, way);
}
/* Retires clean slots until the set's reserve is met, or asks for write-back, or a commit. */
void hs_set_restock(struct hs_core *core, struct hs_shard *sh, u32 set, struct hs_out *out);
static inline void hs_set_reserve(struct hs_core *core, struct hs_shard *sh, const struct hs_set *st, u32 set,
				  struct hs_out *out)
{
	if (unlikely(hs_nfree(st) + hs_nretired(st) < core->reserve || hs_nfree(st) < core->reserve_low ||
		     hs_nwork(st) > core->dirty_high || sh->todo.count > sh->todo.mask / 2))
		hs_set_restock(core, sh, set, out);
}
/* Load: a slot as the durable map has it. */
void hs_slot_load(struct hs_core *core, struct hs_shard *sh, u32 set, u16 way, enum hs_dstate dur);

/* ---- lock.c: who works on which blocks; the shard's domain ------------------------------------------ */

enum { HS_LOCK_SHARED, HS_LOCK_EXCLUSIVE };
/* req->granted: 0 waits; RECLAIM: its slot was retired meanwhile, and is free when it ends. */
enum { HS_GRANTED = 1, HS_GRANTED_RECLAIM };

static inline struct hs_list *hs_lock_bucket(const struct hs_shard *sh, const struct hs_core *core,
					     u64 block)
{
	u64 group = hs_block_group(&core->geo, block);

	/* Folded, since groups that many programs use stand at regular distances. */
	return (struct hs_list *)&sh->buckets[(group ^ group >> 6) & (HS_BUCKETS - 1)];
}

/* Enters req's blocks; true if granted, else it is queued behind those before it. */
bool hs_lock_enter(struct hs_shard *sh, const struct hs_core *core, struct hs_req *req, u8 mode);
/* Leaves; those that can now go on are put on out->run. */
void hs_lock_leave(struct hs_shard *sh, const struct hs_core *core, struct hs_req *req,
		   struct hs_out *out);
/* Is the slot in use by a request in flight? Then that will free it at its end. */
bool hs_lock_bucket_uses(const struct hs_list *bucket, u32 set, u16 way);
static inline bool hs_lock_slot_used(const struct hs_shard *sh, const struct hs_core *core, u64 block, u32 set,
				     u16 way)
{
	const struct hs_list *bucket = hs_lock_bucket(sh, core, block);

	return !hs_list_empty(bucket) && hs_lock_bucket_uses(bucket, set, way);
}

/* ---- slot.c again: what a commit has made durable -------------------------------------------------------- */

/* No one and nothing durable knows the retired slot any more. behind: a way that it may follow in the index. */
static hs_always_inline void hs_slot_free(struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u16 way,
					  u16 behind)
{
	struct hs_way *w = &st->way[way];

	if (behind != HS_NIL && likely(st->way[behind].chain == way))
		st->way[behind].chain = w->chain;
	else
		hs_set_unindex(core, st, way);
	st->counts += HS_W_FREE - HS_W_RETIRED;
	sh->gauges[0] -= HS_W_SHARD_RETIRED;
	hs_poke(sh->gauges[1], sh->gauges[1] + HS_W_FREE);
	w->state = (u16)(HS_FREE | (w->state & HS_S_LISTED));
	w->next = st->free_head;
	st->free_head = way;
	sh->wake = true;
}
static inline bool hs_slot_freeable(const struct hs_core *core, const struct hs_shard *sh, const struct hs_set *st,
				    u32 set, u16 way, u16 s)
{
	return (s & (HS_S_CUR | HS_S_DUR | HS_S_IN_TX | HS_S_WB)) == HS_RETIRED &&
	       !hs_lock_slot_used(sh, core, hs_tag(core, st, way), set, way);
}

/* A transaction that took up the slot is durable. behind: as for hs_slot_free. */
void hs_slot_committed(struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u32 set, u16 way, u16 behind,
		       enum hs_dstate dur);

/* Acknowledged data that a FLUSH may wait for, and to which the gather at work has yet to come? */
static inline bool hs_slot_due(const struct hs_shard *sh, u16 s)
{
	return hs_slot_unnamed(s) && !(s & HS_S_IN_TX) && (s & HS_S_GEN) != sh->gather_gen;
}

/* The commonest arrival: a dirty slot takes the place of another that write-back has not taken up. */
static inline bool hs_slot_supersedable(u16 was)
{
	return (was & (HS_S_CUR | HS_S_LOST | HS_S_WB)) == HS_DIRTY;
}

static hs_always_inline void hs_slot_supersede(struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u32 set,
					       u16 way, u16 old)
{
	u16 from = st->way[way].state, was = st->way[old].state;

	hs_policy_replace(core, st, old, way);
	st->way[way].state = (u16)(HS_DIRTY | (was & HS_S_AGE) | (from & HS_S_LISTED));
	st->way[old].state = hs_with_cur(was | HS_S_STALE | HS_S_SPENT, HS_RETIRED);
	/* As many are used, dirty and sole as before. */
	st->counts += HS_W_RETIRED;
	sh->gauges[0] += HS_W_SHARD_RETIRED;
	if (unlikely(sh->gathering) && hs_slot_due(sh, was))
		hs_todo_inherit(core, sh, st, set, way);
	else if (likely(!(from & HS_S_TODO)))
		hs_todo_push(core, sh, st, set, way);
	if (likely(hs_dur(was) != HS_D_NONE)) {
		/* The drop of the durable name goes into the record of the new one. */
		hs_poke(sh->unnamed, sh->unnamed + 1);
		return;
	}
	if (hs_slot_freeable(core, sh, st, set, old, st->way[old].state))
		hs_slot_free(core, sh, st, old, way);
}

#endif
