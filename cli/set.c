// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* hotset set: changes a setting of a running server. */
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "cli.h"
#include "control.h"

static const struct option options[] = { HS_OPTIONS_END };

static struct json_object *set_request(const char *setting)
{
	struct json_object *request = hs_control_request("set");
	const char *value = strchr(setting, '=') + 1;

	json_object_object_add(request, "key",
			       json_object_new_string_len(setting, value - setting - 1));
	json_object_object_add(request, "value", json_object_new_string(value));
	return request;
}

static int run(const struct hs_cmd *cmd, int argc, char **argv)
{
	static const char *const names[] = { "NAME", "KEY=VALUE", NULL };
	struct hs_control *control;
	struct json_object *result;
	char **args;

	while (hs_option_next(cmd, argc, argv, options) != -1)
		;
	args = hs_arguments(cmd, argc, argv, names);
	if (!strchr(args[1], '=') || *args[1] == '=')
		hs_usage(cmd, "%s: not of the form KEY=VALUE", args[1]);
	control = hs_control_open(args[0]);
	if (!control)
		return HS_EXIT_FAILED;
	result = hs_control_call(control, set_request(args[1]), NULL);
	hs_control_close(control);
	json_object_put(result);
	return result ? HS_EXIT_OK : HS_EXIT_FAILED;
}

const struct hs_cmd hs_cmd_set = {
	.name = "set",
	.args = "NAME KEY=VALUE",
	.summary = "change a setting of a running server",
	.options =
	"  mode=MODE            writeback, writethrough, writearound, bypass\n"
	"  seq_cutoff=SIZE      longer sequential streams bypass the cache; 0: none does\n"
	"  dirty_age=SECONDS    write back blocks that are dirty for longer\n"
	"  dirty_limit=PERCENT  write back while more of the slots are dirty\n"
	"  writeback=on|off     background write-back\n",
	.run = run,
};
