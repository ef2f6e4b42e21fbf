// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* nbd/gate.h: it closes behind the last one, and only then. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The plugin is no library that a test could be linked with. */
#include "nbd/gate.c"

#define THREADS		2
#define ROUNDS		100000

static struct {
	atomic_bool stop;
	bool device_open;	/* plain: the gate is what keeps its change away from those inside */
} world;

static int setup_with(bool fences)
{
	hs_gate_init();
	hs_gate.fences |= fences;
	atomic_store(&hs_gate.closed, false);
	atomic_store(&world.stop, false);
	world.device_open = true;
	return 0;
}

static int setup(void **state)
{
	return setup_with(false);
}

/* As where the kernel has no membarrier. */
static int setup_fences(void **state)
{
	return setup_with(true);
}

static void an_open_gate_lets_in_and_counts(void **state)
{
	assert_int_equal(hs_gate_inside(), 0);
	assert_true(hs_gate_enter());
	assert_int_equal(hs_gate_inside(), 1);
	hs_gate_leave();
	assert_int_equal(hs_gate_inside(), 0);
}

static void it_stays_open_while_someone_is_inside(void **state)
{
	assert_true(hs_gate_enter());
	assert_false(hs_gate_close());
	hs_gate_leave();
	assert_true(hs_gate_enter());
	hs_gate_leave();
}

static void a_closed_one_lets_nobody_in(void **state)
{
	assert_true(hs_gate_close());
	assert_false(hs_gate_enter());
	assert_int_equal(hs_gate_inside(), 0);
}

static void *come_and_go(void *arg)
{
	if (!hs_gate_enter())
		return NULL;
	hs_gate_leave();
	return arg;
}

static void threads_that_ended_are_forgotten(void **state)
{
	int i;

	for (i = 0; i < 100; i++) {
		pthread_t thread;
		void *let_in;

		assert_int_equal(pthread_create(&thread, NULL, come_and_go, &world), 0);
		assert_int_equal(pthread_join(thread, &let_in), 0);
		assert_ptr_equal(let_in, &world);
	}
	assert_int_equal(hs_gate_inside(), 0);
	/* This thread is the one that may be left. */
	assert_true(!threads || !threads->next);
}

static void *visit(void *arg)
{
	uintptr_t outside = 0;

	while (!atomic_load_explicit(&world.stop, memory_order_relaxed)) {
		if (!hs_gate_enter())
			continue;
		outside += !world.device_open;
		hs_gate_leave();
	}
	return (void *)outside;
}

/* Closes it again and again under their noses. What they saw, the other way round, is what must not be. */
static void nobody_is_inside_once_it_is_closed(void **state)
{
	pthread_t thread[THREADS];
	void *outside;
	int i, closed = 0;

	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, visit, NULL), 0);
	for (i = 0; i < ROUNDS || !closed; i++) {
		if (!hs_gate_close())
			continue;
		closed++;
		world.device_open = false;
		sched_yield();
		world.device_open = true;
		atomic_store(&hs_gate.closed, false);
	}
	atomic_store(&world.stop, true);
	for (i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(thread[i], &outside), 0);
		assert_null(outside);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(an_open_gate_lets_in_and_counts, setup),
		cmocka_unit_test_setup(it_stays_open_while_someone_is_inside, setup),
		cmocka_unit_test_setup(a_closed_one_lets_nobody_in, setup),
		cmocka_unit_test_setup(threads_that_ended_are_forgotten, setup),
		cmocka_unit_test_setup(nobody_is_inside_once_it_is_closed, setup),
		cmocka_unit_test_setup(a_closed_one_lets_nobody_in, setup_fences),
		cmocka_unit_test_setup(nobody_is_inside_once_it_is_closed, setup_fences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
