/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The cached device behind hs_dev_open, for the files that make up its calls. */
#ifndef HS_ENGINE_DEV_H
#define HS_ENGINE_DEV_H

#include <pthread.h>

#include "engine/run.h"

struct hs_dev {
	struct hs_run run;
	u64 size;			/* bytes of the origin */
	u32 window;			/* parts of one request in flight at once */
	u64 seq_cutoff;			/* sectors; 0: off; peeked */
	struct hs_mutex streams_lock;
	struct hs_streams streams;
	pthread_mutex_t control;	/* one drain or mode switch at a time */
	void (*log)(void *arg, const char *line);
	void *log_arg;
	bool failure_logged, abandon_logged, abandoned;		/* the ticker's */
	u64 recovery_ns;
};

void hs_dev_log(struct hs_dev *dev, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A durable write, within one block, of data that the source has. */
int hs_dev_write_from(struct hs_dev *dev, struct hs_source *source, u32 count, u64 offset);

/* Sums of all shards and the journal. */
void hs_dev_count(struct hs_dev *dev, struct hs_counters *sum);
/* How many dirty blocks can still be written back. */
u64 hs_dev_dirty(struct hs_dev *dev);

#endif
