// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * See dm.h. A device is made in steps (create, load, resume) rather than by libdevmapper's one call for the three, which
 * forgets the error when it takes back what it did.
 */
#include "dm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <libdevmapper.h>
#include <linux/dm-ioctl.h>

#define TARGET_DEFAULT	"hotset"
#define TARGET_PARAM	"/sys/module/dm_hotset/parameters/target_name"

static void log_nothing(int level, const char *file, int line, int err, const char *fmt, ...)
{
	(void)level;
	(void)file;
	(void)line;
	(void)err;
	(void)fmt;
}

/* libdevmapper's own words on stderr would come beside ours. */
static struct dm_task *task_new(int type, const char *name)
{
	struct dm_task *task;

	dm_log_with_errno_init(log_nothing);
	task = dm_task_create(type);
	if (task && name && !dm_task_set_name(task, name)) {
		dm_task_destroy(task);
		return NULL;
	}
	return task;
}

/* 0 or a negative errno; the task stays. */
static int task_run(struct dm_task *task)
{
	int err;

	if (dm_task_run(task))
		return 0;
	err = dm_task_get_errno(task);
	return err ? -err : -EIO;
}

/* The same, for steps that udev has something to do about, and waits until it has done it. */
static int task_run_udev(struct dm_task *task)
{
	uint32_t cookie = 0;
	int r;

	if (!dm_task_set_cookie(task, &cookie, 0))
		return -EIO;
	r = task_run(task);
	dm_udev_wait(cookie);
	return r;
}

int hs_dm_access(void)
{
	if (access("/dev/" DM_DIR "/" DM_CONTROL_NODE, F_OK))
		return geteuid() ? -EACCES : -ENODEV;
	return access("/dev/" DM_DIR "/" DM_CONTROL_NODE, R_OK | W_OK) || geteuid() ? -EACCES : 0;
}

/* ---- the target ------------------------------------------------------------------------------ */

const char *hs_dm_target(void)
{
	static char name[32];
	FILE *f = fopen(TARGET_PARAM, "re");

	if (!f || !fgets(name, sizeof(name), f))
		snprintf(name, sizeof(name), TARGET_DEFAULT);
	if (f)
		fclose(f);
	name[strcspn(name, "\n")] = 0;
	return name;
}

bool hs_dm_target_there(char *version)
{
	struct dm_task *task = task_new(DM_DEVICE_GET_TARGET_VERSION, hs_dm_target());
	struct dm_versions *v;
	bool there = task && !task_run(task) && (v = dm_task_get_versions(task));

	if (there && version)
		snprintf(version, 32, "%u.%u.%u", v->version[0], v->version[1], v->version[2]);
	if (task)
		dm_task_destroy(task);
	return there;
}

/* ---- looking --------------------------------------------------------------------------------- */

/* The device's only table line, as status or table. */
static int params_get(struct dm_task *task, struct hs_dm_device *device, char **params)
{
	uint64_t start, length;
	char *type = NULL, *text = NULL;

	if (dm_get_next_target(task, NULL, &start, &length, &type, &text) || !type)
		return -EMEDIUMTYPE;
	snprintf(device->target, sizeof(device->target), "%s", type);
	if (strcmp(type, hs_dm_target()))
		return -EMEDIUMTYPE;
	device->sectors = length;
	*params = strdup(text ? text : "");
	return *params ? 0 : -ENOMEM;
}

static int info_get(struct dm_task *task, struct hs_dm_device *device)
{
	struct dm_info info;
	const char *uuid;

	if (!dm_task_get_info(task, &info) || !info.exists)
		return -ENXIO;
	device->major = info.major;
	device->minor = info.minor;
	device->open_count = info.open_count;
	device->suspended = info.suspended;
	uuid = dm_task_get_uuid(task);
	snprintf(device->uuid, sizeof(device->uuid), "%s", uuid ? uuid : "");
	return 0;
}

/* Without flushing the device, which would wait for one that is suspended. */
static int line_get(int type, struct hs_dm_device *device, char **params)
{
	struct dm_task *task = task_new(type, device->name);
	int r;

	if (!task)
		return -ENOMEM;
	dm_task_no_flush(task);
	r = task_run(task);
	if (!r)
		r = info_get(task, device);
	if (!r)
		r = params_get(task, device, params);
	dm_task_destroy(task);
	return r;
}

int hs_dm_look(const char *name, struct hs_dm_device *device)
{
	int r;

	memset(device, 0, sizeof(*device));
	r = hs_dm_access();
	if (r)
		return r;
	snprintf(device->name, sizeof(device->name), "%s", name);
	r = line_get(DM_DEVICE_STATUS, device, &device->status);
	if (!r)
		r = line_get(DM_DEVICE_TABLE, device, &device->table);
	if (r)
		hs_dm_free(device);
	return r;
}

void hs_dm_free(struct hs_dm_device *device)
{
	free(device->status);
	free(device->table);
	device->status = device->table = NULL;
}

int hs_dm_each(void (*fn)(void *arg, const char *name), void *arg)
{
	struct dm_task *task;
	struct dm_names *names;
	int r = hs_dm_access();

	if (r)
		return r;
	task = task_new(DM_DEVICE_LIST, NULL);
	if (!task)
		return -ENOMEM;
	r = task_run(task);
	names = r ? NULL : dm_task_get_names(task);
	while (names && names->dev) {
		fn(arg, names->name);
		names = names->next ? (struct dm_names *)((char *)names + names->next) : NULL;
	}
	dm_task_destroy(task);
	return r;
}

/* ---- making and removing --------------------------------------------------------------------- */

/* udev looks into devices when they change, and so holds one for a moment: a removal is tried again for five seconds. */
static int simple(int type, const char *name)
{
	struct dm_task *task = task_new(type, name);
	int r;

	if (!task)
		return -ENOMEM;
	if (type == DM_DEVICE_REMOVE)
		dm_task_retry_remove(task);
	r = type == DM_DEVICE_SUSPEND ? task_run(task) : task_run_udev(task);
	dm_task_destroy(task);
	return r;
}

static int node_make(const char *name, const char *uuid)
{
	struct dm_task *task = task_new(DM_DEVICE_CREATE, name);
	char text[HS_DM_NAME];
	int r = -ENOMEM;

	snprintf(text, sizeof(text), HS_DM_UUID "%s", uuid);
	if (task && dm_task_set_uuid(task, text))
		r = task_run(task);
	if (task)
		dm_task_destroy(task);
	return r;
}

static int table_load(const char *name, uint64_t sectors, const char *params)
{
	struct dm_task *task = task_new(DM_DEVICE_RELOAD, name);
	int r = -ENOMEM;

	if (task && dm_task_add_target(task, 0, sectors, hs_dm_target(), params))
		r = task_run(task);
	if (task)
		dm_task_destroy(task);
	return r;
}

int hs_dm_create(const char *name, const char *uuid, uint64_t sectors, const char *params)
{
	int r = node_make(name, uuid);

	if (r)
		return r;
	r = table_load(name, sectors, params);
	if (!r)
		r = simple(DM_DEVICE_RESUME, name);
	if (r)
		simple(DM_DEVICE_REMOVE, name);
	return r;
}

int hs_dm_remove(const char *name)
{
	return simple(DM_DEVICE_REMOVE, name);
}

int hs_dm_suspend(const char *name)
{
	return simple(DM_DEVICE_SUSPEND, name);
}

int hs_dm_resume(const char *name)
{
	return simple(DM_DEVICE_RESUME, name);
}

int hs_dm_message(const char *name, const char *message)
{
	struct dm_task *task = task_new(DM_DEVICE_TARGET_MSG, name);
	int r = -ENOMEM;

	if (task && dm_task_set_sector(task, 0) && dm_task_set_message(task, message))
		r = task_run(task);
	if (task)
		dm_task_destroy(task);
	return r;
}

/* ---- events ---------------------------------------------------------------------------------- */

int hs_dm_watch_open(void)
{
	int fd = open("/dev/" DM_DIR "/" DM_CONTROL_NODE, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int hs_dm_watch_arm(int fd)
{
	struct dm_ioctl request = {
		.version = { DM_VERSION_MAJOR, 0, 0 },
		.data_size = sizeof(request),
		.data_start = sizeof(request),
	};

	return ioctl(fd, DM_DEV_ARM_POLL, &request) ? -errno : 0;
}
