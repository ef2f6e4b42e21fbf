// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See layout.h. */
#include "layout.h"

#include <inttypes.h>
#include <stdio.h>

#include <json-c/json.h>

#include "size.h"

static double share(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * part / whole : 0;
}

/* What larger blocks cost; see the section on writing in docs/ARCHITECTURE.md. */
static void amplification_print(const struct hs_layout *layout)
{
	char block[HS_SIZE_TEXT];

	if (layout->block_size <= 4096)
		return;
	printf("writes    the first 4 KiB written to a dirty block after a commit copy its %s: "
	       "up to %ux\n", hs_size_print(block, layout->block_size), layout->block_size / 4096);
}

void hs_layout_print(const struct hs_layout *layout, enum hs_mode mode)
{
	char text[HS_SIZE_TEXT], more[HS_SIZE_TEXT];

	printf("uuid      %s\n", layout->uuid);
	printf("mode      %s, checksums %s\n", hs_mode_name(mode),
	       layout->checksums ? "on" : "off");
	printf("origin    %s\n", hs_size_print(text, layout->origin_size));
	printf("cache     %s: %" PRIu64 " slots of %s\n", hs_size_print(text, layout->cache_size),
	       layout->slots, hs_size_print(more, layout->block_size));
	printf("sets      %" PRIu64 " of %u slots, %u neighbouring blocks together\n", layout->sets,
	       layout->assoc, layout->consecutive);
	printf("metadata  %s, %.1f %% of the cache (table %s,",
	       hs_size_print(text, layout->data_offset),
	       share(layout->data_offset, layout->cache_size),
	       hs_size_print(more, layout->table_size));
	printf(" journal %s)\n", hs_size_print(text, layout->journal_size));
	printf("RAM       %s while served, %.1f bytes a slot\n",
	       hs_size_print(text, layout->ram_bytes),
	       layout->slots ? (double)layout->ram_bytes / layout->slots : 0);
	amplification_print(layout);
}

static void number_add(struct json_object *obj, const char *key, uint64_t n)
{
	json_object_object_add(obj, key, json_object_new_uint64(n));
}

struct json_object *hs_layout_json(const struct hs_layout *layout)
{
	struct json_object *obj = json_object_new_object();

	json_object_object_add(obj, "uuid", json_object_new_string(layout->uuid));
	number_add(obj, "origin_size", layout->origin_size);
	number_add(obj, "cache_size", layout->cache_size);
	number_add(obj, "slots", layout->slots);
	number_add(obj, "sets", layout->sets);
	number_add(obj, "block_size", layout->block_size);
	number_add(obj, "assoc", layout->assoc);
	number_add(obj, "consecutive", layout->consecutive);
	json_object_object_add(obj, "checksums", json_object_new_boolean(layout->checksums));
	number_add(obj, "journal_size", layout->journal_size);
	number_add(obj, "table_size", layout->table_size);
	number_add(obj, "data_offset", layout->data_offset);
	number_add(obj, "ram_bytes", layout->ram_bytes);
	return obj;
}
