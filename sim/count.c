// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "sim/sim.h"

u64 sim_counted[SIM_COUNTS];

const char *const sim_count_words[] = {
#define X(name, words) words,
	SIM_COUNT_LIST(X)
#undef X
};
