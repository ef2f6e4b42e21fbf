// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See cache.h. */
#include "cache.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "../nbd/names.h"
#include "cli.h"
#include "control.h"
#include "kernel.h"

static bool server_is_live(const char *name)
{
	char rundir[108], path[108];

	return !hs_rundir_path(rundir, sizeof(rundir)) &&
	       !hs_rundir_socket(path, sizeof(path), rundir, name, ".sock") &&
	       hs_control_probe(path) == HS_SERVER_LIVE;
}

enum hs_kind hs_cache_kind(const char *name)
{
	if (!hs_name_valid(name))
		return HS_KIND_NONE;
	if (server_is_live(name))
		return HS_KIND_SERVER;
	return hs_kernel_is(name) ? HS_KIND_KERNEL : HS_KIND_NONE;
}

struct json_object *hs_cache_stats(const char *name)
{
	if (hs_cache_kind(name) == HS_KIND_KERNEL)
		return hs_kernel_stats(name);
	return hs_control_ask(name, "stats");
}

/* ---- settings -------------------------------------------------------------------------------- */

const char *hs_setting_problem(const char *setting)
{
	static const char *const keys[] = { "mode", "seq_cutoff", "dirty_age", "dirty_limit", "writeback" };
	const char *value = strchr(setting, '=');

	if (!value || value == setting || !value[1] || strpbrk(setting, " \t\n\\"))
		return "not of the form KEY=VALUE";
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strlen(keys[i]) == (size_t)(value - setting) && !strncmp(keys[i], setting, value - setting))
			return NULL;
	return "no such setting: there are mode, seq_cutoff, dirty_age, dirty_limit and writeback";
}

static int kernel_set(const char *name, const char *setting, struct hs_progress *progress)
{
	const char *value = strchr(setting, '=') + 1;
	char key[64];

	if (value - setting > (long)sizeof(key))
		return hs_fail("%s: %s: no such setting", name, setting);
	snprintf(key, sizeof(key), "%.*s", (int)(value - setting - 1), setting);
	return hs_kernel_set(name, key, value, progress);
}

static struct json_object *set_request(const char *setting)
{
	struct json_object *request = hs_control_request("set");
	const char *value = strchr(setting, '=') + 1;

	json_object_object_add(request, "key", json_object_new_string_len(setting, value - setting - 1));
	json_object_object_add(request, "value", json_object_new_string(value));
	return request;
}

/* ---- both ------------------------------------------------------------------------------------ */

/* Takes over request. */
static int server_call(const char *name, struct json_object *request, struct hs_progress *progress)
{
	struct hs_control *control = hs_control_open(name);
	struct json_object *result;

	if (!control) {
		json_object_put(request);
		return HS_EXIT_FAILED;
	}
	result = hs_control_call(control, request, progress);
	hs_control_close(control);
	json_object_put(result);
	return result ? HS_EXIT_OK : HS_EXIT_FAILED;
}

int hs_cache_set(const char *name, const char *setting, struct hs_progress *progress)
{
	if (hs_cache_kind(name) == HS_KIND_KERNEL)
		return kernel_set(name, setting, progress);
	return server_call(name, set_request(setting), progress);
}

int hs_cache_flush(const char *name, struct hs_progress *progress)
{
	if (hs_cache_kind(name) == HS_KIND_KERNEL)
		return hs_kernel_flush(name, progress);
	return server_call(name, hs_control_request("flush"), progress);
}
