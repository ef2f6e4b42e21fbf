// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Workers take requests from lanes: the core's machines, and calls whose next deed may sleep or takes long. One
 * timer ticks.
 *
 * A request is always in exactly one place: in the hands of a context, in flight, on a lane, or parked in the core.
 */
#include <linux/cpumask.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>

#include "kernel/dm.h"

#define HS_TICK_JIFFIES	(HZ / 10 ?: 1)
#define HS_LOOK_TICKS	10u
#define HS_LAZY_MOST	16u
/* At the end of a machine's I/Os, maybe in an interrupt: so many steps, each bounded as all under a lock are ... */
#define HS_QUICK_STEPS	6u
/* ... and answers to FLUSHes after each; the others get theirs from a worker. */
#define HS_QUICK_FLUSHES	16u

/* ---- lanes ------------------------------------------------------------------------------------------------ */

void hs_lane_kick(struct hs_lane *lane)
{
	u32 turn = (u32)atomic_inc_return(&lane->turn) % lane->nr;

	queue_work(lane->dm->wq, &lane->worker[turn].work);
}

void hs_lane_push(struct hs_lane *lane, struct hs_req *req)
{
	unsigned long flags;

	spin_lock_irqsave(&lane->lock, flags);
	hs_list_add_tail(&lane->queue, &req->link);
	/* With the lock: a worker that is there already may end the request, and the device go, once it is dropped. */
	hs_lane_kick(lane);
	spin_unlock_irqrestore(&lane->lock, flags);
}

/*
 * Between a request that waits for this one and us no moment is lost: it enters the list of those that wait and then
 * looks at lazy; we count there and then look at the list.
 */
void hs_lane_push_lazy(struct hs_lane *lane, struct hs_req *req)
{
	unsigned long flags;
	bool now;
	u32 nr;

	spin_lock_irqsave(&lane->lock, flags);
	nr = lane->lazy + 1;
	WRITE_ONCE(lane->lazy, nr);
	smp_mb();	/* counted first, then the list is looked at: see hs_lane_hurry */
	now = nr >= lane->most_lazy || !hs_req_alone(req);
	hs_list_add_tail(&lane->queue, &req->link);
	if (now)
		hs_lane_kick(lane);
	else if (nr == 1)
		queue_delayed_work(lane->dm->wq, &lane->later, 1);
	spin_unlock_irqrestore(&lane->lock, flags);
}

static struct hs_req *hs_lane_pop(struct hs_lane *lane)
{
	struct hs_req *req = NULL;

	spin_lock_irq(&lane->lock);
	if (!hs_list_empty(&lane->queue)) {
		req = hs_list_entry(lane->queue.next, struct hs_req, link);
		hs_list_del(&req->link);
	}
	/* Who looks there and sees none comes on here till the end. */
	WRITE_ONCE(lane->lazy, 0);
	spin_unlock_irq(&lane->lock);
	return req;
}

/* ---- passing on ------------------------------------------------------------------------------------------- */

/* With the lock, so that who saw zero and then takes it knows that we have left. */
static void hs_dm_less(struct hs_dm *dm, atomic_t *count)
{
	unsigned long flags;

	spin_lock_irqsave(&dm->calm.lock, flags);
	if (atomic_dec_and_test(count))
		wake_up_locked(&dm->calm);
	spin_unlock_irqrestore(&dm->calm.lock, flags);
}

static void hs_dm_wait_none(struct hs_dm *dm, atomic_t *count)
{
	wait_event(dm->calm, !atomic_read(count));
	spin_lock_irq(&dm->calm.lock);
	spin_unlock_irq(&dm->calm.lock);
}

void hs_dm_orphan_begin(struct hs_dm *dm)
{
	atomic_inc(&dm->orphans);
}

void hs_dm_orphan_end(struct hs_dm *dm)
{
	hs_dm_less(dm, &dm->orphans);
}

/* out is empty then. */
void hs_dm_dispatch(struct hs_dm *dm, struct hs_out *out)
{
	while (!hs_list_empty(&out->run)) {
		struct hs_req *req = hs_list_entry(out->run.next, struct hs_req, link);

		hs_list_del(&req->link);
		if (hs_dm_owns(dm, req))
			atomic_inc(&dm->busy);
		else
			hs_call_of(req)->todo = HS_TODO_STEP;
		hs_lane_push(&dm->lane[HS_LANE_MAIN], req);
	}
	if (out->kick) {
		/* Under the journal's lock; this may be another's. */
		atomic_or(out->kick, &dm->kicks);
		out->kick = 0;
		hs_lane_kick(&dm->lane[HS_LANE_MAIN]);
	}
}

enum hs_step_result hs_dm_step(struct hs_dm *dm, struct hs_req *req)
{
	enum hs_step_result ret;
	struct hs_out out;

	if (req->domain != HS_DOMAIN_NONE)
		return hs_dm_step_inline(dm, req);
	hs_out_init(&out);
	ret = hs_step(dm->core, req, &out);
	hs_dm_dispatch(dm, &out);
	return ret;
}

static void hs_dm_pass_kicks(struct hs_dm *dm)
{
	u32 kick = (u32)atomic_xchg(&dm->kicks, 0);
	unsigned long flags;
	struct hs_out out;

	if (!kick)
		return;
	hs_out_init(&out);
	spin_lock_irqsave(hs_dm_lock(dm, (s32)dm->shards), flags);
	hs_kick(dm->core, kick, &out);
	hs_dm_dispatch(dm, &out);
	spin_unlock_irqrestore(hs_dm_lock(dm, (s32)dm->shards), flags);
}

/* ---- machines --------------------------------------------------------------------------------------------- */

static bool hs_req_at_origin(const struct hs_req *req)
{
	u32 i;

	for (i = 0; i < req->nr_io; i++)
		if (req->io[i].dev == HS_ORIGIN)
			return true;
	return false;
}

static void hs_machine_ended(struct hs_dm *dm, struct hs_req *req)
{
	/* Only those end that someone waits for: the two halves of a stop. */
	dm->ended_error = req->error;
	complete(&dm->ended);
}

/* FLUSHes that were waiting: they go on in the same context, as soon as no lock is held, not by another worker. */
static void hs_out_flushes(struct hs_dm *dm, struct hs_out *out, struct hs_list *flushes)
{
	struct hs_list *l = out->run.next;
	u32 left = HS_QUICK_FLUSHES;

	while (l != &out->run && left) {
		struct hs_req *req = hs_list_entry(l, struct hs_req, link);

		l = l->next;
		if (hs_dm_owns(dm, req) || req->op != HS_OP_FLUSH)
			continue;
		hs_list_del(&req->link);
		hs_list_add_tail(flushes, &req->link);
		left--;
	}
}

/* The machine counts as busy until its caller says otherwise: that keeps the device. */
static enum hs_step_result hs_machine_step(struct hs_dm *dm, struct hs_req *req)
{
	enum hs_step_result ret;
	struct hs_list flushes;
	struct hs_domain *d;
	unsigned long flags;

	if (req->domain == HS_DOMAIN_NONE)
		return hs_dm_step(dm, req);
	hs_list_init(&flushes);
	d = &dm->domains[req->domain];
	spin_lock_irqsave(&d->lock, flags);
	ret = hs_step(dm->core, req, &d->out);
	if (unlikely(d->out.kick || !hs_list_empty(&d->out.run))) {
		hs_out_flushes(dm, &d->out, &flushes);
		hs_dm_dispatch(dm, &d->out);
	}
	spin_unlock_irqrestore(&d->lock, flags);
	while (!hs_list_empty(&flushes)) {
		struct hs_req *flush = hs_list_entry(flushes.next, struct hs_req, link);

		hs_list_del(&flush->link);
		hs_call_wake(hs_call_of(flush));
	}
	return ret;
}

/* It waits, or has ended. */
static void hs_machine_rests(struct hs_dm *dm, struct hs_req *req, enum hs_step_result said)
{
	if (said == HS_DONE)
		hs_machine_ended(dm, req);
	hs_dm_less(dm, &dm->busy);
}

/* A worker's. */
static void hs_machine_io(struct hs_dm *dm, struct hs_req *req)
{
	if (hs_req_at_origin(req))
		hs_lane_push(&dm->lane[HS_LANE_ORIGIN], req);
	else
		hs_machine_perform(dm, req);
}

static void hs_machine_work(struct hs_dm *dm, struct hs_req *req)
{
	enum hs_step_result said;

	if (!hs_machine_finish(dm, req)) {
		hs_machine_io(dm, req);
		return;
	}
	while ((said = hs_machine_step(dm, req)) == HS_AGAIN)
		cond_resched();
	if (said == HS_IO)
		hs_machine_io(dm, req);
	else
		hs_machine_rests(dm, req, said);
}

/*
 * Is what comes next short, and may someone wait for it? It is so of the machines that go on under the journal's lock:
 * what ends a commit, a FLUSH of the origin, a superblock. Write-back, and the checksums of what it has read, can wait.
 */
static bool hs_machine_is_quick(const struct hs_dm *dm, const struct hs_req *req)
{
	return req->domain == (s32)dm->shards;
}

/*
 * What is short is done at once, so that who waits for a FLUSH does not wait for a worker too; what is long, or may
 * sleep, is left to one.
 */
void hs_machine_ended_io(struct hs_dm *dm, struct hs_req *req)
{
	enum hs_step_result said = HS_AGAIN;
	u32 i;

	if (!hs_machine_is_quick(dm, req)) {
		hs_lane_push(&dm->lane[HS_LANE_MAIN], req);
		return;
	}
	hs_machine_finish(dm, req);
	for (i = 0; i < HS_QUICK_STEPS && said == HS_AGAIN && req->domain != HS_DOMAIN_NONE; i++)
		said = hs_machine_step(dm, req);
	if (said == HS_IO && hs_req_at_origin(req)) {
		hs_lane_push(&dm->lane[HS_LANE_ORIGIN], req);
	} else if (said == HS_IO) {
		hs_machine_defer(dm, req);
		hs_lane_push(&dm->lane[HS_LANE_MAIN], req);
	} else if (said == HS_AGAIN) {
		hs_lane_push(&dm->lane[HS_LANE_MAIN], req);
	} else {
		hs_machine_rests(dm, req, said);
	}
}

static void hs_lane_run(struct hs_lane *lane)
{
	struct hs_dm *dm = lane->dm;
	bool origin = lane == &dm->lane[HS_LANE_ORIGIN];
	struct hs_req *req;

	if (!origin)
		hs_dm_pass_kicks(dm);
	while ((req = hs_lane_pop(lane))) {
		if (!hs_dm_owns(dm, req))
			hs_call_work(hs_call_of(req), lane);
		else if (origin)
			hs_machine_perform(dm, req);
		else
			hs_machine_work(dm, req);
		if (!origin)
			hs_dm_pass_kicks(dm);
		cond_resched();
	}
}

static void hs_lane_work(struct work_struct *work)
{
	hs_lane_run(container_of(work, struct hs_worker, work)->lane);
}

static void hs_lane_later(struct work_struct *work)
{
	hs_lane_run(container_of(to_delayed_work(work), struct hs_lane, later));
}

/* ---- the clock -------------------------------------------------------------------------------------------- */

/* Who waits for events is told of what is worse than it was: the cache out of service, blocks lost, errors begin. */
static bool hs_dm_worse(struct hs_dm *dm)
{
	struct hs_counters n;
	bool erred, worse;

	hs_dm_count(dm, &n);
	erred = n.write_back_errors > dm->errors_told;
	worse = n.lost > dm->lost_told || (erred && !dm->erring);
	if (n.lost > dm->lost_told)
		DMERR("%s: %llu dirty blocks cannot be read from %pg", dm_table_device_name(dm->ti->table), n.lost,
		      dm->bdev[HS_CACHE]);
	if (erred && !dm->erring)
		DMERR("%s: write-back to %pg fails: the blocks stay dirty and are tried again",
		      dm_table_device_name(dm->ti->table), dm->bdev[HS_ORIGIN]);
	dm->erring = n.dirty && (erred || dm->erring);
	dm->errors_told = n.write_back_errors;
	dm->lost_told = n.lost;
	return worse;
}

static void hs_dm_look(struct hs_dm *dm)
{
	bool failed = hs_core_failed(dm->core) && !dm->failure_told;

	if (failed) {
		dm->failure_told = true;
		DMERR("%s: the cache device %pg failed and is out of service: the origin serves; what was dirty fails",
		      dm_table_device_name(dm->ti->table), dm->bdev[HS_CACHE]);
	}
	if (!(dm->ticks++ % HS_LOOK_TICKS))
		failed |= hs_dm_worse(dm);
	if (failed)
		dm_table_event(dm->ti->table);
}

static void hs_tick_work(struct work_struct *work)
{
	struct hs_dm *dm = container_of(to_delayed_work(work), struct hs_dm, tick);
	unsigned long flags;
	struct hs_out out;

	hs_out_init(&out);
	spin_lock_irqsave(hs_dm_lock(dm, (s32)dm->shards), flags);
	hs_tick(dm->core, ktime_get_ns(), &out);
	hs_dm_dispatch(dm, &out);
	spin_unlock_irqrestore(hs_dm_lock(dm, (s32)dm->shards), flags);
	hs_dm_look(dm);
	if (READ_ONCE(dm->ticking))
		queue_delayed_work(dm->wq, &dm->tick, HS_TICK_JIFFIES);
}

void hs_ticker_start(struct hs_dm *dm)
{
	WRITE_ONCE(dm->ticking, true);
	queue_delayed_work(dm->wq, &dm->tick, HS_TICK_JIFFIES);
}

void hs_ticker_stop(struct hs_dm *dm)
{
	WRITE_ONCE(dm->ticking, false);
	cancel_delayed_work_sync(&dm->tick);
}

/* ---- life ------------------------------------------------------------------------------------------------- */

void hs_dm_await_orphans(struct hs_dm *dm)
{
	hs_lane_hurry(&dm->lane[HS_LANE_MAIN]);
	hs_dm_wait_none(dm, &dm->orphans);
}

void hs_dm_calm(struct hs_dm *dm)
{
	u32 l, i;

	hs_dm_wait_none(dm, &dm->busy);
	/* A worker may still be on its way out; a kick that it passes on starts nothing once the core stops. */
	for (l = 0; l < HS_LANES; l++) {
		for (i = 0; i < dm->lane[l].nr; i++)
			flush_work(&dm->lane[l].worker[i].work);
		cancel_delayed_work_sync(&dm->lane[l].later);
	}
	hs_dm_wait_none(dm, &dm->busy);
}

static void hs_lane_init(struct hs_lane *lane, struct hs_dm *dm)
{
	u32 i;

	lane->dm = dm;
	spin_lock_init(&lane->lock);
	hs_list_init(&lane->queue);
	INIT_DELAYED_WORK(&lane->later, hs_lane_later);
	lane->most_lazy = HS_LAZY_MOST;
	atomic_set(&lane->turn, 0);
	lane->nr = clamp_t(u32, num_online_cpus(), 2, HS_LANE_WORKERS);
	for (i = 0; i < lane->nr; i++) {
		lane->worker[i].lane = lane;
		INIT_WORK(&lane->worker[i].work, hs_lane_work);
	}
}

int hs_workers_init(struct hs_dm *dm)
{
	u32 l;

	init_waitqueue_head(&dm->calm);
	INIT_DELAYED_WORK(&dm->tick, hs_tick_work);
	for (l = 0; l < HS_LANES; l++)
		hs_lane_init(&dm->lane[l], dm);
	dm->wq = alloc_workqueue("hotset", WQ_MEM_RECLAIM | WQ_UNBOUND | WQ_HIGHPRI, 0);
	return dm->wq ? 0 : -ENOMEM;
}

void hs_workers_exit(struct hs_dm *dm)
{
	if (dm->wq)
		destroy_workqueue(dm->wq);
}
