// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See server.h. */
#include "server.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <json-c/json.h>

#include "claim.h"
#include "log.h"

/* A client that says nothing for so long, or reads nothing, is let go. */
#define IDLE_SECONDS	60
#define SEND_SECONDS	10
/* How long one more client than there may be waits before it is turned away. */
#define FULL_MS		1000

struct hs_client {
	pthread_t thread;
	int fd;
	bool held;		/* its thread ends, the connection stays */
	bool gone;		/* a send failed */
	bool ended;		/* its thread is to be joined; under server.lock, as is the list */
	struct hs_client *next;
};

static struct {
	struct hs_claim claim;
	void (*dispatch)(struct hs_client *client, struct json_object *request);
	pthread_t thread;
	int wake_fd;
	bool started;

	pthread_mutex_t lock;	/* guards what follows */
	struct hs_client *clients;
	unsigned int count;
	bool stopping;
} server = {
	.claim.lock_fd = -1,
	.lock = PTHREAD_MUTEX_INITIALIZER,
};

/* ---- replies --------------------------------------------------------------------------------- */

static void send_all(struct hs_client *client, const char *text, size_t len)
{
	while (len && !client->gone) {
		ssize_t n = send(client->fd, text, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			client->gone = true;
			return;
		}
		text += n;
		len -= n;
	}
}

/* One line {"key": value}; takes over value. */
static void send_line(struct hs_client *client, const char *key, struct json_object *value)
{
	struct json_object *line = json_object_new_object();
	const char *text;

	json_object_object_add(line, key, value);
	text = json_object_to_json_string_ext(line, JSON_C_TO_STRING_PLAIN);
	send_all(client, text, strlen(text));
	send_all(client, "\n", 1);
	json_object_put(line);
}

void hs_client_result(struct hs_client *client, struct json_object *result)
{
	send_line(client, "result", result);
}

void hs_client_error(struct hs_client *client, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	send_line(client, "error", json_object_new_string(text));
}

bool hs_client_progress(struct hs_client *client, uint64_t left, uint64_t total)
{
	struct json_object *progress = json_object_new_object();

	json_object_object_add(progress, "left", json_object_new_uint64(left));
	json_object_object_add(progress, "total", json_object_new_uint64(total));
	send_line(client, "progress", progress);
	return !client->gone && !hs_server_is_stopping();
}

void hs_client_hold(struct hs_client *client)
{
	client->held = true;
}

bool hs_server_is_stopping(void)
{
	bool stopping;

	pthread_mutex_lock(&server.lock);
	stopping = server.stopping;
	pthread_mutex_unlock(&server.lock);
	return stopping;
}

/* ---- a client -------------------------------------------------------------------------------- */

static bool is_blank(const char *text, size_t len)
{
	return strspn(text, " \t\r") >= len;
}

/* An object, or NULL when the line is anything else. text[len] is a NUL. */
static struct json_object *line_parse(const char *text, size_t len)
{
	struct json_tokener *tok = json_tokener_new();
	struct json_object *obj;
	size_t used;

	if (!tok)
		return NULL;
	/* With its NUL, which ends the text also for a parser that waits for more of a number. */
	obj = json_tokener_parse_ex(tok, text, len + 1);
	used = json_tokener_get_parse_end(tok);
	json_tokener_free(tok);
	if (json_object_is_type(obj, json_type_object) && used <= len &&
	    is_blank(text + used, len - used))
		return obj;
	json_object_put(obj);
	return NULL;
}

static void line_serve(struct hs_client *client, const char *text, size_t len)
{
	struct json_object *request;

	if (is_blank(text, len))
		return;
	request = line_parse(text, len);
	if (request)
		server.dispatch(client, request);
	else
		hs_client_error(client, "a request is one line with a JSON object");
	json_object_put(request);
}

/* Serves the whole lines at the start of buf; returns how many bytes they took. */
static size_t lines_serve(struct hs_client *client, char *buf, size_t len)
{
	size_t done = 0;
	char *end;

	while (!client->held && !client->gone && (end = memchr(buf + done, '\n', len - done))) {
		*end = 0;
		line_serve(client, buf + done, end - (buf + done));
		done = end + 1 - buf;
	}
	return done;
}

static void client_talk(struct hs_client *client)
{
	char *buf = malloc(HS_LINE_MAX);
	size_t len = 0, done;
	ssize_t n;

	while (buf && !client->held && !client->gone) {
		n = recv(client->fd, buf + len, HS_LINE_MAX - len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += n;
		done = lines_serve(client, buf, len);
		len -= done;
		memmove(buf, buf + done, len);
		if (len == HS_LINE_MAX) {
			hs_client_error(client, "a request has at most %d bytes", HS_LINE_MAX - 1);
			break;
		}
	}
	free(buf);
}

/* Its connection ends here, unless it is held; its thread is joined by another. */
static void *client_main(void *arg)
{
	struct hs_client *client = arg;

	client_talk(client);
	pthread_mutex_lock(&server.lock);
	client->ended = true;
	if (!client->held) {
		close(client->fd);
		client->fd = -1;
	}
	pthread_mutex_unlock(&server.lock);
	return NULL;
}

/* The lock is held. Threads that ended are about to return: joining them does not wait. */
static void clients_reap(void)
{
	struct hs_client **at = &server.clients;

	while (*at) {
		struct hs_client *client = *at;

		if (!client->ended || client->held) {
			at = &client->next;
			continue;
		}
		*at = client->next;
		pthread_join(client->thread, NULL);
		free(client);
		server.count--;
	}
}

static void client_limits(int fd)
{
	struct timeval idle = { .tv_sec = IDLE_SECONDS }, slow = { .tv_sec = SEND_SECONDS };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &idle, sizeof(idle));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &slow, sizeof(slow));
}

/* Clients that come and go quickly may all be ending: they are given a moment to. */
static void room_wait(void)
{
	for (int ms = 0; ms < FULL_MS; ms += 10) {
		bool room;

		pthread_mutex_lock(&server.lock);
		clients_reap();
		room = server.count < HS_CLIENTS_MAX;
		pthread_mutex_unlock(&server.lock);
		if (room)
			return;
		usleep(10000);
	}
}

/* The lock is held. Returns whether the client lives. */
static bool client_begin(struct hs_client *client)
{
	if (server.count == HS_CLIENTS_MAX) {
		hs_client_error(client, "more than %d clients at once", HS_CLIENTS_MAX);
		return false;
	}
	if (pthread_create(&client->thread, NULL, client_main, client))
		return false;
	server.count++;
	client->next = server.clients;
	server.clients = client;
	return true;
}

static void client_accept(void)
{
	int fd = accept4(server.claim.socket_fd, NULL, NULL, SOCK_CLOEXEC);
	struct hs_client *client;

	if (fd < 0) {
		/* Out of descriptors, say: the connection waits, and must not make us spin. */
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			usleep(100000);
		return;
	}
	client_limits(fd);
	client = calloc(1, sizeof(*client));
	if (!client) {
		close(fd);
		return;
	}
	client->fd = fd;
	room_wait();
	pthread_mutex_lock(&server.lock);
	if (server.stopping || !client_begin(client)) {
		close(fd);
		free(client);
	}
	pthread_mutex_unlock(&server.lock);
}

/* ---- the server ------------------------------------------------------------------------------ */

static void *server_main(void *arg)
{
	struct pollfd fds[] = {
		{ .fd = server.claim.socket_fd, .events = POLLIN },
		{ .fd = server.wake_fd, .events = POLLIN },
	};

	(void)arg;
	while (!fds[1].revents) {
		if (poll(fds, 2, -1) > 0 && fds[0].revents)
			client_accept();
	}
	return NULL;
}

int hs_server_claim(const char *rundir, const char *name)
{
	return hs_claim_take(&server.claim, rundir, name);
}

const char *hs_server_path(void)
{
	return server.claim.socket_path;
}

int hs_server_start(void (*dispatch)(struct hs_client *client, struct json_object *request))
{
	sigset_t all, old;
	int r;

	server.dispatch = dispatch;
	server.wake_fd = eventfd(0, EFD_CLOEXEC);
	if (server.wake_fd < 0)
		return -errno;
	/* Signals are nbdkit's; its threads take them. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&server.thread, NULL, server_main, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r) {
		close(server.wake_fd);
		return -r;
	}
	server.started = true;
	return 0;
}

void hs_server_stop(void)
{
	if (!server.started)
		return;
	server.started = false;
	pthread_mutex_lock(&server.lock);
	server.stopping = true;
	/* Readers wake up with end-of-file; a command under way may still reply. */
	for (struct hs_client *client = server.clients; client; client = client->next)
		if (client->fd >= 0)
			shutdown(client->fd, SHUT_RD);
	pthread_mutex_unlock(&server.lock);
	if (eventfd_write(server.wake_fd, 1))
		abort();
	pthread_join(server.thread, NULL);
	close(server.wake_fd);
	for (struct hs_client *client = server.clients; client; client = client->next)
		pthread_join(client->thread, NULL);
}

void hs_server_tell(const char *problem, uint64_t dirty)
{
	/* After hs_server_stop no thread but this one is left to touch the list. */
	for (struct hs_client *client = server.clients; client; client = client->next) {
		struct json_object *result;

		if (!client->held)
			continue;
		result = json_object_new_object();
		json_object_object_add(result, "clean", json_object_new_boolean(!problem));
		json_object_object_add(result, "dirty", json_object_new_uint64(dirty));
		if (problem)
			json_object_object_add(result, "problem", json_object_new_string(problem));
		hs_client_result(client, result);
	}
}

void hs_server_leave(void)
{
	hs_claim_drop(&server.claim);
}
