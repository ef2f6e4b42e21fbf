/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A cache's geometry and what it costs, for people and as JSON. */
#ifndef HS_LAYOUT_H
#define HS_LAYOUT_H

#include <hotset/hotset.h>

struct json_object;

void hs_layout_print(const struct hs_layout *layout, enum hs_mode mode);
/* The caller owns the object. */
struct json_object *hs_layout_json(const struct hs_layout *layout);

#endif
