// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See control.h. */
#include "control.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <json-c/json.h>

#include "../nbd/names.h"
#include "cli.h"
#include "progress.h"

/* How long the kernel may take to end a process after it closed its files. */
#define EXIT_MS		10000

struct hs_control {
	FILE *stream;		/* reads; writes go to its descriptor */
	int fd;
	int pidfd;		/* -1: none to be had */
	const char *name;
	char *line;
	size_t line_size;
};

bool hs_control_path(char *buf, unsigned int size, const char *name)
{
	char rundir[PATH_MAX];

	if (hs_rundir_path(rundir, sizeof(rundir))) {
		hs_fail("where servers are is not known: set HOTSET_RUNDIR or XDG_RUNTIME_DIR");
		return false;
	}
	if (hs_rundir_socket(buf, size, rundir, name, ".sock")) {
		hs_fail("%s/%s.sock is too long for a socket", rundir, name);
		return false;
	}
	return true;
}

/* A connected descriptor or a negative errno. */
static int socket_connect(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (!connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return fd;
	err = errno;
	close(fd);
	return -err;
}

enum hs_server_state hs_control_probe(const char *path)
{
	int fd = socket_connect(path);

	if (fd == -ECONNREFUSED)
		return HS_SERVER_GONE;
	if (fd == -ENOENT)
		return HS_SERVER_NONE;
	if (fd >= 0)
		close(fd);
	return HS_SERVER_LIVE;
}

static void connect_complain(const char *name, const char *path, int err)
{
	switch (err) {
	case ENOENT:
		hs_fail("%s: no server of that name is running, and %s; 'hotset list' shows those that are", name,
			geteuid() ? "only root sees the kernel's caches" : "the kernel has no such cache");
		break;
	case ECONNREFUSED:
		hs_fail("%s: its server is gone without a stop; start it again with 'hotset serve'",
			name);
		break;
	default:
		hs_fail("%s: cannot reach its server: %s: %s", name, path, strerror(err));
	}
}

/* Of the process that listens, so that its end can be waited for whatever takes its number next. */
static int peer_pidfd(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) || cred.pid <= 0)
		return -1;
	return syscall(SYS_pidfd_open, cred.pid, 0);
}

struct hs_control *hs_control_open(const char *name)
{
	struct hs_control *control;
	char path[108];
	int fd;

	if (!hs_name_valid(name)) {
		hs_fail("%s: not a server's name; 'hotset list' shows those that run", name);
		return NULL;
	}
	if (!hs_control_path(path, sizeof(path), name))
		return NULL;
	fd = socket_connect(path);
	if (fd < 0) {
		connect_complain(name, path, -fd);
		return NULL;
	}
	control = calloc(1, sizeof(*control));
	control->name = name;
	control->fd = fd;
	control->stream = fdopen(fd, "r");
	control->pidfd = peer_pidfd(fd);
	return control;
}

void hs_control_close(struct hs_control *control)
{
	if (!control)
		return;
	fclose(control->stream);
	if (control->pidfd >= 0)
		close(control->pidfd);
	free(control->line);
	free(control);
}

struct json_object *hs_control_request(const char *cmd)
{
	struct json_object *request = json_object_new_object();

	json_object_object_add(request, "cmd", json_object_new_string(cmd));
	return request;
}

static void request_send(struct hs_control *control, struct json_object *request)
{
	const char *text = json_object_to_json_string_ext(request, JSON_C_TO_STRING_PLAIN);
	size_t len = strlen(text);
	struct iovec iov[] = { { (char *)text, len }, { (char *)"\n", 1 } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

	/* A request is far smaller than a socket's buffer: it goes whole or not at all. */
	if (sendmsg(control->fd, &msg, MSG_NOSIGNAL) < 0)
		shutdown(control->fd, SHUT_WR);
}

/* The next line of the answer, or NULL at its end. */
static struct json_object *reply_next(struct hs_control *control)
{
	if (getline(&control->line, &control->line_size, control->stream) <= 0)
		return NULL;
	return json_tokener_parse(control->line);
}

/* Whether line is the last of the answer; *result is then the result, or NULL after a complaint. */
static bool reply_end(struct hs_control *control, struct json_object *line,
		      struct hs_progress *progress, struct json_object **result)
{
	struct json_object *part;

	*result = NULL;
	if (json_object_object_get_ex(line, "progress", &part)) {
		if (progress)
			hs_progress_show(progress, hs_json_number(part, "left"),
					 hs_json_number(part, "total"));
		return false;
	}
	if (progress)
		hs_progress_end(progress);
	if (json_object_object_get_ex(line, "result", &part))
		*result = json_object_get(part);
	else if (json_object_object_get_ex(line, "error", &part))
		hs_fail("%s: %s", control->name, json_object_get_string(part));
	else
		hs_fail("%s: its server does not answer in a way known here", control->name);
	return true;
}

struct json_object *hs_control_call(struct hs_control *control, struct json_object *request,
				    struct hs_progress *progress)
{
	struct json_object *line, *result = NULL;
	bool end = false;

	/* A server that has no room says so and hangs up, perhaps before this is sent. */
	request_send(control, request);
	json_object_put(request);
	while (!end && (line = reply_next(control))) {
		end = reply_end(control, line, progress, &result);
		json_object_put(line);
	}
	if (end)
		return result;
	if (progress)
		hs_progress_end(progress);
	hs_fail("%s: its server ended or did not answer", control->name);
	return NULL;
}

struct json_object *hs_control_ask(const char *name, const char *cmd)
{
	struct hs_control *control = hs_control_open(name);
	struct json_object *result;

	if (!control)
		return NULL;
	result = hs_control_call(control, hs_control_request(cmd), NULL);
	hs_control_close(control);
	return result;
}

void hs_control_wait_end(struct hs_control *control)
{
	struct pollfd end = { .fd = control->pidfd, .events = POLLIN };

	while (getline(&control->line, &control->line_size, control->stream) > 0)
		;
	if (control->pidfd >= 0)
		poll(&end, 1, EXIT_MS);
}

uint64_t hs_json_number(struct json_object *obj, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(obj, key, &value) ? json_object_get_uint64(value) : 0;
}

const char *hs_json_string(struct json_object *obj, const char *key)
{
	struct json_object *value;
	const char *text = NULL;

	if (json_object_object_get_ex(obj, key, &value))
		text = json_object_get_string(value);
	return text ? text : "";
}

bool hs_json_bool(struct json_object *obj, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(obj, key, &value) && json_object_get_boolean(value);
}

void hs_json_print(struct json_object *obj)
{
	printf("%s\n", json_object_to_json_string_ext(obj, JSON_C_TO_STRING_PLAIN |
						      JSON_C_TO_STRING_NOSLASHESCAPE));
}
