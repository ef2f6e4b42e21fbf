/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A server's statistics in the text exposition format of Prometheus, version 0.0.4. */
#ifndef HS_PROMETHEUS_H
#define HS_PROMETHEUS_H

struct json_object;

void hs_prometheus_print(const char *name, struct json_object *stats);

#endif
