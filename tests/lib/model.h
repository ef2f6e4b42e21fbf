/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a cached device must read as, sector by sector. Every write gets a stamp, and a sector's
 * content says whose it is: sector number and stamp, 0 for zeroes. So a sector read back tells
 * which write it shows, and the model which writes it may show:
 *
 *	always		the last one; after a discard any earlier one, or zeroes
 *	after a crash	the last one that a flush covered, or any later one
 *
 * A sector belongs to one thread at a time; threads that write disjoint sectors need no lock.
 */
#ifndef HS_TESTS_MODEL_H
#define HS_TESTS_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#define SECTOR	512u

struct model_sector {
	uint32_t now;		/* stamp of the last write */
	uint32_t flushed;	/* stamp that a crash must leave, or a later one */
	uint32_t floor;		/* stamps above are of writes since that flush */
	uint8_t loose;		/* discarded: now is an upper bound */
	uint8_t loose_since;	/* ... since that flush, or then */
	uint8_t zero_since;	/* zeroes were written since */
};

struct model {
	uint64_t sectors;
	struct model_sector *sector;
	uint32_t stamp;		/* the next; atomic */
};

void model_init(struct model *m, uint64_t sectors);
void model_destroy(struct model *m);

/* The content that stamp gives a sector. Stamp 1 is what the origin holds at first. */
void model_fill(uint64_t sector, uint32_t stamp, uint8_t *data);
void model_fill_first(void *arg, uint64_t sector, uint8_t *data);
uint32_t model_stamp(struct model *m);

void model_wrote(struct model *m, uint64_t sector, uint64_t sectors, uint32_t stamp);
void model_discarded(struct model *m, uint64_t sector, uint64_t sectors);
/* What was written so far is durable. */
void model_flushed(struct model *m, uint64_t sector, uint64_t sectors);

/* NULL, or what is wrong with the data. */
const char *model_check(const struct model *m, uint64_t sector, uint64_t sectors,
			const uint8_t *data);
/* After a crash: as model_check; what was read is what must be read from now on. */
const char *model_crashed(struct model *m, uint64_t sector, uint64_t sectors, const uint8_t *data);

#endif
