/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the command was asked to do. */
#ifndef HS_SIM_RUN_H
#define HS_SIM_RUN_H

#include "sim/sim.h"

struct sim_job {
	u64 seed, worlds, seconds;
	u32 jobs;
	bool seed_given, trace, counts;
	bool first;		/* end with the first failure */
	const char *seeds_file;
	struct sim_limits limits;
};

/* Exit statuses: 0, 1 (a world failed, or something was never exercised), 2 (usage). */
int sim_run(struct sim_job *job);
int sim_replay(struct sim_job *job);
int sim_shrink(struct sim_job *job);

void sim_limits_print(const struct sim_limits *limits);
/* In a process of its own, so that a crash or an endless loop in the core is a failure like any other. */
bool sim_world_fails(u64 seed, const struct sim_limits *limits, char failure[512]);

#endif
