/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What performing I/Os takes: the core that they come from, the two targets, buffers. Opening,
 * checking and formatting use it alone; a served device adds locks and threads (run.h).
 */
#ifndef HS_ENGINE_EXEC_H
#define HS_ENGINE_EXEC_H

#include "core/core.h"
#include "engine/io.h"
#include "engine/mutex.h"
#include "engine/pool.h"

#define HS_SPARE_CALLS		256u
#define HS_MERGE_BYTES		(1u * HS_MIB)	/* neighbouring I/Os are merged up to this */

struct hs_exec {
	struct hs_core *core;		/* NULL while formatting */
	struct hs_target *target[2];	/* by enum hs_io_dev; the origin may be NULL: check */
	void *mem;			/* the core's */
	size_t mem_bytes;
	u32 block_bytes, csum_bytes;
	bool abandoned;			/* perform nothing more (HS_CLOSE_CRASH) */
	struct hs_pool blocks, merges;
	struct hs_mutex spare_lock;	/* of the two below */
	struct hs_call *spare;
	u32 nr_spare;
};

void hs_exec_init(struct hs_exec *x);	/* the targets are set by the user */
/* Gives the core its memory. -ENOMEM. */
int hs_exec_attach(struct hs_exec *x, const struct hs_sb *sb, const struct hs_core_opts *opts);
void hs_exec_detach(struct hs_exec *x);		/* takes it back */
void hs_exec_destroy(struct hs_exec *x);	/* not the targets */

/* The core's own request: a background machine. Others are struct hs_call. */
static inline bool hs_exec_owns(const struct hs_exec *x, const struct hs_req *req)
{
	return (uintptr_t)req - (uintptr_t)x->mem < x->mem_bytes;
}

/* perform.c: performs the I/Os of all requests on the list (hs_req.link), neighbours merged. */
void hs_perform(struct hs_exec *x, struct hs_list *reqs);
void hs_perform_one(struct hs_exec *x, struct hs_req *req);	/* of a request that has but one */

/* Runs a request of opening to its end; nothing else may run. Returns its error. */
int hs_exec_alone(struct hs_exec *x, struct hs_req *req);

#endif
