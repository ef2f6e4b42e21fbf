/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A call: one foreground request of the core with all that it needs from the shell. It outlives the
 * caller when it is answered early, so it never lies on a stack.
 *
 * Each thread keeps one for its next request, whatever the device; further ones come from the
 * device's spares. A hit so takes its call without a lock and without allocating.
 */
#ifndef HS_ENGINE_CALL_H
#define HS_ENGINE_CALL_H

#include "core/core.h"

struct hs_exec;
struct hs_mail;

/*
 * Data that a write finds only once its block is its own: no other write can come between the finding and the
 * writing. fetch may be called more than once, by any thread. 0 or a negative errno.
 */
struct hs_source {
	int (*fetch)(struct hs_source *source, u8 *to);
};

struct hs_call {
	struct hs_req req;
	struct hs_mail *mail;	/* where its owner waits; NULL: it has none, workers run it */
	struct hs_call *next;	/* in a mailbox or among the spares */
	u8 *data;		/* the caller's; not to be touched once answered */
	struct hs_source *source;	/* or where a write's come from */
	u8 *lent;		/* private copy of the caller's data, or NULL */
	u8 *block;		/* private buffer of one block, or NULL */
	u32 buf_bytes;		/* size of lent and block */
	u32 csum_bytes;
	u32 *csum;
	bool lent_filled;	/* lent holds the data */
	bool answered;
	struct hs_list orphan;	/* on the workers' list while it has no owner */
};

static inline struct hs_call *hs_call_of(struct hs_req *req)
{
	return hs_list_entry(req, struct hs_call, req);
}

struct hs_call *hs_call_get(struct hs_exec *x);		/* NULL: no memory */
void hs_call_put(struct hs_exec *x, struct hs_call *call);
void hs_call_free(struct hs_call *call);

/* The buffers, allocated at first use. NULL: no memory. */
u8 *hs_call_block(struct hs_exec *x, struct hs_call *call);
/* ... and filled from the caller's data. NULL also: the source has none. */
u8 *hs_call_lend(struct hs_exec *x, struct hs_call *call);
/* A read's data from the block buffer to the caller. */
void hs_call_copy_out(struct hs_exec *x, struct hs_call *call);
/* The caller's data over their place in the block buffer. 0 or a negative errno. */
int hs_call_overlay(struct hs_exec *x, struct hs_call *call);

#endif
