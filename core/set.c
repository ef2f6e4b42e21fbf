// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The memory of a set and its index.
 *
 *	header | way[] | held bits | crc[] | bucket[] | tag_hi[]
 *
 * The index is a chained hash in 16-bit way numbers with as many buckets as ways: a lookup touches a bucket,
 * and for each way of its (short) chain a tag. Retired ways stay indexed until they are free, since a
 * commit and a direct write must find every slot that still names their block. A bucket's newest way comes first, so the
 * versions of a block stand in order of their age.
 */
#include "core/internal.h"

void hs_set_layout(const struct hs_geometry *geo, struct hs_set_offsets *off)
{
	u32 ways = hs_assoc(geo);
	u32 words = (ways + 63) / 64, at = sizeof(struct hs_set) + ways * (u32)sizeof(struct hs_way);

	off->held = at = (u32)hs_round_up(at, 8);
	at += 8 * words;
	off->crc = at;
	at += geo->checksums ? 4 * ways * geo->units_per_block : 0;
	off->bucket = at;
	at += 2 * ways;
	off->tag_hi = at;
	at += ways;
	off->bytes = (u32)hs_round_up(at, 64);
}

void hs_set_init(const struct hs_core *core, struct hs_set *s)
{
	u32 ways = hs_assoc(&core->geo), i;

	memset(s, 0, core->off.bytes);
	memset(hs_bucket(core, s), 0xff, 2 * (size_t)ways);
	for (i = 0; i < ways; i++)
		s->way[i].next = i + 1 < ways ? (u16)(i + 1) : HS_NIL;
	s->free_head = 0;
	s->counts = ways * hs_weights[HS_FREE].counts;
	core->policy->init(core, s);
}

void hs_set_unindex(const struct hs_core *core, struct hs_set *s, u16 way)
{
	u16 *link = &hs_bucket(core, s)[hs_index_hash(core, hs_tag(core, s, way))];

	while (*link != way) {
		hs_assert(*link != HS_NIL);
		link = &s->way[*link].chain;
	}
	*link = s->way[way].chain;
}
