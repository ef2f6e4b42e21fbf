// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The memory of a set and its index.
 *
 *	header | pending, held bits | tag_lo[] | crc[] | bucket[] | chain[] | prev[] next[] | state[] | tag_hi[]
 *
 * The index is a chained hash in 16-bit way numbers with as many buckets as ways: a lookup touches a bucket,
 * and for each way of its (short) chain a tag. Retired ways stay indexed until they are free, since a
 * commit and a direct write must find every slot that still names their block.
 */
#include "core/internal.h"

void hs_set_layout(const struct hs_geometry *geo, struct hs_set_offsets *off)
{
	u32 ways = hs_assoc(geo);
	u32 at = sizeof(struct hs_set) + 2 * 8 * ((ways + 63) / 64);

	off->tag_lo = at;
	at += 4 * ways;
	off->crc = at;
	at += geo->checksums ? 4 * ways * geo->units_per_block : 0;
	off->bucket = at;
	at += 2 * ways;
	off->chain = at;
	at += 2 * ways;
	off->prev = at;
	at += 2 * ways;
	off->next = at;
	at += 2 * ways;
	off->state = at;
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
		hs_next(core, s)[i] = i + 1 < ways ? (u16)(i + 1) : HS_NIL;
	s->free_head = 0;
	s->counts = ways * hs_weights[HS_FREE].counts;
	core->policy->init(core, s);
}

void hs_set_unindex(const struct hs_core *core, struct hs_set *s, u16 way)
{
	u16 *link = &hs_bucket(core, s)[hs_index_hash(core, hs_tag(core, s, way))];

	while (*link != way) {
		hs_assert(*link != HS_NIL);
		link = &hs_chain(core, s)[*link];
	}
	*link = hs_chain(core, s)[way];
}

bool hs_pending_none(const struct hs_core *core, const struct hs_set *st, u32 chunk)
{
	u32 word = chunk << (core->sum_shift - 6), end = (chunk + 1) << (core->sum_shift - 6);

	while (word < end && !st->pending[word])
		word++;
	return word == end;
}
