// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* hotset detach: ends a kernel cache; nothing is dirty then, unless told otherwise. */
#include <inttypes.h>
#include <stdio.h>

#include "cache.h"
#include "cli.h"
#include "kernel.h"
#include "progress.h"

static const struct option options[] = {
	HS_FLAG("keep-dirty", 'k'),
	HS_OPTIONS_END
};

static int detach(const char *name, bool writeback)
{
	struct hs_progress progress;
	uint64_t dirty;

	if (hs_cache_kind(name) == HS_KIND_SERVER)
		return hs_fail("%s: a process serves it, not the kernel: 'hotset stop %s%s'", name, name,
			       writeback ? " --writeback" : "");
	hs_progress_begin(&progress, name);
	if (hs_kernel_stop(name, writeback, &progress, &dirty))
		return HS_EXIT_FAILED;
	printf("%s: detached cleanly, %" PRIu64 " dirty blocks in the cache\n", name, dirty);
	return HS_EXIT_OK;
}

static int run(const struct hs_cmd *cmd, int argc, char **argv)
{
	static const char *const names[] = { "NAME", NULL };
	bool writeback = true;

	while (hs_option_next(cmd, argc, argv, options) != -1)
		writeback = false;
	return detach(hs_arguments(cmd, argc, argv, names)[0], writeback);
}

const struct hs_cmd hs_cmd_detach = {
	.name = "detach",
	.args = "NAME [--keep-dirty]",
	.summary = "write back what is dirty in a kernel cache, and remove its device",
	.options = "  --keep-dirty  dirty blocks stay in the cache, safe: quick, and bounded\n",
	.run = run,
};
