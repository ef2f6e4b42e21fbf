// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* engine/mutex.h: one at a time, nobody left asleep, the memory free to go. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "engine/mutex.h"

#define THREADS		16
#define ROUNDS		20000

/* Plain words on purpose: only the lock keeps the threads apart, and the thread sanitizer looks on. */
static struct {
	struct hs_mutex mutex;
	u32 inside, most;
	u64 count;
} shared;

static void pause_ms(long ms)
{
	const struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

static u32 state_of(struct hs_mutex *m)
{
	return __atomic_load_n(&m->state, __ATOMIC_RELAXED);
}

static void state_becomes(struct hs_mutex *m, u32 state)
{
	int ms;

	for (ms = 0; state_of(m) != state && ms < 60000; ms++)
		pause_ms(1);
	assert_int_equal(state_of(m), state);
}

static void visit(bool dawdle)
{
	hs_mutex_lock(&shared.mutex);
	shared.inside++;
	if (shared.inside > shared.most)
		shared.most = shared.inside;
	shared.count++;
	if (dawdle)
		sched_yield();
	shared.inside--;
	hs_mutex_unlock(&shared.mutex);
}

static void *visit_often(void *arg)
{
	u32 i;

	/* Now and then the holder leaves its processor, so that the others' patience ends and they sleep. */
	for (i = 0; i < ROUNDS; i++)
		visit(i % 16 == (uintptr_t)arg);
	return NULL;
}

static void all(void *(*fn)(void *arg))
{
	pthread_t threads[THREADS];
	uintptr_t i;

	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, fn, (void *)i), 0);
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static int setup(void **state)
{
	memset(&shared, 0, sizeof(shared));
	return 0;
}

static void zeroes_are_a_free_one(void **state)
{
	struct hs_mutex m = { 0 };

	assert_true(hs_mutex_trylock(&m));
	assert_false(hs_mutex_trylock(&m));
	hs_mutex_unlock(&m);
	assert_int_equal(m.state, HS_MUTEX_FREE);
	hs_mutex_lock(&m);
	assert_int_equal(m.state, HS_MUTEX_HELD);
	hs_mutex_unlock(&m);
}

static void many_threads_are_inside_one_at_a_time(void **state)
{
	all(visit_often);
	assert_int_equal(shared.most, 1);
	assert_int_equal(shared.count, (u64)THREADS * ROUNDS);
	assert_int_equal(shared.mutex.state, HS_MUTEX_FREE);
}

static void *visit_once(void *arg)
{
	visit(false);
	return NULL;
}

/* All of them sleep behind one holder; each that leaves wakes the next. */
static void sleepers_all_get_their_turn(void **state)
{
	pthread_t threads[THREADS];
	u32 i;

	hs_mutex_lock(&shared.mutex);
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, visit_once, NULL), 0);
	state_becomes(&shared.mutex, HS_MUTEX_CONTENDED);
	pause_ms(20);
	assert_int_equal(shared.count, 0);
	hs_mutex_unlock(&shared.mutex);
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(shared.count, THREADS);
	assert_int_equal(shared.mutex.state, HS_MUTEX_FREE);
}

/* Who was woken cannot know that nobody else sleeps: it holds the lock as if someone did. */
static void a_sleeper_takes_it_as_contended(void **state)
{
	struct hs_mutex *m = &shared.mutex;
	pthread_t thread;

	hs_mutex_lock(m);
	assert_int_equal(pthread_create(&thread, NULL, visit_once, NULL), 0);
	state_becomes(m, HS_MUTEX_CONTENDED);
	assert_false(hs_mutex_trylock(m));
	hs_mutex_unlock(m);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(hs_mutex_trylock(m));
	hs_mutex_unlock(m);
}

static void *lock_and_free(void *arg)
{
	struct hs_mutex *m = arg;

	hs_mutex_lock(m);
	hs_mutex_unlock(m);
	free(m);
	return NULL;
}

/* The last to get it frees it, while the one before is still on its way out. */
static void its_memory_may_go_with_the_last_one(void **state)
{
	u32 i;

	for (i = 0; i < 2000; i++) {
		struct hs_mutex *m = calloc(1, sizeof(*m));
		pthread_t thread;

		assert_non_null(m);
		hs_mutex_lock(m);
		assert_int_equal(pthread_create(&thread, NULL, lock_and_free, m), 0);
		if (i % 2)
			sched_yield();
		hs_mutex_unlock(m);
		assert_int_equal(pthread_join(thread, NULL), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zeroes_are_a_free_one),
		cmocka_unit_test_setup(many_threads_are_inside_one_at_a_time, setup),
		cmocka_unit_test_setup(sleepers_all_get_their_turn, setup),
		cmocka_unit_test_setup(a_sleeper_takes_it_as_contended, setup),
		cmocka_unit_test(its_memory_may_go_with_the_last_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
