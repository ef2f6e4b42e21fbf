/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Background threads: workers run the core's machines and the calls that were answered early
 * ("orphans"); one more thread ticks.
 *
 * One worker beyond the number asked for keeps off the origin. However slow that is, or hung, there
 * is always someone to run a commit. The others take turns with the origin, transfer by transfer: a
 * machine may go on for very long (a write-back until nothing is dirty), and an origin FLUSH, which a
 * client waits for, must not wait for that.
 */
#ifndef HS_ENGINE_WORKER_H
#define HS_ENGINE_WORKER_H

#include <pthread.h>

#include "core/list.h"

struct hs_call;
struct hs_req;
struct hs_run;

#define HS_ORPHAN_BYTES		(64u << 20)	/* block buffers of orphans */

enum hs_queue {
	HS_QUEUE_STEP,		/* to be stepped */
	HS_QUEUE_IO,		/* its I/Os come first */
	HS_QUEUE_ORIGIN,	/* ... and some are the origin's */
};

struct hs_workers {
	struct hs_run *run;
	pthread_mutex_t lock;		/* of all below */
	pthread_cond_t work;		/* something is queued, or stop */
	pthread_cond_t calm;		/* perhaps nothing is under way any more */
	pthread_cond_t tick;		/* the ticker is to stop */
	struct hs_list machines_step, machines_io, origin_io;	/* hs_req.link */
	struct hs_list orphans_step, orphans_io;	/* hs_req.link */
	struct hs_list orphans;		/* hs_call.orphan: all of them, queued or not */
	u32 nr_orphans, max_orphans;
	u32 busy;			/* workers with requests in their hands */
	bool orphans_turn;
	bool stop, ticking;
	bool stopped;			/* a stop request of the core's ended ... */
	s32 stop_error;			/* ... so */
	pthread_t *threads, ticker;
	u32 nr_threads;
	void (*on_tick)(void *arg);	/* after each tick */
	void *on_tick_arg;
};

int hs_workers_start(struct hs_workers *w, struct hs_run *run, u32 threads, u32 max_orphans);
void hs_workers_stop_ticker(struct hs_workers *w);
void hs_workers_join(struct hs_workers *w);	/* what is queued stays queued */
void hs_workers_free(struct hs_workers *w);	/* with the orphans that are left */
void hs_workers_await_orphans(struct hs_workers *w);	/* until there is none */
/* Nothing queued, nothing in a worker's hands, no orphan left. */
void hs_workers_calm(struct hs_workers *w);
s32 hs_workers_await_stop(struct hs_workers *w);	/* the next one */

void hs_workers_queue(struct hs_workers *w, struct hs_req *req, enum hs_queue where);
/*
 * A worker is about to transfer to or from the origin: does another request wait for one to do so? Then this one is
 * queued behind it, and true is returned.
 */
bool hs_workers_give_way(struct hs_workers *w, struct hs_req *req);
/* Queues an orphan that was woken. */
void hs_workers_queue_orphan(struct hs_workers *w, struct hs_call *call);
/*
 * Takes an answered call from its owner; false: there are too many already, go on with it yourself.
 */
bool hs_workers_adopt(struct hs_workers *w, struct hs_call *call, bool io);
void hs_workers_orphan_ended(struct hs_workers *w, struct hs_call *call); /* frees it */
void hs_workers_stop_ended(struct hs_workers *w, s32 error);

#endif
