/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who is inside the library: the device may be closed only when nobody is, and then nobody may
 * enter. An entrant says so before it looks at the flag, the closer sets the flag before it looks at
 * the entrants; so one of them sees the other.
 *
 * Everybody enters, and hardly anybody ever closes: an entrant writes a word that is its thread's
 * own, with plain instructions, and the closer has the kernel (membarrier(2)) put the barrier that
 * belongs between write and look into all threads at once. A count that all threads share would be
 * the one cache line that every processor wants for every request.
 */
#ifndef HS_GATE_H
#define HS_GATE_H

#include <stdatomic.h>
#include <stdbool.h>

struct hs_gate {
	atomic_bool closed;
	bool fences;			/* no membarrier here: entrants bring their own */
};

struct hs_gate_thread {
	atomic_bool inside;
	bool joined;			/* in the list of those that the closer looks at */
	struct hs_gate_thread *next, **link;
};

extern struct hs_gate hs_gate;
extern __thread struct hs_gate_thread hs_gate_self;

/* Before the first request, and behind any fork. */
void hs_gate_init(void);
/* For a thread's first request; it leaves the list when it ends. false: no memory. */
bool hs_gate_join(struct hs_gate_thread *self);
unsigned int hs_gate_inside(void);
/* Closes it if nobody is inside. */
bool hs_gate_close(void);

static inline void hs_gate_leave(void)
{
	atomic_store_explicit(&hs_gate_self.inside, false, memory_order_release);
}

static inline bool hs_gate_enter(void)
{
	struct hs_gate_thread *self = &hs_gate_self;

	if (!self->joined && !hs_gate_join(self))
		return false;
	atomic_store_explicit(&self->inside, true, memory_order_relaxed);
	if (hs_gate.fences)
		atomic_thread_fence(memory_order_seq_cst);
	else
		atomic_signal_fence(memory_order_seq_cst);
	if (!atomic_load_explicit(&hs_gate.closed, memory_order_acquire))
		return true;
	hs_gate_leave();
	return false;
}

#endif
