/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The core's own structures. Who may touch what:
 *
 *	struct hs_shard, its sets and slots	the shard's domain
 *	struct hs_journal, machine parking	the journal's domain
 *	the inside of a machine			whoever steps it (one at a time)
 *	"peeked" words				written in one domain, hs_peek'd in others
 *
 *	core --+-- shard[] --+-- buckets: block lock table (lock.c)
 *	       |             +-- waiters: parked requests (wait.c)
 *	       |             +-- queues of sets: ready, held, urgent (queue.c)
 *	       |             `-- sets: index, policy lists, slot states (set.c, slot.c)
 *	       +-- journal: sequence numbers, ring space, FLUSH waiters (journal.c)
 *	       `-- machines: commit, oflush, meta, write-back, open, stop
 */
#ifndef HS_INTERNAL_H
#define HS_INTERNAL_H

#include "core/core.h"

#define HS_NIL			0xffffu		/* no way */
#define HS_NOSET		0xffffffffu
#define HS_BUCKETS		64u		/* a shard's lock table; power of two */
#define HS_WB_MACHINES		4u
#define HS_WB_RUN		64u		/* blocks in one write-back */
#define HS_WB_BYTES		(256 * HS_KIB)	/* ... or bytes, or one block */
#define HS_META_BYTES		(512 * HS_KIB)	/* buffer of checkpoint and open */
#define HS_TX_PAGES_MAX		128u
#define HS_TX_DATA_MAX		(64 * (u64)HS_MIB)
#define HS_STEP_BUDGET		64u		/* slots or sets that one step may visit */
#define HS_SECOND		1000000000ull	/* ns */

/* ---- slots -------------------------------------------------------------------------------------- */

/* What a slot is now, in RAM. */
enum hs_cur {
	HS_FREE,	/* on the set's free list */
	HS_FILL,	/* allocated, data in flight; not yet readable */
	HS_RETIRED,	/* no longer anyone's; free once no durable map names it and no one uses it */
	/* From here on: holds data that a read would see. */
	HS_CLEAN,
	/* From here on: dirty. */
	HS_DIRTY,
	HS_WRITTEN,	/* written back, awaits an origin FLUSH */
	HS_INPLACE,	/* never named, being overwritten in place */
};

/*
 * Slot state, 16 bits. While the durable map names a slot its block, data and CRCs do not change, so they
 * are stored once and only the two states differ.
 */
#define HS_S_CUR		0x0007u
#define HS_S_DUR_SHIFT		3
#define HS_S_DUR		0x0018u	/* enum hs_dstate */
#define HS_S_LOST		0x0020u	/* some of a dirty slot cannot be read */
#define HS_S_IN_TX		0x0040u	/* in the transaction under way: both maps count */
#define HS_S_WB			0x0080u	/* a write-back reads it */
#define HS_S_HOLD		0x0100u	/* awaits an origin FLUSH (phase says which) before its
					 * clean name is committed */
#define HS_S_PHASE		0x0200u
#define HS_S_AGE_SHIFT		10
#define HS_S_AGE		0x0c00u	/* dirty generation, modulo 4 */
#define HS_S_STALE		0x1000u	/* retired while dirty: what it holds need not be on the origin */

static inline enum hs_cur hs_cur(u16 s)
{
	return (enum hs_cur)(s & HS_S_CUR);
}

static inline enum hs_dstate hs_dur(u16 s)
{
	return (enum hs_dstate)((s & HS_S_DUR) >> HS_S_DUR_SHIFT);
}

static inline u16 hs_with_cur(u16 s, enum hs_cur cur)
{
	return (u16)((s & ~HS_S_CUR) | cur);
}

static inline u16 hs_with_dur(u16 s, enum hs_dstate dur)
{
	return (u16)((s & ~HS_S_DUR) | ((unsigned int)dur << HS_S_DUR_SHIFT));
}

static inline bool hs_cur_dirty(enum hs_cur cur)
{
	return cur >= HS_DIRTY;
}

/* Holds data that a read would see. */
static inline bool hs_cur_named(enum hs_cur cur)
{
	return cur >= HS_CLEAN;
}

/* ---- sets --------------------------------------------------------------------------------------- */

/* Header of a set's memory; arrays follow at core->off. */
struct hs_set {
	u16 free_head;
	u16 nfree, nretired, nheld;
	u16 ndirty;		/* DIRTY and INPLACE: work for write-back */
	u16 policy[8];		/* the policy's list heads */
	u8 queued;		/* on which of the shard's queues, a bit each */
	u32 qnext[3];		/* links of those queues */
	u32 held_gen;		/* what is on hold has been looked at since that verdict */
	u16 scan_way;		/* a gather has paused before this way */
	bool overtaken;		/* meanwhile unnamed data moved from behind it to before it */
	u64 pending[];		/* bit per way: a commit has something to do there; as many more: on hold */
};

/* Offsets in bytes from a set's header. */
struct hs_set_offsets {
	u32 tag_lo, tag_hi, crc, bucket, chain, prev, next, state;
	u32 bytes;		/* of the whole set */
};

struct hs_setq {
	u32 head, tail, count;
};

struct hs_shard {
	u32 index, first_set, nsets;
	u32 writing;			/* write-back-mode writes in flight */
	/* peeked by others */
	u32 ready_sets;			/* == ready.count */
	u32 urgent_sets;
	u32 parked;			/* requests on waiters */
	u32 unnamed;			/* acknowledged dirty slots that no durable map names */
	u32 hold[2];			/* slots on hold, by phase */
	u32 sole;			/* slots that hold, by the durable map, what may be nowhere else */
	u32 dirty_now;			/* == n.dirty, as a word */
	u64 origin_writes;		/* ended, of any kind (R3) */
	u64 directs;			/* of them acknowledged direct writes, discards, zeroings (R4) */
	u64 doubts;			/* of them in flight while an origin FLUSH failed */

	bool wake;			/* something changed that a parked request may wait for */
	bool no_inplace;		/* the commit machine waits for a write in place */
	u32 held_gen;
	u32 tick_gen;			/* parked requests have looked at the clock since that tick */
	u32 scan;			/* write-back's cursor, a set of this shard */
	struct hs_setq ready, held, urgent;
	struct hs_list waiters;
	struct hs_counters n;
	struct hs_list buckets[HS_BUCKETS];
} __attribute__((aligned(64)));

/* ---- replacement policy -------------------------------------------------------------------------- */

/*
 * Orders the clean and the dirty slots of a set, in the set's prev and next arrays and policy[]. Called under
 * the shard's domain; each call O(1).
 */
struct hs_policy {
	const char *name;
	void (*init)(const struct hs_core *core, struct hs_set *set);
	void (*insert)(const struct hs_core *core, struct hs_set *set, u16 way, bool dirty);
	void (*remove)(const struct hs_core *core, struct hs_set *set, u16 way, bool dirty);
	void (*hit)(const struct hs_core *core, struct hs_set *set, u16 way, bool dirty);
	/* new takes the place of old, which leaves; both dirty. */
	void (*replace)(const struct hs_core *core, struct hs_set *set, u16 old, u16 way);
	/* The clean way to evict next, or HS_NIL. Stays in. */
	u16 (*victim)(const struct hs_core *core, const struct hs_set *set);
	/* The way dirty for longest, or HS_NIL. Stays in. */
	u16 (*oldest_dirty)(const struct hs_core *core, const struct hs_set *set);
	/* The one dirtied after `way`, or HS_NIL. */
	u16 (*newer_dirty)(const struct hs_core *core, const struct hs_set *set, u16 way);
};
extern const struct hs_policy hs_policy_lru;

/* ---- machines ------------------------------------------------------------------------------------ */

/* Internal request kinds, beyond enum hs_op. */
enum {
	HS_OP_COMMIT = HS_OP_COUNT,
	HS_OP_OFLUSH,
	HS_OP_META,
	HS_OP_WRITEBACK,
	HS_OP_OPEN,
	HS_OP_STOP,
	HS_OP_ALL,
};

struct hs_commit {
	struct hs_req req;
	u8 *buf;			/* one transaction */
	u32 bytes, records, max_bytes;
	u64 data_bytes;
	struct hs_tx_info info;
	u32 pages;
	u32 shard, sets_left;		/* gather: where we are */
	u32 set, way;			/* HS_NOSET: take the next from the queue */
	u32 off, left;			/* apply, mark: next record, records left */
	bool in_shard, more;			/* gather goes on after this transaction */
	bool look_held;				/* at the set's slots on hold: there was a verdict */
	u32 flushing;				/* peeked: its FLUSH is under way */
	bool flush_first;			/* names data that recovery cannot verify */
	bool unconfirmed;			/* the confirm record could not be written */
	u32 held_left;				/* sets to release from hold, of this shard */
	bool entering;				/* a shard: its sets have not been counted yet */
	u8 *confirm;			/* a page */
};

struct hs_oflush {
	struct hs_req req;
	u64 begun, done;		/* counts; done moves on failure too */
	u64 last_begin;			/* ns */
	bool flipped;
	bool spoiled;			/* one failed: what is on hold may have been lost with it */
	bool covers;			/* the one under way: acknowledged direct writes */
	bool again;			/* the last failed, or none has been: what it covered is owed still */
	u64 writes, directs;		/* sums over the shards when the last one began */
	u64 losses;			/* that failed with acknowledged direct writes to lose */
	u64 told;			/* losses, and doubts of all shards, of which a FLUSH has told */
};

struct hs_meta {
	struct hs_req req;
	u8 *buf;			/* HS_META_BYTES */
	struct hs_jpos tail;		/* of the checkpoint under way */
	u64 stamp;
	u32 unit, run, copy, slot, shard;
	u32 first;			/* the copy that a checkpoint writes first */
	u32 flushing;			/* peeked: its FLUSH is under way */
	bool checkpointing, drained, writing_clean;
	u8 target;
	u64 fingerprint;
	struct hs_sb sb;		/* being written */
};

struct hs_wb {
	struct hs_req req;
	struct hs_io io[HS_WB_RUN];
	u16 way[HS_WB_RUN];
	bool skip[HS_WB_RUN];		/* not to be written: lost, or superseded meanwhile */
	u32 nr, set, shard, visited, scanned;
	bool again;			/* the second read */
	u32 failures;			/* core->oflush_failures when the write began */
	u64 block;
	u8 *buf;
	u32 *csum;
};

struct hs_open {
	struct hs_req req;
	struct hs_open_report report;
	const char *why;
	u64 proven;			/* transactions up to this one were durable for certain */
	struct hs_jpos pos;		/* where the next transaction would start */
	struct hs_jpos held_pos;
	struct hs_tx_info tx[2];	/* [cur]: being read; [cur ^ 1]: held back until it is proven */
	bool held;
	u32 cur, unit, run, set;
	u32 page, pages_left;		/* ring: scan for what lies behind the end; pages not yet read */
	u32 off, left;			/* verify: next record */
	struct hs_record rec;
	struct hs_sb sb;		/* claim: being written */
};

struct hs_stop {
	struct hs_req req;
	u64 fingerprint, round;
	bool mark;		/* the second half: write the clean superblock */
};

struct hs_journal {
	struct hs_jpos head;		/* the next transaction goes here */
	struct hs_jpos tail;		/* durable replay start */
	struct hs_jpos applied;		/* everything before it is in the durable states in RAM */
	u64 round, done_round;		/* commit rounds begun and ended; peeked by none */
	u64 want_round;			/* run until done_round >= this */
	bool commit_running, oflush_running, meta_running;
	bool want_oflush, want_checkpoint, want_sb, want_clean, clean_done;
	bool commit_space_wait, failure_counted, failure_told;
	bool commit_flush_wait, meta_flush_wait;	/* until the other's FLUSH has ended */
	bool heal;			/* table unit copies were found damaged: checkpoint soon */
	u32 wb_running;			/* bit per machine */
	struct hs_list flushers;	/* parked FLUSH and stop requests */
	struct hs_counters n;
	u64 last_second;		/* ns, of the once-a-second work */
	u64 age_began;			/* ns, the current generation of dirty slots */
};

/* Origin-flush phase and verdict in one word, so that one peek sees both: bit 0 the current phase,
 * bits 1-2 what became of the flush that the other phase waits for. */
#define HS_OV_PHASE		1u
#define HS_OV_PENDING		0u
#define HS_OV_OK		2u
#define HS_OV_FAILED		4u
#define HS_OV_VERDICT		6u

enum { HS_WANT_NONE, HS_WANT_AGED, HS_WANT_ALL };

struct hs_core {
	struct hs_geometry geo;
	struct hs_set_offsets off;
	const struct hs_policy *policy;
	u8 *sets;
	struct hs_shard *shards;
	u32 nr_shards, shard_shift;	/* set >> shard_shift is its shard */
	u32 reserve;			/* free slots a set keeps */
	u32 block_mask;			/* sectors of a block, less one */
	u64 data_sector;		/* of slot 0 */
	u32 crc_seed;
	u64 *udirty, *uckpt;		/* table units: changed; in the checkpoint under way */
	u64 *unit_seq;			/* while opening */
	struct hs_sb sb;		/* as durable */
	struct hs_tunables tun;

	/* peeked words */
	u64 now;			/* ns */
	u32 mode;			/* for new writes */
	u32 mode_target, mode_durable;
	u32 drain, drain_mode;
	u32 failed, abandoned, stopping;
	u32 ov;				/* HS_OV_* */
	u32 oflush_failures;		/* what was in flight then may be lost */
	u32 held_gen;			/* bumped when ov's verdict changes */
	u32 age_gen;
	u32 tick_gen;			/* counts ticks */
	u32 wb_want;
	u32 wb_failing;
	u32 want_abandon;		/* a write waits for a name that a failed cache cannot drop */
	u32 wb_blocked;			/* write-back passed a block over until a commit has ended */
	u64 wb_retry_at, wb_backoff;	/* ns: none before; the next delay */
	u64 durable_seq;		/* last transaction flushed: names in RAM come from it or before */

	struct hs_journal journal;
	struct hs_commit commit;
	struct hs_oflush oflush;
	struct hs_meta meta;
	struct hs_wb wb[HS_WB_MACHINES];
	struct hs_open open;
	struct hs_stop stop;
};

/* ---- small accessors ----------------------------------------------------------------------------- */

static inline struct hs_set *hs_set_at(const struct hs_core *core, u32 set)
{
	return (struct hs_set *)(core->sets + (size_t)set * core->off.bytes);
}

static inline u64 *hs_held(const struct hs_core *core, struct hs_set *s)
{
	return s->pending + (hs_assoc(&core->geo) + 63) / 64;
}

#define HS_SET_ARRAY(name, type) \
static inline type *hs_##name(const struct hs_core *core, const struct hs_set *s) \
{ \
	return (type *)((u8 *)(uintptr_t)s + core->off.name); \
}
HS_SET_ARRAY(tag_lo, u32)
HS_SET_ARRAY(tag_hi, u8)
HS_SET_ARRAY(crc, u32)
HS_SET_ARRAY(bucket, u16)
HS_SET_ARRAY(chain, u16)
HS_SET_ARRAY(prev, u16)
HS_SET_ARRAY(next, u16)
HS_SET_ARRAY(state, u16)
#undef HS_SET_ARRAY

static inline u64 hs_tag(const struct hs_core *core, const struct hs_set *s, u16 way)
{
	return hs_tag_lo(core, s)[way] | (u64)hs_tag_hi(core, s)[way] << 32;
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
	return core->data_sector + ((u64)slot.nr << (core->geo.block_shift - HS_SECTOR_SHIFT));
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
	return (u32)(block * 0x9e3779b1u) >> (32 - core->geo.assoc_shift);
}

/* Any way of the block, retired ones too; HS_NIL ends. from HS_NIL: the first. */
static inline u16 hs_set_find_any(const struct hs_core *core, const struct hs_set *s, u64 block, u16 from)
{
	const u32 *lo = hs_tag_lo(core, s);
	const u16 *chain = hs_chain(core, s);
	u16 way = from == HS_NIL ? hs_bucket(core, s)[hs_index_hash(core, block)] : chain[from];

	while (way != HS_NIL &&
	       (lo[way] != (u32)block || hs_tag_hi(core, s)[way] != (u8)(block >> 32)))
		way = chain[way];
	return way;
}

/* The way that holds the block's current data, FILL included, RETIRED not; or HS_NIL. */
static inline u16 hs_set_find(const struct hs_core *core, const struct hs_set *s, u64 block)
{
	u16 way = hs_set_find_any(core, s, block, HS_NIL);

	while (way != HS_NIL && unlikely(hs_cur(hs_state(core, s)[way]) == HS_RETIRED))
		way = hs_set_find_any(core, s, block, way);
	return way;
}

void hs_set_index(const struct hs_core *core, struct hs_set *s, u16 way, u64 block);
void hs_set_unindex(const struct hs_core *core, struct hs_set *s, u16 way);

/* ---- queue.c: queues of sets ----------------------------------------------------------------------- */

void hs_setq_init(struct hs_setq *q);
void hs_ready_push(const struct hs_core *core, struct hs_shard *sh, u32 set);
u32 hs_ready_pop(const struct hs_core *core, struct hs_shard *sh);	/* HS_NOSET: empty */
void hs_held_push(const struct hs_core *core, struct hs_shard *sh, u32 set);
/* At most `most` of them become ready; returns how many. */
u32 hs_held_release(const struct hs_core *core, struct hs_shard *sh, u32 most);
void hs_urgent_push(const struct hs_core *core, struct hs_shard *sh, u32 set);
u32 hs_urgent_pop(const struct hs_core *core, struct hs_shard *sh);

/* ---- slot.c: life of a slot; the shard's domain ----------------------------------------------------- */

/* What the durable map should say about a slot in this state. */
static inline enum hs_dstate hs_slot_desired(u16 s)
{
	if (hs_cur_dirty(hs_cur(s)))
		return s & HS_S_LOST ? HS_D_LOST : HS_D_DIRTY;
	return hs_cur(s) == HS_CLEAN && !(s & HS_S_HOLD) ? HS_D_CLEAN : HS_D_NONE;
}

/* The one place that changes a state: keeps gauges, policy lists, pending bits; frees what can be freed. */
void hs_slot_change(struct hs_core *core, struct hs_shard *sh, u32 set, u16 way, u16 to);
/* A transaction takes the slot up, and has made its state durable. */
void hs_slot_take(struct hs_core *core, u32 set, u16 way);
void hs_slot_taken(struct hs_core *core, struct hs_shard *sh, u32 set, u16 way, enum hs_dstate dur);
/* Takes a free slot for the block (FILL, indexed) and keeps the set's reserve up; HS_NIL if there is none.
 * foreground writers may use the last of the reserve, fills may not. */
u16 hs_slot_alloc(struct hs_core *core, struct hs_shard *sh, u32 set, u64 block, bool fill,
		  struct hs_out *out);
void hs_slot_retire(struct hs_core *core, struct hs_shard *sh, u32 set, u16 way);
/* A FILL or INPLACE slot's data are there: it becomes the block's current one; an old one retires. */
void hs_slot_arrive(struct hs_core *core, struct hs_shard *sh, u32 set, u16 way, u16 old,
		    enum hs_cur as, bool lost);
/* A user of the slot went: free it if that was all it waited for. */
void hs_slot_reclaim(struct hs_core *core, struct hs_shard *sh, u32 set, u16 way);
static inline void hs_slot_release(struct hs_core *core, struct hs_shard *sh, u32 set, u16 way)
{
	if (unlikely(hs_cur(hs_state(core, hs_set_at(core, set))[way]) == HS_RETIRED))
		hs_slot_reclaim(core, sh, set, way);
}
/* Retires clean slots until the set's reserve is met, or asks for write-back. */
void hs_set_reserve(struct hs_core *core, struct hs_shard *sh, u32 set, struct hs_out *out);
/* Load: a slot as the durable map has it. */
void hs_slot_load(struct hs_core *core, struct hs_shard *sh, u32 set, u16 way, enum hs_dstate dur);

/* ---- lock.c: who works on which blocks; the shard's domain ------------------------------------------ */

enum { HS_LOCK_SHARED, HS_LOCK_EXCLUSIVE };

static inline struct hs_list *hs_lock_bucket(const struct hs_shard *sh, const struct hs_core *core,
					     u64 block)
{
	u64 hash = hs_block_group(&core->geo, block) * 0x9e3779b97f4a7c15ull;

	return (struct hs_list *)&sh->buckets[(hash >> 20) & (HS_BUCKETS - 1)];
}

/* Enters req's blocks; true if granted, else it is queued behind those before it. */
bool hs_lock_enter(struct hs_shard *sh, const struct hs_core *core, struct hs_req *req, u8 mode);
/* Leaves; those that can now go on are put on out->run. */
void hs_lock_leave(struct hs_shard *sh, const struct hs_core *core, struct hs_req *req,
		   struct hs_out *out);
/* Is the slot in use by a request in flight? */
bool hs_lock_slot_used(const struct hs_shard *sh, const struct hs_core *core, u64 block, u32 set,
		       u16 way);

/* ---- wait.c: parked requests; the shard's domain ---------------------------------------------------- */

enum hs_step_result hs_wait(struct hs_shard *sh, struct hs_req *req);
void hs_wake_all(struct hs_shard *sh, struct hs_out *out);

/* ---- io.c: filling in I/Os --------------------------------------------------------------------------- */

struct hs_io *hs_io_next(struct hs_req *req);
/* Cached data of the way, units [unit, unit + units) of the block. */
static inline void hs_io_cache_next(const struct hs_core *core, struct hs_req *req, enum hs_io_op op,
				    u16 way, u32 unit, u32 units, enum hs_io_buf buf)
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
void hs_io_cache(const struct hs_core *core, struct hs_req *req, enum hs_io_op op, u16 way, u32 unit,
		 u32 units, enum hs_io_buf buf);
/* Origin sectors. buf_off from the start of the buffer. */
void hs_io_origin(const struct hs_core *core, struct hs_req *req, enum hs_io_op op, u64 sector,
		  u32 sectors, enum hs_io_buf buf, u32 buf_off);
void hs_io_page(struct hs_req *req, enum hs_io_op op, u64 offset, void *mem, u32 bytes);
void hs_io_flush(struct hs_req *req, enum hs_io_dev dev);
/* The first error among the I/Os that ended. */
s32 hs_io_error(const struct hs_req *req);

/* The request's place in its block. */
struct hs_span {
	u32 first, sectors;		/* sectors from the block's start */
	u32 unit, units;		/* the whole units around it */
	bool aligned;			/* covers those units fully (as far as the origin goes) */
	bool exact;			/* is made of whole 4 KiB units */
	bool whole;			/* covers the block fully */
};
void hs_req_span(const struct hs_core *core, const struct hs_req *req, struct hs_span *span);

/* Of that only unit and units. Returns exact. */
static inline bool hs_req_units(const struct hs_core *core, const struct hs_req *req, u32 *unit, u32 *units)
{
	u32 first = (u32)req->sector.nr & core->block_mask;

	*unit = first / HS_UNIT_SECTORS;
	*units = (first + req->sectors + HS_UNIT_SECTORS - 1) / HS_UNIT_SECTORS - *unit;
	return !((first | req->sectors) % HS_UNIT_SECTORS);
}

/* ---- requests: one entry a kind ---------------------------------------------------------------------- */

enum hs_step_result hs_read_step(struct hs_core *core, struct hs_req *req, struct hs_out *out);
/* Reads come in here; an ordinary hit leaves here too, all else goes on to hs_step_any. */
enum hs_step_result hs_read_enter(struct hs_core *core, struct hs_req *req, struct hs_out *out);
enum hs_step_result hs_step_any(struct hs_core *core, struct hs_req *req, struct hs_out *out);
enum hs_step_result hs_write_step(struct hs_core *core, struct hs_req *req, struct hs_out *out);
enum hs_step_result hs_range_step(struct hs_core *core, struct hs_req *req, struct hs_out *out);
enum hs_step_result hs_flush_step(struct hs_core *core, struct hs_req *req, struct hs_out *out);
enum hs_step_result hs_commit_step(struct hs_core *core, struct hs_req *req, struct hs_out *out);
enum hs_step_result hs_oflush_step(struct hs_core *core, struct hs_req *req, struct hs_out *out);
enum hs_step_result hs_meta_step(struct hs_core *core, struct hs_req *req, struct hs_out *out);
enum hs_step_result hs_wb_step(struct hs_core *core, struct hs_req *req, struct hs_out *out);
enum hs_step_result hs_open_step(struct hs_core *core, struct hs_req *req, struct hs_out *out);
enum hs_step_result hs_stop_step(struct hs_core *core, struct hs_req *req, struct hs_out *out);

/* A request on blocks ends: leaves the table, lets its slot go. */
enum hs_step_result hs_req_end(struct hs_core *core, struct hs_shard *sh, struct hs_req *req, s32 error,
			       struct hs_out *out);
static inline struct hs_shard *hs_req_shard(struct hs_core *core, const struct hs_req *req)
{
	return &core->shards[req->domain];
}
/* Sets req->src, the slot that the request reads, and lets the one before go. */
static inline void hs_req_use(struct hs_core *core, struct hs_shard *sh, struct hs_req *req, u16 way)
{
	u16 old = req->src;

	req->src = way;
	if (old != HS_NIL && old != way)
		hs_slot_release(core, sh, req->set, old);
}

/* Are units [unit, unit + units) as computed in req->csum what the way's CRCs say? */
static inline bool hs_csum_match(const struct hs_core *core, const struct hs_req *req, u16 way, u32 unit,
				 u32 units)
{
	const u32 *crcs;

	if (!core->geo.checksums)
		return true;
	crcs = hs_slot_crcs(core, hs_set_at(core, req->set), way);
	if (likely(units == 1))
		return req->csum[unit] == crcs[unit];
	return !memcmp(req->csum + unit, crcs + unit, 4 * (size_t)units);
}

/* direct.c: the steps of a write to the origin, entered from write.c at HS_DIRECT_START. */
enum hs_step_result hs_direct_step(struct hs_core *core, struct hs_req *req, struct hs_out *out);
#define HS_WRITE_LOCKED		1	/* and the one of write.c to which they can go back */
#define HS_DIRECT_START		32	/* states from here on are direct.c's */

/* direct.c: getting a block's names out of the way of a write to the origin (R2). */
enum hs_clear {
	HS_CLEAR_DONE,		/* no durable map names the blocks, none is in write-back */
	HS_CLEAR_WAIT,		/* wait for a commit or a write-back */
	HS_CLEAR_LOST,		/* a dirty block that cannot be written back: only the cache can heal it */
	HS_CLEAR_FAILED,	/* cannot be: -EIO */
};
enum hs_clear hs_direct_clear(struct hs_core *core, struct hs_shard *sh, struct hs_req *req,
			      bool drop_dirty, struct hs_out *out);

/* ---- journal.c ---------------------------------------------------------------------------------------- */

void hs_journal_init(struct hs_core *core);
u32 hs_journal_used(const struct hs_core *core);	/* pages */
void hs_flushers_wake(struct hs_core *core, struct hs_out *out);
static inline u32 hs_ring_add(const struct hs_core *core, u32 page, u32 n)
{
	page += n;
	return page >= core->geo.journal_pages ? page - core->geo.journal_pages : page;
}
/* Adds I/O on `pages` pages of the ring from `page` on (one or two, at the wrap). */
void hs_io_ring(const struct hs_core *core, struct hs_req *req, enum hs_io_op op, u32 page, u8 *mem,
		u32 pages);
/* Start a machine unless it runs; the journal's domain. */
void hs_commit_want(struct hs_core *core, struct hs_out *out);
void hs_oflush_want(struct hs_core *core, struct hs_out *out);
void hs_meta_want(struct hs_core *core, struct hs_out *out);
void hs_wb_want(struct hs_core *core, u32 machines, struct hs_out *out);
void hs_run(struct hs_req *req, u8 state, s32 domain, struct hs_out *out);
/* Sums of words peeked from all shards. */
u64 hs_sum_unnamed(const struct hs_core *core);
u64 hs_sum_dirty(const struct hs_core *core);
u64 hs_sum_sole(const struct hs_core *core);
u64 hs_sum_origin_writes(const struct hs_core *core);
u64 hs_sum_directs(const struct hs_core *core);
u64 hs_sum_doubts(const struct hs_core *core);
u64 hs_sum_hold(const struct hs_core *core, u32 phase);
bool hs_any_ready(const struct hs_core *core);

/* ---- private request flags, and bits ------------------------------------------------------------------------------------------- */

#define HS_P_COUNTED		(1u << 16)	/* hit or miss has been counted */
#define HS_P_WANT_CLEAN		(1u << 17)	/* parked until its block has been written back */
#define HS_P_KEEP		(1u << 18)	/* merged from req->src: units not written keep their CRC */
#define HS_P_NO_CACHE		(1u << 19)	/* the cache could not take it: go to the origin */
#define HS_P_WRITING		(1u << 20)	/* counted in the shard's `writing` */
#define HS_P_COPY		(1u << 21)	/* write-through: the block buffer holds the base of a copy */
#define HS_P_UNREAD		(1u << 23)	/* part of what is to be copied gave a read error */
#define HS_P_WB_FAILED		(1u << 24)	/* parked: the write-back that it waits for failed */

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

#endif
