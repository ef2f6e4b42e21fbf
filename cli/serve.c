// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * hotset serve: checks what it can, then becomes nbdkit with the hotset plugin, in the foreground.
 * It execs and leaves nobody between: signals, the pidfile and systemd meet nbdkit itself.
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <hotset/hotset.h>

#include "../nbd/names.h"
#include "cache.h"
#include "cli.h"
#include "control.h"
#include "endpoint.h"
#include "kernel.h"

#ifndef HS_PLUGIN_DIR
#define HS_PLUGIN_DIR	"/usr/lib/x86_64-linux-gnu/nbdkit/plugins"
#endif
#define PLUGIN_FILE	"nbdkit-hotset-plugin.so"

#define BIND_DEFAULT	"127.0.0.1"

struct serve {
	const char *origin, *cache;
	const char *name, *socket, *bind, *mode, *pidfile;
	uint32_t port, threads;		/* 0: not given */
	bool readonly, accept_changed;
	const char *settings[HS_SETTINGS_MAX];
	int nr_settings;
	char **extra;			/* nbdkit's own arguments */
	int extras;
	struct hs_endpoint endpoint;
	char plugin[PATH_MAX];
};

static const struct option options[] = {
	HS_VALUE("name", 'n'),
	HS_VALUE("socket", 's'),
	HS_VALUE("port", 'p'),
	HS_VALUE("bind", 'b'),
	HS_VALUE("mode", 'm'),
	HS_VALUE("set", 'S'),
	HS_VALUE("threads", 't'),
	HS_VALUE("pidfile", 'P'),
	HS_FLAG("read-only", 'r'),
	HS_FLAG("accept-changed-origin", 'A'),
	HS_OPTIONS_END
};

static void setting_add(const struct hs_cmd *cmd, struct serve *serve)
{
	const char *problem = hs_setting_problem(optarg);

	if (problem)
		hs_usage(cmd, "--set %s: %s", optarg, problem);
	if (serve->nr_settings == HS_SETTINGS_MAX)
		hs_usage(cmd, "--set can be given %d times", HS_SETTINGS_MAX);
	serve->settings[serve->nr_settings++] = optarg;
}

static void option_set(const struct hs_cmd *cmd, struct serve *serve, int c)
{
	switch (c) {
	case 'n':
		serve->name = optarg;
		break;
	case 's':
		serve->socket = optarg;
		break;
	case 'p':
		serve->port = hs_option_number(cmd, "--port", 1, 65535);
		break;
	case 'b':
		serve->bind = optarg;
		break;
	case 'm':
		serve->mode = hs_mode_name(hs_option_mode(cmd));
		break;
	case 'S':
		setting_add(cmd, serve);
		break;
	case 't':
		serve->threads = hs_option_number(cmd, "--threads", 1, 1024);
		break;
	case 'P':
		serve->pidfile = optarg;
		break;
	case 'r':
		serve->readonly = true;
		break;
	case 'A':
		serve->accept_changed = true;
		break;
	}
}

static void options_check(const struct hs_cmd *cmd, struct serve *serve)
{
	if (serve->socket && serve->port)
		hs_usage(cmd, "--socket and --port exclude each other");
	if (serve->bind && !serve->port)
		hs_usage(cmd, "--bind goes with --port");
	if (serve->socket && !*serve->socket)
		hs_usage(cmd, "--socket is empty");
	if (!serve->name)
		serve->name = hs_name_default(serve->cache);
	if (!hs_name_valid(serve->name))
		hs_usage(cmd, "--name %s: a name has 1 to %d letters, digits and . _ : + -",
			 serve->name, HS_NAME_MAX);
}

/* Everything behind "--" is nbdkit's: getopt, which moves arguments about, must not see it. */
static int extras_split(struct serve *serve, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--"))
			continue;
		serve->extra = argv + i + 1;
		serve->extras = argc - i - 1;
		argv[i] = NULL;
		return i;
	}
	return argc;
}

static void serve_parse(const struct hs_cmd *cmd, struct serve *serve, int argc, char **argv)
{
	static const char *const names[] = { "ORIGIN", "CACHE", NULL };
	char **args;
	int c;

	argc = extras_split(serve, argc, argv);
	while ((c = hs_option_next(cmd, argc, argv, options)) != -1)
		option_set(cmd, serve, c);
	args = hs_arguments(cmd, argc, argv, names);
	serve->origin = args[0];
	serve->cache = args[1];
	options_check(cmd, serve);
}

/* ---- checks ---------------------------------------------------------------------------------- */

static int path_check(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return hs_fail("%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return hs_fail("%s: neither a file nor a block device", path);
	return 0;
}

static int name_check(const struct serve *serve)
{
	char path[108];

	if (!hs_control_path(path, sizeof(path), serve->name))
		return HS_EXIT_FAILED;
	if (hs_kernel_is(serve->name))
		return hs_fail("a cache named %s is in the kernel; end it with 'hotset detach %s' or choose another "
			       "--name", serve->name, serve->name);
	if (hs_control_probe(path) != HS_SERVER_LIVE)
		return 0;
	return hs_fail("a server named %s is running; stop it with 'hotset stop %s' or choose "
		       "another --name", serve->name, serve->name);
}

static int endpoint_check(struct serve *serve)
{
	char rundir[PATH_MAX], path[PATH_MAX];

	if (serve->port)
		return hs_endpoint_port(&serve->endpoint, serve->bind ? serve->bind : BIND_DEFAULT,
					serve->port);
	if (serve->socket)
		return hs_endpoint_socket(&serve->endpoint, serve->socket);
	if (hs_rundir_path(rundir, sizeof(rundir)) ||
	    snprintf(path, sizeof(path), "%s/%s.nbd", rundir, serve->name) >= (int)sizeof(path))
		return hs_fail("the directory for sockets has too long a name");
	return hs_endpoint_socket(&serve->endpoint, path);
}

/* Readiness is told by a pidfile that appears: one that a killed server left would lie. */
static int pidfile_clear(const char *path)
{
	struct stat st;

	if (!path || lstat(path, &st))
		return 0;
	if (!S_ISREG(st.st_mode))
		return hs_fail("--pidfile %s exists and is no file", path);
	if (unlink(path))
		return hs_fail("--pidfile %s: cannot remove the old one: %s", path,
			       strerror(errno));
	return 0;
}

static bool plugin_try(struct serve *serve, const char *dir, int dir_len)
{
	int len = snprintf(serve->plugin, sizeof(serve->plugin), "%.*s/%s", dir_len, dir,
			   PLUGIN_FILE);

	return len < (int)sizeof(serve->plugin) && !access(serve->plugin, R_OK);
}

/* $HOTSET_PLUGIN, else beside this program (a build tree), else where nbdkit keeps its own. */
static int plugin_find(struct serve *serve)
{
	const char *path = getenv("HOTSET_PLUGIN");
	char exe[PATH_MAX];
	ssize_t len;

	if (path && *path) {
		if (hs_path_absolute(serve->plugin, path) || access(serve->plugin, R_OK))
			return hs_fail("HOTSET_PLUGIN: %s: %s", path, strerror(errno));
		return 0;
	}
	len = readlink("/proc/self/exe", exe, sizeof(exe));
	while (len > 0 && exe[len - 1] != '/')
		len--;
	if (len > 1 && plugin_try(serve, exe, len - 1))
		return 0;
	if (plugin_try(serve, HS_PLUGIN_DIR, sizeof(HS_PLUGIN_DIR) - 1))
		return 0;
	return hs_fail("%s is neither beside this program nor in %s; set HOTSET_PLUGIN to its path",
		       PLUGIN_FILE, HS_PLUGIN_DIR);
}

/* ---- nbdkit's arguments ---------------------------------------------------------------------- */

struct args {
	const char **v;
	int n;
};

static void arg_add(struct args *args, const char *arg)
{
	args->v[args->n++] = arg;
}

static void __attribute__((format(printf, 2, 3))) arg_print(struct args *args, const char *fmt, ...)
{
	va_list values;
	char *text;

	va_start(values, fmt);
	if (vasprintf(&text, fmt, values) < 0)
		abort();
	va_end(values);
	arg_add(args, text);
}

static void options_add(struct args *args, const struct serve *serve)
{
	if (serve->port) {
		arg_print(args, "--ipaddr=%s", serve->endpoint.bind);
		arg_print(args, "--port=%s", serve->endpoint.port);
	} else {
		arg_print(args, "--unix=%s", serve->endpoint.socket);
	}
	if (serve->readonly)
		arg_add(args, "--readonly");
	if (serve->threads)
		arg_print(args, "--threads=%u", serve->threads);
	if (serve->pidfile)
		arg_print(args, "--pidfile=%s", serve->pidfile);
}

static void parameters_add(struct args *args, const struct serve *serve)
{
	arg_add(args, "foreground=true");
	arg_print(args, "origin=%s", serve->origin);
	arg_print(args, "cache=%s", serve->cache);
	arg_print(args, "name=%s", serve->name);
	arg_print(args, "uri=%s", serve->endpoint.uri);
	if (serve->mode)
		arg_print(args, "mode=%s", serve->mode);
	for (int i = 0; i < serve->nr_settings; i++)
		arg_print(args, "set=%s", serve->settings[i]);
	if (serve->readonly)
		arg_add(args, "readonly=true");
	if (serve->accept_changed)
		arg_add(args, "accept-changed-origin=true");
	if (!serve->port)
		arg_print(args, "unlink=%s", serve->endpoint.socket);
	if (serve->pidfile)
		arg_print(args, "unlink=%s", serve->pidfile);
}

/*
 * key=value arguments are a filter's parameters and belong behind the plugin; unless they
 * are the value of a one-letter option (-D nbdkit.backend.datapath=0).
 */
static bool is_parameter(char **extra, int i)
{
	const char *arg = extra[i];
	const char *before = i ? extra[i - 1] : "";

	return isalpha((unsigned char)*arg) && strchr(arg, '=') &&
	       !(before[0] == '-' && before[1] && before[1] != '-' && !before[2]);
}

static void extras_add(struct args *args, const struct serve *serve, bool parameters)
{
	for (int i = 0; i < serve->extras; i++)
		if (is_parameter(serve->extra, i) == parameters)
			arg_add(args, serve->extra[i]);
}

static int nbdkit_exec(const struct serve *serve)
{
	struct args args = { .v = calloc(serve->extras + HS_SETTINGS_MAX + 32, sizeof(char *)) };

	if (!args.v)
		return hs_fail("out of memory");
	arg_add(&args, "nbdkit");
	arg_add(&args, "--foreground");
	options_add(&args, serve);
	extras_add(&args, serve, false);
	arg_add(&args, serve->plugin);
	extras_add(&args, serve, true);
	parameters_add(&args, serve);
	fflush(stdout);
	execvp(args.v[0], (char **)args.v);
	return hs_fail("cannot run nbdkit: %s; is it installed?", strerror(errno));
}

static int run(const struct hs_cmd *cmd, int argc, char **argv)
{
	static struct serve serve;

	serve_parse(cmd, &serve, argc, argv);
	if (!hs_origin_is_uri(serve.origin) && path_check(serve.origin))
		return HS_EXIT_FAILED;
	if (path_check(serve.cache) || name_check(&serve) || endpoint_check(&serve) ||
	    pidfile_clear(serve.pidfile) || plugin_find(&serve))
		return HS_EXIT_FAILED;
	return nbdkit_exec(&serve);
}

const struct hs_cmd hs_cmd_serve = {
	.name = "serve",
	.args = "ORIGIN CACHE [OPTIONS] [-- NBDKIT-ARGUMENTS]",
	.summary = "serve ORIGIN through CACHE over NBD, until it is stopped",
	.options =
	"  --name N                 its name for the other commands; default: CACHE's file name\n"
	"  --socket PATH            listen on this unix socket; default: NAME.nbd beside\n"
	"                           the control sockets\n"
	"  --port N                 listen on TCP port N instead\n"
	"  --bind A                 with --port: on this address; default " BIND_DEFAULT "\n"
	"  --mode MODE              writeback, writethrough, writearound, bypass;\n"
	"                           default: as formatted or last set\n"
	"  --set KEY=VALUE          a setting, as 'hotset set' has them; may be repeated\n"
	"  --read-only              clients cannot write\n"
	"  --threads N              requests served at once for each connection\n"
	"  --pidfile PATH           written once clients can connect\n"
	"  --accept-changed-origin  drop what is cached of an origin that changed\n",
	.run = run,
};
