/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The simulator: one seed, one world. A world is two disks, a cache over them, its users, and what becomes
 * of them all in simulated time.
 *
 *	plan.c		what the seed decides in advance
 *	disk.c		the disks; THE FAULT MODEL stands at its top
 *	loop.c		simulated time: events in order
 *	shell.c		steps the core's requests, performs their I/Os
 *	work.c		the users' requests
 *	fault.c		what goes wrong, and when
 *	oracle.c	what a sector may hold
 *	sums.c		checksums
 *	audit.c		the durable map, looked at directly
 *	inside.c	the one file that knows the core's insides
 *	life.c		format, open, serve, cut, kill, stop, offline tools; the world from end to end
 *	count.c		what has been exercised
 *	run.c, shrink.c, main.c		many worlds, one world made smaller, the command
 *
 * Everything is deterministic: the only inputs are the seed and struct sim_limits.
 */
#ifndef HS_SIM_H
#define HS_SIM_H

#include <setjmp.h>

#include "core/core.h"
#include "sim/count.h"
#include "sim/disk.h"
#include "sim/inside.h"

#define SIM_US			1000ull			/* ns */
#define SIM_MS			1000000ull
#define SIM_S			1000000000ull
#define SIM_FOREVER		~0ull

#define SIM_REQS		96u	/* parts of requests in flight */
#define SIM_BLOCK_MAX		(64 * HS_KIB)
#define SIM_HISTORY		14u	/* writes that a sector may show */
#define SIM_TRACE		64u	/* last events */
#define SIM_BLOCKS_MAX		65536u
#define SIM_ORIGIN_MAX		(32u * HS_MIB / SIM_SECTOR)	/* sectors */

/* ---- what the seed decides ---------------------------------------------------------------------------- */

struct sim_latency {
	u32 least, most;	/* us, spread over the orders of magnitude */
	u32 slow_percent;	/* of I/Os */
	u32 slow_us;		/* up to so much more */
};

/* Relative frequencies of what users do. */
enum sim_work { SIM_W_READ, SIM_W_WRITE, SIM_W_FLUSH, SIM_W_DISCARD, SIM_W_ZERO, SIM_WORKS };

/* Faults that a world may have, a bit each. */
enum sim_fault {
	SIM_F_ORIGIN_READ, SIM_F_ORIGIN_WRITE, SIM_F_ORIGIN_FLUSH, SIM_F_ORIGIN_GONE,
	SIM_F_CACHE_READ, SIM_F_CACHE_WRITE, SIM_F_META_READ, SIM_F_META_WRITE, SIM_F_CACHE_FLUSH,
	SIM_F_CACHE_GONE,
	SIM_F_ROT_DATA, SIM_F_ROT_META, SIM_F_LOST_DATA, SIM_F_LOST_META, SIM_F_ASTRAY_DATA,
	SIM_F_ASTRAY_META,
	SIM_F_COUNT,
};

struct sim_plan {
	struct hs_geometry geo;
	u8 uuid[HS_UUID_BYTES];
	enum hs_mode mode;
	u32 shards;		/* wished */
	u32 todo_room;		/* wished; small ones spill */
	u32 step_budget;	/* wished; with small ones more happens between the steps of a machine */
	bool wide;		/* many slots, for transactions of several pages */
	u32 lives;
	u32 ops;		/* of a life, at most */
	u32 users;
	u64 think;		/* ns between the requests of a user, about */
	u32 weight[SIM_WORKS];
	u32 fua_percent, sequential_percent, ragged_percent, hot_percent;
	u64 hot_blocks;
	u32 seq_cutoff;		/* sectors; 0: off */
	bool native_fua[2];
	bool hits;		/* the shell uses the core's short way for hits */
	struct sim_latency latency[2];
	u32 table_slow;		/* table writes take so many times as long */
	u32 stall_percent;	/* of steps: the thread is put off */
	u64 stall;		/* ns */
	u32 early_percent;	/* of I/Os move their data at once */
	struct hs_tunables tun;
	u32 faults;		/* bits of enum sim_fault */
	u32 fault_every;	/* one about each so many requests */
	bool storm;			/* of writes in place and others, while commits scan */
	u32 flush_audit_percent;	/* of FLUSHes: an audit as soon as they have ended */
	u32 audit_every;	/* one about each so many requests */
	u32 control_every;
	u32 discard_percent;	/* of sectors are zeroed by a discard */
};

/* Narrows a world down; from the command line and from shrinking. */
struct sim_limits {
	u32 ops;		/* requests in all */
	u32 lives;
	u32 without;		/* faults left out */
	bool no_audit;
	u32 nr_skip;
	struct { u32 first, end; } skip[64];	/* requests left out, by number */
};

/* ---- oracle -------------------------------------------------------------------------------------------- */

/* One write, as far as the oracle goes; also discards, zeroings, changes from outside, and pins. */
struct sim_op {
	u64 begin, end;		/* the oracle's clock; end SIM_FOREVER: in flight */
	bool ok;		/* acknowledged */
	bool hard;		/* durable when acknowledged: FUA, or read after a cut */
	u32 upto;		/* values up to this one were written before it ended */
};

#define SIM_E_WILD	(1u << 0)	/* zero, or any earlier value */
#define SIM_E_MAYBE	(1u << 1)	/* lived through a restart undecided: replaces nothing */
#define SIM_E_DOUBT	(1u << 2)	/* the origin lost it at a failed FLUSH */
#define SIM_E_EXCUSED	(1u << 3)	/* ... and a FLUSH has said so */
#define SIM_E_RESOLVED	(1u << 4)	/* WILD, and read since as that value */

struct sim_entry {
	u32 op, value, flags;
	u32 resolved;
	u32 gone;		/* clock: reads that begin later will not see it; 0: not gone */
};

/* In the order of their ops, which is that of their beginnings. */
struct sim_history {
	u32 nr;
	struct sim_entry e[SIM_HISTORY];
};

struct sim_flush_ok {
	u64 begin, end;
};

/* ---- shell ----------------------------------------------------------------------------------------------- */

struct sim_call;

struct sim_req {
	struct hs_req r;
	u32 csum[SIM_BLOCK_MAX / HS_UNIT_BYTES];
	u8 *data, *block;	/* a block each, in short (disk.h) */
	bool used, answered, rewrite;
	u8 hit;			/* where it is on the short way */
	struct sim_call *call;
	u32 op;			/* the oracle's, of a write */
	u32 nr;			/* for the trace */
	u64 begin, flushed;	/* oracle's clock, and w->flushed then */
	u64 since;		/* ns */
	u64 flushes[2];		/* of each disk, when it began */
	u32 learned;		/* w->learned when its I/O began */
};

/* An I/O in flight. */
struct sim_io {
	struct hs_req *req;
	u32 index;
	u32 number;		/* of the write on its disk; of a FLUSH: the mark */
	u32 moved;		/* sectors */
	u64 doubt;		/* as told, or raised, when it began */
	u32 place;		/* heap position of nothing: index of itself, when free the next free one */
	u8 state;
	bool lost;		/* acknowledged, never done */
	u64 astray;		/* ... or done elsewhere: the sector; SIM_FOREVER: no */
	u32 sum;		/* of the data at submission */
};

#define SIM_IOS		512u

enum sim_event_kind {
	SIM_EV_STEP,		/* of a request */
	SIM_EV_MOVE,		/* data of an I/O */
	SIM_EV_END,		/* of an I/O */
	SIM_EV_KICK,
	SIM_EV_TICK,
	SIM_EV_USER,
};

struct sim_event {
	u64 at;			/* ns */
	u64 tie;
	u32 kind, arg;
	void *ptr;
};

#define SIM_EVENTS	2048u

struct sim_call {		/* what a user asked for */
	u32 parts;		/* in flight */
	bool used;
};

struct sim_note {
	u64 ns, clock;
	const char *fmt, *word;
	u64 a[4];
};

/* An I/O that ended with an error. */
struct sim_failed_io {
	u64 clock, sector;
	u64 block;		/* on the cache: whose slot that was */
	u32 sectors;
	u8 dev, op;
};
#define SIM_FAILED_IOS		256u

/* A transaction whose write the shell has seen. */
struct sim_tx {
	u64 seq;
	u64 clock;		/* when its write began */
};
#define SIM_TXS		256u

struct sim_world {
	u64 seed;
	struct sim_plan plan;
	const struct sim_limits *limits;
	struct sim_rng rng;		/* of order and time */
	struct sim_rng fate;		/* of faults and cuts */

	u64 now;			/* ns */
	u64 clock;			/* oracle's */
	u64 events;			/* performed */
	u64 stop_at;			/* events: the loop ends here (a cut is due) */
	u64 calm;			/* events since time last moved on by a tick */
	struct sim_event heap[SIM_EVENTS];
	u32 nr_heap;

	struct sim_disk disk[2];
	struct hs_core *core;
	struct hs_format_job *format;	/* under way */
	struct hs_sb sb;		/* as formatted */
	bool machine_done;		/* open, claim, stop, mark or format has ended */
	s32 machine_error;
	bool serving, ticking, stopping;
	bool tick_due;			/* its event is on its way */
	u32 in_flight;			/* parts */
	struct sim_io io[SIM_IOS];
	u32 free_io, nr_io;
	struct sim_req req[SIM_REQS];
	struct sim_call call[SIM_REQS];
	struct hs_streams streams;

	u32 ops, life_ops;		/* requests so far; still to come in this life */
	u32 life;
	u32 next_fault, next_audit, next_control;

	struct sim_op *op;
	u32 nr_op, room_op;
	struct sim_history *history;	/* per origin sector; undefined unless that was ... */
	u64 written[SIM_ORIGIN_MAX / 64];	/* ... ever written: a bit each */
	struct sim_flush_ok *flush_ok;
	u32 nr_flush_ok, room_flush_ok;
	u64 flushed;			/* what ended before this is durable */
	struct sim_tx tx[SIM_TXS];
	u64 tx_last;			/* its sequence number */
	u64 restart;			/* clock of the last one */
	bool power_lost;		/* at the last restart, on both disks */

	struct sim_failed_io failed_io[SIM_FAILED_IOS];
	u32 nr_failed_io;
	u8 unreadable[SIM_BLOCKS_MAX / 8];	/* blocks whose slot was hit by a fault, a bit each */
	u64 flushes[2];			/* of each disk, so far */
	u64 flush_failed;		/* clock: the origin's last FLUSH that failed, or that the core learned of, or
					 * the end of a write that was under way then */
	const struct hs_req *learner;	/* will tell the core of such a FLUSH at its next step */
	u32 learned;			/* of so many the core knows */
	u32 armed;			/* bits of enum sim_fault: for the next write that fits */
	bool damaged;			/* some cached data may be bad: silently, or by a failed write or FLUSH */
	bool hit_cache;			/* silent damage to the cache has begun */
	u32 ring_page;			/* of the journal, written last */
	bool hit_meta;			/* one on metadata: no more */
	bool rolled_back;		/* a transaction was lost to it */
	u32 mode_durable;		/* as last seen in this life */
	bool abandoned;			/* recorded that this cache must not be used again */
	u64 last_fault;			/* ns: faults that pass were active up to then */
	u64 last_error;			/* ns: of any I/O */
	bool nothing_dirty;		/* at the last clean stop */
	u64 drain_since;		/* ns */

	bool trace;
	u64 digest;			/* of all that happened */
	u32 nr_note;
	struct sim_note note[SIM_TRACE];
	char failure[512];
	jmp_buf failed;
};

/* The counters of what was exercised: of the process, added up by run.c. */
extern u64 sim_counted[SIM_COUNTS];
static inline void sim_count(enum sim_count what)
{
	sim_counted[what]++;
}

/* ---- plan.c --------------------------------------------------------------------------------------------- */

void sim_plan_draw(struct sim_plan *plan, u64 seed);
u64 sim_latency_draw(const struct sim_latency *l, struct sim_rng *r);	/* ns */
void sim_plan_print(const struct sim_plan *plan);

/* ---- loop.c ---------------------------------------------------------------------------------------------- */

void sim_event_add(struct sim_world *w, u64 delay, enum sim_event_kind kind, void *ptr, u32 arg);
void sim_events_drop(struct sim_world *w);
/* Until done(w), a cut is due (returns false), or nothing happens any more: then the world fails if
 * done(w) does not hold. */
bool sim_loop(struct sim_world *w, bool (*done)(struct sim_world *w), u64 limit, const char *what);

/* ---- trace.c --------------------------------------------------------------------------------------------- */

#define sim_say(w, fmt, word, a, b, c, d) \
	sim_note(w, fmt, word, (u64)(a), (u64)(b), (u64)(c), (u64)(d))
/* fmt takes one %s and then four %llu. */
void sim_note(struct sim_world *w, const char *fmt, const char *word, u64 a, u64 b, u64 c, u64 d);
void sim_fail(struct sim_world *w, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 2, 3)));
void sim_notes_print(const struct sim_world *w);
extern struct sim_world *sim_current;	/* whose core runs, for failed assertions */
const char *sim_op_name(u32 op);
const char *sim_io_name(u32 op);

/* ---- shell.c --------------------------------------------------------------------------------------------- */

void sim_shell_init(struct sim_world *w);
/* Steps it soon. */
void sim_shell_ready(struct sim_world *w, struct hs_req *req);
/* After a call that gave an hs_out. */
void sim_shell_out(struct sim_world *w, struct hs_out *out);
void sim_shell_step(struct sim_world *w, struct hs_req *req);
void sim_shell_kick(struct sim_world *w, u32 kick);
void sim_shell_tick(struct sim_world *w);
void sim_io_move(struct sim_world *w, struct sim_io *io);
void sim_io_end(struct sim_world *w, struct sim_io *io);
/* The process is gone: what is in flight happens in part, or not. */
void sim_shell_kill(struct sim_world *w);
struct sim_req *sim_req_new(struct sim_world *w);
void sim_req_submit(struct sim_world *w, struct sim_req *q);
bool sim_req_mine(const struct hs_req *req);

/* ---- work.c ---------------------------------------------------------------------------------------------- */

void sim_users_start(struct sim_world *w);
void sim_user_event(struct sim_world *w, u32 user);
/* A part of a request was answered, or has ended. */
void sim_req_answered(struct sim_world *w, struct sim_req *q);
void sim_req_ended(struct sim_world *w, struct sim_req *q);

/* ---- fault.c --------------------------------------------------------------------------------------------- */

void sim_fault_inject(struct sim_world *w);
/* At the submission of a write: does the disk lie about it? */
void sim_fault_write(struct sim_world *w, struct sim_io *io, const struct hs_io *h);
void sim_faults_heal(struct sim_world *w);
/* An error that reached a user: does a fault allow it? */
/* An I/O ended with an error. */
void sim_fault_note(struct sim_world *w, const struct hs_io *h);
void sim_fault_judge(struct sim_world *w, const struct sim_req *q);
bool sim_faults_now(const struct sim_world *w);

/* ---- oracle.c -------------------------------------------------------------------------------------------- */

void sim_oracle_init(struct sim_world *w);
/* The first sector not before this one that was ever written, or that was forgotten; SIM_FOREVER: none. */
u64 sim_oracle_written(const struct sim_world *w, u64 sector);
void sim_oracle_free(struct sim_world *w);
/* False: some sector's history is too long just now. */
bool sim_oracle_room(struct sim_world *w, u64 sector, u32 sectors);
u32 sim_oracle_begin(struct sim_world *w, u64 sector, u32 sectors, bool zero, bool wild);
u32 sim_oracle_value(u32 op);
void sim_oracle_end(struct sim_world *w, u32 op, bool ok, bool fua);
void sim_oracle_flushed(struct sim_world *w, u64 begin);
void sim_oracle_flush_failed(struct sim_world *w);
void sim_oracle_lost(void *world, u64 sector);
/* The origin lost something here at a failed FLUSH: until overwritten it may read as that or as before. */
bool sim_oracle_doubtful(const struct sim_world *w, u64 sector);
void sim_oracle_read(struct sim_world *w, u64 sector, u32 value, u64 begin, const char *how);
/* After a cut, with what was claimed up to the clock `claims` (SIM_FOREVER: all). */
bool sim_oracle_survives(const struct sim_world *w, u64 sector, u32 value, u64 claims);
void sim_oracle_complain(struct sim_world *w, u64 sector, u32 value, u64 claims, const char *how)
	__attribute__((noreturn));
/* The process ended; power: with both disks cut. */
void sim_oracle_restart(struct sim_world *w, bool power);
/* The sector was looked at after a restart: that is its value from now on. */
void sim_oracle_pin(struct sim_world *w, u32 op, u64 sector, u32 value);
u32 sim_oracle_pin_begin(struct sim_world *w);
/* Claims made since `claims` are void: the last transaction was lost to silent damage. */
void sim_oracle_roll_back(struct sim_world *w, u64 claims);
/* Anything the sector ever held: its contents were lost to an allowed fault. */
void sim_oracle_forget(struct sim_world *w, u64 sector);

/* ---- sums.c ---------------------------------------------------------------------------------------------- */

/* hs_unit_crc of the unit that holds this. */
u32 sim_unit_crc(const struct hs_core *core, u64 nr, const struct sim_content c[HS_UNIT_SECTORS]);

/* ---- audit.c --------------------------------------------------------------------------------------------- */

/* Recovers what a cut at this moment would leave, in a second core, and compares it with the truth. */
struct sim_memory {
	void *mem;
	size_t room;
};
void *sim_core_memory(struct sim_memory *m, size_t bytes);
void sim_audit(struct sim_world *w, bool worst);
/* After a format that was cut short: it is no cache, or one that opens. */
void sim_audit_superblock(struct sim_world *w, u32 copy);
void sim_audit_half_formatted(struct sim_world *w);
/* After opening: looks at every sector through the map as it is, and pins what it sees. */
void sim_audit_served(struct sim_world *w, u64 claims, bool pin);
/* Counters equal a full scan. */
void sim_audit_counters(struct sim_world *w);
/* After the first half of a stop: nobody reads, all is committed. */
void sim_audit_rested(struct sim_world *w);
/* After a stop with write-back: every sector, on the origin's media alone, but of the blocks in `lost`. */
void sim_audit_origin(struct sim_world *w, const u8 *lost);
/* Blocks whose only copy is lost: a byte each is set. */
void sim_audit_lost(struct sim_world *w, u8 *lost);
/* The newer superblock as it stands. */
int sim_superblock(struct sim_world *w, const struct sim_cut *cut, struct hs_sb *sb, unsigned int *bad);
/* Claims that a lost last transaction takes back: all made since its write began. */
u64 sim_audit_claims(const struct sim_world *w, const struct hs_core *core);
u64 sim_origin_fingerprint(const struct sim_world *w);

/* ---- life.c ---------------------------------------------------------------------------------------------- */

struct sim_result {
	bool failed;
	u64 steps, digest;
	u32 ops;
	char failure[512];
};

/* One world, from beginning to end. */
void sim_world_run(u64 seed, const struct sim_limits *limits, bool trace, bool quiet,
		   struct sim_result *result);

#endif
