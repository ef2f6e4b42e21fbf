// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * nbdkit-hotset-plugin: the cached disk as an NBD export.
 *
 * When the device is opened: its threads would not live through a fork, so in general .after_fork
 * opens it. Whoever runs nbdkit in the foreground says so (foreground=true, as `hotset serve`
 * does), and .get_ready opens it: before the socket and the pidfile exist, so that a refused start
 * leaves neither behind and a pidfile means ready.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include <hotset/hotset.h>

#include "command.h"
#include "drain.h"
#include "gate.h"
#include "log.h"
#include "names.h"
#include "plugin.h"
#include "request.h"
#include "sector.h"
#include "server.h"

#define THREAD_MODEL	NBDKIT_THREAD_MODEL_PARALLEL

struct hs_plugin hs_plugin = { .mode = -1 };

/* ---- configuration --------------------------------------------------------------------------- */

static int config_string(char **at, char *value)
{
	if (!value)
		return -1;
	free(*at);
	*at = value;
	return 0;
}

static int config_bool(bool *at, const char *value)
{
	int r = nbdkit_parse_bool(value);

	if (r == -1)
		return -1;
	*at = r;
	return 0;
}

static int config_mode(const char *value)
{
	hs_plugin.mode = hs_mode_parse(value);
	if (hs_plugin.mode >= 0)
		return 0;
	nbdkit_error("mode=%s: choose writeback, writethrough, writearound or bypass", value);
	return -1;
}

static int config_name(const char *value)
{
	if (hs_name_valid(value))
		return config_string(&hs_plugin.name, strdup(value));
	nbdkit_error("name=%s: a name has 1 to %d letters, digits and . _ : + -", value,
		     HS_NAME_MAX);
	return -1;
}

static int config_unlink(const char *value)
{
	if (hs_plugin.unlinks == HS_UNLINK_MAX) {
		nbdkit_error("unlink= can be given %d times", HS_UNLINK_MAX);
		return -1;
	}
	return config_string(&hs_plugin.unlink[hs_plugin.unlinks++], nbdkit_absolute_path(value));
}

static int config_set(const char *value)
{
	if (!strchr(value, '=') || *value == '=') {
		nbdkit_error("set=%s: not of the form set=KEY=VALUE", value);
		return -1;
	}
	if (hs_plugin.sets == HS_SET_MAX) {
		nbdkit_error("set= can be given %d times", HS_SET_MAX);
		return -1;
	}
	return config_string(&hs_plugin.set[hs_plugin.sets++], strdup(value));
}

static int plugin_config(const char *key, const char *value)
{
	if (!strcmp(key, "origin"))
		return config_string(&hs_plugin.origin, hs_origin_is_uri(value) ?
				     strdup(value) : nbdkit_absolute_path(value));
	if (!strcmp(key, "cache"))
		return config_string(&hs_plugin.cache, nbdkit_absolute_path(value));
	if (!strcmp(key, "mode"))
		return config_mode(value);
	if (!strcmp(key, "name"))
		return config_name(value);
	if (!strcmp(key, "rundir"))
		return config_string(&hs_plugin.rundir, nbdkit_absolute_path(value));
	if (!strcmp(key, "uri"))
		return config_string(&hs_plugin.uri, strdup(value));
	if (!strcmp(key, "set"))
		return config_set(value);
	if (!strcmp(key, "unlink"))
		return config_unlink(value);
	if (!strcmp(key, "threads"))
		return nbdkit_parse_unsigned("threads", value, &hs_plugin.threads);
	if (!strcmp(key, "readonly"))
		return config_bool(&hs_plugin.readonly, value);
	if (!strcmp(key, "accept-changed-origin"))
		return config_bool(&hs_plugin.accept_changed_origin, value);
	if (!strcmp(key, "foreground"))
		return config_bool(&hs_plugin.foreground, value);
	nbdkit_error("unknown parameter %s=", key);
	return -1;
}

#define CONFIG_HELP \
	"origin=PATH|URI          (required) The slow disk: a path or an NBD URI.\n" \
	"cache=PATH               (required) The cache made for it by 'hotset format'.\n" \
	"mode=MODE                writeback, writethrough, writearound or bypass.\n" \
	"name=NAME                Name for the hotset command; default: the cache's file name.\n" \
	"rundir=DIR               Where the control socket goes.\n" \
	"set=KEY=VALUE            A setting, as 'hotset set' has them; may be repeated.\n" \
	"threads=N                Background threads of the cache.\n" \
	"readonly=BOOL            Export read-only.\n" \
	"accept-changed-origin=BOOL  Drop what is cached of an origin that changed.\n" \
	"foreground=BOOL          nbdkit runs with -f: open before it listens.\n" \
	"uri=URI                  What 'hotset list' shows as the export's address.\n" \
	"unlink=PATH              Remove this file at the end; may be repeated."

static int rundir_default(void)
{
	char path[PATH_MAX];

	if (hs_plugin.rundir)
		return 0;
	if (hs_rundir_path(path, sizeof(path))) {
		nbdkit_error("no place for the control socket: set HOTSET_RUNDIR or rundir=");
		return -1;
	}
	return config_string(&hs_plugin.rundir, nbdkit_absolute_path(path));
}

static int plugin_config_complete(void)
{
	if (!hs_plugin.origin || !hs_plugin.cache) {
		nbdkit_error("origin= and cache= are both needed");
		return -1;
	}
	if (!hs_plugin.name && config_name(hs_name_default(hs_plugin.cache)))
		return -1;
	return rundir_default();
}

/* ---- life ------------------------------------------------------------------------------------ */

/* Refusals that can be known early are told while the operator still sees them. */
static int cache_probe(void)
{
	const struct hs_check_opts opts = { .cache = hs_plugin.cache };
	struct hs_check_result res;
	struct hs_error err = { .msg = "" };
	int r = hs_check(&opts, &res, &err);

	if (!r)
		return 0;
	hs_log_error("%s", err.msg[0] ? err.msg : strerror(-r));
	return -1;
}

static int plugin_get_ready(void)
{
	hs_sector_init();
	hs_plugin.pid = getpid();
	if (!hs_plugin.foreground)
		return cache_probe();
	return hs_device_open() ? -1 : 0;
}

static void announce(void)
{
	hs_log_info("%s: serving %s through %s%s%s", hs_plugin.name, hs_plugin.origin,
		    hs_plugin.cache, hs_plugin.uri ? " at " : "",
		    hs_plugin.uri ? hs_plugin.uri : "");
	sd_notify(0, "READY=1");
}

/* nbdkit has pointed it there when it went into the background. */
static bool stderr_is_null(void)
{
	struct stat err, null;

	return !fstat(STDERR_FILENO, &err) && !stat("/dev/null", &null) &&
	       S_ISCHR(err.st_mode) && err.st_rdev == null.st_rdev;
}

/* What .cleanup, .unload and nbdkit would do, had they been reached. */
static void drain_finish(void)
{
	hs_log_info("%s: ended clients that do not read their replies", hs_plugin.name);
	sd_notify(0, "STOPPING=1");
	hs_device_close();
	fflush(NULL);
	_exit(hs_plugin.unclean ? EXIT_FAILURE : EXIT_SUCCESS);
}

/* Only now may a command ask for a stop: before, nbdkit is not ready to be told. */
static int threads_start(void)
{
	int r;

	hs_gate_init();
	r = hs_drain_start(hs_server_path(), drain_finish);
	if (!r)
		r = hs_server_start(hs_command_dispatch);
	if (r)
		hs_log_error("%s: cannot start: %s", hs_plugin.name, strerror(-r));
	return r;
}

static int plugin_after_fork(void)
{
	bool forked = getpid() != hs_plugin.pid;

	if (forked && stderr_is_null())
		hs_log_to_syslog();
	if (forked && hs_plugin.foreground) {
		hs_log_error("foreground=true needs nbdkit -f, without --run");
		return -1;
	}
	if (!hs_plugin.foreground && hs_device_open())
		return -1;
	if (threads_start())
		return -1;
	announce();
	return 0;
}

static void plugin_cleanup(void)
{
	sd_notify(0, "STOPPING=1");
	hs_drain_end();
	hs_device_close();
}

/*
 * nbdkit exits with 0 whatever .cleanup met, and has no way to say otherwise. A stop that was not
 * clean must not look like one, so the process ends here; all that nbdkit has left to do is to free
 * memory.
 */
static void plugin_unload(void)
{
	if (hs_plugin.unclean) {
		fflush(NULL);
		_exit(EXIT_FAILURE);
	}
	free(hs_plugin.origin);
	free(hs_plugin.cache);
	free(hs_plugin.name);
	free(hs_plugin.rundir);
	free(hs_plugin.uri);
	for (unsigned int i = 0; i < hs_plugin.sets; i++)
		free(hs_plugin.set[i]);
	for (unsigned int i = 0; i < hs_plugin.unlinks; i++)
		free(hs_plugin.unlink[i]);
}

static struct nbdkit_plugin plugin = {
	.name = "hotset",
	.longname = "hotset block cache",
	.version = HS_VERSION_STRING,
	.description = "a slow disk with its hot blocks cached on a fast one",
	.config = plugin_config,
	.config_complete = plugin_config_complete,
	.config_help = CONFIG_HELP,
	.get_ready = plugin_get_ready,
	.after_fork = plugin_after_fork,
	.cleanup = plugin_cleanup,
	.unload = plugin_unload,

	.open = hs_request_open,
	.get_size = hs_request_size,
	.block_size = hs_request_block_size,
	.can_write = hs_request_can_write,
	.can_flush = hs_request_can_yes,
	.can_trim = hs_request_can_yes,
	.can_zero = hs_request_can_yes,
	.can_fast_zero = hs_request_can_no,
	.can_fua = hs_request_can_fua,
	.can_cache = hs_request_can_cache,
	.can_multi_conn = hs_request_can_yes,
	.is_rotational = hs_request_can_no,
	.pread = hs_request_pread,
	.pwrite = hs_request_pwrite,
	.flush = hs_request_flush,
	.trim = hs_request_trim,
	.zero = hs_request_zero,
};

NBDKIT_REGISTER_PLUGIN(plugin)
