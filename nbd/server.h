/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The control server: JSON lines over a unix socket, one thread a client.
 *
 *   -> {"cmd": "NAME", ...}
 *   <- {"progress": {"left": N, "total": N}}	none or more, only from commands that take long
 *   <- {"result": ...} or {"error": "one line"}	exactly one, the last of the request
 *
 * A client may send one request after another. Lines that make no sense are answered with an error
 * and the connection lives on; a line beyond HS_LINE_MAX ends it.
 *
 * Life: claim (the name is ours, clients may connect and wait), start (they are answered), stop (no
 * command runs any more), leave (the socket is gone). A client that asked for the end of the server
 * is held through stop, told the outcome by hs_server_tell, and sees end-of-file when the process
 * has ended: nothing closes its connection before.
 */
#ifndef HS_SERVER_H
#define HS_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#define HS_LINE_MAX	65536
#define HS_CLIENTS_MAX	64

struct hs_client;
struct json_object;

/* Makes RUNDIR/NAME.sock ours. -EBUSY: a live server has the name. Complains itself. */
int hs_server_claim(const char *rundir, const char *name);

/* The path of the socket, once it is claimed. */
const char *hs_server_path(void);

/* Starts to answer; dispatch is called in a client's thread and must reply once. */
int hs_server_start(void (*dispatch)(struct hs_client *client, struct json_object *request));

/* Ends every connection but the held ones, and returns when no dispatch runs any more. */
void hs_server_stop(void);

/* The outcome to the held clients: {clean, dirty}, and the problem; NULL: it was a clean end. */
void hs_server_tell(const char *problem, uint64_t dirty);

/* Removes the socket and gives the name up. Harmless if it was never claimed. */
void hs_server_leave(void);

/* ---- for commands ---------------------------------------------------------------------------- */

/* Takes over result. */
void hs_client_result(struct hs_client *client, struct json_object *result);
void hs_client_error(struct hs_client *client, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* A progress line. false: the client is gone or the server stops, and work for it should end. */
bool hs_client_progress(struct hs_client *client, uint64_t left, uint64_t total);

/* Instead of a reply: it comes with the end of the server. */
void hs_client_hold(struct hs_client *client);

/* Whether hs_server_stop has been called. */
bool hs_server_is_stopping(void);

#endif
