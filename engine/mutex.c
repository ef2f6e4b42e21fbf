// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/mutex.h"

/* Looks at a lock before going to sleep: about as long as a sleep and a wake-up would take. */
#define HS_MUTEX_LOOKS	100u

static inline void hs_cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/*
 * The holder most often is done before a sleep would have begun. Not if others sleep already: it then is off its processor,
 * or many want the lock, and one more who looks only slows down the one who works.
 */
static bool hs_mutex_spin(struct hs_mutex *m)
{
	u32 looks;

	for (looks = 0; looks < HS_MUTEX_LOOKS; looks++) {
		u32 state = __atomic_load_n(&m->state, __ATOMIC_RELAXED);

		if (state == HS_MUTEX_CONTENDED)
			return false;
		if (state == HS_MUTEX_FREE && hs_mutex_trylock(m))
			return true;
		hs_cpu_relax();
	}
	return false;
}

__attribute__((noinline)) void hs_mutex_wait(struct hs_mutex *m)
{
	if (hs_mutex_spin(m))
		return;
	while (__atomic_exchange_n(&m->state, HS_MUTEX_CONTENDED, __ATOMIC_ACQUIRE) != HS_MUTEX_FREE)
		syscall(SYS_futex, &m->state, FUTEX_WAIT_PRIVATE, HS_MUTEX_CONTENDED, NULL, NULL, 0);
}

__attribute__((noinline)) void hs_mutex_wake(struct hs_mutex *m)
{
	syscall(SYS_futex, &m->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
