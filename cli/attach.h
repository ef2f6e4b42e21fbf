/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Bringing a cache up in the kernel. */
#ifndef HS_ATTACH_H
#define HS_ATTACH_H

#include <stdbool.h>

#include "cache.h"

struct hs_attach {
	const char *name, *origin, *cache;
	const char *mode;			/* NULL: as formatted, or last set */
	const char *settings[HS_SETTINGS_MAX];	/* KEY=VALUE, as hs_setting_problem lets them pass */
	int nr_settings;
	bool accept_changed;
};

/* 0, or HS_EXIT_FAILED after a complaint; then nothing is left of it. */
int hs_attach(const struct hs_attach *attach);

#endif
