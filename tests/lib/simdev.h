/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The simulator's disks (sim/disk.c, with the fault model) under the engine: a path that is registered here is opened
 * as a simulated disk, wherever the library opens it (the test programs are linked with --wrap=hs_target_open). The
 * disk outlives those who open it, as a real one does; between them its power may be cut.
 */
#ifndef HS_TESTS_SIMDEV_H
#define HS_TESTS_SIMDEV_H

#include <pthread.h>

#include "engine/target.h"
#include "sim/disk.h"

#define SIM_IO(op)	(1u << HS_IO_##op)

struct simdev {
	struct sim_disk d;	/* under the lock while something has it open */
	struct sim_store store;
	struct sim_rng rng;
	pthread_mutex_t lock;
	const char *path;
	u32 open;		/* how many have it open */
	bool written;		/* ... one of them for writing */
	bool vanish;		/* what a failed FLUSH loses is gone at once, not only after the next cut */
	u64 lost;		/* sectors of which a failed FLUSH lost something */
	struct simdev *next;
};

/* The path must last as long as the disk. All zeroes, and durably so. */
void simdev_init(struct simdev *s, const char *path, u64 bytes, u64 seed);
void simdev_destroy(struct simdev *s);
struct simdev *simdev_at(const char *path);	/* NULL: none */

/* From now on I/Os of these kinds (SIM_IO) on the sectors fail; times ~0u: until healed. */
void simdev_fail(struct simdev *s, u32 ops, u64 first, u64 end, u32 times);
void simdev_gone(struct simdev *s);
void simdev_heal(struct simdev *s);
void simdev_rot(struct simdev *s, u64 sector);
/* Power cut, while nobody has it open. NULL: any that the seed draws. */
void simdev_cut(struct simdev *s, const struct sim_cut *cut);

/* Past every fault; what is written is durable. Bytes. */
void simdev_peek(struct simdev *s, void *buf, u64 count, u64 offset);
void simdev_poke(struct simdev *s, const void *buf, u64 count, u64 offset);

#endif
