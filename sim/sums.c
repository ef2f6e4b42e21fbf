// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Checksums of units. The same units hold the same again and again (as they are written, read, looked at by audits):
 * a sum is worked out once.
 */
#include "sim/sim.h"

/* What was summed up last: a unit in its place, of whole stamps and zeroes. */
struct unit_sum {
	u64 nr;
	u32 value[HS_UNIT_SECTORS];
	u32 era;		/* of the uuid */
	u32 crc;
};

static struct unit_sum memo[4096];

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

/* hs_unit_crc depends on the unit, its content, and the core's uuid: a new era begins with each. */
static u32 era_of(const struct hs_core *core)
{
	static u8 uuid[HS_UUID_BYTES];
	static u32 era;

	if (!era || memcmp(uuid, hs_core_sb(core)->uuid, HS_UUID_BYTES)) {
		memcpy(uuid, hs_core_sb(core)->uuid, HS_UUID_BYTES);
		era++;
	}
	return era;
}

u32 sim_unit_crc(const struct hs_core *core, u64 nr, const struct sim_content c[HS_UNIT_SECTORS])
{
	struct unit_sum key = { .nr = nr, .era = era_of(core) }, *s;
	u32 i;

	for (i = 0; i < HS_UNIT_SECTORS; i++) {
		key.value[i] = sim_content_value(&c[i], nr * HS_UNIT_SECTORS + i);
		if (key.value[i] == SIM_JUNK)
			return unit_sum_up(core, nr, c);
	}
	s = &memo[sim_hash(nr ^ (u64)key.value[0] << 20 ^ (u64)key.value[HS_UNIT_SECTORS - 1] << 40) % 4096];
	if (memcmp(s, &key, offsetof(struct unit_sum, crc))) {
		key.crc = unit_sum_up(core, nr, c);
		*s = key;
	}
	return s->crc;
}
