// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See endpoint.h. */
#include "endpoint.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli.h"
#include "control.h"

int hs_path_absolute(char buf[PATH_MAX], const char *path)
{
	char cwd[PATH_MAX];
	int len;

	if (*path == '/')
		len = snprintf(buf, PATH_MAX, "%s", path);
	else if (getcwd(cwd, sizeof(cwd)))
		len = snprintf(buf, PATH_MAX, "%s/%s", cwd, path);
	else
		return -1;
	return len < PATH_MAX ? 0 : -1;
}

/* nbd+unix:///?socket=PATH with all but plain characters as %XX. */
static void unix_uri(char *uri, const char *path)
{
	uri += sprintf(uri, "nbd+unix:///?socket=");
	for (; *path; path++) {
		unsigned char c = *path;

		if (isalnum(c) || strchr("/._~-", c))
			*uri++ = c;
		else
			uri += sprintf(uri, "%%%02X", c);
	}
	*uri = 0;
}

/* Makes room at path, or complains. */
static int socket_clear(const char *path)
{
	struct stat st;

	if (lstat(path, &st))
		return 0;
	if (!S_ISSOCK(st.st_mode)) {
		hs_fail("%s exists and is no socket; choose another --socket", path);
		return -1;
	}
	if (hs_control_probe(path) != HS_SERVER_GONE) {
		hs_fail("%s: another server listens there; choose another --socket", path);
		return -1;
	}
	if (unlink(path)) {
		hs_fail("%s: cannot remove the socket that a killed server left: %s", path,
			strerror(errno));
		return -1;
	}
	return 0;
}

int hs_endpoint_socket(struct hs_endpoint *endpoint, const char *path)
{
	struct sockaddr_un addr;

	if (hs_path_absolute(endpoint->socket, path) ||
	    strlen(endpoint->socket) >= sizeof(addr.sun_path)) {
		hs_fail("%s: too long for a socket (%zu bytes at most)", path,
			sizeof(addr.sun_path) - 1);
		return -1;
	}
	unix_uri(endpoint->uri, endpoint->socket);
	return socket_clear(endpoint->socket);
}

/* Binds and lets go again: 0 or errno. */
static int address_try(const struct addrinfo *ai)
{
	int fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC, ai->ai_protocol);
	int one = 1, err = 0;

	if (fd < 0)
		return errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen))
		err = errno;
	close(fd);
	return err;
}

static int port_try(const char *bind, const char *port)
{
	const struct addrinfo hints = {
		.ai_flags = AI_PASSIVE | AI_ADDRCONFIG,
		.ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *list;
	int r = getaddrinfo(bind, port, &hints, &list);

	if (r) {
		hs_fail("--bind %s: %s", bind, gai_strerror(r));
		return -1;
	}
	for (struct addrinfo *ai = list; ai && !r; ai = ai->ai_next)
		r = address_try(ai);
	freeaddrinfo(list);
	if (!r)
		return 0;
	hs_fail("cannot listen on %s port %s: %s; choose another --port or --bind", bind, port,
		strerror(r));
	return -1;
}

int hs_endpoint_port(struct hs_endpoint *endpoint, const char *bind, uint32_t port)
{
	const char *format = strchr(bind, ':') ? "nbd://[%s]:%u" : "nbd://%s:%u";

	endpoint->bind = bind;
	snprintf(endpoint->port, sizeof(endpoint->port), "%u", port);
	snprintf(endpoint->uri, sizeof(endpoint->uri), format, bind, port);
	return port_try(bind, endpoint->port);
}
