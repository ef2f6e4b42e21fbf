/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A running cache of either kind, by name: a server's (control.h) or the kernel's (kernel.h). Names are unique among
 * both: each refuses one that the other has. Should there be two all the same, the server goes first. These calls
 * complain by themselves.
 */
#ifndef HS_CACHE_H
#define HS_CACHE_H

struct hs_progress;
struct json_object;

enum hs_kind {
	HS_KIND_NONE,
	HS_KIND_SERVER,
	HS_KIND_KERNEL,
};

/* Does not complain. */
enum hs_kind hs_cache_kind(const char *name);

/* The same keys for both kinds; the caller puts it. NULL after a complaint. */
struct json_object *hs_cache_stats(const char *name);

/* An exit code. setting: KEY=VALUE. */
int hs_cache_set(const char *name, const char *setting, struct hs_progress *progress);
int hs_cache_flush(const char *name, struct hs_progress *progress);

#define HS_SETTINGS_MAX	8	/* in one command line or file */
/* NULL, or what is wrong with KEY=VALUE as far as its form and its key show; the value is the cache's to judge. */
const char *hs_setting_problem(const char *setting);

#endif
