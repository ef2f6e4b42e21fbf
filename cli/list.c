// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* hotset list: all running caches. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "caches.h"
#include "cli.h"
#include "control.h"
#include "kernel.h"

#define COLUMNS	8

static const struct option options[] = {
	HS_FLAG("json", 'j'),
	HS_OPTIONS_END
};

/* ---- asking ---------------------------------------------------------------------------------- */

/* Adds mode and dirty to info. Takes over both; NULL if one is missing. */
static struct json_object *entry_make(struct json_object *info, struct json_object *stats)
{
	struct json_object *dirty, *mode;

	if (!info || !stats) {
		json_object_put(stats);
		json_object_put(info);
		return NULL;
	}
	if (json_object_object_get_ex(stats, "mode", &mode))
		json_object_object_add(info, "mode", json_object_get(mode));
	if (json_object_object_get_ex(stats, "dirty", &dirty))
		json_object_object_add(info, "dirty", json_object_get(dirty));
	json_object_put(stats);
	return info;
}

static void cache_add(void *list, const char *name, enum hs_kind kind)
{
	struct json_object *entry = NULL, *info;

	switch (kind) {
	case HS_KIND_NONE:
		hs_fail("%s: its server is gone without a stop; 'hotset serve' recovers its cache", name);
		break;
	case HS_KIND_SERVER:
		info = hs_control_ask(name, "info");
		if (info)
			json_object_object_add(info, "kind", json_object_new_string("server"));
		entry = entry_make(info, info ? hs_control_ask(name, "stats") : NULL);
		break;
	case HS_KIND_KERNEL:
		info = hs_kernel_info(name);
		entry = entry_make(info, info ? hs_kernel_stats(name) : NULL);
	}
	if (entry)
		json_object_array_add(list, entry);
}

/* ---- printing -------------------------------------------------------------------------------- */

struct row {
	char text[COLUMNS][PATH_MAX];
};

static void row_fill(struct row *row, struct json_object *server)
{
	static const char *const keys[COLUMNS] = {
		"name", "kind", "pid", "mode", "dirty", "origin", "cache", "uri",
	};

	for (int i = 0; i < COLUMNS; i++)
		snprintf(row->text[i], sizeof(row->text[i]), "%s",
			 *hs_json_string(server, keys[i]) ? hs_json_string(server, keys[i]) : "-");
}

static void row_measure(const struct row *row, int *widths)
{
	for (int i = 0; i < COLUMNS; i++)
		if ((int)strlen(row->text[i]) > widths[i])
			widths[i] = strlen(row->text[i]);
}

static void row_print(const struct row *row, const int *widths)
{
	for (int i = 0; i < COLUMNS - 1; i++)
		printf("%-*s  ", widths[i], row->text[i]);
	printf("%s\n", row->text[COLUMNS - 1]);
}

static int list_print(struct json_object *list)
{
	static const struct row head = {
		{ "NAME", "KIND", "PID", "MODE", "DIRTY", "ORIGIN", "CACHE", "URI" }
	};
	size_t n = json_object_array_length(list);
	int widths[COLUMNS] = { 0 };
	struct row *rows = calloc(n + 1, sizeof(*rows));

	if (!rows)
		return hs_fail("out of memory");
	rows[0] = head;
	for (size_t i = 0; i < n; i++)
		row_fill(&rows[i + 1], json_object_array_get_idx(list, i));
	for (size_t i = 0; i <= n; i++)
		row_measure(&rows[i], widths);
	for (size_t i = 0; i <= n; i++)
		row_print(&rows[i], widths);
	free(rows);
	return HS_EXIT_OK;
}

static int run(const struct hs_cmd *cmd, int argc, char **argv)
{
	static const char *const names[] = { NULL };
	struct json_object *list;
	bool json = false;
	int code;

	while (hs_option_next(cmd, argc, argv, options) != -1)
		json = true;
	hs_arguments(cmd, argc, argv, names);
	list = json_object_new_array();
	code = hs_caches_each(cache_add, list);
	if (!code && json)
		hs_json_print(list);
	else if (!code)
		code = list_print(list);
	json_object_put(list);
	return code;
}

const struct hs_cmd hs_cmd_list = {
	.name = "list",
	.args = "[--json]",
	.summary = "list the running caches",
	.options = "  --json  one array of objects\n",
	.run = run,
};
