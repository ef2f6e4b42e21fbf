/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sets and what stands in them, the todo list and the queues of sets: a part of internal.h, which includes it. */
#ifndef HS_SET_H
#define HS_SET_H

#include "core/internal.h"

/* ---- bits -------------------------------------------------------------------------------------- */

static inline bool hs_bit(const u64 *map, u32 i)
{
	return map[i >> 6] >> (i & 63) & 1;
}

static inline void hs_bit_set(u64 *map, u32 i)
{
	map[i >> 6] |= 1ull << (i & 63);
}

static inline void hs_bit_clear(u64 *map, u32 i)
{
	map[i >> 6] &= ~(1ull << (i & 63));
}

/* ---- small accessors ----------------------------------------------------------------------------- */

static inline struct hs_set *hs_set_at(const struct hs_core *core, u32 set)
{
	return (struct hs_set *)(core->sets + (size_t)set * core->off.bytes);
}

#define HS_SET_ARRAY(name, type) \
static inline type *hs_##name(const struct hs_core *core, const struct hs_set *s) \
{ \
	return (type *)((u8 *)(uintptr_t)s + core->off.name); \
}
HS_SET_ARRAY(held, u64)
HS_SET_ARRAY(crc, u32)
HS_SET_ARRAY(bucket, u16)
HS_SET_ARRAY(tag_hi, u8)
#undef HS_SET_ARRAY

static inline u64 hs_tag(const struct hs_core *core, const struct hs_set *s, u16 way)
{
	return s->way[way].tag_lo | (u64)hs_tag_hi(core, s)[way] << 32;
}

static inline u32 *hs_slot_crcs(const struct hs_core *core, const struct hs_set *s, u16 way)
{
	return hs_crc(core, s) + (size_t)way * core->geo.units_per_block;
}

static inline hs_slot_t hs_slot_of(const struct hs_core *core, u32 set, u16 way)
{
	return (hs_slot_t){ (set << core->geo.assoc_shift) + way };
}

static inline u64 hs_slot_first_sector(const struct hs_core *core, hs_slot_t slot)
{
	return core->data_sector + ((u64)slot.nr << core->slot_shift);
}

static inline u32 hs_set_shard(const struct hs_core *core, u32 set)
{
	return set >> core->shard_shift;
}

static inline s32 hs_journal_domain(const struct hs_core *core)
{
	return (s32)core->nr_shards;
}

static inline u64 hs_block_first_sector(const struct hs_core *core, u64 block)
{
	return block << (core->geo.block_shift - HS_SECTOR_SHIFT);
}

static inline u64 hs_block_first_unit(const struct hs_core *core, u64 block)
{
	return block << (core->geo.block_shift - HS_UNIT_SHIFT);
}

/* ---- set.c: the index of a set -------------------------------------------------------------------- */

void hs_set_layout(const struct hs_geometry *geo, struct hs_set_offsets *off);
void hs_set_init(const struct hs_core *core, struct hs_set *s);
static inline u32 hs_index_hash(const struct hs_core *core, u64 block)
{
	return (u32)(block * 0x9e3779b1u) >> core->index_shift;
}

/* Any way of the block, retired ones too; HS_NIL ends. from HS_NIL: the first. */
static inline u16 hs_set_find_any(const struct hs_core *core, const struct hs_set *s, u64 block, u16 from)
{
	u32 way = from == HS_NIL ? hs_bucket(core, s)[hs_index_hash(core, block)] : s->way[from].chain;

	while (way != HS_NIL &&
	       (s->way[way].tag_lo != (u32)block || hs_tag_hi(core, s)[way] != (u8)(block >> 32)))
		way = s->way[way].chain;
	return (u16)way;
}

/* The way that holds the block's current data, FILL included, RETIRED not; or HS_NIL. */
static inline u16 hs_set_find(const struct hs_core *core, const struct hs_set *s, u64 block)
{
	u16 way = hs_set_find_any(core, s, block, HS_NIL);

	while (way != HS_NIL && unlikely(hs_cur(s->way[way].state) == HS_RETIRED))
		way = hs_set_find_any(core, s, block, way);
	return way;
}

static inline void hs_set_index(const struct hs_core *core, struct hs_set *s, u16 way, u64 block)
{
	u16 *head = &hs_bucket(core, s)[hs_index_hash(core, block)];

	s->way[way].tag_lo = (u32)block;
	hs_tag_hi(core, s)[way] = (u8)(block >> 32);
	s->way[way].chain = *head;
	*head = way;
}
void hs_set_unindex(const struct hs_core *core, struct hs_set *s, u16 way);

/* ---- queue.c: todo lists, queues of sets ------------------------------------------------------------- */

u32 hs_todo_room(const struct hs_geometry *geo, u32 shard_shift, u32 wished);	/* a power of two */
u32 hs_queues_room(const struct hs_core *core);		/* words that a shard's queues and list take */
void hs_queues_init(const struct hs_core *core, struct hs_shard *sh);

/* The slot is not on the list yet. */
static inline void hs_todo_push(const struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u32 set, u16 way)
{
	struct hs_todo *t = &sh->todo;
	u16 s = (u16)((st->way[way].state & ~HS_S_GEN) | sh->gather_gen);

	if (unlikely(t->count > t->mask)) {
		st->way[way].state = s;
		hs_poke(t->spilled, 1);
		return;
	}
	st->way[way].state = s | HS_S_TODO;
	t->ring[(t->head + t->count) & t->mask] = hs_slot_of(core, set, way).nr;
	hs_poke(t->count, t->count + 1);
}

/* The slot takes the place of one that the gather at work has yet to come to: so does it. */
void hs_todo_inherit(struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u32 set, u16 way);

static inline u32 hs_todo_first(const struct hs_todo *t)	/* not empty */
{
	return t->ring[t->head];
}

static inline void hs_todo_pop(struct hs_todo *t, struct hs_way *first)
{
	first->state &= (u16)~HS_S_TODO;
	t->head = (t->head + 1) & t->mask;
	hs_poke(t->count, t->count - 1);
}

static inline bool hs_todo_any(const struct hs_shard *sh)	/* from any domain */
{
	return hs_peek(sh->todo.count) || hs_peek(sh->todo.spilled);
}

static inline void hs_q_push(const struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u32 set,
			     enum hs_q which)
{
	struct hs_setq *q = &sh->queue[which];

	if (st->queued & (1u << which))
		return;
	st->queued |= (u8)(1u << which);
	q->ring[(q->head + q->count) & core->shard_mask] = set;
	hs_poke(q->count, q->count + 1);
}

static inline u32 hs_q_pop(const struct hs_core *core, struct hs_shard *sh, enum hs_q which)
{
	struct hs_setq *q = &sh->queue[which];
	u32 set;

	if (!q->count)
		return HS_NOSET;
	set = q->ring[q->head];
	q->head = (q->head + 1) & core->shard_mask;
	hs_poke(q->count, q->count - 1);
	hs_set_at(core, set)->queued &= (u8)~(1u << which);
	return set;
}

static inline void hs_held_push(const struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u32 set)
{
	hs_q_push(core, sh, st, set, HS_Q_HELD);
}

static inline u32 hs_held_pop(const struct hs_core *core, struct hs_shard *sh)	/* HS_NOSET: empty */
{
	return hs_q_pop(core, sh, HS_Q_HELD);
}

static inline void hs_urgent_push(const struct hs_core *core, struct hs_shard *sh, struct hs_set *st, u32 set)
{
	hs_q_push(core, sh, st, set, HS_Q_URGENT);
}
static inline u32 hs_urgent_pop(const struct hs_core *core, struct hs_shard *sh)
{
	return hs_q_pop(core, sh, HS_Q_URGENT);
}

#endif
