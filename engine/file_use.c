// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Is a file or block device in use by the system? O_EXCL refuses most block devices in use by
 * itself; this names the reason, and finds what O_EXCL cannot: files behind loop devices, and swap
 * files.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

#include "engine/target.h"

/* The first line of a file in /sys, without its end. */
static bool read_line(const char *path, char *line, int size)
{
	FILE *f = fopen(path, "re");
	bool ok;

	if (!f)
		return false;
	ok = fgets(line, size, f);
	fclose(f);
	if (ok)
		line[strcspn(line, "\n")] = '\0';
	return ok;
}

/* The disk that dev is a partition of, or dev. */
static dev_t whole_disk(dev_t dev)
{
	char path[80], line[32];
	unsigned int maj, min;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/partition", major(dev), minor(dev));
	if (!read_line(path, line, sizeof(line)))
		return dev;
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/../dev", major(dev), minor(dev));
	if (!read_line(path, line, sizeof(line)) || sscanf(line, "%u:%u", &maj, &min) != 2)
		return dev;
	return makedev(maj, min);
}

/* Two partitions of a disk do not overlap, a disk and its partition do. */
static bool disks_overlap(dev_t a, dev_t b)
{
	return a == b || whole_disk(a) == b || whole_disk(b) == a;
}

static bool is_same(const struct stat *st, const char *path)
{
	struct stat other;

	if (path[0] != '/' || stat(path, &other))
		return false;
	if (S_ISBLK(st->st_mode) && S_ISBLK(other.st_mode))
		return disks_overlap(st->st_rdev, other.st_rdev);
	return S_ISREG(st->st_mode) && S_ISREG(other.st_mode) &&
	       st->st_dev == other.st_dev && st->st_ino == other.st_ino;
}

/* Blanks in the tables of /proc are written as three octal digits. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] && s[2] && s[3]) {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

/*
 * A line of mountinfo: "36 35 98:0 /root /mount/point options ... - type source options". For some
 * file systems (btrfs) the device number is one of their own, so the source counts too.
 */
static bool mount_uses(const struct stat *st, char *line, char **point)
{
	unsigned int maj, min;
	char *tail = strstr(line, " - "), *source = NULL;
	bool uses = false;

	if (!tail || sscanf(line, "%*d %*d %u:%u %*s %ms", &maj, &min, point) != 3)
		return false;
	if (S_ISBLK(st->st_mode) && maj)
		uses = disks_overlap(st->st_rdev, makedev(maj, min));
	if (!uses && sscanf(tail, " - %*s %ms", &source) == 1) {
		unescape(source);
		uses = is_same(st, source);
		free(source);
	}
	if (uses) {
		unescape(*point);
		return true;
	}
	free(*point);
	return false;
}

static int check_mounts(const struct stat *st, const char *path, struct hs_error *err)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL, *point = NULL;
	size_t size = 0;
	int ret = 0;

	while (f && !ret && getline(&line, &size, f) > 0) {
		if (!mount_uses(st, line, &point))
			continue;
		ret = hs_error_set(err, -EBUSY, "%s is mounted on %s: unmount it first", path,
				   point);
		free(point);
	}
	free(line);
	if (f)
		fclose(f);
	return ret;
}

static int check_swaps(const struct stat *st, const char *path, struct hs_error *err)
{
	FILE *f = fopen("/proc/swaps", "re");
	char *line = NULL;
	size_t size = 0;
	int ret = 0;

	while (f && !ret && getline(&line, &size, f) > 0) {
		line[strcspn(line, " \t\n")] = '\0';
		unescape(line);
		if (is_same(st, line))
			ret = hs_error_set(err, -EBUSY, "%s is swap space: swapoff it first", path);
	}
	free(line);
	if (f)
		fclose(f);
	return ret;
}

static int check_loops(const struct stat *st, const char *path, struct hs_error *err)
{
	DIR *dir = opendir("/sys/block");
	struct dirent *e;
	char attr[300], backing[4096];
	int ret = 0;

	while (dir && !ret && (e = readdir(dir))) {
		if (strncmp(e->d_name, "loop", 4))
			continue;
		snprintf(attr, sizeof(attr), "/sys/block/%s/loop/backing_file", e->d_name);
		if (read_line(attr, backing, sizeof(backing)) && is_same(st, backing))
			ret = hs_error_set(err, -EBUSY,
					   "%s is in use by /dev/%s: detach it first (losetup -d)",
					   path, e->d_name);
	}
	if (dir)
		closedir(dir);
	return ret;
}

int hs_file_in_use(const struct stat *st, const char *path, struct hs_error *err)
{
	int ret;

	ret = check_mounts(st, path, err);
	if (!ret)
		ret = check_swaps(st, path, err);
	if (!ret)
		ret = check_loops(st, path, err);
	return ret;
}
