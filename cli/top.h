/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* hotset top: what all running caches do, looked at again and again. */
#ifndef HS_TOP_H
#define HS_TOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache.h"

#define HS_TOP_LINE	160	/* text of a line, with its NUL */

enum hs_top_order {
	HS_TOP_NAME,
	HS_TOP_IOPS,
	HS_TOP_HITS,
	HS_TOP_DIRTY,
	HS_TOP_BYTES,
	HS_TOP_ORDERS,
};

/* A cache as it was at a look, and since the look before. Rates are of blocks touched. */
struct hs_top_row {
	char name[64];
	enum hs_kind kind;
	char mode[16];
	const char *state;
	uint64_t hits, requests, block_size;	/* counters */
	bool known;		/* there was a look before; else there are no rates */
	double iops, bytes;	/* a second */
	double hit_percent;	/* of the requests since; below 0: there were none */
	double dirty_percent;	/* of the slots */
};

struct hs_top {
	enum hs_top_order order;
	struct hs_top_row *rows;
	size_t nr;
	uint64_t at_ns;		/* the last look */
};

/* 0, or an exit code after a complaint. */
int hs_top_look(struct hs_top *top);
void hs_top_sort(struct hs_top *top);
void hs_top_free(struct hs_top *top);

const char *hs_top_order_name(enum hs_top_order order);
void hs_top_head(char *line);
void hs_top_line(char *line, const struct hs_top_row *row);

/* Full screen, until q. looks: 0, or after so many. */
int hs_top_screen(struct hs_top *top, uint64_t ms, uint32_t looks);

#endif
