/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Brings a stop to its end whatever the clients do.
 *
 * nbdkit, told to stop, waits for its clients to go, and one that is connected and silent (a
 * virtual machine, say) never does. So a thread here wakes up when nbdkit's signals arrive, or when
 * asked.
 *
 *  1. Busy connections end by themselves: nbdkit takes no further request from them.
 *  2. Once no request has been inside the library for a moment, the connections that are left are
 *     shut down for reading. nbdkit takes that for the client's farewell, ends, and calls .cleanup.
 *     (Not earlier: a client that finds its socket closed may hang up while replies are under
 *     way, and nbdkit 1.32 can fail an assertion then.)
 *  3. Connections that are left after DRAIN_GRACE_MS belong to clients that do not read their
 *     replies. The gate is closed, the device closed, and the process ended from here.
 *
 * Requests that the devices do not end keep all this waiting; that is logged.
 *
 * nbdkit does not tell a plugin which descriptors its connections have. They are known by their
 * local address, which they share with one of the process's listening sockets; that tells them
 * from an origin's NBD connection. The control socket is left out by its path.
 */
#ifndef HS_DRAIN_H
#define HS_DRAIN_H

#define DRAIN_GRACE_MS	5000

/*
 * From .after_fork, when nbdkit's signal handlers are in place. finish closes the device and does
 * not return. 0 or a negative errno.
 */
int hs_drain_start(const char *control_path, void (*finish)(void));

/* From any thread: the server is to stop. */
void hs_drain_now(void);

/* From .cleanup: no connection is left. Harmless if it was never started. */
void hs_drain_end(void);

#endif
