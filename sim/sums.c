// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Checksums of units. The same units hold the same again and again (as they are written, read, looked at by audits):
 * a sum is worked out once.
 */
#include "sim/sim.h"

/* What was summed up last: audits meet the same units again and again. */
struct unit_sum {
	u32 era;		/* of memo_uuid */
	u64 nr;
	struct sim_content c[HS_UNIT_SECTORS];
	u32 crc;
};

static bool sum_is_of(const struct unit_sum *s, u32 era, u64 nr, const struct sim_content *c)
{
	u32 i;

	if (s->era != era || s->nr != nr)
		return false;
	for (i = 0; i < HS_UNIT_SECTORS; i++)
		if (c[i].bytes || s->c[i].value != c[i].value || s->c[i].place != c[i].place)
			return false;
	return true;
}

static u32 unit_sum_up(const struct hs_core *core, u64 nr, const struct sim_content *c)
{
	u8 data[HS_UNIT_BYTES];
	u32 i, crc;

	for (i = 0; i < HS_UNIT_SECTORS; i++)
		sim_content_put(&c[i], data + i * SIM_SECTOR);
	crc = hs_unit_crc(core, nr, data);
	/* In another place they must not verify. */
	if (hs_unit_crc(core, nr + 1, data) == crc)
		sim_fail(sim_current, "the checksum of unit %llu would pass at the next one",
			 (unsigned long long)nr);
	return crc;
}

/* hs_unit_crc depends on the unit, its content, and the core's uuid. */
u32 sim_unit_crc(const struct hs_core *core, u64 nr, const struct sim_content c[HS_UNIT_SECTORS])
{
	static struct unit_sum memo[4096];
	static u8 memo_uuid[HS_UUID_BYTES];
	static u32 era;
	struct unit_sum *s = &memo[sim_hash2(nr, c[0].value ^ (u64)c[7].value << 32) % 4096];

	if (!era || memcmp(memo_uuid, hs_core_sb(core)->uuid, HS_UUID_BYTES)) {
		memcpy(memo_uuid, hs_core_sb(core)->uuid, HS_UUID_BYTES);
		era++;
	}
	if (!sum_is_of(s, era, nr, c)) {
		*s = (struct unit_sum){ .era = era, .nr = nr, .crc = unit_sum_up(core, nr, c) };
		memcpy(s->c, c, sizeof(s->c));
	}
	return s->crc;
}
