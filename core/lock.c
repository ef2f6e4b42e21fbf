// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Who works on which blocks: a table of the requests in flight, hashed by group, in order of arrival.
 *
 *	bucket -> [R 7 shared] -> [W 7 exclusive, waits] -> [R 7 shared, waits] -> [R 9 shared]
 *
 * A request goes on as soon as nothing before it in the list overlaps and conflicts: first come first
 * served, readers side by side, nobody starves. The same entries answer whether a slot is still being
 * read, exactly, which decides when a retired slot is free. Write-back is not in the table: foreground
 * writes never wait for it (its slots carry HS_S_WB).
 */
#include "core/internal.h"

static bool hs_lock_overlap(const struct hs_req *a, const struct hs_req *b)
{
	return a->first <= b->last && b->first <= a->last;
}

/* Does anything before req in its bucket keep it waiting? */
static bool hs_lock_blocked(const struct hs_list *bucket, const struct hs_req *req)
{
	const struct hs_list *l;

	hs_list_for_each(l, bucket) {
		const struct hs_req *r = hs_list_entry(l, struct hs_req, bucket);

		if (r == req)
			return false;
		if (hs_lock_overlap(r, req) &&
		    (r->lock_mode == HS_LOCK_EXCLUSIVE || req->lock_mode == HS_LOCK_EXCLUSIVE))
			return true;
	}
	hs_assert(false);
	return true;
}

bool hs_lock_enter(struct hs_shard *sh, const struct hs_core *core, struct hs_req *req, u8 mode)
{
	struct hs_list *bucket = hs_lock_bucket(sh, core, req->first);

	req->lock_mode = mode;
	req->granted = HS_GRANTED;
	if (likely(hs_list_empty(bucket))) {
		hs_list_add_tail(bucket, &req->bucket);
		return true;
	}
	hs_list_add_tail(bucket, &req->bucket);
	req->granted = hs_lock_blocked(bucket, req) ? 0 : HS_GRANTED;
	return req->granted;
}

void hs_lock_leave(struct hs_shard *sh, const struct hs_core *core, struct hs_req *req,
		   struct hs_out *out)
{
	struct hs_list *next = req->bucket.next, *bucket, *l;

	hs_list_del(&req->bucket);
	if (likely(hs_list_empty(next)))
		return;		/* that was the list's head: nobody else is here */
	bucket = hs_lock_bucket(sh, core, req->first);
	hs_list_for_each(l, bucket) {
		struct hs_req *r = hs_list_entry(l, struct hs_req, bucket);

		if (r->granted || !hs_lock_overlap(r, req) || hs_lock_blocked(bucket, r))
			continue;
		r->granted = HS_GRANTED;
		hs_list_add_tail(&out->run, &r->link);
	}
}

bool hs_lock_bucket_uses(const struct hs_list *bucket, u32 set, u16 way)
{
	const struct hs_list *l;
	bool used = false;

	hs_list_for_each(l, bucket) {
		struct hs_req *r = hs_list_entry(l, struct hs_req, bucket);

		if (!r->granted || r->set != set || r->src != way)
			continue;
		r->granted = HS_GRANTED_RECLAIM;
		used = true;
	}
	return used;
}
