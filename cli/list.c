// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* hotset list: the servers whose control sockets are in the run directory, and the kernel's caches. */
#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "../nbd/names.h"
#include "cli.h"
#include "control.h"
#include "dm.h"
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

/* What info and stats tell of a server, or NULL. */
static struct json_object *server_ask(const char *name)
{
	struct json_object *info = hs_control_ask(name, "info");

	if (info)
		json_object_object_add(info, "kind", json_object_new_string("server"));
	return entry_make(info, info ? hs_control_ask(name, "stats") : NULL);
}

/* Device-mapper devices of other targets are none of ours. */
static void kernel_add(void *list, const char *name)
{
	struct json_object *info, *entry;

	if (!hs_kernel_is(name))
		return;
	info = hs_kernel_info(name);
	entry = entry_make(info, info ? hs_kernel_stats(name) : NULL);
	if (entry)
		json_object_array_add(list, entry);
}

/* Adds the server of a socket. A stale socket is mentioned, a server that just ended is not. */
static void socket_add(struct json_object *list, const char *path)
{
	const char *file = strrchr(path, '/') + 1;
	char name[NAME_MAX + 1];
	struct json_object *server;

	snprintf(name, sizeof(name), "%.*s", (int)(strlen(file) - strlen(".sock")), file);
	if (!hs_name_valid(name))
		return;
	switch (hs_control_probe(path)) {
	case HS_SERVER_NONE:
		return;
	case HS_SERVER_GONE:
		hs_fail("%s: its server is gone without a stop; 'hotset serve' recovers its cache",
			name);
		return;
	case HS_SERVER_LIVE:
		server = server_ask(name);
		if (server)
			json_object_array_add(list, server);
	}
}

/* Adds every live server, by name. */
static int servers_add(struct json_object *list)
{
	char rundir[PATH_MAX], pattern[PATH_MAX + 16];
	glob_t found;

	if (hs_rundir_path(rundir, sizeof(rundir)))
		return hs_fail("where servers are is not known: set HOTSET_RUNDIR or XDG_RUNTIME_DIR");
	snprintf(pattern, sizeof(pattern), "%s/*.sock", rundir);
	if (!glob(pattern, 0, NULL, &found)) {
		for (size_t i = 0; i < found.gl_pathc; i++)
			socket_add(list, found.gl_pathv[i]);
		globfree(&found);
	}
	return HS_EXIT_OK;
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
	code = servers_add(list);
	/* Only root can see the kernel's; others have none that they could use. */
	if (!code)
		hs_dm_each(kernel_add, list);
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
