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
 *	       |             +-- todo: slots for a commit to look at (queue.c)
 *	       |             +-- queues of sets: held, urgent (queue.c)
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
#define HS_WB_SHARE		16u		/* I/Os of requests on the origin for each run of aged blocks beside them */
#define HS_FUA_NAMES		4u		/* writes to a FLUSH that go out with FUA, where that spares one */
#define HS_META_BYTES		(512 * HS_KIB)	/* buffer of checkpoint and open */
#define HS_TX_PAGES_MAX		128u
#define HS_TX_DATA_MAX		(64 * (u64)HS_MIB)
#define HS_STEP_BUDGET		64u		/* core->step_budget if none is wished */
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
#define HS_S_SPENT		0x8000u	/* retired while dirty, lost or not: no transaction has ever named it clean */
#define HS_S_TODO		0x2000u	/* stands on the shard's todo list, whatever has become of it since */
#define HS_S_GEN		0x4000u	/* the shard's gather_gen when it went there, or was spilled */
#define HS_S_LISTED		(HS_S_TODO | HS_S_GEN)	/* stay with the slot from life to life */

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

/* The durable map may hold flushed data here that are nowhere else, though they may have been overwritten since. */
static inline bool hs_slot_sole(u16 s)
{
	if (!(s & HS_S_DUR))
		return false;
	return hs_cur_dirty(hs_cur(s)) ? !(s & HS_S_LOST) : !!(s & HS_S_STALE);
}

/* ---- sets --------------------------------------------------------------------------------------- */

/* What a lookup or a change of a slot touches, side by side. */
struct hs_way {
	u32 tag_lo;			/* of the block's number; the high byte is in hs_tag_hi */
	u16 chain;			/* index: the next way of the bucket */
	u16 prev, next;			/* the policy's; next: the free list's too */
	u16 state;			/* HS_S_* */
};

/* A set's memory: this, then the arrays at core->off. */
struct hs_set {
	u16 free_head;
	u16 nheld;
	u16 policy[8];		/* the policy's list heads */
	u8 queued;		/* on which of the shard's queues, a bit each */
	u64 counts;		/* free, retired, work for write-back: see struct hs_weight */
	u64 changed;		/* bit per 1 << core->changed_shift ways: not yet in the slot table as committed */
	struct hs_way way[];
};

/* Offsets in bytes from a set's start. */
struct hs_set_offsets {
	u32 held;		/* bit per way: on hold */
	u32 crc, bucket, tag_hi;
	u32 bytes;		/* of the whole set */
};

enum hs_q { HS_Q_HELD, HS_Q_URGENT, HS_QUEUES };

struct hs_setq {
	u32 *ring;		/* room for all sets of the shard */
	u32 head;
	u32 count;		/* peeked by others */
};

/* Slots that a commit has to look at; queue.c. */
struct hs_todo {
	u32 *ring;
	u32 head, mask;
	u32 count;			/* peeked by others */
	u32 spilled;			/* peeked: some found no room, only a scan of the shard finds them */
};

struct hs_shard {
	struct hs_list buckets[HS_BUCKETS];	/* first: an address less to work out for every request */
	u32 index, first_set, nsets;
	u32 writing;			/* write-back-mode writes in flight */
	/* peeked by others */
	u32 parked;			/* requests on waiters */
	u32 unnamed;			/* acknowledged dirty slots that no durable map names */
	u32 hold[2];			/* slots on hold, by phase */
	u64 gauges[2];			/* see struct hs_weight */
	u32 lost;			/* slots */
	u32 sole;			/* slots that hold, by the durable map, what may be nowhere else */
	u32 passed;			/* write-backs of what a failed cache keeps an older dirty name for */
	u64 asked;			/* I/Os of requests on the origin, handed out */
	u64 origin_writes;		/* ended, of any kind (R3) */
	u64 directs;			/* of them acknowledged direct writes, discards, zeroings (R4) */
	u64 doubts;			/* of them in flight while an origin FLUSH failed */
	u64 plain;			/* writes of data to the cache that have ended, but for those with FUA */

	bool wake;			/* something changed that a parked request may wait for */
	bool no_inplace;		/* the commit machine waits for a write in place */
	bool gathering;			/* the commit machine is in the middle of this shard */
	u16 gather_gen;			/* HS_S_GEN or 0: of what comes to the todo list now, and is not this gather's */
	u32 held_gen;
	u32 tick_gen;			/* parked requests have looked at the clock since that tick */
	u32 scan;			/* write-back's cursor, a set of this shard */
	struct hs_todo todo;
	struct hs_setq queue[HS_QUEUES];
	struct hs_list waiters;
	struct hs_counters n;
} __attribute__((aligned(64)));

/* A write of data to a slot has ended, an I/O with those flags: a FLUSH that begins from here on makes it durable. */
static hs_always_inline void hs_data_arrived(struct hs_shard *sh, u8 flags)
{
	if (!(flags & HS_IO_FUA))
		hs_poke(sh->plain, sh->plain + 1);
}

/* ---- gauges ------------------------------------------------------------------------------------- */

/*
 * What one slot adds to the gauges of its set and shard, by its state. Counts share words, so that a change of
 * state costs three additions:
 *
 *	set.counts		 0 free | 16 retired | 32 work for write-back (DIRTY, INPLACE)
 *	shard.gauges[0]		 0 used | 32 retired
 *	shard.gauges[1]		 0 free | 32 dirty
 */
struct hs_weight {
	u64 counts, gauges[2];
	u32 unnamed;
	u32 sole;		/* for LOST and STALE see hs_slot_sole */
};
extern const struct hs_weight hs_weights[32];	/* by cur and dur, the low five bits of a state */
#define HS_W_FREE		1ull		/* a free slot's, in counts and in gauges[1] */
#define HS_W_RETIRED		(1ull << 16)	/* a retired one's, in counts */
#define HS_W_SHARD_RETIRED	(1ull << 32)	/* and in gauges[0] */

static inline u32 hs_nfree(const struct hs_set *st)
{
	return (u16)st->counts;
}

static inline u32 hs_nretired(const struct hs_set *st)
{
	return (u16)(st->counts >> 16);
}

static inline u32 hs_nwork(const struct hs_set *st)
{
	return (u16)(st->counts >> 32);
}

static inline u32 hs_shard_dirty(const struct hs_shard *sh)
{
	return (u32)(hs_peek(sh->gauges[1]) >> 32);
}

/* The same where `cur` alone changes, both known when compiled; unnamed and sole are the caller's. */
#define HS_W_OF(from, to, field)	(hs_weight_of(to).field - hs_weight_of(from).field)
static hs_always_inline struct hs_weight hs_weight_of(enum hs_cur cur)
{
	u64 free = cur == HS_FREE, retired = cur == HS_RETIRED, used = cur >= HS_CLEAN, dirty = cur >= HS_DIRTY;

	return (struct hs_weight){
		.counts = free | retired << 16 | (u64)(cur == HS_DIRTY || cur == HS_INPLACE) << 32,
		.gauges = { used | retired << 32, free | dirty << 32 },
	};
}

static hs_always_inline void hs_gauge_move(struct hs_shard *sh, struct hs_set *st, enum hs_cur from, enum hs_cur to)
{
	if (HS_W_OF(from, to, counts))
		st->counts += HS_W_OF(from, to, counts);
	if (HS_W_OF(from, to, gauges[0]))
		sh->gauges[0] += HS_W_OF(from, to, gauges[0]);
	if (HS_W_OF(from, to, gauges[1]))
		hs_poke(sh->gauges[1], sh->gauges[1] + HS_W_OF(from, to, gauges[1]));
}

/* A slot that was in one state is in another. */
static inline void hs_gauge(struct hs_shard *sh, struct hs_set *st, u16 from, u16 to)
{
	const struct hs_weight *less = &hs_weights[from & (HS_S_CUR | HS_S_DUR)];
	const struct hs_weight *more = &hs_weights[to & (HS_S_CUR | HS_S_DUR)];

	st->counts += more->counts - less->counts;
	sh->gauges[0] += more->gauges[0] - less->gauges[0];
	hs_poke(sh->gauges[1], sh->gauges[1] + more->gauges[1] - less->gauges[1]);
	hs_poke(sh->unnamed, sh->unnamed + more->unnamed - less->unnamed);
	hs_poke(sh->sole, sh->sole + more->sole - less->sole);
}

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
	struct hs_io io[3];		/* the transaction, in two parts where the ring ends; a FLUSH */
	u8 *buf;			/* one transaction */
	u32 bytes, records, max_bytes;
	u32 last_record;		/* none begins behind that */
	u32 names_left;			/* that the data of one transaction allow */
	struct hs_tx_info info;
	u32 pages;
	u32 shard;			/* gather: where we are */
	u32 held_left;			/* sets to look at for slots on hold: there was a verdict */
	u32 set, way;			/* of these, the one at work; HS_NOSET: take the next from the queue */
	u32 todo_left;			/* slots of the list that belong to this round */
	u32 scan;			/* next slot of the shard's to be scanned; HS_NOSET: none */
	u32 off;			/* apply: next record */
	bool more;			/* gather goes on after this transaction */
	bool all_shards;		/* this round visits even those with nothing to do */
	u32 held_gen;			/* as the last round began */
	u32 flushing;			/* peeked: its FLUSH, or write with FUA, is under way */
	bool flush_first;			/* names data that recovery cannot verify */
	bool data_durable;			/* ... and that are durable already, all with FUA */
	u64 plain, plain_flushed;		/* sums over the shards, as a FLUSH began; of the last that succeeded */
	bool unconfirmed;			/* the confirm record could not be written */
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
	u32 unit, run, copy, slot, shard, set;
	u32 first;			/* the copy that a checkpoint writes first */
	u32 flushing;			/* peeked: its FLUSH is under way */
	bool checkpointing, drained, writing_clean;
	bool mode_writing;		/* a superblock with another mode is on its way */
	u32 mode_gen;			/* core->mode_gen when nothing was found dirty */
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
	u64 asked;			/* of all shards, when the last run of aged blocks was picked */
	u32 share, share_gen;		/* such runs that it may still pick beside requests, as of that tick */
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
	u32 single;		/* units before that one are read one by one */
	u32 page, pages_left;		/* ring: scan for what lies behind the end; pages not yet read */
	u32 off, left;			/* verify: next record */
	struct hs_record rec;
	struct hs_sb sb;		/* claim: being written */
};

struct hs_stop {
	struct hs_req req;
	u64 fingerprint, round;
	u32 failures;		/* of origin FLUSHes, as it began */
	u32 tries;		/* to bring all to rest */
	s32 error;		/* how the first half ended */
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
	u64 sole;			/* of all shards, at the last tick on a failed cache */
	u64 asked;			/* of all shards, at the last tick */
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
	u32 shard_mask;			/* sets of a shard, less one */
	u32 *rings;			/* the shards' queues of sets, and todo lists */
	u32 todo_room;			/* slots on a todo list; a power of two */
	u32 ways;			/* of a set */
	u32 step_budget;		/* slots or sets that one step may visit */
	u32 reserve;			/* free slots a set keeps */
	u32 reserve_low;		/* with less than that a commit comes early */
	u32 changed_shift;		/* log2 of the ways that a bit of a set's `changed` stands for */
	u32 dirty_high;			/* dirty slots of a set that bring write-back to it */
	u32 name_bytes;			/* of a NAME record */
	u32 block_mask;			/* sectors of a block, less one */
	u32 slot_shift;			/* log2 of the sectors of a slot */
	u32 index_shift;		/* of a 32-bit hash, for a set's index */
	u64 data_sector;		/* of slot 0 */
	u32 crc_seed;
	u32 checkpoint_at;		/* pages of the ring in use that bring one */
	bool cache_fua;			/* transactions are written with FUA */
	bool data_fua;			/* data may be, too: nothing verifies them, and transactions wait for them */
	u64 *udirty, *uckpt;		/* table units: to be written whatever sets say; in the checkpoint under way */
	u64 *unit_seq;			/* while opening */
	struct hs_sb sb;		/* as durable */
	struct hs_tunables tun;

	/* peeked words */
	u64 now;			/* ns */
	u32 mode;			/* for new writes */
	u32 mode_target, mode_durable;
	u32 mode_gen;			/* counts switches; the journal's domain */
	u32 drain, drain_mode;
	u32 failed, abandoned, stopping;
	u32 ov;				/* HS_OV_* */
	u32 oflush_failures;		/* what was in flight then may be lost */
	u32 oflushing;			/* a FLUSH is under way; if it fails, oflush_failures says so before this ends */
	u32 held_gen;			/* bumped when ov's verdict changes */
	u32 age_gen;
	u32 tick_gen;			/* counts ticks */
	u32 wb_want;
	u32 wb_share;			/* runs of aged blocks between two ticks, while requests use the origin */
	u32 wb_resting;			/* aged blocks are left, for want of a share */
	u32 wb_failing;
	u32 fua_left;			/* FLUSHes come one for a few writes: so many more go out with FUA; about, any shard's */
	u32 want_abandon;		/* a write waits for a name that a failed cache cannot drop */
	u64 sole_moved;			/* ns: since then what a failed cache alone holds has become no less */
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
/* ---- set.h, slot.h: the short functions of sets and slots ---------------------------------------- */

#include "core/set.h"
#include "core/slot.h"

/* ---- wait.c: parked requests; the shard's domain ---------------------------------------------------- */

enum hs_step_result hs_wait(struct hs_shard *sh, struct hs_req *req);
void hs_wake_waiters(struct hs_shard *sh, struct hs_out *out);
/* At the end of a step: something may have changed that they wait for. */
static inline void hs_wake_all(struct hs_shard *sh, struct hs_out *out)
{
	sh->wake = false;
	if (unlikely(!hs_list_empty(&sh->waiters)))
		hs_wake_waiters(sh, out);
}

/* ---- io.c: filling in I/Os --------------------------------------------------------------------------- */

struct hs_io *hs_io_next(struct hs_req *req);
/* Cached data of the way, units [unit, unit + units) of the block. */
void hs_io_cache(const struct hs_core *core, struct hs_req *req, enum hs_io_op op, u16 way, u32 unit,
		 u32 units, enum hs_io_buf buf);
/*
 * The same as the request's only I/O, from the buffer's start: for the short ways. Sectors of the block, [first, first +
 * sectors), whole units.
 */
static hs_always_inline void hs_io_cache_only(const struct hs_core *core, struct hs_req *req, enum hs_io_op op,
					      u16 way, u32 first, u32 sectors, enum hs_io_buf buf)
{
	struct hs_io *io = &req->ios[0];

	io->dev = HS_CACHE;
	io->op = (u8)op;
	io->buf = (u8)buf;
	io->flags = 0;
	io->sector = hs_slot_first_sector(core, hs_slot_of(core, req->set, way)) + first;
	io->sectors = sectors;
	io->buf_off = 0;
	io->csum = NULL;
	io->csum_units = 0;
	req->nr_io = 1;
	if (core->geo.checksums) {
		io->csum_skip = 0;
		io->csum = req->csum + first / HS_UNIT_SECTORS;
		io->csum_units = sectors / HS_UNIT_SECTORS;
		io->csum_first = hs_block_first_unit(core, req->first) + first / HS_UNIT_SECTORS;
	}
}
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
/* Ordinary reads and writes come in, and leave, by these; all else goes on to hs_step_any, for good. */
enum hs_step_result hs_read_quick_start(struct hs_core *core, struct hs_req *req, struct hs_out *out);
enum hs_step_result hs_read_quick_end(struct hs_core *core, struct hs_req *req, struct hs_out *out);
enum hs_step_result hs_read_quick_fetched(struct hs_core *core, struct hs_req *req, struct hs_out *out);
enum hs_step_result hs_read_quick_stored(struct hs_core *core, struct hs_req *req, struct hs_out *out);
enum hs_step_result hs_write_quick_start(struct hs_core *core, struct hs_req *req, struct hs_out *out);
enum hs_step_result hs_write_quick_end(struct hs_core *core, struct hs_req *req, struct hs_out *out);
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
u64 hs_sum_passed(const struct hs_core *core);
u64 hs_sum_origin_writes(const struct hs_core *core);
u64 hs_sum_directs(const struct hs_core *core);
u64 hs_sum_asked(const struct hs_core *core);
u64 hs_sum_doubts(const struct hs_core *core);
u64 hs_sum_plain(const struct hs_core *core);
u64 hs_sum_hold(const struct hs_core *core, u32 phase);
bool hs_any_todo(const struct hs_core *core);

/* ---- private request flags ------------------------------------------------------------------------------------------- */

#define HS_P_COUNTED		(1u << 16)	/* hit or miss has been counted */
#define HS_P_WANT_CLEAN		(1u << 17)	/* parked until its block has been written back */
#define HS_P_KEEP		(1u << 18)	/* merged from req->src: units not written keep their CRC */
#define HS_P_NO_CACHE		(1u << 19)	/* the cache could not take it: go to the origin */
#define HS_P_WRITING		(1u << 20)	/* counted in the shard's `writing` */
#define HS_P_COPY		(1u << 21)	/* write-through: the block buffer holds the base of a copy */
#define HS_P_UNREAD		(1u << 23)	/* part of what is to be copied gave a read error */
#define HS_P_WRITTEN		(1u << 25)	/* reads from the origin what was written back and not flushed */
#define HS_P_WB_FAILED		(1u << 24)	/* parked: the write-back that it waits for failed */

/*
 * It was written back but not flushed: once an origin FLUSH has failed, that may be gone over there. It may be from the
 * moment on in which the device takes up the FLUSH; what was read is good if none is under way afterwards, and none has
 * failed. So the request parks, until the FLUSH has ended (the next tick has it look again).
 */
static inline bool hs_written_unsure(const struct hs_core *core, const struct hs_req *req)
{
	bool unsure;

	if (!(req->flags & HS_P_WRITTEN))
		return false;
	unsure = hs_peek(core->oflushing);
	hs_barrier();	/* before oflush_failures is looked at */
	return unsure;
}

static inline bool hs_written_lost(const struct hs_core *core, const struct hs_req *req)
{
	return (req->flags & HS_P_WRITTEN) && hs_peek(core->oflush_failures);
}

#endif
