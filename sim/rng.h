/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Random numbers: SplitMix64 (Steele, Lea, Flood 2014). A stream is a seed and nothing else, so that one
 * part of a world can be left out (shrink) without changing what the others draw.
 */
#ifndef HS_SIM_RNG_H
#define HS_SIM_RNG_H

#include "core/platform.h"

struct sim_rng {
	u64 state;
};

static inline u64 sim_hash(u64 x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ull;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

static inline u64 sim_hash2(u64 a, u64 b)
{
	return sim_hash(sim_hash(a + 0x9e3779b97f4a7c15ull) ^ b);
}

static inline u64 sim_random(struct sim_rng *r)
{
	r->state += 0x9e3779b97f4a7c15ull;
	return sim_hash(r->state);
}

/* 0 .. n-1 */
static inline u32 sim_below(struct sim_rng *r, u32 n)
{
	return (u32)(((sim_random(r) >> 32) * n) >> 32);
}

static inline u32 sim_between(struct sim_rng *r, u32 least, u32 most)
{
	return least + sim_below(r, most - least + 1);
}

/* One time in n. */
static inline bool sim_one_in(struct sim_rng *r, u32 n)
{
	return !sim_below(r, n);
}

static inline bool sim_percent(struct sim_rng *r, u32 p)
{
	return sim_below(r, 100) < p;
}

/* Spread evenly over the orders of magnitude from least to most. */
static inline u64 sim_spread(struct sim_rng *r, u64 least, u64 most)
{
	u32 low = 0, high = 0;
	u64 v;

	while (least >> (low + 1))
		low++;
	while (most >> (high + 1))
		high++;
	v = 1ull << sim_between(r, low, high);
	v += sim_random(r) & (v - 1);
	return hs_min(hs_max(v, least), most);
}

#endif
