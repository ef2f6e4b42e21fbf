// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See gate.h. */
#include "gate.h"

#include <linux/membarrier.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

struct hs_gate hs_gate;
__thread struct hs_gate_thread hs_gate_self;

static pthread_mutex_t threads_lock = PTHREAD_MUTEX_INITIALIZER;
static struct hs_gate_thread *threads;
static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool has_key;

static long membarrier(int command)
{
	return syscall(SYS_membarrier, command, 0, 0);
}

void hs_gate_init(void)
{
	hs_gate.fences = membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) != 0;
}

static void thread_ends(void *arg)
{
	struct hs_gate_thread *self = arg;

	pthread_mutex_lock(&threads_lock);
	*self->link = self->next;
	if (self->next)
		self->next->link = self->link;
	pthread_mutex_unlock(&threads_lock);
	self->joined = false;
}

static void make_key(void)
{
	has_key = !pthread_key_create(&key, thread_ends);
}

bool hs_gate_join(struct hs_gate_thread *self)
{
	pthread_once(&once, make_key);
	if (!has_key || pthread_setspecific(key, self))
		return false;
	pthread_mutex_lock(&threads_lock);
	self->next = threads;
	self->link = &threads;
	if (threads)
		threads->link = &self->next;
	threads = self;
	pthread_mutex_unlock(&threads_lock);
	self->joined = true;
	return true;
}

/* What every thread did before this, everybody sees after it, as if each had a barrier here. */
static void barrier_in_all(void)
{
	if (hs_gate.fences || membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED))
		atomic_thread_fence(memory_order_seq_cst);
}

unsigned int hs_gate_inside(void)
{
	const struct hs_gate_thread *t;
	unsigned int inside = 0;

	barrier_in_all();
	pthread_mutex_lock(&threads_lock);
	for (t = threads; t; t = t->next)
		inside += atomic_load_explicit(&t->inside, memory_order_acquire);
	pthread_mutex_unlock(&threads_lock);
	return inside;
}

bool hs_gate_close(void)
{
	atomic_store(&hs_gate.closed, true);
	if (!hs_gate_inside())
		return true;
	atomic_store(&hs_gate.closed, false);
	return false;
}
