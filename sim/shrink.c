// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Makes a failing world smaller: fewer lives, fewer requests, fewer kinds of faults, while it still fails. */
#include <stdio.h>

#include "sim/run.h"

static u32 tries;

static bool still_fails(u64 seed, const struct sim_limits *limits)
{
	char failure[512];

	tries++;
	return sim_world_fails(seed, limits, failure);
}

/* Keeps the change if the world still fails. */
static bool attempt(u64 seed, struct sim_limits *limits, const struct sim_limits *smaller)
{
	if (!still_fails(seed, smaller))
		return false;
	*limits = *smaller;
	return true;
}

static void shrink_ops(u64 seed, struct sim_limits *limits, u32 ops)
{
	u32 low = 0, high = (u32)hs_min(limits->ops, ops + 1);

	while (low < high) {
		struct sim_limits smaller = *limits;

		smaller.ops = low + (high - low) / 2;
		if (attempt(seed, limits, &smaller))
			high = smaller.ops;
		else
			low = smaller.ops + 1;
	}
	limits->ops = high;
}

static void shrink_faults(u64 seed, struct sim_limits *limits)
{
	u32 i;

	for (i = 0; i < SIM_F_COUNT; i++) {
		struct sim_limits smaller = *limits;

		smaller.without |= 1u << i;
		if (smaller.without != limits->without)
			attempt(seed, limits, &smaller);
	}
}

/* Leaves out runs of requests, long ones first. */
static void shrink_skip(u64 seed, struct sim_limits *limits)
{
	u32 step, at, top = limits->ops;

	for (step = top / 2; step && limits->nr_skip < 64; step /= 2)
		for (at = 1; at < top && limits->nr_skip < 64; at += step) {
			struct sim_limits smaller = *limits;

			smaller.skip[smaller.nr_skip].first = at;
			smaller.skip[smaller.nr_skip++].end = at + step;
			attempt(seed, limits, &smaller);
		}
}

int sim_shrink(struct sim_job *job)
{
	struct sim_limits limits = job->limits, smaller;
	char failure[512];
	u32 lives;

	if (!still_fails(job->seed, &limits)) {
		printf("seed %llu does not fail\n", (unsigned long long)job->seed);
		return 0;
	}
	smaller = limits;
	smaller.no_audit = true;
	attempt(job->seed, &limits, &smaller);
	for (lives = 1; lives < 6; lives++) {
		smaller = limits;
		smaller.lives = lives;
		if (attempt(job->seed, &limits, &smaller))
			break;
	}
	shrink_faults(job->seed, &limits);
	shrink_ops(job->seed, &limits, 6 * 256);
	shrink_skip(job->seed, &limits);
	sim_world_fails(job->seed, &limits, failure);
	printf("after %u tries: %s\n  hotset-sim replay --seed %llu --trace", tries, failure,
	       (unsigned long long)job->seed);
	sim_limits_print(&limits);
	return 1;
}
