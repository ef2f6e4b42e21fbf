// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See kernel.h. What the target's status says stands in docs/KERNEL.md. */
#include "kernel.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <json-c/json.h>

#include "../nbd/stats.h"
#include "cli.h"
#include "dm.h"
#include "klog.h"
#include "progress.h"

#define LOOK_MS		200	/* between looks at what is under way */
#define STUCK_LOOKS	50	/* with errors, and not one block less: no use */
#define NOT_CACHED	"not_cached_"

/* The fixed fields of the status. */
enum field {
	BLOCK_SECTORS,
	SLOTS,
	USED,
	DIRTY,
	READS,
	WRITES,
	HITS,
	PERCENT,
	REPLACEMENTS,
	WRITE_BACKS,
	FLUSHED,
	MODE,
	STATE,
	FIELDS,
};

/* ---- status ---------------------------------------------------------------------------------- */

static void field_set(struct hs_kernel_state *state, enum field field, const char *text)
{
	static const char *const keys[FIELDS] = {
		[SLOTS] = "slots", [USED] = "used", [DIRTY] = "dirty", [READS] = "reads", [WRITES] = "writes",
		[REPLACEMENTS] = "replacements", [WRITE_BACKS] = "write_backs",
	};
	uint64_t n = strtoull(text, NULL, 10);

	if (keys[field])
		hs_stats_set(&state->stats, keys[field], n);
	else if (field == BLOCK_SECTORS)
		state->stats.block_size = n << 9;
	else if (field == MODE)
		state->stats.mode = state->stats.mode_durable = hs_mode_parse(text);
	else if (field == STATE)
		state->stats.failed = !strcmp(text, "failed");
}

static bool not_cached_set(struct hs_stats *stats, const char *why, uint64_t n)
{
	for (int i = 0; i < HS_WHY_COUNT; i++) {
		if (strcmp(why, hs_reason_name(i)))
			continue;
		stats->not_cached[i] = n;
		return true;
	}
	return false;
}

/* A pair that is not known here is one of a newer target. */
static void pair_set(struct hs_kernel_state *state, const char *key, const char *text)
{
	struct hs_stats *stats = &state->stats;
	uint64_t n = strtoull(text, NULL, 10);

	if (hs_stats_set(stats, key, n))
		return;
	if (!strncmp(key, NOT_CACHED, strlen(NOT_CACHED)))
		not_cached_set(stats, key + strlen(NOT_CACHED), n);
	else if (!strcmp(key, "mode_durable"))
		stats->mode_durable = hs_mode_parse(text);
	else if (!strcmp(key, "assoc"))
		stats->assoc = n;
	else if (!strcmp(key, "clean_start"))
		stats->clean_start = n;
	else if (!strcmp(key, "abandon_due"))
		state->abandon_due = n;
}

/* Takes text to pieces. -EPROTO: not what this command understands. */
static int status_parse(struct hs_kernel_state *state, char *text)
{
	char *word, *value, *save = NULL;
	int field = 0;

	for (word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		if (field < FIELDS) {
			field_set(state, field++, word);
			continue;
		}
		value = strchr(word, '=');
		if (!value)
			continue;
		*value++ = 0;
		pair_set(state, word, value);
	}
	return field < FIELDS || (int)state->stats.mode < 0 ? -EPROTO : 0;
}

/* ---- devices --------------------------------------------------------------------------------- */

/* "8:16" becomes the path of its node: /dev/mapper/NAME, or what the kernel calls it. */
static void device_path(char *path, size_t size, const char *number)
{
	char link[PATH_MAX], target[PATH_MAX], name[HS_DM_NAME] = "";
	const char *base;
	ssize_t len;
	FILE *f;

	snprintf(link, sizeof(link), "/sys/dev/block/%s/dm/name", number);
	f = fopen(link, "re");
	if (f && fgets(name, sizeof(name), f)) {
		name[strcspn(name, "\n")] = 0;
		snprintf(path, size, "/dev/mapper/%s", name);
	}
	if (f)
		fclose(f);
	if (*name)
		return;
	snprintf(link, sizeof(link), "/sys/dev/block/%s", number);
	len = readlink(link, target, sizeof(target) - 1);
	if (len <= 0) {
		snprintf(path, size, "%s", number);
		return;
	}
	target[len] = 0;
	base = strrchr(target, '/');
	snprintf(path, size, "/dev/%.48s", base ? base + 1 : target);
	for (char *c = path + strlen("/dev/"); *c; c++)
		if (*c == '!')
			*c = '/';
}

static void devices_name(struct hs_kernel_state *state, const char *table)
{
	char origin[32] = "", cache[32] = "";

	if (sscanf(table, "%31s %31s", origin, cache) != 2)
		return;
	device_path(state->origin, sizeof(state->origin), origin);
	device_path(state->cache, sizeof(state->cache), cache);
}

static void state_fill(struct hs_kernel_state *state, const struct hs_dm_device *device)
{
	state->major = device->major;
	state->minor = device->minor;
	state->open_count = device->open_count;
	state->suspended = device->suspended;
	state->stats.origin_size = device->sectors << 9;
	snprintf(state->device, sizeof(state->device), "/dev/mapper/%s", device->name);
	if (!strncmp(device->uuid, HS_DM_UUID, strlen(HS_DM_UUID)))
		snprintf(state->uuid, sizeof(state->uuid), "%.36s", device->uuid + strlen(HS_DM_UUID));
	devices_name(state, device->table);
}

bool hs_kernel_is(const char *name)
{
	struct hs_dm_device device;

	if (hs_dm_look(name, &device))
		return false;
	hs_dm_free(&device);
	return true;
}

static int look_complain(const char *name, const struct hs_dm_device *device, int r)
{
	switch (r) {
	case -ENXIO:
		return hs_fail("%s: the kernel has no such cache; 'hotset list' shows those that there are", name);
	case -EMEDIUMTYPE:
		return hs_fail("%s: a device-mapper device %s%s, not a hotset cache; 'hotset list' shows those", name,
			       *device->target ? "of target " : "without a table", device->target);
	case -EACCES:
		return hs_fail("%s: only root can talk to caches in the kernel: use sudo", name);
	case -ENODEV:
		return hs_fail("%s: this kernel has no device-mapper, or it is not loaded: 'modprobe dm-mod'", name);
	default:
		return hs_fail("%s: device-mapper: %s", name, strerror(-r));
	}
}

int hs_kernel_look(const char *name, struct hs_kernel_state *state)
{
	struct hs_dm_device device;
	int r;

	memset(state, 0, sizeof(*state));
	r = hs_dm_look(name, &device);
	if (r)
		return look_complain(name, &device, r);
	r = status_parse(state, device.status);
	state_fill(state, &device);
	hs_dm_free(&device);
	if (r)
		return hs_fail("%s: its status is none known here: are command and module of the same version?", name);
	return 0;
}

/* ---- info, stats ----------------------------------------------------------------------------- */

static void string_add(struct json_object *obj, const char *key, const char *value)
{
	json_object_object_add(obj, key, value ? json_object_new_string(value) : NULL);
}

struct json_object *hs_kernel_info(const char *name)
{
	struct hs_kernel_state state;
	struct json_object *info;
	char version[32] = "";

	if (hs_kernel_look(name, &state))
		return NULL;
	hs_dm_target_there(version);
	info = json_object_new_object();
	string_add(info, "name", name);
	string_add(info, "kind", "kernel");
	string_add(info, "pid", NULL);
	string_add(info, "version", version);
	string_add(info, "origin", state.origin);
	string_add(info, "cache", state.cache);
	string_add(info, "uri", state.device);
	json_object_object_add(info, "size", json_object_new_uint64(state.stats.origin_size));
	json_object_object_add(info, "readonly", json_object_new_boolean(false));
	return info;
}

struct json_object *hs_kernel_stats(const char *name)
{
	struct hs_kernel_state state;

	return hs_kernel_look(name, &state) ? NULL : hs_stats_json(&state.stats);
}

/* ---- messages -------------------------------------------------------------------------------- */

static uint64_t blocks_left(const struct hs_stats *stats)
{
	return stats->dirty > stats->lost ? stats->dirty - stats->lost : 0;
}

/* The child that waits inside the message: libdevmapper is not made for two threads. */
static void message_child(const char *name, const char *message, int fd)
{
	int r;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	r = hs_dm_message(name, message);
	_exit(write(fd, &r, sizeof(r)) != sizeof(r));
}

static void progress_look(const char *name, struct hs_progress *progress, uint64_t *total)
{
	struct hs_kernel_state state;
	uint64_t left;

	if (hs_kernel_look(name, &state))
		return;
	left = blocks_left(&state.stats);
	if (left > *total)
		*total = left;
	if (*total)
		hs_progress_show(progress, left, *total);
}

/* What the child says, or -EINTR when it was ended. */
static int message_await(const char *name, int fd, struct hs_progress *progress)
{
	struct pollfd end = { .fd = fd, .events = POLLIN };
	uint64_t total = 0;
	int r;

	progress_look(name, progress, &total);
	while (poll(&end, 1, LOOK_MS) == 0)
		progress_look(name, progress, &total);
	if (read(fd, &r, sizeof(r)) != sizeof(r))
		r = -EINTR;
	if (!r && total)
		hs_progress_show(progress, 0, total);
	hs_progress_end(progress);
	return r;
}

/* Sends a message that takes its time, and shows how far it is. */
static int message_long(const char *name, const char *message, struct hs_progress *progress)
{
	int fd[2], r;
	pid_t pid;

	if (pipe(fd))
		return -errno;
	pid = fork();
	if (pid < 0) {
		r = -errno;
		close(fd[0]);
		close(fd[1]);
		return r;
	}
	if (!pid)
		message_child(name, message, fd[1]);
	close(fd[1]);
	r = message_await(name, fd[0], progress);
	close(fd[0]);
	waitpid(pid, NULL, 0);
	return r;
}

static int flush_complain(const char *name, int r)
{
	struct hs_kernel_state state;
	uint64_t left;

	if (r == -EINTR)
		return hs_fail("%s: interrupted; dirty blocks are kept", name);
	if (hs_kernel_look(name, &state))
		return HS_EXIT_FAILED;
	left = blocks_left(&state.stats);
	if (state.suspended)
		return hs_fail("%s: suspended: 'dmsetup resume %s' first", name, name);
	if (state.stats.failed)
		return hs_fail("%s: the cache device is out of service, and %" PRIu64 " dirty blocks with it", name,
			       state.stats.dirty);
	if (!left && state.stats.lost)
		return hs_fail("%s: %" PRIu64 " blocks cannot be read in full and stay dirty: 'hotset detach %s "
			       "--keep-dirty', then see 'hotset lost %s', and give up with --forget what is beyond "
			       "help", name, state.stats.lost, name, state.cache);
	return hs_fail("%s: write-back to %s fails: %" PRIu64 " blocks are still dirty, and stay in the cache (%s)",
		       name, state.origin, left, strerror(-r));
}

int hs_kernel_flush(const char *name, struct hs_progress *progress)
{
	int r = message_long(name, "flush", progress);

	return r ? flush_complain(name, r) : 0;
}

/* ---- settings -------------------------------------------------------------------------------- */

/* The change was started: waits until it is complete. Lost blocks hold it up for ever. */
static int mode_await(const char *name, enum hs_mode mode, struct hs_progress *progress)
{
	struct hs_kernel_state state;
	uint64_t least = UINT64_MAX, errors = 0, total = 0, left;
	int looks = 0;

	for (;;) {
		if (hs_kernel_look(name, &state))
			return HS_EXIT_FAILED;
		left = blocks_left(&state.stats);
		if (state.stats.mode_durable == mode)
			return 0;
		if (state.stats.failed)
			return hs_fail("%s: the cache device is out of service: the mode cannot be stored", name);
		if (!left && state.stats.lost)
			return hs_fail("%s: %" PRIu64 " dirty blocks cannot be read, so they cannot leave the cache; "
				       "until they are overwritten or forgotten the mode is in force but not stored",
				       name, state.stats.lost);
		total = left > total ? left : total;
		if (total)
			hs_progress_show(progress, left, total);
		if (left < least) {
			least = left;
			looks = 0;
			errors = state.stats.write_back_errors;
		} else if (state.stats.write_back_errors > errors && ++looks > STUCK_LOOKS) {
			return flush_complain(name, -EIO);
		}
		poll(NULL, 0, LOOK_MS);
	}
}

int hs_kernel_set(const char *name, const char *key, const char *value, struct hs_progress *progress)
{
	struct hs_klog klog;
	const char *why;
	char message[256];
	int r;

	if (strpbrk(value, " \t\n\\") || strpbrk(key, " \t\n\\") || !*value ||
	    snprintf(message, sizeof(message), "set %s %s", key, value) >= (int)sizeof(message))
		return hs_fail("%s: %s=%s: not a value of a setting", name, key, value);
	hs_klog_begin(&klog);
	r = hs_dm_message(name, message);
	why = hs_klog_error(&klog);
	hs_klog_end(&klog);
	if (r == -EAGAIN)
		return hs_fail("%s: suspended: 'dmsetup resume %s' first", name, name);
	if (r && why)
		return hs_fail("%s: %s", name, why);
	if (r)
		return hs_fail("%s: %s=%s: %s; the kernel's log may tell more", name, key, value, strerror(-r));
	if (strcmp(key, "mode"))
		return 0;
	r = mode_await(name, hs_mode_parse(value), progress);
	hs_progress_end(progress);
	return r;
}
