/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A small shell over the core for unit tests: one thread, two devices in memory, and the test says which I/O
 * ends when and how. Each device keeps what was written since its last FLUSH apart, so that a power cut can
 * drop any of it, sector by sector. Tests may look into core/internal.h at any moment between two steps.
 */
#ifndef HS_TESTS_COREBOX_H
#define HS_TESTS_COREBOX_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/internal.h"
#include "tests/lib/fixture.h"

#define BOX_IOS		512
#define BOX_FAULTS	4
#define BOX_STEPS	200000		/* more steps without an I/O or a tick: the core spins */

/* A write that no FLUSH has covered yet. */
struct box_log {
	u64 sector, nr;
	u32 sectors;
	bool fua;
	u8 *data;
};

struct box_dev {
	u8 *now, *durable;		/* what reads see; what a power cut leaves for certain */
	u64 bytes, written;		/* writes ended so far */
	struct box_log *log;
	u32 nr_log, log_room;
};

/* An I/O in flight. */
struct box_io {
	struct hs_req *req;
	u32 index;
	u64 mark;			/* FLUSH: covers the writes that had ended when it began */
};

/* `times` I/Os of that kind that touch the sectors fail (sectors 0: anywhere; times < 0: all). */
struct box_fault {
	u8 dev, op;
	u64 sector, sectors;
	s32 times;
};

struct box_req {
	struct hs_req r;
	u8 *data;			/* the caller's */
	u8 *block;			/* the private block buffer */
	u32 csum[256];
	bool done, answered;
};

struct box {
	struct hs_core *core;
	void *mem;
	struct box_dev dev[2];
	struct hs_sb sb;
	u32 shards;
	bool cache_fua;			/* the core is told that the cache's FUA is native */
	struct box_io io[BOX_IOS];
	u32 nr_io;
	u32 held;			/* bit per dev and op: box_run leaves these in flight */
	bool lossy;			/* a failed FLUSH loses for good what it should have made durable */
	struct box_fault fault[BOX_FAULTS];
	bool machine_done;		/* one of the core's own requests has ended */
	u64 now, steps;
	u64 count[2][8];		/* I/Os performed, by device and operation */
	struct random rnd;
};

/* Makes the devices and formats the cache; opens nothing. */
void box_init(struct box *b, const struct hs_geometry_wish *wish, enum hs_mode mode);
void box_destroy(struct box *b);
/* What most tests want: 16 ways, small journal. Then open. */
void box_start(struct box *b, u32 block_size, u32 nsets, enum hs_mode mode);
void box_geometry(struct hs_geometry_wish *wish, u32 block_size, u32 nsets);

int box_load(struct box *b, s32 mode);		/* superblock and hs_core_open */
int box_open(struct box *b, s32 mode);		/* ... and hs_core_claim */
void box_must_open(struct box *b);
void box_close(struct box *b);			/* frees the core, in whatever state; as a kill does */
/* Power cut: of what no FLUSH covered each sector survives with a chance of keep in 100. */
void box_cut(struct box *b, u32 keep);
void box_reopen(struct box *b, u32 keep);	/* cut and open */
int box_stop(struct box *b);			/* clean stop; closes */
int box_stop_half(struct box *b, bool mark);	/* the first half, or the mark; closes nothing */

/* ---- requests: begin; the I/Os are ended one by one, or all by box_run ----------------------------- */

void box_begin(struct box *b, struct box_req *q, enum hs_op op, u64 sector, u32 sectors, u32 flags);
void box_begin_write(struct box *b, struct box_req *q, u64 sector, u32 sectors, u64 value, u32 flags);
void box_drop(struct box_req *q);		/* frees its buffers */
void box_end(struct box *b, u32 index);		/* performs an I/O and steps its request */
void box_fail(struct box *b, u32 index, s32 error);
int box_find(const struct box *b, int dev, int op);	/* first in flight, or -1 */
void box_end_one(struct box *b, int dev, int op);	/* there must be one */
void box_run(struct box *b);			/* until nothing that is not held is in flight */
void box_hold(struct box *b, int dev, int op);
void box_let(struct box *b);			/* holds nothing any more */
void box_tick(struct box *b, u64 ms);
void box_ticks(struct box *b, u32 n, u64 ms);	/* tick and run, n times */
void box_fault(struct box *b, int dev, int op, u64 sector, u64 sectors, s32 times);
void box_no_faults(struct box *b);
void box_control(struct box *b, struct hs_out *out);	/* runs what a control call asked for */
void box_drain(struct box *b, bool on);

/* Whole requests; the result is the request's error. */
int box_write(struct box *b, u64 sector, u32 sectors, u64 value, u32 flags);
int box_op(struct box *b, enum hs_op op, u64 sector, u32 sectors, u32 flags);
int box_flush(struct box *b);
/* Reads and compares every sector with the value; fails the test if it differs. */
void box_expect(struct box *b, u64 sector, u32 sectors, u64 value);
int box_read_error(struct box *b, u64 sector, u32 sectors);

/* ---- looking --------------------------------------------------------------------------------------- */

/* Content of a sector: says which write it is from, and where it belongs. Value 0: zeroes. */
void box_pattern(u8 *data, u64 sector, u32 sectors, u64 value);
u64 box_value(const u8 *data, u64 sector);	/* ~0: not made by box_pattern, or misplaced or torn */
void box_counters(struct box *b, struct hs_counters *n);
/* Slot of the block's current data, or -1; its state. */
int box_slot(struct box *b, u64 block);
u16 box_state(struct box *b, u64 block);
u8 *box_slot_data(struct box *b, u32 slot);	/* in dev[HS_CACHE].now; durable has it at the same place */
void box_rot(struct box *b, int dev, u64 byte);	/* flips a bit in both */
/* Gauges, lists and bits equal a recount; the test fails if not (INVARIANTS 31). */
void box_check(struct box *b);

#endif
