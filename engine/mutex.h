/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A lock for critical sections of a fraction of a microsecond, which is what a step of the core is. One locked
 * instruction to take it, one to give it back, both inline; pthread's cost some sixty instructions more a pair, in
 * calls that ask what kind of mutex it is.
 *
 *	FREE --lock--> HELD --unlock--> FREE
 *	                |
 *	                `--a second one comes--> CONTENDED --unlock--> FREE, wakes one
 *
 * "mutex2" of Ulrich Drepper, Futexes Are Tricky, 2011. Who has slept takes it as CONTENDED, for it cannot know
 * whether others still sleep; that costs a wake-up in vain, never a lost one. Not fair, not recursive, not for condition
 * variables. All zeroes is a free one. Whoever got it may free its memory at once: the thread that gave it
 * back touches it no more, but for a wake-up that uses its address alone.
 */
#ifndef HS_ENGINE_MUTEX_H
#define HS_ENGINE_MUTEX_H

#include "core/platform.h"

enum { HS_MUTEX_FREE, HS_MUTEX_HELD, HS_MUTEX_CONTENDED };

struct hs_mutex {
	u32 state;
};

/* The slow ways: mutex.c. */
void hs_mutex_wait(struct hs_mutex *m);
void hs_mutex_wake(struct hs_mutex *m);

static inline bool hs_mutex_trylock(struct hs_mutex *m)
{
	u32 seen = HS_MUTEX_FREE;

	return __atomic_compare_exchange_n(&m->state, &seen, HS_MUTEX_HELD, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static inline void hs_mutex_lock(struct hs_mutex *m)
{
	if (unlikely(!hs_mutex_trylock(m)))
		hs_mutex_wait(m);
}

static inline void hs_mutex_unlock(struct hs_mutex *m)
{
	if (unlikely(__atomic_exchange_n(&m->state, HS_MUTEX_FREE, __ATOMIC_RELEASE) == HS_MUTEX_CONTENDED))
		hs_mutex_wake(m);
}

#endif
