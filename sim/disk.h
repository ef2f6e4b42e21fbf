/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A simulated disk: sectors with their unflushed versions, and the ways in which it lies. See disk.c. */
#ifndef HS_SIM_DISK_H
#define HS_SIM_DISK_H

#include "core/core.h"
#include "sim/rng.h"

#define SIM_SECTOR	512u

/*
 * What a sector holds, in short: nearly always a stamp, which says where it belongs and which write brought it, or
 * zeroes. So a disk need not store the bytes of all that was ever written, nor an audit read them.
 */
struct sim_content {
	u32 place, value;	/* of the stamp; SIM_ZERO: zeroes (place 0); SIM_JUNK: neither, then */
	u8 *bytes;		/* ... those; else NULL */
};
#define SIM_JUNK	0xffffffffu
#define SIM_ZERO	0u
#define SIM_INITIAL	1u

struct sim_version {
	struct sim_version *older;
	struct sim_content content;
	u32 write;		/* number of the write that brought it */
	bool durable;		/* on the media: the oldest of its chain */
	bool doomed;		/* a failed FLUSH lost it: still read, never durable */
};

struct sim_sector {
	struct sim_version *newest;	/* NULL: never written */
	bool listed;			/* on the disk's list of unflushed sectors */
};

/*
 * Memory for things of one size. What was given back last is used first, else what lies behind what is used: a new
 * disk touches little memory, and in order.
 */
struct sim_pool {
	size_t size;
	void *free;		/* each begins with a pointer to the next */
	u8 **chunk;
	u32 nr_chunks, used;	/* things taken from the chunks */
};

/* The memory of a disk; it serves one disk after another. All zeroes: none yet. */
struct sim_store {
	u64 room;		/* sectors */
	struct sim_sector *sector;
	u32 *list;
	struct sim_pool versions, bytes;
};

/* How much of the volatile cache a power cut leaves. */
enum sim_keep {
	SIM_KEEP_ALL,
	SIM_KEEP_NONE,
	SIM_KEEP_SECTORS,	/* each sector by chance */
	SIM_KEEP_WRITES,	/* each write by chance */
	SIM_KEEP_EARLY,		/* those before some moment */
	SIM_KEEP_COUNT,
};

struct sim_cut {
	enum sim_keep keep;
	u64 salt;
	u32 percent;		/* chance of a sector or a write */
	u32 before;		/* SIM_KEEP_EARLY: number of the first write lost */
};

#define SIM_ERRORS	8u

/* I/O errors: of these operations, on this range. */
struct sim_error_range {
	u32 ops;		/* bit per enum hs_io_op; 0: unused */
	u64 first, end;		/* sectors */
	u64 until;		/* ns; then it heals */
	u32 times;		/* or after so many; ~0u: never */
};

struct sim_disk {
	const char *name;
	u64 sectors;
	struct sim_store *store;
	struct sim_sector *sector;
	u32 *list;			/* unflushed sectors */
	u32 nr_list;
	u32 writes;			/* number of the next write */
	u32 untouched;			/* value of sectors never written */
	struct sim_error_range error[SIM_ERRORS];
	u64 doubt_raised, doubt_told;	/* FLUSHes that failed; that a FLUSH has told of */
	u64 gone_until;			/* ns; every I/O fails before */
	u64 errors_seen;		/* I/Os that failed */
	bool for_ever;			/* ... the last of them on what will not heal */
	u64 last_error, last_heal;	/* ns */
};

/* A sector's bytes, made from a stamp. */
void sim_stamp(u8 *data, u64 sector, u32 value);

/*
 * Neither the core nor the shell looks into what users store. So in buffers, too, a sector of it stands in short: its
 * first two words; the others are undefined. (Those of a stamp follow from them; what is none says where it is kept.)
 * Metadata stand there in full.
 */
void sim_short_put(u8 *data, const struct sim_content *c);
struct sim_content sim_short_get(const u8 *data);

static inline struct sim_content sim_content_stamp(u64 sector, u32 value)
{
	return (struct sim_content){ .place = value == SIM_ZERO ? 0 : (u32)sector, .value = value };
}

static inline u32 sim_content_value(const struct sim_content *c, u64 sector)
{
	return c->value == SIM_ZERO || c->place == sector ? c->value : SIM_JUNK;
}

bool sim_content_same(const struct sim_content *a, const struct sim_content *b);
void sim_content_put(const struct sim_content *c, u8 *data);

/* Forgets the bytes that buffers refer to. */
void sim_shorts_drop(void);

/* The store is the disk's until the next is made in it, or until it is freed. */
void sim_disk_init(struct sim_disk *d, const char *name, u64 sectors, u32 untouched, struct sim_store *store);
void sim_store_free(struct sim_store *store);

void sim_disk_read(const struct sim_disk *d, u64 sector, u32 sectors, u8 *data);
void sim_disk_read_short(const struct sim_disk *d, u64 sector, u32 sectors, u8 *data);
/* One write that arrives in parts has one number: sim_disk_number first. */
u32 sim_disk_number(struct sim_disk *d);
void sim_disk_write(struct sim_disk *d, u64 sector, u32 sectors, const u8 *data, u32 number);
void sim_disk_write_short(struct sim_disk *d, u64 sector, u32 sectors, const u8 *data, u32 number);
/* What was written before the write `mark` becomes durable. */
void sim_disk_flush(struct sim_disk *d, u32 mark);
/* Of one range only: a write with FUA. */
void sim_disk_harden(struct sim_disk *d, u64 sector, u32 sectors, u32 number);

/* A FLUSH that failed: lost(arg, sector), if given, is called for each sector that lost a version. visible: what is
 * lost can still be read until the power goes. */
void sim_disk_flush_failed(struct sim_disk *d, u32 mark, struct sim_rng *r, bool visible,
			   void (*lost)(void *arg, u64 sector), void *arg);

/* The process that was told of it has ended: what is lost and still read is forgotten, or tried again. */
void sim_disk_settle(struct sim_disk *d, struct sim_rng *r);

void sim_cut_draw(struct sim_cut *cut, const struct sim_disk *d, struct sim_rng *r);
/* NULL: never written. */
const struct sim_version *sim_version_after(const struct sim_disk *d, u64 sector, const struct sim_cut *cut);

/* What the sector would hold after that cut (NULL: holds now). Good until the disk is next touched. */
static inline struct sim_content sim_disk_after(const struct sim_disk *d, const struct sim_cut *cut, u64 sector)
{
	const struct sim_version *v = d->sector[sector].newest;

	if (cut && v && !v->durable)
		v = sim_version_after(d, sector, cut);
	return v ? v->content : sim_content_stamp(sector, d->untouched);
}

void sim_disk_read_after(const struct sim_disk *d, const struct sim_cut *cut, u64 sector, u32 sectors,
			 u8 *data);
void sim_disk_cut(struct sim_disk *d, const struct sim_cut *cut);

void sim_disk_rot(struct sim_disk *d, u64 sector, struct sim_rng *r);

/* Errors. sim_disk_fault: what an I/O that ends now ends with. */
void sim_disk_fail_range(struct sim_disk *d, u32 ops, u64 first, u64 end, u64 until, u32 times);
s32 sim_disk_fault(struct sim_disk *d, enum hs_io_op op, u64 sector, u32 sectors, u64 now);
void sim_disk_heal(struct sim_disk *d, u64 now);

#endif
