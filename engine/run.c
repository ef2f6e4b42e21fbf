// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <stdlib.h>
#include <time.h>

#include "engine/run.h"

u64 hs_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
}

/* ---- life ------------------------------------------------------------------------------------ */

static int hs_domains_init(struct hs_run *run)
{
	size_t bytes = (run->journal + 1) * sizeof(*run->domains);

	run->domains = aligned_alloc(sizeof(*run->domains), bytes);
	if (!run->domains)
		return -ENOMEM;
	memset(run->domains, 0, bytes);
	return 0;
}

static void hs_domains_free(struct hs_run *run)
{
	free(run->domains);
	run->domains = NULL;
}

int hs_run_start(struct hs_run *run, unsigned int threads)
{
	u32 orphans = HS_ORPHAN_BYTES / run->x.block_bytes;
	int ret;

	run->journal = hs_core_shards(run->x.core);
	ret = hs_domains_init(run);
	if (ret)
		return ret;
	ret = hs_workers_start(&run->workers, run, threads, orphans < 1024 ? orphans : 1024);
	if (ret)
		hs_domains_free(run);
	return ret;
}

void hs_run_stop(struct hs_run *run, bool crash)
{
	if (crash)
		__atomic_store_n(&run->x.abandoned, true, __ATOMIC_RELAXED);
	hs_workers_stop_ticker(&run->workers);
	hs_workers_join(&run->workers);
	hs_workers_free(&run->workers);
	hs_domains_free(run);
}

void hs_run_tick(struct hs_run *run)
{
	struct hs_out out;

	hs_out_init(&out);
	hs_domain_lock(run, (s32)run->journal);
	hs_tick(run->x.core, hs_now(), &out);
	hs_domain_unlock(run, (s32)run->journal);
	hs_run_dispatch(run, &out, NULL);
}

/* ---- passing on ------------------------------------------------------------------------------ */

static void hs_run_kick(struct hs_run *run, struct hs_out *out)
{
	u32 kick = out->kick;

	out->kick = 0;
	hs_domain_lock(run, (s32)run->journal);
	hs_kick(run->x.core, kick, out);
	hs_domain_unlock(run, (s32)run->journal);
}

static void hs_run_wake_call(struct hs_run *run, struct hs_call *call)
{
	if (call->mail)
		hs_mail_send(call->mail, call);
	else
		hs_workers_queue_orphan(&run->workers, call);
}

/*
 * A caller that waits for a commit runs it itself, which saves two changes of thread. One machine
 * at a time: if it waits for an origin FLUSH as well, that goes on beside.
 */
static bool hs_hands_help(struct hs_hands *h, u32 kick)
{
	if (!h || !h->commits || h->helps || kick & ~(HS_KICK_COMMIT | HS_KICK_OFLUSH))
		return false;
	h->helps = true;
	return true;
}

static void hs_run_wake(struct hs_run *run, struct hs_req *req, struct hs_hands *h, u32 kick)
{
	if (!hs_exec_owns(&run->x, req))
		hs_run_wake_call(run, hs_call_of(req));
	else if (hs_hands_help(h, kick))
		hs_list_add_tail(&h->step, &req->link);
	else
		hs_workers_queue(&run->workers, req, HS_QUEUE_STEP);
}

void hs_run_dispatch(struct hs_run *run, struct hs_out *out, struct hs_hands *h)
{
	do {
		u32 kick = out->kick;

		if (kick)
			hs_run_kick(run, out);
		while (!hs_list_empty(&out->run)) {
			struct hs_req *req = hs_list_entry(out->run.next, struct hs_req, link);

			hs_list_del(&req->link);
			hs_run_wake(run, req, h, kick);
		}
	} while (out->kick);
}

/* ---- in hand --------------------------------------------------------------------------------- */

void hs_hands_init(struct hs_hands *h, struct hs_run *run)
{
	h->run = run;
	hs_list_init(&h->step);
	hs_list_init(&h->io);
	h->worker = false;
	h->cache_only = false;
	h->open = 0;
	h->error = 0;
	h->commits = false;
	h->helps = false;
	hs_list_init(&h->again);
	hs_mail_init(&h->mail);
}

static void hs_hands_take(struct hs_hands *h, struct hs_call *call)
{
	call->mail = &h->mail;
	call->answered = false;
	call->lent_filled = false;
	hs_req_init(h->run->x.core, &call->req, call->csum);
	h->open++;
}

void hs_hands_submit(struct hs_hands *h, struct hs_call *call)
{
	hs_hands_take(h, call);
	hs_list_add_tail(&h->step, &call->req.link);
}

/* The caller gets its answer. */
static void hs_hands_answer(struct hs_hands *h, struct hs_call *call)
{
	struct hs_req *req = &call->req;

	if (req->op == HS_OP_READ && !req->error && req->flags & HS_REQ_COPYOUT)
		hs_call_copy_out(&h->run->x, call);
	if (req->error && !h->error)
		h->error = req->error;
	call->answered = true;
}

static void hs_hands_ended(struct hs_hands *h, struct hs_req *req)
{
	struct hs_call *call;

	if (hs_exec_owns(&h->run->x, req)) {
		hs_workers_stop_ended(&h->run->workers, req->error);
		return;
	}
	call = hs_call_of(req);
	if (!call->mail) {
		hs_workers_orphan_ended(&h->run->workers, call);
		return;
	}
	h->open--;
	if (req->op == HS_OP_ZERO && req->error == -EAGAIN) {
		hs_list_add_tail(&h->again, &req->link);
		return;
	}
	if (!call->answered)
		hs_hands_answer(h, call);
	hs_call_put(&h->run->x, call);
}

/*
 * The request goes on without its caller. Its data have been copied out, or are lent from now on:
 * the caller's memory is not touched again. Returns false if this thread must go on with it.
 */
static bool hs_hands_let_go(struct hs_hands *h, struct hs_call *call, bool io)
{
	struct hs_req *req = &call->req;

	req->flags &= ~HS_REQ_ANSWER;
	hs_hands_answer(h, call);
	if (req->op == HS_OP_WRITE && !hs_call_lend(&h->run->x, call))
		return false;
	if (!hs_workers_adopt(&h->run->workers, call, io))
		return false;
	h->open--;
	return true;
}

static enum hs_queue hs_req_queue(const struct hs_req *req)
{
	u32 i;

	for (i = 0; i < req->nr_io; i++)
		if (req->io[i].dev == HS_ORIGIN)
			return HS_QUEUE_ORIGIN;
	return HS_QUEUE_IO;
}

/* Not now, or not here: the request has been queued for a worker. */
static bool hs_hands_leave_origin(struct hs_hands *h, struct hs_req *req)
{
	if (!h->worker || hs_req_queue(req) != HS_QUEUE_ORIGIN)
		return false;
	if (!h->cache_only)
		return hs_workers_give_way(&h->run->workers, req);
	hs_workers_queue(&h->run->workers, req, HS_QUEUE_ORIGIN);
	return true;
}

/* A step ended with the request in hand: where to now? */
static void hs_hands_place(struct hs_hands *h, struct hs_req *req, bool io)
{
	if (unlikely(req->flags & HS_REQ_ANSWER) && !hs_exec_owns(&h->run->x, req) &&
	    hs_hands_let_go(h, hs_call_of(req), io))
		return;
	if (io && hs_hands_leave_origin(h, req))
		return;
	hs_list_add_tail(io ? &h->io : &h->step, &req->link);
}

static inline enum hs_step_result hs_run_step(struct hs_run *run, struct hs_req *req,
					      struct hs_out *out)
{
	s32 domain = req->domain;
	enum hs_step_result ret;

	hs_out_init(out);
	if (domain != HS_DOMAIN_NONE)
		hs_domain_lock(run, domain);
	ret = hs_step(run->x.core, req, out);
	if (domain != HS_DOMAIN_NONE)
		hs_domain_unlock(run, domain);
	return ret;
}

static inline bool hs_out_empty(const struct hs_out *out)
{
	return !out->kick && hs_list_empty(&out->run);
}

static void hs_hands_stepped(struct hs_hands *h, struct hs_req *req, enum hs_step_result ret,
			     struct hs_out *out)
{
	/* Parked: it may be in another thread's hands by now, or gone. */
	if (ret == HS_DONE)
		hs_hands_ended(h, req);
	else if (ret != HS_WAIT)
		hs_hands_place(h, req, ret == HS_IO);
	else if (unlikely(h->helps) && hs_exec_owns(&h->run->x, req))
		h->helps = false;
	if (unlikely(!hs_out_empty(out)))
		hs_run_dispatch(h->run, out, h);
}

static void hs_hands_step(struct hs_hands *h)
{
	struct hs_req *req = hs_list_entry(h->step.next, struct hs_req, link);
	enum hs_step_result ret;
	struct hs_out out;

	hs_list_del(&req->link);
	ret = hs_run_step(h->run, req, &out);
	hs_hands_stepped(h, req, ret, &out);
}

static void hs_hands_perform(struct hs_hands *h)
{
	hs_perform(&h->run->x, &h->io);
	hs_list_splice_tail(&h->step, &h->io);
}

static void hs_hands_receive(struct hs_hands *h, struct hs_call *call)
{
	while (call) {
		struct hs_call *next = call->next;

		hs_hands_place(h, &call->req, false);
		call = next;
	}
}

/* Machines that a caller took up and cannot finish. */
static void hs_hands_pass_on(struct hs_hands *h, struct hs_list *list, bool io)
{
	while (!hs_list_empty(list)) {
		struct hs_req *req = hs_list_entry(list->next, struct hs_req, link);

		hs_list_del(&req->link);
		hs_workers_queue(&h->run->workers, req, io ? hs_req_queue(req) : HS_QUEUE_STEP);
	}
}

int hs_hands_finish(struct hs_hands *h)
{
	while (h->open) {
		if (hs_mail_any(&h->mail))
			hs_hands_receive(h, hs_mail_take(&h->mail));
		if (!hs_list_empty(&h->step))
			hs_hands_step(h);
		else if (!hs_list_empty(&h->io))
			hs_hands_perform(h);
		else
			hs_hands_receive(h, hs_mail_wait(&h->mail));
	}
	hs_hands_pass_on(h, &h->step, false);
	hs_hands_pass_on(h, &h->io, true);
	return h->error;
}

/*
 * An ordinary hit is a step, an I/O and a step, all in this thread: it comes on no list. Whatever else happens, the
 * request goes on from there as any other.
 */
int hs_hands_read(struct hs_hands *h, struct hs_call *call)
{
	struct hs_req *req = &call->req;
	enum hs_step_result ret;
	struct hs_out out;

	hs_hands_take(h, call);
	ret = hs_run_step(h->run, req, &out);
	if (likely(ret == HS_IO && req->nr_io == 1 && !(req->flags & HS_REQ_ANSWER) && hs_out_empty(&out))) {
		hs_perform_one(&h->run->x, req);
		ret = hs_run_step(h->run, req, &out);
	}
	if (likely(ret == HS_DONE && !req->error && !(req->flags & HS_REQ_COPYOUT) && hs_out_empty(&out))) {
		hs_call_put(&h->run->x, call);
		return 0;
	}
	hs_hands_stepped(h, req, ret, &out);
	return hs_hands_finish(h);
}

void hs_hands_work(struct hs_hands *h)
{
	for (;;) {
		if (!hs_list_empty(&h->step))
			hs_hands_step(h);
		else if (!hs_list_empty(&h->io))
			hs_hands_perform(h);
		else
			return;
		if (__atomic_load_n(&h->run->x.abandoned, __ATOMIC_RELAXED))
			return;
	}
}
