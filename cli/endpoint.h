/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where an export is to be found: a unix socket or a TCP port, checked before nbdkit takes it. */
#ifndef HS_ENDPOINT_H
#define HS_ENDPOINT_H

#include <limits.h>
#include <stdint.h>

struct hs_endpoint {
	char socket[PATH_MAX];		/* absolute; empty: TCP */
	const char *bind;		/* address, for TCP */
	char port[8];
	char uri[3 * PATH_MAX + 64];
};

/*
 * All complain by themselves and return 0 or -1. A socket file that a killed server left is
 * removed; one that is in use, or another kind of file, is refused.
 */
int hs_endpoint_socket(struct hs_endpoint *endpoint, const char *path);
int hs_endpoint_port(struct hs_endpoint *endpoint, const char *bind, uint32_t port);

/* path, from here: absolute. -1 when it is too long. */
int hs_path_absolute(char buf[PATH_MAX], const char *path);

#endif
