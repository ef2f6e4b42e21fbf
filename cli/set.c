// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* hotset set: changes a setting of a running cache. */
#include <string.h>

#include "cache.h"
#include "cli.h"
#include "progress.h"

static const struct option options[] = { HS_OPTIONS_END };

static int run(const struct hs_cmd *cmd, int argc, char **argv)
{
	static const char *const names[] = { "NAME", "KEY=VALUE", NULL };
	struct hs_progress progress;
	char **args;

	while (hs_option_next(cmd, argc, argv, options) != -1)
		;
	args = hs_arguments(cmd, argc, argv, names);
	if (!strchr(args[1], '=') || *args[1] == '=')
		hs_usage(cmd, "%s: not of the form KEY=VALUE", args[1]);
	hs_progress_begin(&progress, args[0]);
	return hs_cache_set(args[0], args[1], &progress);
}

const struct hs_cmd hs_cmd_set = {
	.name = "set",
	.args = "NAME KEY=VALUE",
	.summary = "change a setting of a running cache",
	.options =
	"  mode=MODE            writeback, writethrough, writearound, bypass\n"
	"  seq_cutoff=SIZE      longer sequential streams bypass the cache; 0: none does\n"
	"  dirty_age=SECONDS    write back blocks that are dirty for longer\n"
	"  dirty_limit=PERCENT  write back while more of the slots are dirty\n"
	"  writeback=on|off     background write-back\n",
	.run = run,
};
