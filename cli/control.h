/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Talking to a serving process over its control socket: JSON lines, as nbdkit-hotset-plugin(1)
 * describes them. These calls complain by themselves.
 */
#ifndef HS_CONTROL_H
#define HS_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

struct hs_control;
struct hs_progress;
struct json_object;

/* Connects to the server of that name; NULL after a complaint. */
struct hs_control *hs_control_open(const char *name);
void hs_control_close(struct hs_control *control);

/* {"cmd": cmd}, to add arguments to. */
struct json_object *hs_control_request(const char *cmd);

/*
 * Sends the request (and takes it over), shows progress if given (NULL: ignores it), and waits for
 * the end. The result, for the caller to put, or NULL after a complaint.
 */
struct json_object *hs_control_call(struct hs_control *control, struct json_object *request,
				    struct hs_progress *progress);

/* The four above in one, for a request without arguments. */
struct json_object *hs_control_ask(const char *name, const char *cmd);

/* Waits until the server's process has ended: it keeps the connection until then. */
void hs_control_wait_end(struct hs_control *control);

enum hs_server_state {
	HS_SERVER_NONE,		/* no such socket */
	HS_SERVER_LIVE,
	HS_SERVER_GONE,		/* a socket that nobody listens on */
};
/* Without a complaint. path: of the control socket. */
enum hs_server_state hs_control_probe(const char *path);

/* RUNDIR/NAME.sock, or false after a complaint. */
bool hs_control_path(char *buf, unsigned int size, const char *name);

/* ---- members of an answer; 0, "" and false where they are missing ---------------------------- */

uint64_t hs_json_number(struct json_object *obj, const char *key);
const char *hs_json_string(struct json_object *obj, const char *key);
bool hs_json_bool(struct json_object *obj, const char *key);
/* obj on one line on stdout. */
void hs_json_print(struct json_object *obj);

#endif
