// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* hotset writeback: rescues the dirty blocks of a cache that nobody serves. */
#include <stdio.h>

#include <hotset/hotset.h>

#include "cli.h"
#include "progress.h"

static const struct option options[] = { HS_OPTIONS_END };

static int run(const struct hs_cmd *cmd, int argc, char **argv)
{
	static const char *const names[] = { "ORIGIN", "CACHE", NULL };
	struct hs_error err = { .msg = "" };
	struct hs_progress progress;
	char **args;
	int r;

	while (hs_option_next(cmd, argc, argv, options) != -1)
		;
	args = hs_arguments(cmd, argc, argv, names);
	hs_progress_begin(&progress, args[1]);
	r = hs_writeback(args[0], args[1], hs_progress_callback, &progress, &err);
	hs_progress_end(&progress);
	if (r)
		return hs_fail_error(&err, r, args[1]);
	printf("%s: nothing is dirty, %s has it all\n", args[1], args[0]);
	return HS_EXIT_OK;
}

const struct hs_cmd hs_cmd_writeback = {
	.name = "writeback",
	.args = "ORIGIN CACHE",
	.summary = "write every dirty block of a cache that nobody serves to its origin",
	.options = "",
	.run = run,
};
