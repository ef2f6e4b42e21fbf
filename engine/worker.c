// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Machines and orphans take turns, so that neither a storm of fills nor endless write-back keeps
 * the other waiting. A worker takes one machine, or many orphans at once: their writes to the cache
 * are often neighbours.
 */
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "engine/run.h"
#include "engine/worker.h"

#define HS_ORPHANS_AT_ONCE	32u
#define HS_TICK_NS		100000000

/* ---- the queue: under w->lock ---------------------------------------------------------------- */

static bool hs_workers_queued(const struct hs_workers *w, bool cache_only)
{
	return !hs_list_empty(&w->machines_step) || !hs_list_empty(&w->machines_io) ||
	       !hs_list_empty(&w->orphans_step) || !hs_list_empty(&w->orphans_io) ||
	       (!cache_only && !hs_list_empty(&w->origin_io));
}

static u32 hs_workers_take(struct hs_list *from, struct hs_list *to, u32 max)
{
	u32 nr;

	for (nr = 0; nr < max && !hs_list_empty(from); nr++) {
		struct hs_list *l = from->next;

		hs_list_del(l);
		hs_list_add_tail(to, l);
	}
	return nr;
}

static void hs_workers_take_turn(struct hs_workers *w, struct hs_hands *h)
{
	u32 turn, nr = 0;

	for (turn = 0; turn < 2 && !nr; turn++) {
		w->orphans_turn = !w->orphans_turn;
		if (w->orphans_turn) {
			nr = hs_workers_take(&w->orphans_step, &h->step, HS_ORPHANS_AT_ONCE);
			nr += hs_workers_take(&w->orphans_io, &h->io, HS_ORPHANS_AT_ONCE);
		} else {
			nr = hs_workers_take(&w->machines_io, &h->io, 1);
			nr += hs_workers_take(&w->machines_step, &h->step, 1 - nr);
			if (!h->cache_only)
				nr += hs_workers_take(&w->origin_io, &h->io, 1 - nr);
		}
	}
}

void hs_workers_queue(struct hs_workers *w, struct hs_req *req, enum hs_queue where)
{
	pthread_mutex_lock(&w->lock);
	switch (where) {
	case HS_QUEUE_STEP:
		hs_list_add_tail(&w->machines_step, &req->link);
		pthread_cond_signal(&w->work);
		break;
	case HS_QUEUE_IO:
		hs_list_add_tail(&w->machines_io, &req->link);
		pthread_cond_signal(&w->work);
		break;
	case HS_QUEUE_ORIGIN:
		hs_list_add_tail(&w->origin_io, &req->link);
		/* A signal might wake the one that will not take it. */
		pthread_cond_broadcast(&w->work);
		break;
	}
	pthread_mutex_unlock(&w->lock);
}

bool hs_workers_give_way(struct hs_workers *w, struct hs_req *req)
{
	bool others;

	pthread_mutex_lock(&w->lock);
	others = !hs_list_empty(&w->origin_io);
	/* Nobody is woken: whoever is idle has been, for those before it. */
	if (others)
		hs_list_add_tail(&w->origin_io, &req->link);
	pthread_mutex_unlock(&w->lock);
	return others;
}

void hs_workers_queue_orphan(struct hs_workers *w, struct hs_call *call)
{
	pthread_mutex_lock(&w->lock);
	hs_list_add_tail(&w->orphans_step, &call->req.link);
	pthread_cond_signal(&w->work);
	pthread_mutex_unlock(&w->lock);
}

bool hs_workers_adopt(struct hs_workers *w, struct hs_call *call, bool io)
{
	bool adopt;

	pthread_mutex_lock(&w->lock);
	adopt = w->nr_orphans < w->max_orphans;
	if (adopt) {
		w->nr_orphans++;
		call->mail = NULL;
		hs_list_add_tail(&w->orphans, &call->orphan);
		hs_list_add_tail(io ? &w->orphans_io : &w->orphans_step, &call->req.link);
		pthread_cond_signal(&w->work);
	}
	pthread_mutex_unlock(&w->lock);
	return adopt;
}

void hs_workers_orphan_ended(struct hs_workers *w, struct hs_call *call)
{
	pthread_mutex_lock(&w->lock);
	if (--w->nr_orphans == 0)
		pthread_cond_broadcast(&w->calm);
	hs_list_del(&call->orphan);
	pthread_mutex_unlock(&w->lock);
	hs_call_put(&w->run->x, call);
}

/* ---- waiting for them ------------------------------------------------------------------------ */

void hs_workers_calm(struct hs_workers *w)
{
	pthread_mutex_lock(&w->lock);
	while (hs_workers_queued(w, false) || w->busy || w->nr_orphans)
		pthread_cond_wait(&w->calm, &w->lock);
	pthread_mutex_unlock(&w->lock);
}

void hs_workers_await_orphans(struct hs_workers *w)
{
	pthread_mutex_lock(&w->lock);
	while (w->nr_orphans)
		pthread_cond_wait(&w->calm, &w->lock);
	pthread_mutex_unlock(&w->lock);
}

void hs_workers_stop_ended(struct hs_workers *w, s32 error)
{
	pthread_mutex_lock(&w->lock);
	w->stopped = true;
	w->stop_error = error;
	pthread_cond_broadcast(&w->calm);
	pthread_mutex_unlock(&w->lock);
}

s32 hs_workers_await_stop(struct hs_workers *w)
{
	s32 ret;

	pthread_mutex_lock(&w->lock);
	while (!w->stopped)
		pthread_cond_wait(&w->calm, &w->lock);
	w->stopped = false;
	ret = w->stop_error;
	pthread_mutex_unlock(&w->lock);
	return ret;
}

/* ---- threads --------------------------------------------------------------------------------- */

static void hs_worker_loop(struct hs_workers *w, bool cache_only)
{
	struct hs_hands h;

	hs_hands_init(&h, w->run);
	h.worker = true;
	h.cache_only = cache_only;
	pthread_mutex_lock(&w->lock);
	while (!w->stop) {
		if (!hs_workers_queued(w, cache_only)) {
			pthread_cond_wait(&w->work, &w->lock);
			continue;
		}
		hs_workers_take_turn(w, &h);
		w->busy++;
		pthread_mutex_unlock(&w->lock);
		hs_hands_work(&h);
		pthread_mutex_lock(&w->lock);
		if (--w->busy == 0)
			pthread_cond_broadcast(&w->calm);
	}
	pthread_mutex_unlock(&w->lock);
}

static void *hs_worker(void *arg)
{
	hs_worker_loop(arg, false);
	return NULL;
}

static void *hs_cache_worker(void *arg)
{
	hs_worker_loop(arg, true);
	return NULL;
}

static struct timespec hs_tick_time(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_nsec += HS_TICK_NS;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_nsec -= 1000000000;
		ts.tv_sec++;
	}
	return ts;
}

static void *hs_ticker(void *arg)
{
	struct hs_workers *w = arg;
	struct timespec next = hs_tick_time();

	pthread_mutex_lock(&w->lock);
	while (w->ticking) {
		if (pthread_cond_timedwait(&w->tick, &w->lock, &next) != ETIMEDOUT)
			continue;
		pthread_mutex_unlock(&w->lock);
		hs_run_tick(w->run);
		if (w->on_tick)
			w->on_tick(w->on_tick_arg);
		next = hs_tick_time();
		pthread_mutex_lock(&w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* Threads of a library take no signals: those are the program's. */
static int hs_thread_start(pthread_t *thread, void *(*fn)(void *arg), void *arg)
{
	sigset_t all, old;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(thread, NULL, fn, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -ret;
}

static void hs_workers_init(struct hs_workers *w, struct hs_run *run, u32 max_orphans)
{
	pthread_condattr_t attr;

	w->run = run;
	w->max_orphans = max_orphans;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->work, NULL);
	pthread_cond_init(&w->calm, NULL);
	pthread_cond_init(&w->tick, &attr);
	pthread_condattr_destroy(&attr);
	hs_list_init(&w->machines_step);
	hs_list_init(&w->machines_io);
	hs_list_init(&w->origin_io);
	hs_list_init(&w->orphans_step);
	hs_list_init(&w->orphans_io);
	hs_list_init(&w->orphans);
}

int hs_workers_start(struct hs_workers *w, struct hs_run *run, u32 threads, u32 max_orphans)
{
	int ret = 0;

	hs_workers_init(w, run, max_orphans);
	w->threads = calloc(threads + 1, sizeof(*w->threads));
	if (!w->threads)
		ret = -ENOMEM;
	while (!ret && w->nr_threads <= threads) {
		ret = hs_thread_start(&w->threads[w->nr_threads],
				      w->nr_threads ? hs_worker : hs_cache_worker, w);
		w->nr_threads += !ret;
	}
	if (!ret) {
		w->ticking = true;
		ret = hs_thread_start(&w->ticker, hs_ticker, w);
		if (ret)
			w->ticking = false;
	}
	if (ret) {
		hs_workers_join(w);
		hs_workers_free(w);
	}
	return ret;
}

void hs_workers_stop_ticker(struct hs_workers *w)
{
	bool ticking;

	pthread_mutex_lock(&w->lock);
	ticking = w->ticking;
	w->ticking = false;
	pthread_cond_signal(&w->tick);
	pthread_mutex_unlock(&w->lock);
	if (ticking)
		pthread_join(w->ticker, NULL);
}

void hs_workers_join(struct hs_workers *w)
{
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_broadcast(&w->work);
	pthread_mutex_unlock(&w->lock);
	while (w->nr_threads)
		pthread_join(w->threads[--w->nr_threads], NULL);
}

void hs_workers_free(struct hs_workers *w)
{
	while (!hs_list_empty(&w->orphans)) {
		struct hs_list *l = w->orphans.next;

		hs_list_del(l);
		hs_call_free(hs_list_entry(l, struct hs_call, orphan));
	}
	pthread_cond_destroy(&w->work);
	pthread_cond_destroy(&w->calm);
	pthread_cond_destroy(&w->tick);
	pthread_mutex_destroy(&w->lock);
	free(w->threads);
	w->threads = NULL;
}
