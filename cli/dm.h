/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Device-mapper, by way of libdevmapper: finding, making and removing devices of the target hotset. Nothing here
 * complains; calls return 0 or a negative errno.
 */
#ifndef HS_DM_H
#define HS_DM_H

#include <stdbool.h>
#include <stdint.h>

#define HS_DM_NAME	128	/* of a device, with its NUL */
#define HS_DM_UUID	"HOTSET-"	/* and the cache's UUID: that of a device made here */

struct hs_dm_device {
	char name[HS_DM_NAME];
	char uuid[HS_DM_NAME + 1];	/* of the device; empty: none */
	uint32_t major, minor;
	int32_t open_count;
	bool suspended;
	uint64_t sectors;
	char target[32];		/* of its one table line */
	char *status, *table;		/* behind start, length and target; for hs_dm_free */
};

/* Whether device-mapper can be asked: -EACCES (not root), -ENODEV (not in this kernel, or not loaded). */
int hs_dm_access(void);

/* The target's name: hotset, unless the module was loaded with another. */
const char *hs_dm_target(void);
/* Whether the kernel has the target; its module is loaded if it can be. version (32 bytes): may be NULL. */
bool hs_dm_target_there(char *version);

/* -ENXIO: no device of that name; -EMEDIUMTYPE: of another target (device->target), or without a table. */
int hs_dm_look(const char *name, struct hs_dm_device *device);
void hs_dm_free(struct hs_dm_device *device);
/* Calls fn with the name of every device, of whatever target. */
int hs_dm_each(void (*fn)(void *arg, const char *name), void *arg);

/* uuid: of the cache. After an error nothing of it is left. */
int hs_dm_create(const char *name, const char *uuid, uint64_t sectors, const char *params);
/* -EBUSY: it is open. */
int hs_dm_remove(const char *name);
int hs_dm_suspend(const char *name);
int hs_dm_resume(const char *name);
/* Blocks until the target has done what the message says. */
int hs_dm_message(const char *name, const char *message);

/*
 * A descriptor that poll() finds readable once a device-mapper event came after the last hs_dm_watch_arm. The caller
 * closes it.
 */
int hs_dm_watch_open(void);
int hs_dm_watch_arm(int fd);

#endif
