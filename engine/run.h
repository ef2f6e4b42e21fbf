/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The executor: brings requests to their ends, as core/core.h says.
 *
 * A request is always in the hands of exactly one thread, or parked in the core, or on its way (in
 * a mailbox, in the workers' queue). A caller's thread holds its own calls; when one is woken it
 * comes to the caller's mailbox. Background machines, and calls that were answered early, are held
 * by workers.
 *
 *	caller --submit--> step --> perform --> step --> ended
 *	                    |  ^                  |
 *	                 parked '--mail-- woken   '--answered early--> workers' queue
 */
#ifndef HS_ENGINE_RUN_H
#define HS_ENGINE_RUN_H

#include "engine/call.h"
#include "engine/exec.h"
#include "engine/mail.h"
#include "engine/mutex.h"
#include "engine/worker.h"

struct hs_domain {
	struct hs_mutex mutex;
} __attribute__((aligned(64)));

/* A core being served: what runs its requests. */
struct hs_run {
	struct hs_exec x;
	struct hs_domain *domains;	/* one for each shard, then the journal's */
	u32 journal;			/* its domain */
	struct hs_workers workers;
};

int hs_run_start(struct hs_run *run, unsigned int threads);	/* x is ready, the map is loaded */
/* No request of a caller's is running. crash: what is under way is dropped where it stands. */
void hs_run_stop(struct hs_run *run, bool crash);

static inline void hs_domain_lock(struct hs_run *run, s32 domain)
{
	hs_mutex_lock(&run->domains[domain].mutex);
}

static inline void hs_domain_unlock(struct hs_run *run, s32 domain)
{
	hs_mutex_unlock(&run->domains[domain].mutex);
}

/* The requests in the hands of one thread. */
struct hs_hands {
	struct hs_run *run;
	struct hs_list step;	/* hs_req.link: to be stepped */
	struct hs_list io;	/* their I/Os are to be performed */
	bool worker;		/* a worker's: the origin is shared in turns */
	bool cache_only;	/* ... or left to other workers */
	/* of a caller's thread */
	u32 open;		/* its calls that have neither ended nor been let go */
	s32 error;		/* the first of theirs */
	bool commits;		/* it will wait for a commit: it may as well run it */
	bool helps;		/* it holds a machine */
	struct hs_list again;	/* HS_OP_ZERO calls that ended with -EAGAIN; the owner frees them */
	struct hs_mail mail;
};

void hs_hands_init(struct hs_hands *h, struct hs_run *run);
/* A caller's: op, flags, sector, sectors of call->req and call->data are set. */
void hs_hands_submit(struct hs_hands *h, struct hs_call *call);
int hs_hands_finish(struct hs_hands *h);	/* until they ended; returns the first error */
int hs_hands_read(struct hs_hands *h, struct hs_call *call);	/* both, for a caller's only one */
void hs_hands_work(struct hs_hands *h);		/* a worker's: until it holds none */

/* Passes on what a step asked for. h: the hands of this thread, or NULL. */
void hs_run_dispatch(struct hs_run *run, struct hs_out *out, struct hs_hands *h);

/* hs_tick, under the journal's lock. */
void hs_run_tick(struct hs_run *run);
u64 hs_now(void);	/* ns, monotonic */

#endif
