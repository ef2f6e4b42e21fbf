// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * hotset lost: dirty ranges that cannot be read any more, and giving them up. Through the server if
 * one of that name runs, else from the cache itself.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hotset/hotset.h>
#include <json-c/json.h>

#include "../nbd/names.h"
#include "cli.h"
#include "control.h"
#include "kernel.h"
#include "size.h"

struct lost {
	const char *target;		/* NAME or CACHE */
	const char *origin;
	const char *range;		/* as given; NULL: list */
	uint64_t offset, count;
};

static const struct option options[] = {
	HS_VALUE("origin", 'o'),
	HS_VALUE("forget", 'f'),
	HS_OPTIONS_END
};

static int range_print(void *arg, uint64_t offset, uint64_t count)
{
	(void)arg;
	printf("%" PRIu64 "+%" PRIu64 "\n", offset, count);
	return 0;
}

/* ---- live ------------------------------------------------------------------------------------ */

static void ranges_print(struct json_object *ranges)
{
	for (size_t i = 0; i < json_object_array_length(ranges); i++) {
		struct json_object *range = json_object_array_get_idx(ranges, i);

		range_print(NULL, hs_json_number(range, "offset"), hs_json_number(range, "length"));
	}
}

static struct json_object *live_request(const struct lost *lost)
{
	struct json_object *request = hs_control_request(lost->range ? "forget" : "lost");

	if (lost->range) {
		json_object_object_add(request, "offset", json_object_new_uint64(lost->offset));
		json_object_object_add(request, "count", json_object_new_uint64(lost->count));
	}
	return request;
}

static int live_run(const struct lost *lost)
{
	struct hs_control *control = hs_control_open(lost->target);
	struct json_object *result;

	if (!control)
		return HS_EXIT_FAILED;
	result = hs_control_call(control, live_request(lost), NULL);
	hs_control_close(control);
	if (!result)
		return HS_EXIT_FAILED;
	if (!lost->range)
		ranges_print(result);
	json_object_put(result);
	return HS_EXIT_OK;
}

/* ---- offline --------------------------------------------------------------------------------- */

static int offline_list(const struct lost *lost)
{
	struct hs_error err = { .msg = "" };
	int r = hs_lost(lost->target, range_print, NULL, &err);

	return r ? hs_fail_error(&err, r, lost->target) : HS_EXIT_OK;
}

static int offline_forget(const struct lost *lost)
{
	const struct hs_open_opts opts = {
		.origin = lost->origin,
		.cache = lost->target,
		.mode = -1,
		.threads = 1,
	};
	struct hs_error err = { .msg = "" }, close_err = { .msg = "" };
	struct hs_dev *dev;
	int r, close_r;

	r = hs_dev_open(&opts, &dev, &err);
	if (r)
		return hs_fail_error(&err, r, lost->target);
	r = hs_dev_forget(dev, lost->offset, lost->count, &err);
	close_r = hs_dev_close(dev, HS_CLOSE_CLEAN, &close_err);
	if (r)
		return hs_fail_error(&err, r, lost->target);
	return close_r ? hs_fail_error(&close_err, close_r, lost->target) : HS_EXIT_OK;
}

static int offline_run(const struct hs_cmd *cmd, const struct lost *lost)
{
	if (!lost->range)
		return offline_list(lost);
	if (!lost->origin)
		hs_usage(cmd, "--forget without a running server needs --origin ORIGIN");
	return offline_forget(lost);
}

/* Whether the target is the name of a server, rather than the path of a cache. */
static bool is_live(const char *target)
{
	char rundir[108], path[108];

	return hs_name_valid(target) && !hs_rundir_path(rundir, sizeof(rundir)) &&
	       !hs_rundir_socket(path, sizeof(path), rundir, target, ".sock") &&
	       hs_control_probe(path) == HS_SERVER_LIVE;
}

/* The kernel's target counts the blocks and keeps no list; the way to one, with the devices' names. */
static int kernel_refuse(const struct lost *lost)
{
	struct hs_kernel_state state;
	const char *name = lost->target, *cache;

	if (hs_kernel_look(name, &state))
		return HS_EXIT_FAILED;
	cache = state.cache[0] ? state.cache : "CACHE";
	if (lost->range)
		return hs_fail("%s: the kernel runs it, and forgets nothing: 'hotset detach %s --keep-dirty' first, "
			       "then 'hotset lost %s --forget %s --origin %s'", name, name, cache, lost->range,
			       state.origin[0] ? state.origin : "ORIGIN");
	if (!state.stats.lost)
		return hs_fail("%s: the kernel runs it, and knows of nothing lost; to look closer: 'hotset detach %s "
			       "--keep-dirty' first, then 'hotset check --data %s'", name, name, cache);
	return hs_fail("%s: the kernel runs it, and lists none of its %" PRIu64 " lost blocks: 'hotset detach %s "
		       "--keep-dirty' first, then 'hotset lost %s'", name, state.stats.lost, name, cache);
}

static void range_parse(const struct hs_cmd *cmd, struct lost *lost)
{
	lost->range = optarg;
	if (hs_range_parse(optarg, &lost->offset, &lost->count))
		hs_usage(cmd, "--forget %s: not OFFSET+LENGTH or OFFSET-END", optarg);
	if ((lost->offset | lost->count) % 512)
		hs_usage(cmd, "--forget %s: not a multiple of 512 bytes", optarg);
}

static int run(const struct hs_cmd *cmd, int argc, char **argv)
{
	static const char *const names[] = { "NAME or CACHE", NULL };
	struct lost lost = { .target = NULL };
	int c;

	while ((c = hs_option_next(cmd, argc, argv, options)) != -1) {
		if (c == 'o')
			lost.origin = optarg;
		else
			range_parse(cmd, &lost);
	}
	lost.target = hs_arguments(cmd, argc, argv, names)[0];
	if (is_live(lost.target))
		return live_run(&lost);
	if (hs_name_valid(lost.target) && access(lost.target, F_OK) && hs_kernel_is(lost.target))
		return kernel_refuse(&lost);
	return offline_run(cmd, &lost);
}

const struct hs_cmd hs_cmd_lost = {
	.name = "lost",
	.args = "NAME|CACHE [--forget RANGE] [--origin ORIGIN]",
	.summary = "list dirty ranges that cannot be read any more, or forget one",
	.options =
	"  --forget RANGE   OFFSET+LENGTH or OFFSET-END: read the origin there from now on\n"
	"  --origin ORIGIN  needed to forget while no server runs\n",
	.run = run,
};
