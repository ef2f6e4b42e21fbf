// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See drain.h. */
#include "drain.h"

#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "gate.h"
#include "log.h"

#define STEP_MS		50
#define LISTENERS_MAX	16

static const int signals[] = { SIGINT, SIGTERM, SIGQUIT, SIGHUP };

#define SIGNALS		(sizeof(signals) / sizeof(signals[0]))

union address {
	struct sockaddr any;
	struct sockaddr_un un;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_storage room;
};

struct listeners {
	union address address[LISTENERS_MAX];
	unsigned int count;
};

static struct {
	const char *control_path;
	void (*finish)(void);
	struct listeners listeners;
	struct sigaction old[SIGNALS];
	pthread_t thread;
	int wake_fd;
	bool started;
	atomic_bool ended;		/* .cleanup has been called */
} drain;

/* ---- which descriptors ----------------------------------------------------------------------- */

/* The local address of a stream socket; false for any other descriptor. */
static bool address_get(int fd, union address *address, bool *listens)
{
	socklen_t len = sizeof(*address), size = sizeof(int);
	int type, accepts;

	memset(address, 0, sizeof(*address));
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) || type != SOCK_STREAM ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &size) ||
	    getsockname(fd, &address->any, &len))
		return false;
	*listens = accepts;
	return true;
}

/* A listener on all addresses shares only the port with its connections. */
static bool address_matches(const union address *a, const union address *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	switch (a->any.sa_family) {
	case AF_UNIX:
		return a->un.sun_path[0] && !strcmp(a->un.sun_path, b->un.sun_path);
	case AF_INET:
		return a->in.sin_port == b->in.sin_port;
	case AF_INET6:
		return a->in6.sin6_port == b->in6.sin6_port;
	default:
		return false;
	}
}

/* Calls fn for each stream socket of this process. */
static void sockets_walk(void (*fn)(int fd, const union address *address, bool listens))
{
	DIR *dir = opendir("/proc/self/fd");
	union address address;
	struct dirent *entry;
	bool listens;

	while (dir && (entry = readdir(dir))) {
		int fd = atoi(entry->d_name);

		if (entry->d_name[0] != '.' && address_get(fd, &address, &listens))
			fn(fd, &address, listens);
	}
	if (dir)
		closedir(dir);
}

static void listener_add(int fd, const union address *address, bool listens)
{
	struct listeners *list = &drain.listeners;

	if (!listens || list->count == LISTENERS_MAX)
		return;
	if (address->any.sa_family == AF_UNIX && !strcmp(address->un.sun_path, drain.control_path))
		return;
	list->address[list->count++] = *address;
}

static void connection_shut(int fd, const union address *address, bool listens)
{
	const struct listeners *list = &drain.listeners;

	for (unsigned int i = 0; i < list->count && !listens; i++)
		if (address_matches(&list->address[i], address))
			shutdown(fd, SHUT_RD);
}

/* ---- when ------------------------------------------------------------------------------------ */

void hs_drain_now(void)
{
	const uint64_t one = 1;
	int err = errno;

	/* Signal handlers come here: nothing but write(2), and it cannot fail for long. */
	if (write(drain.wake_fd, &one, sizeof(one)) < 0)
		errno = err;
}

static void signal_handle(int sig)
{
	for (size_t i = 0; i < SIGNALS; i++)
		if (signals[i] == sig)
			drain.old[i].sa_handler(sig);
	hs_drain_now();
}

/* nbdkit's own handlers stay in charge of stopping; signals that it ignores stay ignored. */
static void signals_take(void)
{
	for (size_t i = 0; i < SIGNALS; i++) {
		struct sigaction action;

		sigaction(signals[i], NULL, &drain.old[i]);
		action = drain.old[i];
		if (action.sa_flags & SA_SIGINFO || action.sa_handler == SIG_DFL ||
		    action.sa_handler == SIG_IGN)
			continue;
		action.sa_handler = signal_handle;
		sigaction(signals[i], &action, NULL);
	}
}

static void signals_return(void)
{
	for (size_t i = 0; i < SIGNALS; i++)
		sigaction(signals[i], &drain.old[i], NULL);
}

static void wait_ms(int ms)
{
	struct pollfd wake = { .fd = drain.wake_fd, .events = POLLIN };
	eventfd_t times;

	if (poll(&wake, 1, ms) > 0 && eventfd_read(drain.wake_fd, &times) < 0)
		return;
}

/* Step 3. .cleanup, should it be called now, waits for this thread, which ends the process. */
static void finish_if_idle(int waited_ms)
{
	if (hs_gate_close())
		drain.finish();
	if (waited_ms % DRAIN_GRACE_MS == 0)
		hs_log_info("the stop waits for %u requests to end", hs_gate_inside());
}

/* Again and again: connections accepted just before nbdkit stopped to listen come late. */
static void *drain_main(void *arg)
{
	bool was_idle = false, idle;

	(void)arg;
	wait_ms(-1);
	for (int ms = 0; !drain.ended; ms += STEP_MS) {
		wait_ms(STEP_MS);
		idle = !hs_gate_inside();
		if (idle && was_idle)
			sockets_walk(connection_shut);
		was_idle = idle;
		if (ms >= DRAIN_GRACE_MS && !drain.ended)
			finish_if_idle(ms);
	}
	return NULL;
}

int hs_drain_start(const char *control_path, void (*finish)(void))
{
	sigset_t all, old;
	int r;

	drain.control_path = control_path;
	drain.finish = finish;
	sockets_walk(listener_add);
	drain.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (drain.wake_fd < 0)
		return -errno;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&drain.thread, NULL, drain_main, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r) {
		close(drain.wake_fd);
		return -r;
	}
	signals_take();
	drain.started = true;
	return 0;
}

void hs_drain_end(void)
{
	if (!drain.started)
		return;
	drain.started = false;
	signals_return();
	drain.ended = true;
	hs_drain_now();
	pthread_join(drain.thread, NULL);
	/* wake_fd stays: a command may be about to call hs_drain_now. */
}
