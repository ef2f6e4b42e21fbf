// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* hotset flush: has a running server write every dirty block to the origin. */
#include <stdio.h>

#include <json-c/json.h>

#include "cli.h"
#include "control.h"
#include "progress.h"

static const struct option options[] = { HS_OPTIONS_END };

static int run(const struct hs_cmd *cmd, int argc, char **argv)
{
	static const char *const names[] = { "NAME", NULL };
	struct hs_control *control;
	struct hs_progress progress;
	struct json_object *result;
	char **args;

	while (hs_option_next(cmd, argc, argv, options) != -1)
		;
	args = hs_arguments(cmd, argc, argv, names);
	control = hs_control_open(args[0]);
	if (!control)
		return HS_EXIT_FAILED;
	hs_progress_begin(&progress, args[0]);
	result = hs_control_call(control, hs_control_request("flush"), &progress);
	hs_control_close(control);
	if (!result)
		return HS_EXIT_FAILED;
	json_object_put(result);
	printf("%s: nothing is dirty\n", args[0]);
	return HS_EXIT_OK;
}

const struct hs_cmd hs_cmd_flush = {
	.name = "flush",
	.args = "NAME",
	.summary = "write every dirty block of a running server to its origin",
	.options = "",
	.run = run,
};
