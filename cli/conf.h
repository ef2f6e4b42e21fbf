/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* /etc/hotset/NAME.conf, described in hotset.conf(5). */
#ifndef HS_CONF_H
#define HS_CONF_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "attach.h"

struct hs_conf {
	bool server;			/* else in the kernel */
	const char *origin, *cache;
	const char *mode;		/* NULL: as stored */
	const char *settings[HS_SETTINGS_MAX];
	int nr_settings;
	/* of a server */
	const char *socket, *port, *bind, *threads;
	bool readonly;

	char *text;			/* what all of the above points into */
	char path[PATH_MAX];
};

/* The directory of the files: $HOTSET_CONFDIR, else /etc/hotset. */
const char *hs_conf_dir(void);
/* path: NULL: NAME.conf there. 0, or -1 after a complaint that names file and line. */
int hs_conf_read(struct hs_conf *conf, const char *name, const char *path);
void hs_conf_free(struct hs_conf *conf);

#endif
