// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Making a cache. What stands there is looked at before anything is touched; only then is a file
 * created or resized, and the device written.
 */
#include <blkid/blkid.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include "engine/abandon.h"
#include "engine/load.h"

/* ---- what stands there ----------------------------------------------------------------------- */

/* A hotset cache: may it go? */
static int hs_format_over_cache(struct hs_target *cache, const struct hs_sb *sb,
				struct hs_error *err)
{
	struct hs_core_opts opts = { .mode = -1 };
	struct hs_error why = { "" };
	struct hs_exec x;
	u64 dirty = 0;
	int ret;

	hs_exec_init(&x);
	x.target[HS_CACHE] = cache;
	ret = hs_load_map(&x, sb, &opts, &why);
	if (!ret)
		dirty = hs_map_dirty(&x);
	hs_exec_destroy(&x);
	if (ret)
		return hs_error_set(err, -EEXIST,
				    "%s is a hotset cache that cannot be read and may hold dirty "
				    "data (%s): --force overwrites it",
				    cache->name, why.msg);
	if (dirty)
		return hs_error_set(err, -EEXIST,
				    "%s is a hotset cache with %llu dirty blocks: write them back "
				    "first (hotset writeback), or lose them with --force",
				    cache->name, (unsigned long long)dirty);
	return 0;
}

static int hs_format_known(blkid_probe probe, const char *path, struct hs_error *err)
{
	const char *type = NULL;

	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE);
	blkid_probe_enable_partitions(probe, 1);
	/* 1: nothing. -2: several, none of which is to be overwritten either. */
	switch (blkid_do_safeprobe(probe)) {
	case 0:
		if (blkid_probe_lookup_value(probe, "TYPE", &type, NULL) &&
		    blkid_probe_lookup_value(probe, "PTTYPE", &type, NULL))
			type = "something";
		break;
	case -2:
		type = "several things at once";
		break;
	}
	if (!type)
		return 0;
	return hs_error_set(err, -EEXIST, "%s holds data (%s): --force overwrites it", path, type);
}

static int hs_format_signature(const char *path, struct hs_error *err)
{
	blkid_probe probe = blkid_new_probe_from_filename(path);
	int ret;

	/* Too small for any of them. */
	if (!probe)
		return 0;
	ret = hs_format_known(probe, path, err);
	blkid_free_probe(probe);
	return ret;
}

/* -EEXIST: there is something that --force alone overwrites. */
static int hs_format_look(struct hs_target *cache, struct hs_error *err)
{
	struct hs_error why;
	unsigned int bad;
	struct hs_sb sb;
	int ret = hs_load_sb(cache, &sb, &bad, &why);

	if (!ret)
		return hs_format_over_cache(cache, &sb, err);
	if (ret == -EMEDIUMTYPE)
		return hs_format_signature(cache->name, err);
	return hs_error_set(err, -EEXIST, "%s: --force overwrites it all the same", why.msg);
}

/* ---- the file -------------------------------------------------------------------------------- */

/* A cache path before and while it is made a cache. */
struct hs_format_file {
	const char *path;
	bool exists, regular;
	u64 size;		/* of a regular file, before */
};

static int hs_format_stat(const struct hs_format_opts *opts, struct hs_format_file *file,
			  struct hs_error *err)
{
	struct stat cache, origin;

	memset(file, 0, sizeof(*file));
	file->path = opts->cache;
	if (stat(opts->cache, &cache)) {
		if (errno != ENOENT || !opts->size)
			return hs_error_set(err, -errno, "%s: %s%s", opts->cache, strerror(errno),
					    errno == ENOENT ? ": give --size to create it" : "");
		file->regular = true;
		return 0;
	}
	file->exists = true;
	file->regular = S_ISREG(cache.st_mode);
	file->size = (u64)cache.st_size;
	if (stat(opts->origin, &origin))
		return 0;
	if ((origin.st_dev == cache.st_dev && origin.st_ino == cache.st_ino) ||
	    (S_ISBLK(origin.st_mode) && S_ISBLK(cache.st_mode) && origin.st_rdev == cache.st_rdev))
		return hs_error_set(err, -EINVAL,
				    "%s is the origin itself: give another device or file",
				    opts->cache);
	return 0;
}

static int hs_format_look_at(const struct hs_format_opts *opts, const struct hs_format_file *file,
			     struct hs_error *err)
{
	struct hs_target *cache;
	int ret;

	if (!file->exists || (file->regular && !file->size))
		return 0;
	/* For writing: whoever serves it must be noticed. */
	ret = hs_target_open(opts->cache, HS_TARGET_WRITE | HS_TARGET_CACHE, &cache, err);
	if (ret)
		return ret;
	if (!opts->force)
		ret = hs_format_look(cache, err);
	hs_target_close(cache);
	return ret;
}

static int hs_format_resize(const struct hs_format_file *file, u64 size, bool create)
{
	int fd = open(file->path, O_WRONLY | O_CLOEXEC | (create ? O_CREAT | O_EXCL : 0), 0600);
	int ret;

	if (fd < 0)
		return -errno;
	ret = ftruncate(fd, (off_t)size) ? -errno : 0;
	close(fd);
	if (ret && create)
		unlink(file->path);
	return ret;
}

static int hs_format_make_room(const struct hs_format_opts *opts, const struct hs_format_file *file,
			       struct hs_error *err)
{
	int ret;

	if (!file->regular || opts->size <= file->size)
		return 0;
	ret = hs_format_resize(file, opts->size, !file->exists);
	if (ret)
		hs_error_set(err, ret, "%s: cannot make it %llu bytes long: %s", file->path,
			     (unsigned long long)opts->size, strerror(-ret));
	return ret;
}

/* It did not become a cache: leave no trace, as far as that is in our hands. */
static void hs_format_undo(const struct hs_format_file *file)
{
	if (!file->exists)
		unlink(file->path);
	else if (file->regular)
		hs_format_resize(file, file->size, false);
}

/* ---- writing --------------------------------------------------------------------------------- */

static int hs_format_job(struct hs_exec *x, struct hs_format_job *job)
{
	struct hs_list one;
	enum hs_step_result ret;

	hs_list_init(&one);
	while ((ret = hs_format_step(job)) != HS_DONE) {
		if (ret != HS_IO)
			continue;
		hs_list_add_tail(&one, &job->req.link);
		hs_perform(x, &one);
		hs_list_del(&job->req.link);
	}
	return job->req.error;
}

int hs_format_target(struct hs_target *cache, struct hs_sb *sb)
{
	struct hs_format_job job;
	struct hs_exec x;
	struct hs_sb old = { 0 };
	unsigned int bad;
	u8 *buffer = hs_buffer_new(HS_FORMAT_BUFFER);
	int ret;

	if (!buffer)
		return -ENOMEM;
	/* Fails where nothing was, or only part of something. */
	hs_load_sb(cache, &old, &bad, NULL);
	uuid_generate(sb->uuid);
	hs_exec_init(&x);
	x.target[HS_CACHE] = cache;
	memset(&job, 0, sizeof(job));
	hs_format_start(&job, sb, buffer);
	ret = hs_format_job(&x, &job);
	hs_exec_destroy(&x);
	hs_buffer_free(buffer);
	if (!ret && !uuid_is_null(old.uuid))
		hs_abandon_forget(old.uuid);
	return ret;
}

static int hs_format_choose(const struct hs_format_opts *opts, u64 origin, u64 cache,
			    struct hs_sb *sb, struct hs_error *err)
{
	struct hs_geometry_wish wish = {
		.origin_bytes = origin,
		.cache_bytes = opts->size ? opts->size : cache,
		.journal_bytes = opts->journal_size,
		.block_size = opts->block_size,
		.assoc = opts->assoc,
		.consecutive = opts->consecutive,
		.no_checksums = opts->no_checksums,
	};
	const char *why = "";
	int ret;

	if (wish.cache_bytes > cache)
		return hs_error_set(err, -ENOSPC,
				    "%s has %llu bytes, not %llu: give a smaller --size",
				    opts->cache, (unsigned long long)cache,
				    (unsigned long long)wish.cache_bytes);
	memset(sb, 0, sizeof(*sb));
	ret = hs_geometry_choose(&wish, &sb->geo, &why);
	if (ret)
		return hs_error_set(err, ret, "%s: %s", opts->cache, why);
	sb->mode = (u8)opts->mode;
	sb->incompat = opts->no_checksums ? 0 : HS_INCOMPAT_CHECKSUMS;
	return 0;
}

static int hs_format_origin_size(const char *name, u64 *size, struct hs_error *err)
{
	struct hs_target *origin;
	int ret = hs_target_open(name, 0, &origin, err);

	if (ret)
		return ret;
	*size = origin->size;
	hs_target_close(origin);
	return *size ? 0
		     : hs_error_set(err, -EINVAL, "%s is empty: there is nothing to cache", name);
}

static int hs_format_cache(const struct hs_format_opts *opts, u64 origin, struct hs_layout *geo,
			   struct hs_error *err)
{
	struct hs_target *cache;
	struct hs_sb sb;
	int ret;

	ret = hs_target_open(opts->cache, HS_TARGET_WRITE | HS_TARGET_CACHE, &cache, err);
	if (ret)
		return ret;
	ret = hs_format_choose(opts, origin, cache->size, &sb, err);
	if (!ret) {
		ret = hs_format_target(cache, &sb);
		if (ret)
			hs_error_set(err, ret, "%s: cannot format it: %s", opts->cache,
				     strerror(-ret));
	}
	hs_target_close(cache);
	if (!ret && geo)
		hs_layout_fill(geo, &sb);
	return ret;
}

int hs_format(const struct hs_format_opts *opts, struct hs_layout *geo, struct hs_error *err)
{
	struct hs_format_file file;
	u64 origin;
	int ret;

	if ((unsigned int)opts->mode >= HS_MODE_COUNT)
		return hs_error_set(err, -EINVAL, "no such mode: %d", opts->mode);
	ret = hs_format_stat(opts, &file, err);
	if (!ret)
		ret = hs_format_origin_size(opts->origin, &origin, err);
	if (!ret)
		ret = hs_format_look_at(opts, &file, err);
	if (!ret)
		ret = hs_format_make_room(opts, &file, err);
	if (ret)
		return ret;
	ret = hs_format_cache(opts, origin, geo, err);
	if (ret)
		hs_format_undo(&file);
	return ret;
}
