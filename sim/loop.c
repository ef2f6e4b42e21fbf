// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Simulated time: a heap of events. Those of one moment happen in random order. */
#include "sim/sim.h"

static bool event_before(const struct sim_event *a, const struct sim_event *b)
{
	return a->at != b->at ? a->at < b->at : a->tie < b->tie;
}

static void event_sift_up(struct sim_event *heap, u32 i, struct sim_event e)
{
	while (i) {
		u32 parent = (i - 1) / 2;

		if (!event_before(&e, &heap[parent]))
			break;
		heap[i] = heap[parent];
		i = parent;
	}
	heap[i] = e;
}

static void event_sift_down(struct sim_event *heap, u32 n, u32 i, struct sim_event e)
{
	for (;;) {
		u32 child = 2 * i + 1;

		if (child >= n)
			break;
		if (child + 1 < n && event_before(&heap[child + 1], &heap[child]))
			child++;
		if (!event_before(&heap[child], &e))
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = e;
}

void sim_event_add(struct sim_world *w, u64 delay, enum sim_event_kind kind, void *ptr, u32 arg)
{
	struct sim_event e = { w->now + delay, sim_random(&w->rng), kind, arg, ptr };

	if (w->nr_heap == SIM_EVENTS)
		sim_fail(w, "too many events at once: something breeds");
	event_sift_up(w->heap, w->nr_heap++, e);
}

static struct sim_event event_take(struct sim_world *w)
{
	struct sim_event e = w->heap[0];

	w->nr_heap--;
	if (w->nr_heap)
		event_sift_down(w->heap, w->nr_heap, 0, w->heap[w->nr_heap]);
	return e;
}

void sim_events_drop(struct sim_world *w)
{
	w->nr_heap = 0;
}

static void event_perform(struct sim_world *w, const struct sim_event *e)
{
	switch (e->kind) {
	case SIM_EV_STEP:
		sim_shell_step(w, e->ptr);
		break;
	case SIM_EV_MOVE:
		sim_io_move(w, e->ptr);
		break;
	case SIM_EV_END:
		sim_io_end(w, e->ptr);
		break;
	case SIM_EV_KICK:
		sim_shell_kick(w, e->arg);
		break;
	case SIM_EV_TICK:
		w->calm = 0;
		sim_shell_tick(w);
		break;
	default:
		sim_user_event(w, e->arg);
		break;
	}
}

#define LIVELOCK	200000u		/* events between two ticks */

bool sim_loop(struct sim_world *w, bool (*done)(struct sim_world *w), u64 limit, const char *what)
{
	u64 end = w->now + limit;

	while (!done(w)) {
		struct sim_event e;

		if (w->events >= w->stop_at)
			return false;
		if (!w->nr_heap)
			sim_fail(w, "%s: nothing happens any more: a request or a machine is stuck", what);
		e = event_take(w);
		w->now = e.at;
		w->events++;
		if (++w->calm > LIVELOCK)
			sim_fail(w, "%s: livelock: %u steps between two ticks", what, LIVELOCK);
		if (w->now > end && w->now > w->last_fault + limit)
			sim_fail(w, "%s: not done after %llu s of simulated time", what,
				 (unsigned long long)(limit / SIM_S));
		event_perform(w, &e);
	}
	return true;
}
