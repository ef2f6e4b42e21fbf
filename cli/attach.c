// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * hotset attach: brings a formatted cache up in the kernel, as /dev/mapper/NAME. What can be found wrong before the
 * kernel is asked is looked for first, since the kernel's answers are an errno and a line in its log.
 */
#include "attach.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <hotset/hotset.h>

#include "../nbd/names.h"
#include "cache.h"
#include "cli.h"
#include "dm.h"
#include "kernel.h"
#include "klog.h"

#define PARAMS_MAX	1024

static const struct option options[] = {
	HS_VALUE("mode", 'm'),
	HS_VALUE("set", 's'),
	HS_FLAG("accept-changed-origin", 'A'),
	HS_OPTIONS_END
};

/* ---- what can be known before ---------------------------------------------------------------- */

static int device_check(const char *path, struct stat *st)
{
	if (hs_origin_is_uri(path))
		return hs_fail("%s: the kernel caches block devices only; 'hotset serve' takes NBD origins", path);
	if (stat(path, st))
		return hs_fail("%s: %s", path, strerror(errno));
	if (S_ISREG(st->st_mode))
		return hs_fail("%s: a file, and the kernel caches block devices only: 'losetup -f --show %s' makes it "
			       "one, 'hotset serve' takes files", path, path);
	if (!S_ISBLK(st->st_mode))
		return hs_fail("%s: not a block device", path);
	return 0;
}

static int access_check(void)
{
	switch (hs_dm_access()) {
	case 0:
		return 0;
	case -EACCES:
		return hs_fail("attach: only root can: use sudo");
	default:
		return hs_fail("attach: this kernel has no device-mapper, or it is not loaded: 'modprobe dm-mod'");
	}
}

static int name_check(const char *name)
{
	struct hs_dm_device device;
	int r;

	if (hs_cache_kind(name) == HS_KIND_SERVER)
		return hs_fail("a server named %s is running; stop it with 'hotset stop %s' or choose another name", name,
			       name);
	r = hs_dm_look(name, &device);
	if (r == -ENXIO)
		return 0;
	if (r == -EMEDIUMTYPE)
		return hs_fail("%s: there is a device-mapper device of that name already (%s); choose another name", name,
			       *device.target ? device.target : "without a table");
	if (r)
		return hs_fail("%s: device-mapper: %s", name, strerror(-r));
	hs_dm_free(&device);
	return hs_fail("%s: is attached already; 'hotset detach %s' ends it, or choose another name", name, name);
}

static int target_check(void)
{
	if (hs_dm_target_there(NULL))
		return 0;
	return hs_fail("the kernel has no target %s, and its module dm-hotset cannot be loaded: install the package "
		       "hotset-dkms (or 'make modules_install'), then see 'modprobe dm-hotset'", hs_dm_target());
}

/* ---- asking the kernel ----------------------------------------------------------------------- */

static void word_add(char *params, const char *format, const char *word)
{
	size_t len = strlen(params);

	snprintf(params + len, PARAMS_MAX - len, format, word);
}

/* Device numbers, since a path may have blanks. */
static void params_print(char *params, const struct hs_attach *attach, const struct stat *origin,
			 const struct stat *cache)
{
	int features = attach->nr_settings + !!attach->mode + attach->accept_changed;

	snprintf(params, PARAMS_MAX, "%u:%u %u:%u 1", major(origin->st_rdev), minor(origin->st_rdev),
		 major(cache->st_rdev), minor(cache->st_rdev));
	if (features)
		snprintf(params + strlen(params), PARAMS_MAX - strlen(params), " %d", features);
	if (attach->mode)
		word_add(params, " mode=%s", attach->mode);
	if (attach->accept_changed)
		word_add(params, " %s", "accept_changed_origin");
	for (int i = 0; i < attach->nr_settings; i++)
		word_add(params, " %s", attach->settings[i]);
}

static int create(const struct hs_attach *attach, const struct hs_layout *layout, const char *params)
{
	struct hs_klog klog;
	const char *why;
	int r;

	hs_klog_begin(&klog);
	r = hs_dm_create(attach->name, layout->uuid, layout->origin_size >> 9, params);
	why = hs_klog_error(&klog);
	hs_klog_end(&klog);
	if (r && why)
		return hs_fail("%s: %s", attach->name, why);
	if (r)
		return hs_fail("%s: the kernel refuses it: %s; its log may tell more", attach->name, strerror(-r));
	return 0;
}

int hs_attach(const struct hs_attach *attach)
{
	const struct hs_open_opts opts = {
		.origin = attach->origin,
		.cache = attach->cache,
		.accept_changed_origin = attach->accept_changed,
	};
	struct hs_error err = { .msg = "" };
	struct stat origin = { .st_rdev = 0 }, cache = { .st_rdev = 0 };
	struct hs_layout layout;
	char params[PARAMS_MAX];
	enum hs_mode mode;
	int r;

	if (device_check(attach->origin, &origin) || device_check(attach->cache, &cache) || access_check() ||
	    name_check(attach->name) || target_check())
		return HS_EXIT_FAILED;
	r = hs_probe(&opts, &layout, &mode, &err);
	if (r)
		return hs_fail_error(&err, r, attach->cache);
	params_print(params, attach, &origin, &cache);
	return create(attach, &layout, params);
}

/* ---- the command ----------------------------------------------------------------------------- */

static void setting_add(const struct hs_cmd *cmd, struct hs_attach *attach)
{
	const char *problem = hs_setting_problem(optarg);

	if (problem)
		hs_usage(cmd, "--set %s: %s", optarg, problem);
	if (attach->nr_settings == HS_SETTINGS_MAX)
		hs_usage(cmd, "--set can be given %d times", HS_SETTINGS_MAX);
	attach->settings[attach->nr_settings++] = optarg;
}

static void attach_parse(const struct hs_cmd *cmd, struct hs_attach *attach, int argc, char **argv)
{
	static const char *const names[] = { "NAME", "ORIGIN", "CACHE", NULL };
	char **args;
	int c;

	while ((c = hs_option_next(cmd, argc, argv, options)) != -1) {
		if (c == 'm')
			attach->mode = hs_mode_name(hs_option_mode(cmd));
		else if (c == 's')
			setting_add(cmd, attach);
		else
			attach->accept_changed = true;
	}
	args = hs_arguments(cmd, argc, argv, names);
	attach->name = args[0];
	attach->origin = args[1];
	attach->cache = args[2];
	if (!hs_name_valid(attach->name) || !strcmp(attach->name, "control"))
		hs_usage(cmd, "%s: a name has 1 to %d letters, digits and . _ : + -, and is not \"control\"",
			 attach->name, HS_NAME_MAX);
}

static int run(const struct hs_cmd *cmd, int argc, char **argv)
{
	struct hs_attach attach = { .name = NULL };
	struct hs_kernel_state state;

	attach_parse(cmd, &attach, argc, argv);
	if (hs_attach(&attach) || hs_kernel_look(attach.name, &state))
		return HS_EXIT_FAILED;
	printf("%s: %s through %s is %s, mode %s, %" PRIu64 " dirty blocks\n", attach.name, attach.origin, attach.cache,
	       state.device, hs_mode_name(state.stats.mode), state.stats.dirty);
	return HS_EXIT_OK;
}

const struct hs_cmd hs_cmd_attach = {
	.name = "attach",
	.args = "NAME ORIGIN CACHE [OPTIONS]",
	.summary = "bring a formatted cache up in the kernel, as /dev/mapper/NAME",
	.options =
	"  --mode MODE              writeback, writethrough, writearound, bypass;\n"
	"                           default: as formatted or last set\n"
	"  --set KEY=VALUE          a setting, as 'hotset set' has them; may be repeated\n"
	"  --accept-changed-origin  drop what is cached of an origin that changed\n",
	.run = run,
};
