// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See caches.h. */
#include "caches.h"

#include <glob.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "../nbd/names.h"
#include "cli.h"
#include "control.h"
#include "dm.h"
#include "kernel.h"

struct visit {
	void (*fn)(void *arg, const char *name, enum hs_kind kind);
	void *arg;
};

static void socket_visit(const struct visit *visit, const char *path)
{
	const char *file = strrchr(path, '/') + 1;
	char name[NAME_MAX + 1];
	enum hs_server_state state;

	snprintf(name, sizeof(name), "%.*s", (int)(strlen(file) - strlen(".sock")), file);
	if (!hs_name_valid(name))
		return;
	state = hs_control_probe(path);
	if (state != HS_SERVER_NONE)
		visit->fn(visit->arg, name, state == HS_SERVER_LIVE ? HS_KIND_SERVER : HS_KIND_NONE);
}

/* Device-mapper devices of other targets are none of ours. */
static void device_visit(void *arg, const char *name)
{
	const struct visit *visit = arg;

	if (hs_kernel_is(name))
		visit->fn(visit->arg, name, HS_KIND_KERNEL);
}

int hs_caches_each(void (*fn)(void *arg, const char *name, enum hs_kind kind), void *arg)
{
	struct visit visit = { .fn = fn, .arg = arg };
	char rundir[PATH_MAX], pattern[PATH_MAX + 16];
	glob_t found;

	if (hs_rundir_path(rundir, sizeof(rundir)))
		return hs_fail("where servers are is not known: set HOTSET_RUNDIR or XDG_RUNTIME_DIR");
	snprintf(pattern, sizeof(pattern), "%s/*.sock", rundir);
	if (!glob(pattern, 0, NULL, &found)) {
		for (size_t i = 0; i < found.gl_pathc; i++)
			socket_visit(&visit, found.gl_pathv[i]);
		globfree(&found);
	}
	hs_dm_each(device_visit, &visit);
	return HS_EXIT_OK;
}
