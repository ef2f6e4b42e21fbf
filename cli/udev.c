// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * hotset udev: what a block device is to the caches of /etc/hotset, as udev properties, for 90-hotset.rules. udev names
 * the device in the environment: DEVNAME, and DEVLINKS, the symbolic links that it is about to make.
 */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../nbd/names.h"
#include "cli.h"
#include "conf.h"

static const struct option options[] = { HS_OPTIONS_END };

static bool is_named(const char *path, const char *devname, const char *devlinks)
{
	size_t len = strlen(path);

	if (!strcmp(path, devname))
		return true;
	for (const char *at = devlinks; (at = strstr(at, path)); at += len)
		if ((at == devlinks || at[-1] == ' ') && (!at[len] || at[len] == ' '))
			return true;
	return false;
}

static const char *env(const char *name)
{
	const char *value = getenv(name);

	return value ? value : "";
}

/* Whether the file names the device. */
static bool conf_match(const char *path)
{
	const char *file = strrchr(path, '/') + 1;
	char name[HS_NAME_MAX + 8];
	struct hs_conf conf;
	const char *role = NULL;

	if (snprintf(name, sizeof(name), "%.*s", (int)(strlen(file) - strlen(".conf")), file) >= (int)sizeof(name) ||
	    !hs_name_valid(name) || hs_conf_read(&conf, name, path))
		return false;
	if (is_named(conf.origin, env("DEVNAME"), env("DEVLINKS")))
		role = "origin";
	else if (is_named(conf.cache, env("DEVNAME"), env("DEVLINKS")))
		role = "cache";
	if (role)
		printf("HOTSET_NAME=%s\nHOTSET_ROLE=%s\n", name, role);
	hs_conf_free(&conf);
	return role;
}

static int run(const struct hs_cmd *cmd, int argc, char **argv)
{
	static const char *const names[] = { NULL };
	char pattern[PATH_MAX];
	glob_t found;

	while (hs_option_next(cmd, argc, argv, options) != -1)
		;
	hs_arguments(cmd, argc, argv, names);
	if (!*env("DEVNAME"))
		hs_usage(cmd, "udev runs this, with the device in DEVNAME and DEVLINKS");
	snprintf(pattern, sizeof(pattern), "%s/*.conf", hs_conf_dir());
	if (glob(pattern, 0, NULL, &found))
		return HS_EXIT_OK;
	for (size_t i = 0; i < found.gl_pathc; i++)
		if (conf_match(found.gl_pathv[i]))
			break;
	globfree(&found);
	return HS_EXIT_OK;
}

const struct hs_cmd hs_cmd_udev = {
	.name = "udev",
	.args = "",
	.summary = "for udev's rules: what a device is to the caches of /etc/hotset",
	.options = "",
	.run = run,
};
