/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who is inside the library: the device may be closed only when nobody is, and then nobody may
 * enter. Entering is one atomic addition. The order matters: an entrant counts itself before it
 * looks at the flag, the closer sets the flag before it looks at the count; so one of them sees the
 * other.
 */
#ifndef HS_GATE_H
#define HS_GATE_H

#include <stdatomic.h>
#include <stdbool.h>

struct hs_gate {
	atomic_uint inside;
	atomic_bool closed;
};

extern struct hs_gate hs_gate;

static inline void hs_gate_leave(void)
{
	atomic_fetch_sub(&hs_gate.inside, 1);
}

static inline bool hs_gate_enter(void)
{
	atomic_fetch_add(&hs_gate.inside, 1);
	if (!atomic_load(&hs_gate.closed))
		return true;
	hs_gate_leave();
	return false;
}

static inline unsigned int hs_gate_inside(void)
{
	return atomic_load(&hs_gate.inside);
}

/* Closes it if nobody is inside. */
static inline bool hs_gate_close(void)
{
	atomic_store(&hs_gate.closed, true);
	if (!hs_gate_inside())
		return true;
	atomic_store(&hs_gate.closed, false);
	return false;
}

#endif
