// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The life of the one device behind all connections.
 *
 * hs_device_close runs from .cleanup, or, when nbdkit gives up before it serves (a port in use,
 * say), from an atexit handler. In a process forked off after the open it does nothing: the
 * device's threads, and the duty, stayed with the parent.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hotset/hotset.h>

#include "log.h"
#include "plugin.h"
#include "server.h"

static void device_log(void *arg, const char *line)
{
	(void)arg;
	hs_log_info("%s: %s", hs_plugin.name, line);
}

static int setting_apply(const char *setting)
{
	struct hs_error err = { .msg = "" };
	const char *value = strchr(setting, '=') + 1;
	char key[64];
	int r;

	snprintf(key, sizeof(key), "%.*s", (int)(value - setting - 1), setting);
	r = hs_dev_set(hs_plugin.dev, key, value, NULL, NULL, &err);
	if (r)
		hs_log_error("%s", err.msg[0] ? err.msg : strerror(-r));
	return r;
}

/* A value that is refused ends the start: the device is closed again, cleanly. */
static int settings_apply(void)
{
	int r = 0;

	for (unsigned int i = 0; i < hs_plugin.sets && !r; i++)
		r = setting_apply(hs_plugin.set[i]);
	if (!r)
		return 0;
	hs_dev_close(hs_plugin.dev, HS_CLOSE_CLEAN, NULL);
	hs_plugin.dev = NULL;
	return r;
}

static int cache_open(void)
{
	const struct hs_open_opts opts = {
		.origin = hs_plugin.origin,
		.cache = hs_plugin.cache,
		.mode = hs_plugin.mode,
		.threads = hs_plugin.threads,
		.accept_changed_origin = hs_plugin.accept_changed_origin,
		.log = device_log,
	};
	struct hs_error err = { .msg = "" };
	struct hs_stats stats;
	int r;

	r = hs_dev_open(&opts, &hs_plugin.dev, &err);
	if (r) {
		hs_log_error("%s", err.msg[0] ? err.msg : strerror(-r));
		hs_plugin.dev = NULL;
		return r;
	}
	hs_dev_stats(hs_plugin.dev, &stats);
	hs_plugin.size = hs_dev_size(hs_plugin.dev);
	hs_plugin.block_size = stats.block_size;
	hs_plugin.pid = getpid();
	return settings_apply();
}

int hs_device_open(void)
{
	static bool registered;
	int r;

	r = hs_server_claim(hs_plugin.rundir, hs_plugin.name);
	if (r)
		return r;
	r = cache_open();
	if (r) {
		hs_server_leave();
		return r;
	}
	if (!registered && !atexit(hs_device_close))
		registered = true;
	return 0;
}

static void cache_close(void)
{
	struct hs_error err = { .msg = "" };
	struct hs_stats stats;
	char line[1024];
	int r;

	hs_dev_stats(hs_plugin.dev, &stats);
	r = hs_dev_close(hs_plugin.dev, HS_CLOSE_CLEAN, &err);
	hs_plugin.dev = NULL;
	if (!r) {
		hs_log_info("%s: stopped cleanly, %" PRIu64 " dirty blocks kept in the cache",
			    hs_plugin.name, stats.dirty);
		hs_server_tell(NULL, stats.dirty);
		return;
	}
	hs_plugin.unclean = true;
	snprintf(line, sizeof(line), "the stop was not clean (the next start recovers): %s",
		 err.msg[0] ? err.msg : strerror(-r));
	hs_log_error("%s: %s", hs_plugin.name, line);
	hs_server_tell(line, stats.dirty);
}

void hs_device_close(void)
{
	if (!hs_plugin.dev || hs_plugin.pid != getpid())
		return;
	hs_server_stop();
	cache_close();
	for (unsigned int i = 0; i < hs_plugin.unlinks; i++)
		unlink(hs_plugin.unlink[i]);
	hs_server_leave();
}
