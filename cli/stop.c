// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* hotset stop: ends a server, and tells how it ended once its process is gone; or a kernel cache. */
#include <inttypes.h>
#include <stdio.h>

#include <json-c/json.h>

#include "cache.h"
#include "cli.h"
#include "control.h"
#include "kernel.h"
#include "progress.h"

static const struct option options[] = {
	HS_FLAG("writeback", 'w'),
	HS_OPTIONS_END
};

static struct json_object *stop_request(bool writeback)
{
	struct json_object *request = hs_control_request("stop");

	json_object_object_add(request, "writeback", json_object_new_boolean(writeback));
	return request;
}

static int outcome_print(const char *name, struct json_object *result)
{
	if (!hs_json_bool(result, "clean"))
		return hs_fail("%s: %s", name, hs_json_string(result, "problem"));
	printf("%s: stopped cleanly, %" PRIu64 " dirty blocks in the cache\n", name,
	       hs_json_number(result, "dirty"));
	return HS_EXIT_OK;
}

static int kernel_stop(const char *name, bool writeback)
{
	struct hs_progress progress;
	uint64_t dirty;

	hs_progress_begin(&progress, name);
	if (hs_kernel_stop(name, writeback, &progress, &dirty))
		return HS_EXIT_FAILED;
	printf("%s: stopped cleanly, %" PRIu64 " dirty blocks in the cache\n", name, dirty);
	return HS_EXIT_OK;
}

static int server_stop(const char *name, bool writeback)
{
	struct hs_control *control = hs_control_open(name);
	struct hs_progress progress;
	struct json_object *result;
	int code = HS_EXIT_FAILED;

	if (!control)
		return code;
	hs_progress_begin(&progress, name);
	result = hs_control_call(control, stop_request(writeback), &progress);
	if (result) {
		hs_control_wait_end(control);
		code = outcome_print(name, result);
	}
	hs_control_close(control);
	json_object_put(result);
	return code;
}

static int run(const struct hs_cmd *cmd, int argc, char **argv)
{
	static const char *const names[] = { "NAME", NULL };
	bool writeback = false;
	const char *name;

	while (hs_option_next(cmd, argc, argv, options) != -1)
		writeback = true;
	name = hs_arguments(cmd, argc, argv, names)[0];
	if (hs_cache_kind(name) == HS_KIND_KERNEL)
		return kernel_stop(name, writeback);
	return server_stop(name, writeback);
}

const struct hs_cmd hs_cmd_stop = {
	.name = "stop",
	.args = "NAME [--writeback]",
	.summary = "stop a running cache; dirty blocks stay in it",
	.options = "  --writeback  write every dirty block to the origin first\n",
	.run = run,
};
