/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names and places on which a server and the `hotset` command agree.
 *
 *   RUNDIR/NAME.sock	control socket, mode 0600
 *   RUNDIR/NAME.lock	held locked while the server lives
 *   RUNDIR/NAME.nbd	NBD socket, when neither --socket nor --port is given
 *
 * RUNDIR is $HOTSET_RUNDIR, else /run/hotset for root, else $XDG_RUNTIME_DIR/hotset.
 *
 * Inline, because the plugin and the command have no library in common that this would belong to.
 */
#ifndef HS_NAMES_H
#define HS_NAMES_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define HS_NAME_MAX	64

static inline int hs_path_print(char *buf, size_t size, const char *dir, const char *name,
				const char *suffix)
{
	int len = snprintf(buf, size, "%s%s%s%s", dir, *name ? "/" : "", name, suffix);

	return len < 0 || (size_t)len >= size ? -ENAMETOOLONG : 0;
}

/* Writes the directory's path. -ENOENT: no environment variable says where; -ENAMETOOLONG. */
static inline int hs_rundir_path(char *buf, size_t size)
{
	const char *dir = getenv("HOTSET_RUNDIR");

	if (dir && *dir)
		return hs_path_print(buf, size, dir, "", "");
	if (geteuid() == 0)
		return hs_path_print(buf, size, "/run/hotset", "", "");
	dir = getenv("XDG_RUNTIME_DIR");
	if (dir && *dir)
		return hs_path_print(buf, size, dir, "hotset", "");
	return -ENOENT;
}

/* RUNDIR/NAME + suffix, short enough for a socket address. -ENAMETOOLONG when it is not. */
static inline int hs_rundir_socket(char *buf, size_t size, const char *rundir, const char *name,
				   const char *suffix)
{
	struct sockaddr_un addr;

	if (size > sizeof(addr.sun_path))
		size = sizeof(addr.sun_path);
	return hs_path_print(buf, size, rundir, name, suffix);
}

/* 1 to HS_NAME_MAX of A-Z a-z 0-9 . _ : + -, the first neither a dot nor a dash. */
static inline bool hs_name_valid(const char *name)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789._:+-";
	size_t len = strlen(name);

	return len && len <= HS_NAME_MAX && strspn(name, allowed) == len &&
	       *name != '.' && *name != '-';
}

/* The file name of the cache: "/srv/ssd.cache" is served as "ssd.cache" unless told otherwise. */
static inline const char *hs_name_default(const char *cache)
{
	const char *slash = strrchr(cache, '/');

	return slash ? slash + 1 : cache;
}

/* Whether an origin is an NBD URI and not a path. */
static inline bool hs_origin_is_uri(const char *origin)
{
	static const char *const schemes[] = {
		"nbd://", "nbds://", "nbd+unix://", "nbds+unix://",
	};

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (!strncmp(origin, schemes[i], strlen(schemes[i])))
			return true;
	return false;
}

#endif
