// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * hotset monitor: waits for a kernel cache's device to fail. Once it has, writes to blocks that the lost cache names
 * must wait until it is on record, durably, that this cache must not be used again; they may then go to the origin. A
 * server does that by itself. The kernel has no place to keep such a record, so a process has to stand by.
 */
#include "monitor.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <hotset/hotset.h>

#include "cache.h"
#include "cli.h"
#include "dm.h"
#include "kernel.h"

#define IDLE_MS		5000	/* events wake us up earlier */
#define FAILED_MS	200	/* no event tells that writes wait */

static const struct option options[] = { HS_OPTIONS_END };

/* ---- signals --------------------------------------------------------------------------------- */

static volatile sig_atomic_t told;

static void on_signal(int sig)
{
	(void)sig;
	told = 1;
}

const sigset_t *hs_signals_take(void)
{
	static sigset_t waiting;
	const struct sigaction action = { .sa_handler = on_signal };
	sigset_t both;

	sigemptyset(&both);
	sigaddset(&both, SIGTERM);
	sigaddset(&both, SIGINT);
	sigprocmask(SIG_BLOCK, &both, &waiting);
	sigdelset(&waiting, SIGTERM);
	sigdelset(&waiting, SIGINT);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	return &waiting;
}

bool hs_signals_told(void)
{
	return told;
}

/* ---- the wait -------------------------------------------------------------------------------- */

struct monitor {
	const char *name;
	int fd;
	bool failed, abandoned;		/* known to be */
	bool complained;
};

/* Tried again at the next look if it cannot be done. */
static void abandon(struct monitor *m, const struct hs_kernel_state *state)
{
	struct hs_error err = { .msg = "" };
	int r = hs_abandon(state->uuid, state->cache, &err);

	if (!r)
		r = hs_dm_message(m->name, "abandon");
	if (r && !m->complained)
		hs_fail("%s: %s: writes to blocks that the cache names fail", m->name,
			err.msg[0] ? err.msg : strerror(-r));
	m->complained = r;
	if (r)
		return;
	m->abandoned = true;
	fprintf(stderr, "%s: recorded that %s must not be used again: all writes go to %s\n", m->name, state->cache,
		state->origin);
}

/* Whether the device is there; what it needs is done. */
static bool look(struct monitor *m)
{
	struct hs_kernel_state state;

	if (!hs_kernel_is(m->name) || hs_kernel_look(m->name, &state))
		return false;
	if (state.stats.failed && !m->failed)
		fprintf(stderr, "%s: the cache device %s failed: %s serves alone; what was dirty fails\n", m->name,
			state.cache, state.origin);
	m->failed = state.stats.failed;
	if (state.abandon_due && !m->abandoned)
		abandon(m, &state);
	return true;
}

static enum hs_monitor_end wait_end(struct monitor *m, const sigset_t *waiting)
{
	struct pollfd event = { .fd = m->fd, .events = POLLIN };
	int r;

	for (;;) {
		struct timespec time = { .tv_sec = IDLE_MS / 1000 };

		/* Armed before the look: nothing that happens after it is missed. */
		r = hs_dm_watch_arm(m->fd);
		if (r) {
			hs_fail("%s: cannot wait for device-mapper's events: %s", m->name, strerror(-r));
			return HS_MONITOR_FAILED;
		}
		if (!look(m))
			return HS_MONITOR_GONE;
		if (m->failed && !m->abandoned)
			time = (struct timespec){ .tv_nsec = FAILED_MS * 1000000 };
		if (ppoll(&event, 1, &time, waiting) < 0 && told)
			return HS_MONITOR_TOLD;
	}
}

enum hs_monitor_end hs_monitor(const char *name, const sigset_t *waiting)
{
	struct monitor m = { .name = name };
	struct hs_kernel_state state;
	enum hs_monitor_end end;

	if (hs_kernel_look(name, &state))
		return HS_MONITOR_FAILED;
	if (!*state.uuid) {
		hs_fail("%s: was not made by 'hotset attach': the UUID of its cache is not known", name);
		return HS_MONITOR_FAILED;
	}
	m.fd = hs_dm_watch_open();
	if (m.fd < 0) {
		hs_fail("%s: device-mapper: %s", name, strerror(-m.fd));
		return HS_MONITOR_FAILED;
	}
	end = wait_end(&m, waiting);
	close(m.fd);
	return end;
}

/* ---- the command ----------------------------------------------------------------------------- */

static int run(const struct hs_cmd *cmd, int argc, char **argv)
{
	static const char *const names[] = { "NAME", NULL };
	const char *name;

	while (hs_option_next(cmd, argc, argv, options) != -1)
		;
	name = hs_arguments(cmd, argc, argv, names)[0];
	if (hs_cache_kind(name) == HS_KIND_SERVER)
		return hs_fail("%s: a process serves it, and needs no other to stand by", name);
	return hs_monitor(name, hs_signals_take()) == HS_MONITOR_FAILED ? HS_EXIT_FAILED : HS_EXIT_OK;
}

const struct hs_cmd hs_cmd_monitor = {
	.name = "monitor",
	.args = "NAME",
	.summary = "stand by a kernel cache, and let writes pass it should its device fail",
	.options = "",
	.run = run,
};
