/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* All running caches of either kind: servers whose control sockets are in the run directory, and the kernel's. */
#ifndef HS_CACHES_H
#define HS_CACHES_H

#include "cache.h"

/*
 * Calls fn for each, servers first and by name. Only root sees the kernel's; others have none that they could use. A
 * server that was killed is HS_KIND_NONE. 0, or HS_EXIT_FAILED after a complaint.
 */
int hs_caches_each(void (*fn)(void *arg, const char *name, enum hs_kind kind), void *arg);

#endif
