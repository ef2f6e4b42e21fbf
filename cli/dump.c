// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * hotset dump: the durable map of a cache that nobody serves. The map may have millions of
 * slots: they are printed as they come and never gathered, also in JSON.
 */
#include <inttypes.h>
#include <stdio.h>

#include <hotset/hotset.h>
#include <json-c/json.h>

#include "cli.h"
#include "control.h"
#include "layout.h"

static const struct option options[] = {
	HS_FLAG("json", 'j'),
	HS_OPTIONS_END
};

static void problem_print(void *arg, enum hs_problem_kind kind, const char *line)
{
	(void)arg;
	(void)kind;
	hs_fail("%s", line);
}

static const char *slot_state(const struct hs_slot_info *info)
{
	return info->lost ? "lost" : info->dirty ? "dirty" : "clean";
}

static int slot_print(void *arg, const struct hs_slot_info *info)
{
	(void)arg;
	printf("slot %" PRIu64 " offset %" PRIu64 " length %u %s\n", info->slot, info->offset,
	       info->length, slot_state(info));
	return 0;
}

static int slot_print_json(void *arg, const struct hs_slot_info *info)
{
	const char **separator = arg;

	printf("%s\n{\"slot\":%" PRIu64 ",\"offset\":%" PRIu64 ",\"length\":%u,\"state\":\"%s\"}",
	       *separator, info->slot, info->offset, info->length, slot_state(info));
	*separator = ",";
	return 0;
}

static void head_print(const struct hs_check_result *res)
{
	printf("superblock %" PRIu64 ", incarnation %" PRIu64 ", transaction %" PRIu64
	       " (%" PRIu64 " in the journal), %s\n", res->superblock_sequence, res->incarnation,
	       res->sequence, res->transactions,
	       res->clean_stop ? "stopped cleanly" : "not stopped cleanly");
	hs_layout_print(&res->geo, res->mode);
	printf("blocks    %" PRIu64 " clean, %" PRIu64 " dirty, %" PRIu64 " lost\n", res->clean,
	       res->dirty, res->lost);
}

static void head_print_json(const struct hs_check_result *res)
{
	struct json_object *geo = hs_layout_json(&res->geo);

	printf("{\"superblock\":%" PRIu64 ",\"incarnation\":%" PRIu64 ",\"sequence\":%" PRIu64
	       ",\"transactions\":%" PRIu64 ",", res->superblock_sequence, res->incarnation,
	       res->sequence, res->transactions);
	printf("\"clean_stop\":%s,\"mode\":\"%s\",", res->clean_stop ? "true" : "false",
	       hs_mode_name(res->mode));
	printf("\"clean\":%" PRIu64 ",\"dirty\":%" PRIu64 ",\"lost\":%" PRIu64 ",", res->clean,
	       res->dirty, res->lost);
	printf("\"geometry\":%s,\n\"slots\":[",
	       json_object_to_json_string_ext(geo, JSON_C_TO_STRING_PLAIN));
	json_object_put(geo);
}

/* Twice over the cache: the first pass has what stands at the head. */
static int dump(const char *cache, bool json)
{
	const char *separator = "";
	struct hs_check_opts opts = { .cache = cache, .problem = problem_print, .arg = &separator };
	struct hs_error err = { .msg = "" };
	struct hs_check_result res;
	int r;

	r = hs_check(&opts, &res, &err);
	if (r)
		return hs_fail_error(&err, r, cache);
	if (json)
		head_print_json(&res);
	else
		head_print(&res);
	opts.problem = NULL;
	opts.slot = json ? slot_print_json : slot_print;
	r = hs_check(&opts, &res, &err);
	if (json)
		printf("]}\n");
	return r ? hs_fail_error(&err, r, cache) : HS_EXIT_OK;
}

static int run(const struct hs_cmd *cmd, int argc, char **argv)
{
	static const char *const names[] = { "CACHE", NULL };
	bool json = false;

	while (hs_option_next(cmd, argc, argv, options) != -1)
		json = true;
	return dump(hs_arguments(cmd, argc, argv, names)[0], json);
}

const struct hs_cmd hs_cmd_dump = {
	.name = "dump",
	.args = "CACHE [--json]",
	.summary = "print the map of a cache that nobody serves",
	.options = "  --json  one object\n",
	.run = run,
};
