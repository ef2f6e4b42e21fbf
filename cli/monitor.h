/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Standing by a kernel cache for the one thing that the kernel cannot do alone: recording that it failed. */
#ifndef HS_MONITOR_H
#define HS_MONITOR_H

#include <signal.h>
#include <stdbool.h>

/*
 * SIGTERM and SIGINT are noted from now on, and interrupt only waits that are given this mask.
 */
const sigset_t *hs_signals_take(void);
bool hs_signals_told(void);

enum hs_monitor_end {
	HS_MONITOR_GONE,	/* the device was removed */
	HS_MONITOR_TOLD,	/* a signal came */
	HS_MONITOR_FAILED,	/* complained about */
};
/* hs_signals_take was called. */
enum hs_monitor_end hs_monitor(const char *name, const sigset_t *waiting);

#endif
