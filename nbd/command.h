/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The commands of the control server.
 *
 *   info				-> {name, pid, version, origin, cache, uri, size, readonly}
 *   stats				-> struct hs_stats by its members' names
 *   set	key, value		-> {}
 *   flush				-> progress, then {}: nothing was dirty for a moment
 *   lost				-> [{offset, length}, ...] in bytes
 *   forget	offset, count		-> {}
 *   stop	writeback (optional)	-> progress, then {clean, dirty, problem}, the device closed
 *
 * A client that goes away ends its flush, and its stop as long as that still writes back.
 */
#ifndef HS_COMMAND_H
#define HS_COMMAND_H

struct hs_client;
struct json_object;

void hs_command_dispatch(struct hs_client *client, struct json_object *request);

#endif
