// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include "engine/abandon.h"

static const char *hs_abandon_dir(void)
{
	const char *dir = getenv("HOTSET_STATEDIR");

	return dir && *dir ? dir : "/var/lib/hotset";
}

static void hs_abandon_path(const u8 *uuid, char path[PATH_MAX])
{
	char text[37];

	uuid_unparse_lower(uuid, text);
	snprintf(path, PATH_MAX, "%s/%s.abandoned", hs_abandon_dir(), text);
}

static int hs_abandon_sync_dir(void)
{
	int fd = open(hs_abandon_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret = 0;

	if (fd < 0)
		return -errno;
	if (fsync(fd))
		ret = -errno;
	close(fd);
	return ret;
}

int hs_abandon_record(const u8 *uuid, const char *cache)
{
	char path[PATH_MAX];
	int fd, ret = 0;

	if (mkdir(hs_abandon_dir(), 0755) && errno != EEXIST)
		return -errno;
	hs_abandon_path(uuid, path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	/* The name says it all; what the file holds is for people. */
	if (dprintf(fd, "%s\n", cache) < 0 || fsync(fd))
		ret = -errno;
	close(fd);
	return ret ? ret : hs_abandon_sync_dir();
}

int hs_abandon_check(const u8 *uuid, const char *cache, struct hs_error *err)
{
	char path[PATH_MAX];

	hs_abandon_path(uuid, path);
	if (access(path, F_OK))
		return 0;
	return hs_error_set(err, -ESTALE, "%s failed while it was served and the origin was written past it since "
			    "(%s): what it holds is older than the origin; make it new with "
			    "hotset format --force", cache, path);
}

void hs_abandon_forget(const u8 *uuid)
{
	char path[PATH_MAX];

	hs_abandon_path(uuid, path);
	unlink(path);
}

int hs_abandon(const char *uuid, const char *cache, struct hs_error *err)
{
	u8 raw[16];
	int ret;

	if (uuid_parse(uuid, raw))
		return hs_error_set(err, -EINVAL, "%s: not a UUID", uuid);
	ret = hs_abandon_record(raw, cache);
	if (ret)
		hs_error_set(err, ret, "%s: cannot record in %s that it must not be used again: %s", cache,
			     hs_abandon_dir(), strerror(-ret));
	return ret;
}
