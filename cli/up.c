// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * hotset up: what hotset@NAME.service runs. Waits for the devices of /etc/hotset/NAME.conf, however long that is and in
 * whatever order they come, brings the cache up, and stays: as the server, or standing by the kernel's cache.
 *
 * It tells systemd that it has started once the cache is up, or after READY_MS of waiting: nothing that is ordered
 * behind the service waits for a device that may never come.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "../nbd/names.h"
#include "attach.h"
#include "cli.h"
#include "conf.h"
#include "kernel.h"
#include "monitor.h"

#define LOOK_MS		250
#define READY_MS	10000
#define CLOSE_MS	30000	/* at the end: how long others may take to let go of the device */
#define ARGS_MAX	(32 + 2 * HS_SETTINGS_MAX)

static const struct option options[] = {
	HS_VALUE("conf", 'c'),
	HS_FLAG("dry-run", 'n'),
	HS_OPTIONS_END
};

struct up {
	const char *name;
	struct hs_conf conf;
	const sigset_t *waiting;	/* NULL: no signals are taken */
	bool ready;			/* systemd was told */
};

/* ---- as a command line ----------------------------------------------------------------------- */

static int arg_pair(char **args, int n, const char *option, const char *value)
{
	if (!value)
		return n;
	args[n] = (char *)option;
	args[n + 1] = (char *)value;
	return n + 2;
}

/* What a person would type; ends with NULL. */
static void args_make(const struct up *up, char **args)
{
	const struct hs_conf *conf = &up->conf;
	int n = 0;

	args[n++] = (char *)"hotset";
	args[n++] = (char *)(conf->server ? "serve" : "attach");
	if (!conf->server)
		args[n++] = (char *)up->name;
	args[n++] = (char *)conf->origin;
	args[n++] = (char *)conf->cache;
	if (conf->server)
		n = arg_pair(args, n, "--name", up->name);
	n = arg_pair(args, n, "--mode", conf->mode);
	for (int i = 0; i < conf->nr_settings; i++)
		n = arg_pair(args, n, "--set", conf->settings[i]);
	n = arg_pair(args, n, "--socket", conf->socket);
	n = arg_pair(args, n, "--port", conf->port);
	n = arg_pair(args, n, "--bind", conf->bind);
	n = arg_pair(args, n, "--threads", conf->threads);
	if (conf->readonly)
		args[n++] = (char *)"--read-only";
	args[n] = NULL;
}

static void word_print(const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._:=+,@%-";

	if (*word && strspn(word, plain) == strlen(word)) {
		fputs(word, stdout);
		return;
	}
	putchar('\'');
	for (; *word; word++) {
		if (*word == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*word);
	}
	putchar('\'');
}

static int dry_run(const struct up *up)
{
	char *args[ARGS_MAX];

	args_make(up, args);
	for (int i = 0; args[i]; i++) {
		if (i)
			putchar(' ');
		word_print(args[i]);
	}
	putchar('\n');
	return HS_EXIT_OK;
}

/* ---- waiting for the devices ----------------------------------------------------------------- */

static void ready(struct up *up, const char *status)
{
	sd_notifyf(0, "%sSTATUS=%s", up->ready ? "" : "READY=1\n", status);
	up->ready = true;
}

static bool is_there(const struct up *up, const char *path)
{
	struct stat st;

	if (hs_origin_is_uri(path))
		return true;
	return !stat(path, &st) && (up->conf.server || S_ISBLK(st.st_mode));
}

/* The device that is not there yet, or NULL. */
static const char *missing(const struct up *up)
{
	if (!is_there(up, up->conf.origin))
		return up->conf.origin;
	return is_there(up, up->conf.cache) ? NULL : up->conf.cache;
}

/* False: a signal came. */
static bool pause_ms(const struct up *up, unsigned int ms)
{
	const struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	ppoll(NULL, 0, &time, up->waiting);
	return !hs_signals_told();
}

static bool devices_await(struct up *up)
{
	const char *path, *said = NULL;
	char status[PATH_MAX + 32];

	for (unsigned int ms = 0; (path = missing(up)); ms += LOOK_MS) {
		if (path != said) {
			snprintf(status, sizeof(status), "waiting for %s", path);
			fprintf(stderr, "%s: %s\n", up->name, status);
			sd_notifyf(0, "STATUS=%s", status);
		}
		said = path;
		if (ms >= READY_MS && !up->ready)
			ready(up, status);
		if (!pause_ms(up, LOOK_MS))
			return false;
	}
	return true;
}

/* ---- in the kernel --------------------------------------------------------------------------- */

static bool is_same_device(const char *a, const char *b)
{
	struct stat sa, sb;

	return !stat(a, &sa) && !stat(b, &sb) && sa.st_rdev == sb.st_rdev;
}

/* The service may have been restarted: a cache that runs on the right devices is the one. */
static int adopt(const struct up *up)
{
	struct hs_kernel_state state;

	if (hs_kernel_look(up->name, &state))
		return HS_EXIT_FAILED;
	if (is_same_device(state.origin, up->conf.origin) && is_same_device(state.cache, up->conf.cache))
		return 0;
	return hs_fail("%s: is attached already, but to %s and %s, not as %s says; 'hotset detach %s' first", up->name,
		       state.origin, state.cache, up->conf.path, up->name);
}

static int attach(const struct up *up)
{
	struct hs_attach attach = {
		.name = up->name,
		.origin = up->conf.origin,
		.cache = up->conf.cache,
		.mode = up->conf.mode,
		.nr_settings = up->conf.nr_settings,
	};

	if (hs_kernel_is(up->name))
		return adopt(up);
	memcpy(attach.settings, up->conf.settings, sizeof(attach.settings));
	return hs_attach(&attach);
}

/*
 * Dirty blocks stay in the cache. When the machine goes down file systems on the device may be unmounted at this very
 * moment.
 */
static int detach(const struct up *up)
{
	struct hs_kernel_state state;
	uint64_t dirty;

	sd_notify(0, "STOPPING=1");
	for (unsigned int ms = 0; ms < CLOSE_MS; ms += LOOK_MS) {
		if (!hs_kernel_is(up->name))
			return HS_EXIT_OK;
		if (hs_kernel_look(up->name, &state) || !state.open_count)
			break;
		poll(NULL, 0, LOOK_MS);
	}
	return hs_kernel_stop(up->name, false, NULL, &dirty);
}

static int kernel_run(struct up *up)
{
	if (attach(up))
		return HS_EXIT_FAILED;
	fprintf(stderr, "%s: /dev/mapper/%s is up\n", up->name, up->name);
	ready(up, "up");
	switch (hs_monitor(up->name, up->waiting)) {
	case HS_MONITOR_GONE:
		fprintf(stderr, "%s: was detached\n", up->name);
		return HS_EXIT_OK;
	case HS_MONITOR_TOLD:
		return detach(up);
	default:
		return HS_EXIT_FAILED;
	}
}

/* ---- as a server ----------------------------------------------------------------------------- */

/* The signals go back to what they were: the server has its own ways. */
static int server_exec(const struct up *up)
{
	char *args[ARGS_MAX];
	sigset_t none;

	args_make(up, args);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (hs_signals_told())
		return HS_EXIT_OK;
	fflush(NULL);
	execv("/proc/self/exe", args);
	return hs_fail("%s: cannot run 'hotset serve': %s", up->name, strerror(errno));
}

/* ---- the command ----------------------------------------------------------------------------- */

static int up_run(struct up *up)
{
	up->waiting = hs_signals_take();
	if (!devices_await(up))
		return HS_EXIT_OK;
	return up->conf.server ? server_exec(up) : kernel_run(up);
}

static int run(const struct hs_cmd *cmd, int argc, char **argv)
{
	static const char *const names[] = { "NAME", NULL };
	const char *path = NULL;
	bool dry = false;
	static struct up up;
	int c, code;

	while ((c = hs_option_next(cmd, argc, argv, options)) != -1) {
		if (c == 'c')
			path = optarg;
		else
			dry = true;
	}
	up.name = hs_arguments(cmd, argc, argv, names)[0];
	if (!hs_name_valid(up.name) || !strcmp(up.name, "control"))
		hs_usage(cmd, "%s: a name has 1 to %d letters, digits and . _ : + -, and is not \"control\"", up.name,
			 HS_NAME_MAX);
	/* Trying again does not help: see RestartPreventExitStatus in hotset@.service. */
	if (hs_conf_read(&up.conf, up.name, path))
		return HS_EXIT_USAGE;
	code = dry ? dry_run(&up) : up_run(&up);
	hs_conf_free(&up.conf);
	return code;
}

const struct hs_cmd hs_cmd_up = {
	.name = "up",
	.args = "NAME [--conf PATH] [--dry-run]",
	.summary = "bring up what /etc/hotset/NAME.conf describes, and stay",
	.options =
	"  --conf PATH  another file\n"
	"  --dry-run    only show the command that would run\n",
	.run = run,
};
