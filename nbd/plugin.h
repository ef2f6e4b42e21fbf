/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the parts of the plugin share: the one device that all connections use, and its names. */
#ifndef HS_PLUGIN_H
#define HS_PLUGIN_H

#include <stdbool.h>
#include <stdint.h>

#define HS_UNLINK_MAX	4
#define HS_SET_MAX	8

struct hs_dev;

struct hs_plugin {
	char *origin, *cache, *name, *rundir;
	char *uri;			/* where clients find the export; NULL: not told */
	int mode;			/* enum hs_mode or -1 */
	unsigned int threads;
	bool readonly;
	bool accept_changed_origin;
	bool foreground;
	char *set[HS_SET_MAX];		/* KEY=VALUE: settings from the start */
	unsigned int sets;
	char *unlink[HS_UNLINK_MAX];	/* files to remove at the end */
	unsigned int unlinks;

	struct hs_dev *dev;		/* NULL: not open */
	uint64_t size;			/* bytes of the export */
	uint32_t block_size;		/* of the cache */
	int pid;			/* the process that opened dev */
	bool unclean;			/* closing it failed */
};

extern struct hs_plugin hs_plugin;

/* ---- device.c: its life ---------------------------------------------------------------------- */

/* Claims the name and opens the device. Complains itself. */
int hs_device_open(void);

/* The way back. Logs, and tells the clients that wait for it, whether the stop was clean. */
void hs_device_close(void);

#endif
