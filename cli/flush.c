// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* hotset flush: has a running cache write every dirty block to the origin. */
#include <stdio.h>

#include "cache.h"
#include "cli.h"
#include "progress.h"

static const struct option options[] = { HS_OPTIONS_END };

static int run(const struct hs_cmd *cmd, int argc, char **argv)
{
	static const char *const names[] = { "NAME", NULL };
	struct hs_progress progress;
	const char *name;
	int code;

	while (hs_option_next(cmd, argc, argv, options) != -1)
		;
	name = hs_arguments(cmd, argc, argv, names)[0];
	hs_progress_begin(&progress, name);
	code = hs_cache_flush(name, &progress);
	if (!code)
		printf("%s: nothing is dirty\n", name);
	return code;
}

const struct hs_cmd hs_cmd_flush = {
	.name = "flush",
	.args = "NAME",
	.summary = "write every dirty block of a running cache to its origin",
	.options = "",
	.run = run,
};
