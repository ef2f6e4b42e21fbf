// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Ending a kernel cache. With write-back: dirty blocks are written back while the device still serves; then it is
 * suspended, so that nobody can make new ones, looked at once more, and removed. Whatever goes wrong before the removal,
 * it is resumed and serves on.
 */
#include <errno.h>
#include <dirent.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "cli.h"
#include "dm.h"
#include "engine/target.h"
#include "kernel.h"
#include "klog.h"

#define LOOK_MS		100
#define LOOKERS_MS	5000
#define ROUNDS		5	/* of write-back, while others write */

/* ---- who uses it ----------------------------------------------------------------------------- */

/* A device that was made of this one: its kernel name, or "". */
static void holder_find(const struct hs_kernel_state *state, char *name, size_t size)
{
	char path[64];
	struct dirent *entry;
	DIR *dir;

	*name = 0;
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/holders", state->major, state->minor);
	dir = opendir(path);
	while (dir && !*name && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			snprintf(name, size, "%s", entry->d_name);
	if (dir)
		closedir(dir);
}

/* Mounted, swap and the like, with the words for it. */
static bool is_used(const struct hs_kernel_state *state, struct hs_error *err)
{
	const struct stat st = {
		.st_mode = S_IFBLK,
		.st_rdev = makedev(state->major, state->minor),
	};
	char holder[256];

	if (hs_file_in_use(&st, state->device, err))
		return true;
	holder_find(state, holder, sizeof(holder));
	if (!*holder)
		return false;
	snprintf(err->msg, sizeof(err->msg), "%s is in use by the device %s: remove that first (see lsblk)",
		 state->device, holder);
	return true;
}

static int busy_complain(const char *name, const struct hs_kernel_state *state)
{
	struct hs_error err = { .msg = "" };

	if (is_used(state, &err))
		return hs_fail("%s: %s", name, err.msg);
	return hs_fail("%s: %s is open: end the programs that use it first ('fuser -v %s' names them)", name,
		       state->device, state->device);
}

/* Waits for who only has a look at the device, as udev does at every change, to close it. */
static int closed_await(const char *name, struct hs_kernel_state *state)
{
	struct hs_error err = { .msg = "" };

	for (unsigned int ms = 0; ms <= LOOKERS_MS; ms += LOOK_MS) {
		if (hs_kernel_look(name, state))
			return HS_EXIT_FAILED;
		if (!state->open_count)
			return 0;
		if (is_used(state, &err))
			break;
		poll(NULL, 0, LOOK_MS);
	}
	return busy_complain(name, state);
}

/* ---- write-back, suspended at its end -------------------------------------------------------- */

/* A command that is interrupted must not leave a suspended device behind. */
static void signals_hold(bool hold)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

/* Back to where it was. */
static int resume(const char *name)
{
	int r = hs_dm_resume(name);

	if (r)
		return hs_fail("%s: suspended, and cannot be resumed: %s; try 'dmsetup resume %s'", name, strerror(-r),
			       name);
	return 0;
}

static int suspend(const char *name, struct hs_kernel_state *state)
{
	struct hs_klog klog;
	const char *why;
	int r;

	hs_klog_begin(&klog);
	r = hs_dm_suspend(name);
	why = hs_klog_error(&klog);
	hs_klog_end(&klog);
	if (r)
		return hs_fail("%s: cannot be suspended: %s", name, strerror(-r));
	if (why) {
		hs_fail("%s: %s; it was left as it was", name, why);
		resume(name);
		return HS_EXIT_FAILED;
	}
	r = hs_kernel_look(name, state);
	if (r)
		resume(name);
	return r;
}

/* Ends suspended, with nothing dirty and signals held; or as it was, after a complaint. */
static int settle(const char *name, struct hs_progress *progress)
{
	struct hs_kernel_state state = { .suspended = false };
	int r;

	for (int round = 0; round < ROUNDS; round++) {
		if (hs_kernel_flush(name, progress))
			return HS_EXIT_FAILED;
		signals_hold(true);
		r = suspend(name, &state);
		if (!r && !state.stats.dirty)
			return 0;
		if (!r)
			r = resume(name);
		signals_hold(false);
		if (r)
			return r;
	}
	return hs_fail("%s: others keep writing to it: it was left as it was, with %" PRIu64 " dirty blocks", name,
		       state.stats.dirty);
}

/* ---- removal --------------------------------------------------------------------------------- */

static int removed(const char *name, const char *why)
{
	if (!why)
		return 0;
	return hs_fail("%s: removed, but not stopped cleanly (%s): the next start recovers", name, why);
}

static int device_remove(const char *name, bool suspended)
{
	struct hs_kernel_state state;
	struct hs_klog klog;
	const char *why;
	int r;

	hs_klog_begin(&klog);
	r = hs_dm_remove(name);
	why = hs_klog_error(&klog);
	hs_klog_end(&klog);
	if (!r)
		return removed(name, why);
	if (suspended)
		resume(name);
	if (r == -EBUSY && !hs_kernel_look(name, &state))
		return busy_complain(name, &state);
	return hs_fail("%s: cannot be removed: %s", name, strerror(-r));
}

int hs_kernel_stop(const char *name, bool writeback, struct hs_progress *progress, uint64_t *dirty)
{
	struct hs_kernel_state state = { .open_count = 0 };
	int r;

	if (closed_await(name, &state))
		return HS_EXIT_FAILED;
	*dirty = writeback ? 0 : state.stats.dirty;
	if (!writeback)
		return device_remove(name, false);
	r = settle(name, progress);
	if (r)
		return r;
	r = device_remove(name, true);
	signals_hold(false);
	return r;
}
