/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The device-mapper target: a shell over core/ (see core/core.h for the contract).
 *
 *	bio --map--> call (in the bio's own memory) --step--> one I/O of the caller's data --> the bio itself, remapped
 *	                                                |--> else: I/Os of its own, from a bounce (call.c)
 *	                                                `--> parked in the core; comes back on a lane (worker.c)
 *
 * Locks: one spinlock a domain of the core, taken with interrupts off, since completions step requests; no two at a
 * time. A lane's lock nests inside them. Nothing here sleeps but the workers, and constructor, resume, suspend.
 */
#ifndef HS_KERNEL_DM_H
#define HS_KERNEL_DM_H

#include <linux/bio.h>
#include <linux/completion.h>
#include <linux/device-mapper.h>
#include <linux/mempool.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "core/core.h"

#define DM_MSG_PREFIX		"hotset"

struct hs_dm;

/* ---- the table line (table.c) ----------------------------------------------------------------------- */

struct hs_options {
	bool load;			/* persistence 1: what stands on the cache device */
	bool force;			/* new: over a cache with dirty data */
	bool accept_changed_origin;	/* load: drop what is cached of an origin that changed */
	bool grow;			/* load: the origin is longer than it was */
	bool exact_slots;		/* the size was given: no less will do */
	s32 mode;			/* enum hs_mode; -1: as stored */
	u32 policy_arg;			/* the ancestor's write policy, as given */
	struct hs_geometry_wish wish;	/* new */
	u64 seq_cutoff;			/* bytes */
	u32 dirty_age;			/* seconds */
	u32 dirty_limit;		/* percent */
	bool writeback;
};

/* argv behind the two devices. -EINVAL with *why. */
int hs_table_parse(struct hs_options *opts, unsigned int argc, char **argv, char **why);
/* Options that can change at any time: seq_cutoff, dirty_age, dirty_limit, writeback. -ENOENT: none of them. */
int hs_option_set(struct hs_options *opts, const char *key, const char *value, char **why);
int hs_mode_by_name(const char *name);		/* or -EINVAL */
const char *hs_mode_text(enum hs_mode mode);
void hs_table_show(struct hs_dm *dm, char *result, unsigned int maxlen);

/* ---- a request of a bio's (call.c, map.c) ------------------------------------------------------------- */

enum hs_call_todo {
	HS_TODO_STEP,
	HS_TODO_FINISH,		/* its I/Os have ended: checksums, then step */
	HS_TODO_PERFORM,
	HS_TODO_END,		/* stepped to its end: copy out and answer */
};

struct hs_bounce;

/*
 * Lies in the bio's per-bio data, or in its bounce once the bio has been answered. Whoever holds the request may
 * touch it; after a step that returned HS_WAIT that is someone else.
 */
struct hs_call {
	struct hs_req req;
	struct hs_dm *dm;
	struct bio *bio;		/* ours, of dm's making; NULL: answered already */
	struct bvec_iter iter;		/* of the bio's data, as they came */
	struct hs_bounce *bounce;	/* or NULL */
	u32 *csum;
	u64 zero_end;			/* sector; a zeroing that goes on as writes of zeroes up to here */
	atomic_t pending;		/* I/Os of the bounce under way */
	u8 todo;			/* enum hs_call_todo, while on a lane */
	bool hit;			/* on the short way of hits: of all the rest, dm, bio and iter alone are set */
	bool remapped;			/* the bio itself is on its way */
	bool answered;			/* the bio may end as it is */
	bool lent;			/* the bounce holds a copy of the caller's data */
};

/* What a request may need beside its bio: all of it in one element of a mempool. */
enum { HS_PAGES_BLOCK, HS_PAGES_LENT, HS_PAGES_KINDS };
struct hs_bounce {
	struct hs_call call;
	struct bio *bio[HS_REQ_IOS];
	struct bio_vec *vec[HS_REQ_IOS];
	struct page **page[HS_PAGES_KINDS];
	struct hs_bounce *next;		/* among the spares */
};

static inline struct hs_call *hs_call_of(struct hs_req *req)
{
	return container_of(req, struct hs_call, req);
}

int hs_bounces_init(struct hs_dm *dm);
void hs_bounces_exit(struct hs_dm *dm);
/* false: none to be had now. */
bool hs_call_bounce(struct hs_call *call);
void hs_call_unbounce(struct hs_call *call);
/* As hs_call_bounce, but false means: it will come back on a lane, to be performed. */
bool hs_call_await_bounce(struct hs_call *call);
void hs_call_lend(struct hs_call *call);
void hs_call_overlay(struct hs_call *call);
void hs_call_copy_out(struct hs_call *call);
void *hs_bounce_at(const struct hs_bounce *b, u32 kind, u32 offset);
/* Checksums of what was read into, or is to be written from, the bio or the bounce. */
u32 hs_call_sum_hit(const struct hs_call *call);
void hs_call_sum_bio(struct hs_call *call, const struct hs_io *io);
void hs_call_sum_bounce(struct hs_call *call, const struct hs_io *io);

int hs_map(struct dm_target *ti, struct bio *bio);
int hs_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *status);
struct hs_lane;
void hs_call_work(struct hs_call *call, const struct hs_lane *lane);	/* a worker's: does what call->todo says */
void hs_call_wake(struct hs_call *call);		/* a FLUSH that waited looks again; any context, no lock held */

/* ---- the core's own requests (io.c) -------------------------------------------------------------------- */

#define HS_FLIGHTS	16u	/* more than there are machines */

struct hs_flight {
	struct hs_dm *dm;
	struct hs_req *req;		/* NULL: free */
	atomic_t pending;
	struct completion *wait;	/* who waits for its I/Os; NULL: it goes on by itself */
	bool deferred;			/* its I/Os are still to be performed, by a worker */
};

int hs_flights_init(struct hs_dm *dm);
void hs_flights_exit(struct hs_dm *dm);
void hs_bio_add_mem(struct bio *bio, u8 *mem, u32 bytes);	/* up to BIO_MAX_VECS pages, kmalloc'd or vmalloc'd */
void hs_machine_perform(struct hs_dm *dm, struct hs_req *req);
void hs_machine_perform_wait(struct hs_dm *dm, struct hs_req *req);
/* Its I/Os are a worker's to perform: notes so, for who takes it from the lane. */
void hs_machine_defer(struct hs_dm *dm, struct hs_req *req);
/* False: its I/Os were deferred, and are to be performed now. Else they have ended, if there were any: checksums. */
bool hs_machine_finish(struct hs_dm *dm, struct hs_req *req);

/* ---- workers, ticks (worker.c) -------------------------------------------------------------------------- */

#define HS_LANE_WORKERS	4u

struct hs_worker {
	struct work_struct work;
	struct hs_lane *lane;
};

struct hs_lane {
	struct hs_dm *dm;
	spinlock_t lock;		/* of queue and lazy; taken inside a domain's */
	struct hs_list queue;		/* hs_req.link */
	u32 lazy, most_lazy;		/* of them without a worker called */
	struct delayed_work later;
	atomic_t turn;
	u32 nr;
	struct hs_worker worker[HS_LANE_WORKERS];
};

/* Submitting to a slow origin may block: others do that, so that a commit never waits behind it. */
enum { HS_LANE_MAIN, HS_LANE_ORIGIN, HS_LANES };

int hs_workers_init(struct hs_dm *dm);
void hs_workers_exit(struct hs_dm *dm);
void hs_ticker_start(struct hs_dm *dm);
void hs_ticker_stop(struct hs_dm *dm);
/* Any context. call->todo is set, or it is a machine's. */
void hs_lane_push(struct hs_lane *lane, struct hs_req *req);
/* The same, for what nobody waits for: some of them together, and soon, or as soon as somebody waits. */
void hs_lane_push_lazy(struct hs_lane *lane, struct hs_req *req);
void hs_lane_kick(struct hs_lane *lane);
/* One step with its domain's lock; what it asks for is passed on before the lock is dropped. */
enum hs_step_result hs_dm_step(struct hs_dm *dm, struct hs_req *req);
/* A machine's I/Os have ended; any context. */
void hs_machine_ended_io(struct hs_dm *dm, struct hs_req *req);
/* With the domain's lock held. */
void hs_dm_dispatch(struct hs_dm *dm, struct hs_out *out);
void hs_dm_orphan_begin(struct hs_dm *dm);
void hs_dm_orphan_end(struct hs_dm *dm);
void hs_dm_await_orphans(struct hs_dm *dm);
/* Waits until nothing of the core's own is under way. */
void hs_dm_calm(struct hs_dm *dm);

/* ---- the device ------------------------------------------------------------------------------------------ */

struct hs_domain {
	spinlock_t lock;		/* of a shard of the core, or its journal */
	struct hs_out out;		/* of the step under way; else empty */
} ____cacheline_aligned_in_smp;

enum hs_dm_state {
	HS_DM_NEW,		/* constructed, the map not read */
	HS_DM_LIVE,
	HS_DM_STOPPED,		/* suspended: committed, the map in memory */
	HS_DM_GONE,		/* its cache is another table's now, or could not be opened */
};

struct hs_dm {
	struct hs_core *core;
	struct hs_domain *domains;
	u32 shards;			/* the journal's domain */
	u64 seq_cutoff;			/* sectors; 0: off; peeked */
	u32 block_sectors;
	u32 csum_bytes;			/* of a request, where more than one checksum */
	u32 hit_bytes;			/* of the reads that may be hits of the short kind; 0: none */
	bool checksums;
	struct block_device *bdev[2];	/* by enum hs_io_dev */
	struct workqueue_struct *wq;
	struct hs_lane lane[HS_LANES];
	atomic_t kicks;			/* HS_KICK_* to be passed on */

	void *mem;			/* the core's */
	u64 mem_bytes;

	/* bounces: call.c */
	mempool_t bounces;
	u32 bounce_pages;		/* of a block */
	spinlock_t spare_lock;		/* of the spares and the starved */
	struct hs_bounce *spare;
	u32 nr_spare, max_spare;
	struct hs_list starved;		/* hs_req.link: wait for a bounce */

	struct bio_set bios;		/* machines' */
	spinlock_t flight_lock;		/* of who has which flight */
	struct hs_flight flight[HS_FLIGHTS];

	atomic_t busy;			/* machines under way */
	atomic_t orphans;		/* calls that outlive their bios */
	int max_orphans;		/* with more, bios wait for their ends */
	wait_queue_head_t calm;
	struct delayed_work tick;
	bool ticking;
	u32 ticks;
	bool failure_told;		/* what waits for events knows ... */
	u64 lost_told, errors_told;	/* ... of so many lost blocks and write-back errors */
	bool erring;

	spinlock_t streams_lock;	/* of streams */
	struct hs_streams streams;

	/* the rest: constructor, resume, suspend, messages */
	struct dm_target *ti;
	struct dm_dev *dev[2];
	struct list_head list;		/* of all, by target.c's mutex */
	enum hs_dm_state state;
	struct hs_options opts;
	struct hs_sb sb;		/* as read or chosen by the constructor */
	struct completion ended;	/* a stop request of the core's */
	s32 ended_error;
	int stop_error;			/* of the last hs_dm_stop */
	struct mutex control;		/* one drain or change of mode at a time */
	struct hs_counters base;	/* at the last reset of the statistics */
	u64 open_ns;			/* what reading the map took */
};

static inline bool hs_dm_owns(const struct hs_dm *dm, const struct hs_req *req)
{
	return (uintptr_t)req - (uintptr_t)dm->mem < dm->mem_bytes;
}

static inline spinlock_t *hs_dm_lock(struct hs_dm *dm, s32 domain)
{
	return &dm->domains[domain].lock;
}

static inline void hs_lane_hurry(struct hs_lane *lane)
{
	smp_mb();	/* the waiting first, then this: see hs_lane_push_lazy */
	if (READ_ONCE(lane->lazy))
		hs_lane_kick(lane);
}

/*
 * hs_dm_step for a request that has a domain. What a step asks for is passed on with the lock still held: once it is
 * dropped a parked request can end at any moment, and with the last one the device can go away.
 */
static hs_always_inline enum hs_step_result hs_dm_step_locked(struct hs_dm *dm, struct hs_domain *d, struct hs_req *req)
{
	enum hs_step_result ret = hs_step(dm->core, req, &d->out);

	if (unlikely(d->out.kick || !hs_list_empty(&d->out.run)))
		hs_dm_dispatch(dm, &d->out);
	return ret;
}

static hs_always_inline enum hs_step_result hs_dm_step_inline(struct hs_dm *dm, struct hs_req *req)
{
	struct hs_domain *d = &dm->domains[req->domain];
	enum hs_step_result ret;
	unsigned long flags;

	spin_lock_irqsave(&d->lock, flags);
	ret = hs_dm_step_locked(dm, d, req);
	spin_unlock_irqrestore(&d->lock, flags);
	return ret;
}

/* ... and where interrupts are on. */
static hs_always_inline enum hs_step_result hs_dm_step_open(struct hs_dm *dm, struct hs_req *req)
{
	struct hs_domain *d = &dm->domains[req->domain];
	enum hs_step_result ret;

	spin_lock_irq(&d->lock);
	ret = hs_dm_step_locked(dm, d, req);
	spin_unlock_irq(&d->lock);
	return ret;
}

/* load.c: what stands on the devices. They may sleep; errors are logged. */
int hs_load_sb(struct hs_dm *dm, struct hs_sb *sb, char **why);
int hs_load_dirty(struct hs_dm *dm, const struct hs_sb *sb, u64 *dirty);
int hs_load_format(struct hs_dm *dm);
int hs_load_map(struct hs_dm *dm);
int hs_load_alone(struct hs_dm *dm, struct hs_req *req);
int hs_load_open(struct hs_dm *dm);
int hs_load_fingerprint(struct hs_dm *dm, u64 *fingerprint);
int hs_bdev_read(struct block_device *bdev, u64 sector, void *mem, u32 bytes);

/* grow.c: the cache becomes that of a longer origin; the map must be loaded anew afterwards. */
int hs_load_grow(struct hs_dm *dm);

/* control.c: life of the core, settings. */
void hs_dm_start(struct hs_dm *dm);
int hs_dm_stop(struct hs_dm *dm);
void hs_dm_resume(struct hs_dm *dm);
int hs_dm_mark_clean(struct hs_dm *dm);
void hs_dm_tune(struct hs_dm *dm);
int hs_dm_set_mode(struct hs_dm *dm, enum hs_mode mode);
int hs_dm_clean(struct hs_dm *dm);
void hs_dm_drop(struct hs_dm *dm);
bool hs_dm_drop_slot(struct hs_dm *dm, u32 slot);
void hs_dm_count(struct hs_dm *dm, struct hs_counters *sum);

void hs_status(struct dm_target *ti, status_type_t type, unsigned int flags, char *result, unsigned int maxlen);
int hs_message(struct dm_target *ti, unsigned int argc, char **argv, char *result, unsigned int maxlen);

extern struct target_type hs_target;

#endif
