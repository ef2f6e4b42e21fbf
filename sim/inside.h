/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* All that looks into the core's own structures; the core's unit tests judge by it too. */
#ifndef HS_SIM_INSIDE_H
#define HS_SIM_INSIDE_H

#include "core/core.h"

/* Was that a step of a commit that scans for what found no room on a todo list? */
bool sim_inside_scan(const struct hs_core *core, const struct hs_req *req);
/*
 * A slot whose name has to change, but no list brings a commit to it, or one that the last gather should have come to; ~0u:
 * none. Not of a failed cache.
 */
u32 sim_inside_forgotten(const struct hs_core *core);
/* The slot that the request reads was retired meanwhile, and is free when it ends. */
bool sim_inside_owes(const struct hs_req *req);
bool sim_inside_space_wait(const struct hs_core *core);	/* a commit waits for room in the ring */

#endif
