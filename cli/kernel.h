/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Caches that the kernel runs: devices of the device-mapper target hotset. In the same words as a server's
 * (control.h). These calls complain by themselves, unless said otherwise.
 */
#ifndef HS_KERNEL_H
#define HS_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include <hotset/hotset.h>

struct hs_progress;
struct json_object;

struct hs_kernel_state {
	struct hs_stats stats;
	bool suspended;
	bool abandon_due;	/* writes wait until the failed cache was given up */
	char uuid[37];		/* the cache's; empty if another program made the device */
	char origin[64], cache[64];	/* paths, as far as they are known */
	char device[160];	/* path */
	uint32_t major, minor;
	int32_t open_count;
};

/* Whether there is a kernel cache of that name. Does not complain. */
bool hs_kernel_is(const char *name);

int hs_kernel_look(const char *name, struct hs_kernel_state *state);
/* What info and stats tell of a server. */
struct json_object *hs_kernel_info(const char *name);
struct json_object *hs_kernel_stats(const char *name);

int hs_kernel_set(const char *name, const char *key, const char *value, struct hs_progress *progress);
int hs_kernel_flush(const char *name, struct hs_progress *progress);

/*
 * Removes the device after a clean stop. writeback: nothing is dirty then; if that cannot be had the device is left as
 * it was. *dirty: blocks left in the cache.
 */
int hs_kernel_stop(const char *name, bool writeback, struct hs_progress *progress, uint64_t *dirty);

#endif
