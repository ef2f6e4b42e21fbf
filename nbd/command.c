// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See command.h. */
#include "command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include <hotset/hotset.h>
#include <json-c/json.h>

#include "drain.h"
#include "plugin.h"
#include "server.h"
#include "stats.h"

/* An error of the library: its line, or errno's when it left none. */
static void reply_failed(struct hs_client *client, const struct hs_error *err, int r)
{
	hs_client_error(client, "%s", err->msg[0] ? err->msg : strerror(-r));
}

static void reply_done(struct hs_client *client)
{
	hs_client_result(client, json_object_new_object());
}

/* A member that is a string, or NULL after an error reply. */
static const char *string_arg(struct hs_client *client, struct json_object *request,
			      const char *key)
{
	struct json_object *value;

	if (json_object_object_get_ex(request, key, &value) &&
	    json_object_is_type(value, json_type_string))
		return json_object_get_string(value);
	hs_client_error(client, "the request needs a string \"%s\"", key);
	return NULL;
}

static bool bytes_arg(struct hs_client *client, struct json_object *request, const char *key,
		      uint64_t *bytes)
{
	struct json_object *value;

	if (json_object_object_get_ex(request, key, &value) &&
	    json_object_is_type(value, json_type_int) && json_object_get_int64(value) >= 0) {
		*bytes = json_object_get_uint64(value);
		return true;
	}
	hs_client_error(client, "the request needs a number of bytes \"%s\"", key);
	return false;
}

static void string_add(struct json_object *obj, const char *key, const char *value)
{
	json_object_object_add(obj, key, value ? json_object_new_string(value) : NULL);
}

static void command_info(struct hs_client *client, struct json_object *request)
{
	struct json_object *info = json_object_new_object();

	(void)request;
	string_add(info, "name", hs_plugin.name);
	json_object_object_add(info, "pid", json_object_new_int64(getpid()));
	string_add(info, "version", HS_VERSION_STRING);
	string_add(info, "origin", hs_plugin.origin);
	string_add(info, "cache", hs_plugin.cache);
	string_add(info, "uri", hs_plugin.uri);
	json_object_object_add(info, "size", json_object_new_uint64(hs_plugin.size));
	json_object_object_add(info, "readonly", json_object_new_boolean(hs_plugin.readonly));
	hs_client_result(client, info);
}

static void command_stats(struct hs_client *client, struct json_object *request)
{
	struct hs_stats stats;

	(void)request;
	hs_dev_stats(hs_plugin.dev, &stats);
	hs_client_result(client, hs_stats_json(&stats));
}

static bool progress(void *arg, uint64_t left, uint64_t total)
{
	return hs_client_progress(arg, left, total);
}

static void command_set(struct hs_client *client, struct json_object *request)
{
	struct hs_error err = { .msg = "" };
	const char *key = string_arg(client, request, "key");
	const char *value = key ? string_arg(client, request, "value") : NULL;
	int r;

	if (!value)
		return;
	r = hs_dev_set(hs_plugin.dev, key, value, progress, client, &err);
	if (r)
		reply_failed(client, &err, r);
	else
		reply_done(client);
}

/* Leaves nothing dirty; false after an error reply that ends with hint. */
static bool clean_for(struct hs_client *client, const char *hint)
{
	struct hs_error err = { .msg = "" };
	int r = hs_dev_clean(hs_plugin.dev, progress, client, &err);

	if (r == -EINTR)
		hs_client_error(client, "interrupted: the server stops; dirty blocks are kept");
	else if (r)
		hs_client_error(client, "%s%s", err.msg[0] ? err.msg : strerror(-r), hint);
	return !r;
}

static void command_flush(struct hs_client *client, struct json_object *request)
{
	(void)request;
	if (clean_for(client, ""))
		reply_done(client);
}

static void command_stop(struct hs_client *client, struct json_object *request)
{
	struct json_object *writeback = NULL;

	json_object_object_get_ex(request, "writeback", &writeback);
	if (json_object_get_boolean(writeback) &&
	    !clean_for(client, "; the server still runs: a stop without write-back keeps dirty "
			       "blocks"))
		return;
	hs_client_hold(client);
	nbdkit_shutdown();
	hs_drain_now();
}

static int lost_add(void *arg, uint64_t offset, uint64_t count)
{
	struct json_object *range = json_object_new_object();

	json_object_object_add(range, "offset", json_object_new_uint64(offset));
	json_object_object_add(range, "length", json_object_new_uint64(count));
	return json_object_array_add(arg, range);
}

static void command_lost(struct hs_client *client, struct json_object *request)
{
	struct json_object *ranges = json_object_new_array();
	int r;

	(void)request;
	r = hs_dev_lost(hs_plugin.dev, lost_add, ranges);
	if (!r) {
		hs_client_result(client, ranges);
		return;
	}
	json_object_put(ranges);
	hs_client_error(client, "cannot list what is lost: %s", strerror(abs(r)));
}

static void command_forget(struct hs_client *client, struct json_object *request)
{
	struct hs_error err = { .msg = "" };
	uint64_t offset, count;
	int r;

	if (!bytes_arg(client, request, "offset", &offset) ||
	    !bytes_arg(client, request, "count", &count))
		return;
	r = hs_dev_forget(hs_plugin.dev, offset, count, &err);
	if (r)
		reply_failed(client, &err, r);
	else
		reply_done(client);
}

static const struct command {
	const char *name;
	void (*run)(struct hs_client *client, struct json_object *request);
} commands[] = {
	{ "info", command_info },
	{ "stats", command_stats },
	{ "set", command_set },
	{ "flush", command_flush },
	{ "stop", command_stop },
	{ "lost", command_lost },
	{ "forget", command_forget },
};

void hs_command_dispatch(struct hs_client *client, struct json_object *request)
{
	const char *name = string_arg(client, request, "cmd");

	if (!name)
		return;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!strcmp(name, commands[i].name)) {
			commands[i].run(client, request);
			return;
		}
	}
	hs_client_error(client, "no such command: %.64s", name);
}
