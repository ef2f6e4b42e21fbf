/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A server's name: a lock that dies with its process, and the socket that goes with it. */
#ifndef HS_CLAIM_H
#define HS_CLAIM_H

struct hs_claim {
	char socket_path[108];		/* sun_path's size */
	char lock_path[108];
	int lock_fd;
	int socket_fd;			/* listening */
};

/* Complains itself. -EBUSY: a live server has the name; other errors: the directory is no good. */
int hs_claim_take(struct hs_claim *claim, const char *rundir, const char *name);

/* Closes the socket and removes both files; nothing if the name is not held. */
void hs_claim_drop(struct hs_claim *claim);

#endif
