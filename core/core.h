/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The core's contract with its shells (engine/, kernel/, sim/).
 *
 * The core does no I/O, takes no lock, allocates nothing, reads no clock, starts no thread. All work is
 * done by *requests*: resumable step machines that live in the shell's memory (foreground) or in the
 * core's (background machines). A step runs under the lock of one *domain* and says what to do next:
 *
 *	shell:	lock(req->domain)
 *		ret = hs_step(core, req, &out)
 *		unlock
 *		kick what out asks for; run the requests on out->run (each is stepped again, its own domain)
 *		HS_IO     perform req->io[0 .. nr_io-1], in any order, concurrently if it likes; set each
 *		          io->error; when all have ended: step again
 *		HS_AGAIN  step again (req->domain may have changed)
 *		HS_WAIT   parked inside the core. Hands off: another thread may already hold it; it
 *		          comes back on some out->run
 *		HS_DONE   ended, req->error says how; the memory is the shell's again
 *
 * Domains: 0 .. shards-1 one lock each, hs_core_shards() the journal's, HS_DOMAIN_NONE no lock at all
 * (the step may be long: CRC of a transaction). The shell never holds two of them. A step under a lock is
 * bounded (no CRC of data, no scan of a set) and never sleeps.
 *
 * A read hit is: one step at submission (HS_IO, one read of the cache device), one at completion (HS_DONE).
 *
 * Early answer: when HS_REQ_ANSWER is set in req->flags after a step, the caller can be answered with
 * req->error (reads: after hs_req copy-out, see below) while the request goes on (stores a fill).
 * The shell clears the flag. It is set at most once, and not at all for requests that just end.
 *
 * Buffers of an I/O:
 *   HS_BUF_CALLER  the request's own data; buf_off counts from the request's first byte. For writes the
 *                  shell must lend a private, stable copy (the checksum is computed from it).
 *   HS_BUF_BLOCK   a private buffer of block_size bytes that the shell allocates when an I/O first names it
 *                  and keeps until the request ends. buf_off counts from the block's start. Behind the end of
 *                  the origin (a short last block) it reads as zeroes.
 *   HS_BUF_MEM     io->mem (core's memory) + buf_off.
 * If a read ends (or is answered) with HS_REQ_COPYOUT set, its data are in the block buffer: the shell
 * copies them to the caller. An I/O with HS_IO_OVERLAY (a write from the block buffer): before it, the
 * shell copies the caller's data (zeroes for HS_OP_WRITE with HS_REQ_ZEROES) over its place in the block.
 * I/O on cached data is always in whole 4 KiB units.
 *
 * Checksums: an I/O with csum != NULL carries HS_UNIT_BYTES-units: for a read the shell computes after it,
 * for a write before it (after the overlay): for i < csum_units: io->csum[i] =
 * hs_unit_crc(core, io->csum_first + i, data of that unit). csum_skip bytes of the I/O's data come before
 * the first such unit.
 */
#ifndef HS_CORE_H
#define HS_CORE_H

#include "core/format.h"
#include "core/list.h"
#include "include/hotset/enums.h"

struct hs_core;

#define HS_DOMAIN_NONE		(-1)
#define HS_REQ_IOS		2
#define HS_SHARDS_MAX		64u
#define HS_SHARDS_DEFAULT	8u	/* a commit visits each that was written to, under its lock */

enum hs_step_result {
	HS_IO,
	HS_AGAIN,
	HS_WAIT,
	HS_DONE,
};

enum hs_op {
	HS_OP_READ,	/* within one block */
	HS_OP_WRITE,	/* within one block */
	HS_OP_DISCARD,	/* whole blocks (the last may be short) within one group, at most
			 * HS_RANGE_BLOCKS; see hs_range_limit */
	HS_OP_ZERO,	/* as DISCARD. -EAGAIN: a block of it is dirty; do it as WRITEs of
			 * zeroes (HS_REQ_ZEROES), block by block */
	HS_OP_FLUSH,	/* no range */
	HS_OP_COUNT,
};
#define HS_RANGE_BLOCKS		64u

/* req->flags: set by the shell before submission ... */
#define HS_REQ_FUA		(1u << 0)
#define HS_REQ_SEQUENTIAL	(1u << 1)	/* part of a long stream: do not insert */
#define HS_REQ_ZEROES		(1u << 2)	/* WRITE: the caller's data are zeroes */
#define HS_REQ_GIVEN		(HS_REQ_FUA | HS_REQ_SEQUENTIAL | HS_REQ_ZEROES)
/* ... and by the core for the shell */
#define HS_REQ_ANSWER		(1u << 8)
#define HS_REQ_COPYOUT		(1u << 9)
/* 1u << 16 and up: private to the core */

enum hs_io_dev { HS_CACHE, HS_ORIGIN };
enum hs_io_op { HS_IO_READ, HS_IO_WRITE, HS_IO_FLUSH, HS_IO_DISCARD, HS_IO_ZERO };
enum hs_io_buf { HS_BUF_NONE, HS_BUF_CALLER, HS_BUF_BLOCK, HS_BUF_MEM };
#define HS_IO_FUA		(1u << 0)	/* durable when it ends (native, or the shell adds a flush) */
#define HS_IO_OVERLAY		(1u << 1)

struct hs_io {
	u8 dev, op, buf, flags;
	s32 error;		/* set by the shell: 0 or negative errno */
	u64 sector;		/* on the device, 512 bytes */
	u32 sectors;
	u32 buf_off;		/* bytes */
	void *mem;		/* HS_BUF_MEM */
	u32 *csum;
	u32 csum_units, csum_skip;
	u64 csum_first;		/* number of the first unit on the origin */
};

struct hs_out;
struct hs_req {
	/* set by the shell before hs_req_init */
	u8 op;
	u8 state, lock_mode, granted;	/* private to the core */
	u32 flags;
	hs_sector_t sector;
	u32 sectors;
	/* the core's answers */
	s32 error;
	u32 nr_io;
	s32 domain;
	struct hs_io *io;

	/* private to the core */
	u16 src, dst;			/* ways of the set */
	u32 set;
	u32 unit;			/* of a unit-by-unit second read */
	/* What a step does next: a short way, or hs_step_any. */
	enum hs_step_result (*step)(struct hs_core *core, struct hs_req *req, struct hs_out *out);
	u64 first, last;		/* blocks */
	u64 deadline;			/* ns; 0: none */
	u64 target[3];			/* FLUSH: commit round, origin flush, losses told of when it began */
	struct hs_list bucket;		/* entry in the block lock table */
	struct hs_list link;		/* on a list of parked requests, or on out->run */
	struct hs_io ios[HS_REQ_IOS];
	u32 *csum;			/* units_per_block of them, given by the shell */
	u32 csum1;			/* serves where one is enough */
};

/* What a step asks of the shell beside its own result. Zero and init before each step. */
#define HS_KICK_COMMIT		(1u << 0)
#define HS_KICK_OFLUSH		(1u << 1)
#define HS_KICK_META		(1u << 2)
#define HS_KICK_WRITEBACK	(1u << 3)

struct hs_out {
	struct hs_list run;	/* of hs_req.link: step each (take them off the list first) */
	u32 kick;		/* if not 0: call hs_kick under the journal's lock, soon */
};

static inline void hs_out_init(struct hs_out *out)
{
	hs_list_init(&out->run);
	out->kick = 0;
}

/* ---- life --------------------------------------------------------------------------------------- */

struct hs_core_opts {
	u32 shards;		/* wished; a power of two, at most HS_SHARDS_MAX; 0: chosen */
	u32 todo_room;		/* slots on a shard's list of those to commit, a power of two; 0: chosen */
	u32 step_budget;	/* slots or sets that a background step may visit before it drops the lock; 0: chosen */
	s32 mode;		/* enum hs_mode; -1: as in the superblock */
	u64 now;		/* ns, monotonic */
	/* A write with HS_IO_FUA costs the cache device little more than any (FUA is native, or all its writes are
	 * durable at once): commits then use it, and their FLUSH, of the data, goes beside it. Without checksums data
	 * are written so, too, if a FLUSH is to be expected. */
	bool cache_fua;
};

/* Bytes of memory that hs_core_init wants, 64-byte aligned: the map (about 20 bytes a 4 KiB slot) plus
 * the buffers of the background machines. */
u64 hs_core_size(const struct hs_geometry *geo, const struct hs_core_opts *opts);
u64 hs_core_map_size(const struct hs_geometry *geo, const struct hs_core_opts *opts); /* of it, the map */

/* Lays out the memory (zeroed by the shell or not). Nothing is loaded yet. sb: picked by hs_sb_pick. */
struct hs_core *hs_core_init(void *mem, const struct hs_sb *sb, const struct hs_core_opts *opts);

/*
 * Opening takes two requests, one after the other, each the only one that may run then; domain NONE.
 *
 * hs_core_open loads the map and replays the journal: reads only, nothing is written. check and dump stop
 * here. Ends with 0, or: -EUCLEAN (both copies of a table unit bad, or a gap in the journal), -EIO (the journal, or
 * a copy of a table unit whose mirror does not serve, cannot be read); hs_core_open_why then names the place.
 *
 * hs_core_claim flushes the cache device and durably writes a new incarnation and the journal's exact end;
 * then requests may be served. -EIO.
 */
struct hs_req *hs_core_open(struct hs_core *core);
struct hs_req *hs_core_claim(struct hs_core *core);
const char *hs_core_open_why(const struct hs_core *core);

/* What opening found. */
struct hs_open_report {
	bool clean_stop;
	u64 transactions;	/* replayed */
	bool dropped_last;	/* the last, unconfirmed one did not match its data */
	bool torn_tail;		/* an incomplete one followed */
	u64 unit_copies_bad;	/* table unit copies that their mirror replaced */
	u64 map_conflicts;	/* a block named twice, or a name outside its set: always a defect */
};
const struct hs_open_report *hs_core_report(const struct hs_core *core);

/*
 * Clean stop, in two requests (start each under the journal's domain, when no foreground request is in flight).
 * hs_core_stop parks the background and commits, with what an origin FLUSH lets it name clean; when it has ended with 0
 * nothing touches the origin any more: the shell flushes it, takes its fingerprint, and hs_core_mark_clean writes a superblock with
 * HS_SB_CLEAN. An error: the stop is not clean, nothing claims it. No tick after hs_core_stop. When memory is
 * freed no step or I/O may be running.
 */
struct hs_req *hs_core_stop(struct hs_core *core, struct hs_out *out);
struct hs_req *hs_core_mark_clean(struct hs_core *core, u64 fingerprint, struct hs_out *out);
/* Takes back a stop that was not followed by hs_core_mark_clean; under the journal's domain. Tick again. */
void hs_core_resume(struct hs_core *core);

/* ---- requests ------------------------------------------------------------------------------------ */

/* Bytes for the csum array of a request: 4 * units_per_block. */
u32 hs_req_csum_bytes(const struct hs_core *core);

/*
 * Prepares a request whose op, flags, sector, sectors are set; sets domain. csum: an array of
 * hs_req_csum_bytes, or NULL where that is 4. The range must lie inside the device and, as said at enum
 * hs_op, inside one block or group.
 */
void hs_req_init(struct hs_core *core, struct hs_req *req, u32 *csum);
static inline enum hs_step_result hs_step(struct hs_core *core, struct hs_req *req, struct hs_out *out)
{
	return req->step(core, req, out);
}

/*
 * The short way of the commonest request, a read of one whole block of 4 KiB (the block size is that too) that is there
 * and that nobody else works on, instead of hs_req_init and hs_step. Nothing of the request need be set before.
 *
 *	hs_hit_init				sets domain
 *	lock; hs_hit_begin; unlock		0: no such hit, go on with hs_req_init; else the block's sector on the
 *						cache device, to be read
 *	lock; hs_hit_end; unlock		true: it has ended, well. crc: hs_unit_crc of what was read, if there are
 *						checksums
 *
 * If hs_hit_end says false, or the read has failed: hs_hit_leave (no lock). It is an ordinary request then, and its I/O,
 * req->io[0], has ended: with io->error and *io->csum set, hs_step goes on.
 */
void hs_hit_init(const struct hs_core *core, struct hs_req *req, u64 sector);
u64 hs_hit_begin(struct hs_core *core, struct hs_req *req);
bool hs_hit_end(const struct hs_core *core, struct hs_req *req, u32 crc);
void hs_hit_leave(const struct hs_core *core, struct hs_req *req);

/* How many sectors from `sector` on fit in one request of a kind that takes one block, or a range. */
u32 hs_block_limit(const struct hs_core *core, u64 sector, u64 sectors);
u64 hs_range_limit(const struct hs_core *core, u64 sector, u64 sectors);

u32 hs_unit_crc(const struct hs_core *core, u64 unit, const void *data);
/* The same for data in pieces: begin with this, hs_crc32c over each, invert the bits of the last. */
u32 hs_unit_seed(const struct hs_core *core, u64 unit);

/*
 * Moves a request to other memory, with the lock of its domain held, while it is in the shell's hands and no I/O of
 * it is under way. csum: as for hs_req_init. The old memory is the shell's again.
 */
void hs_req_move(struct hs_req *to, struct hs_req *from, u32 *csum, u32 csum_bytes);

/* In flight, not FLUSH: does no other request wait behind it, as far as this can be seen without its domain's lock? */
static inline bool hs_req_alone(const struct hs_req *req)
{
	return hs_peek(req->bucket.next) == hs_peek(req->bucket.prev);
}

/* ---- background, under the journal's domain ------------------------------------------------------ */

/* Starts what was asked for; the machines to run are put on out->run. */
void hs_kick(struct hs_core *core, u32 kick, struct hs_out *out);
/* Call about ten times a second. now: ns, monotonic. */
void hs_tick(struct hs_core *core, u64 now, struct hs_out *out);

/* ---- control ------------------------------------------------------------------------------------- */

u32 hs_core_shards(const struct hs_core *core);
const struct hs_geometry *hs_core_geometry(const struct hs_core *core);
const struct hs_sb *hs_core_sb(const struct hs_core *core);

struct hs_tunables {
	u64 dirty_age_ns;	/* default 30 s */
	u32 dirty_percent;	/* default 50 */
	bool writeback;		/* default on */
	u64 slot_wait_ns;	/* default 30 s: then an overwrite that finds no slot fails */
};
/* Any domain or none: single words, read with hs_peek. */
struct hs_tunables *hs_core_tunables(struct hs_core *core);

/*
 * Under the journal's domain. Switch for new writes now; complete when hs_core_mode_durable says so. A switch
 * away from writeback drains the dirty blocks first (progress: the stats' dirty gauge); bypass is
 * writearound until that is done and durable. Drive it with hs_tick as usual.
 */
void hs_core_set_mode(struct hs_core *core, enum hs_mode mode, struct hs_out *out);
enum hs_mode hs_core_mode(const struct hs_core *core);
enum hs_mode hs_core_mode_durable(const struct hs_core *core);
enum hs_mode hs_core_mode_wanted(const struct hs_core *core);
/* Write back everything while on is set. Under the journal's domain. */
void hs_core_drain(struct hs_core *core, bool on, struct hs_out *out);

/*
 * The cache device is out of service: a metadata write or flush failed, so the durable map can no longer be
 * changed. Reads go on (clean blocks from the origin where the cache cannot be read), dirty blocks are
 * written back while they can be read; FLUSH fails while acknowledged writes are not durable. Writes to
 * blocks that the durable map names clean wait until the shell has called hs_core_abandon.
 */
bool hs_core_failed(const struct hs_core *core);
/* Failed, such a write waits, and all that the durable map alone holds has been written back or is lost. */
bool hs_core_abandon_due(const struct hs_core *core);
/* Under the journal's domain, once the shell has made durable, somewhere else, that this cache must not be
 * used again: from now on such writes go to the origin. */
void hs_core_abandon(struct hs_core *core, struct hs_out *out);

/* Counters of a shard (copied under its domain), and the journal's. Units as in struct hs_stats. */
struct hs_counters {
	u64 reads, writes, flushes, discards, zeroes;
	u64 read_hits, read_misses, write_hits, write_misses;
	u64 inserts, replacements, write_backs, write_back_errors;
	u64 not_cached[HS_WHY_COUNT];
	u64 commits, checkpoints, cache_flushes, origin_flushes;
	u64 journal_bytes, table_bytes;
	u64 checksum_errors, repairs, cache_errors, origin_errors, slot_waits;
	/* gauges, slots */
	u64 used, dirty, free, retired, lost;
};
/* domain: a shard's or the journal's, held by the caller. Adds to *sum. */
void hs_core_count(struct hs_core *core, s32 domain, struct hs_counters *sum);
/* Recounts the gauges of a shard by a full scan (tests). Adds to *sum. */
void hs_core_recount(struct hs_core *core, s32 domain, struct hs_counters *sum);

/* One slot, as the map has it, under its shard's domain. */
struct hs_slot_view {
	u64 block;
	bool named;		/* current name: clean or dirty data that a read would see */
	bool dirty, lost;
	bool busy;		/* data in flight or retired */
	enum hs_dstate durable;
	const u32 *crcs;	/* units_per_block, or NULL */
};
s32 hs_slot_domain(const struct hs_core *core, u32 slot);
void hs_slot_look(const struct hs_core *core, u32 slot, struct hs_slot_view *view);
u64 hs_slot_sector(const struct hs_core *core, u32 slot);	/* first sector on the cache device */
/* If it is clean: nobody will read it any more, and a commit drops its name. False: it is not. Under its domain. */
bool hs_slot_drop(struct hs_core *core, u32 slot, struct hs_out *out);

/* ---- format: a request as hs_core_open, with memory of its own ----------------------------------- */

#define HS_FORMAT_BUFFER	(256 * HS_KIB)
struct hs_format_job {
	struct hs_req req;		/* its I/Os, and in the end its error */
	struct hs_sb sb;
	u8 *buffer;			/* HS_FORMAT_BUFFER bytes, given */
	u32 state, unit;
	u32 copy;
};
/* sb: uuid, geo, mode, compat, incompat set; the rest is filled in. */
void hs_format_start(struct hs_format_job *job, const struct hs_sb *sb, u8 *buffer);
/* As hs_step, for job->req: HS_IO, HS_AGAIN or HS_DONE. */
enum hs_step_result hs_format_step(struct hs_format_job *job);

/* ---- sequential streams -------------------------------------------------------------------------- */

/* The shell's to lock (a lock of its own): whole requests are noted before they are split. */
#define HS_STREAMS	16
struct hs_streams {
	struct {
		u64 next;	/* sector that would continue it */
		u64 sectors;	/* so far */
		u64 used;	/* counter, for replacement */
	} stream[HS_STREAMS];
	u64 clock;
};
/* Notes a request; true if it belongs to a stream of more than cutoff sectors (0: off). */
bool hs_streams_note(struct hs_streams *s, u64 sector, u64 sectors, u64 cutoff);

#endif
