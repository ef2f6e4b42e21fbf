/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * libhotset: a block cache as a library.
 *
 * A struct hs_dev is a slow *origin* seen through a fast *cache device*. Its calls block, and may be
 * made from any number of threads at once; none of them needs a lock of the caller's.
 *
 * Units: every offset and length is in bytes and a multiple of 512 unless said otherwise.
 * Times are in nanoseconds (ns). A *block* is the cache's unit (4 KiB to 1 MiB); a *slot* is the place
 * of one block on the cache device.
 *
 * Errors: a call returns 0 or a negative errno. Calls that take a struct hs_error fill it with one line
 * that names the thing and the way out (no newline); it may be NULL.
 */
#ifndef HOTSET_HOTSET_H
#define HOTSET_HOTSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hotset/enums.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HS_VERSION_STRING	"0.1.0"

struct hs_dev;

struct hs_error {
	char msg[512];
};

const char *hs_mode_name(enum hs_mode mode);
/* Returns the mode or -EINVAL. */
int hs_mode_parse(const char *name);

/* ---- format ------------------------------------------------------------------------------------ */

struct hs_layout {
	uint64_t origin_size;		/* bytes */
	uint64_t cache_size;		/* bytes of the cache device in use */
	uint64_t slots;
	uint64_t sets;
	uint32_t block_size;		/* bytes */
	uint32_t assoc;			/* slots a set */
	uint32_t consecutive;		/* neighbouring blocks that share a set */
	bool checksums;
	uint64_t journal_size;		/* bytes */
	uint64_t table_size;		/* bytes, both copies */
	uint64_t data_offset;		/* bytes from the start of the cache device */
	uint64_t ram_bytes;		/* what serving it takes, without buffers for requests in flight */
	char uuid[37];			/* text form */
};

struct hs_format_opts {
	const char *origin;		/* path or NBD URI */
	const char *cache;		/* path of a file or block device */
	uint64_t size;			/* bytes; creates or extends a cache *file*; 0: as large as it is */
	uint32_t block_size;		/* bytes; 0: 4096 */
	uint32_t assoc;			/* 0: 512, or less for a small cache */
	uint32_t consecutive;		/* blocks; 0: 64 or assoc / 4 */
	uint64_t journal_size;		/* bytes; 0: chosen from the table's size */
	enum hs_mode mode;
	bool no_checksums;
	bool force;			/* overwrite dirty data, a filesystem or anything else */
};

/*
 * Makes opts->cache a cache for opts->origin. Reads the origin's size and identity, never writes it.
 * -EEXIST: the device holds dirty data or a known signature and force is not set; nothing was written.
 * After an interruption no tool takes the device for a cache, or it is the old cache still.
 */
int hs_format(const struct hs_format_opts *opts, struct hs_layout *geo, struct hs_error *err);

/* ---- the cached device ------------------------------------------------------------------------- */

struct hs_open_opts {
	const char *origin;		/* path or NBD URI (nbd://, nbd+unix://, nbds://, nbds+unix://) */
	const char *cache;
	int mode;			/* enum hs_mode; -1: as stored on the cache device */
	unsigned int threads;		/* background worker threads; 0: 4 */
	bool accept_changed_origin;	/* open although the origin changed: drops every clean block;
					 * refused all the same while dirty blocks exist */
	void (*log)(void *arg, const char *line); /* recovery, degradation; NULL: silent */
	void *log_arg;
};

/*
 * Opens both exclusively, recovers, and starts the background threads.
 * -EBUSY: in use or mounted; -EMEDIUMTYPE: not a hotset cache; -ESTALE: another origin, or changed
 * behind the cache; -EPROTONOSUPPORT: made by a newer version; -EUCLEAN: metadata damaged beyond both
 * copies. In all of these nothing was written to either device.
 */
int hs_dev_open(const struct hs_open_opts *opts, struct hs_dev **dev, struct hs_error *err);

/*
 * What hs_dev_open says before it reads the map: in use, not a cache, another origin, changed and so on. Nothing is
 * written or kept open. *layout and *mode: as stored on the cache device. (The map may still be refused later.)
 */
int hs_probe(const struct hs_open_opts *opts, struct hs_layout *layout, enum hs_mode *mode, struct hs_error *err);

/*
 * For who runs a cache elsewhere, in the kernel: records durably that the cache of that UUID (text form) failed and
 * that its origin is written past it, so that it is refused from then on until it is formatted anew. cache: a word
 * for people.
 */
int hs_abandon(const char *uuid, const char *cache, struct hs_error *err);

enum hs_close_how {
	HS_CLOSE_CLEAN,		/* commit, flush, mark a clean stop; dirty blocks stay in the cache */
	HS_CLOSE_WRITEBACK,	/* leave nothing dirty, then as HS_CLOSE_CLEAN */
	HS_CLOSE_CRASH,		/* tests: let go as a killed process would; nothing more is written */
};

/*
 * No other call may be running or follow. Frees dev whatever it returns; a non-zero return says that
 * the stop was not clean (the next open recovers).
 */
int hs_dev_close(struct hs_dev *dev, enum hs_close_how how, struct hs_error *err);

#define HS_FUA		(1u << 0)	/* this request is durable before the call returns */
#define HS_NO_INSERT	(1u << 1)	/* a miss is not inserted (counted as sequential) */

uint64_t hs_dev_size(const struct hs_dev *dev);		/* bytes: the origin's */

/* Any number of callers, any 512-byte multiples inside the device; buffers need no alignment.
 * -EINVAL: misaligned or outside the device. -EIO: see hs_dev_lost for what is lost for good. */
int hs_dev_pread(struct hs_dev *dev, void *buf, size_t count, uint64_t offset, uint32_t flags);
int hs_dev_pwrite(struct hs_dev *dev, const void *buf, size_t count, uint64_t offset, uint32_t flags);
/* Everything acknowledged before the call is durable when it returns 0. */
int hs_dev_flush(struct hs_dev *dev);
/* A discarded range reads as zeroes or as any earlier content; partial blocks at its ends stay. */
int hs_dev_discard(struct hs_dev *dev, uint64_t count, uint64_t offset, uint32_t flags);
/* The range reads as zeroes. */
int hs_dev_zero(struct hs_dev *dev, uint64_t count, uint64_t offset, uint32_t flags);

/* ---- control ----------------------------------------------------------------------------------- */

const char *hs_reason_name(enum hs_reason why);

/* Counters since open (requests are counted by block touched), and gauges (the second part). */
struct hs_stats {
	uint64_t reads, writes, flushes, discards, zeroes;
	uint64_t read_hits, read_misses, write_hits, write_misses;
	uint64_t inserts;		/* blocks filled by read misses */
	uint64_t replacements;		/* clean blocks evicted to make room */
	uint64_t write_backs;		/* dirty blocks written to the origin */
	uint64_t write_back_errors;
	uint64_t not_cached[HS_WHY_COUNT];
	uint64_t commits, checkpoints, cache_flushes, origin_flushes;
	uint64_t journal_bytes, table_bytes;
	uint64_t checksum_errors, repairs;
	uint64_t cache_errors, origin_errors;
	uint64_t slot_waits;		/* requests that had to wait for a free slot */

	uint64_t slots, used, dirty, free, retired, lost;	/* slots */
	uint64_t origin_size, cache_size;			/* bytes */
	uint32_t block_size, assoc;
	uint64_t ram_bytes;		/* measured: allocated for the map */
	enum hs_mode mode;		/* in force for new writes */
	enum hs_mode mode_durable;	/* in the superblock; differs while a switch is under way */
	bool failed;			/* the cache device is out of service */
	uint64_t recovery_ns;		/* what opening took */
	uint64_t recovered_transactions;
	bool clean_start;
};
void hs_dev_stats(struct hs_dev *dev, struct hs_stats *stats);

/*
 * How far the calls below have come, in dirty blocks, told about ten times a second; NULL where nobody wants to
 * know. false: the call is to end, with -EINTR.
 */
typedef bool (*hs_progress_fn)(void *arg, uint64_t left, uint64_t total);

/* Writes every dirty block back and returns when none is left, or -EIO when write-back fails. */
int hs_dev_clean(struct hs_dev *dev, hs_progress_fn progress, void *arg, struct hs_error *err);

/*
 * Switches at once for new writes; returns when the switch is complete and durable. When it ends before, the mode
 * stays in force, and is stored as soon as that can be, but not beyond a close.
 */
int hs_dev_set_mode(struct hs_dev *dev, enum hs_mode mode, hs_progress_fn progress, void *arg,
		    struct hs_error *err);

/*
 * Settings, by name:
 *   mode=NAME            as hs_dev_set_mode
 *   seq_cutoff=SIZE      bytes; streams longer than this bypass the cache; 0: off (default)
 *   dirty_age=SECONDS    write back blocks dirty for longer; default 30
 *   dirty_limit=PERCENT  of the slots; write back above it; default 50
 *   writeback=on|off     background write-back; default on
 */
int hs_dev_set(struct hs_dev *dev, const char *key, const char *value, hs_progress_fn progress, void *arg,
	       struct hs_error *err);

/* Calls fn for every dirty range that cannot be read any more; bytes. Reads each flagged block. */
int hs_dev_lost(struct hs_dev *dev, int (*fn)(void *arg, uint64_t offset, uint64_t count), void *arg);
/*
 * Gives up the lost parts of the range: they read as the origin's content from now on, or as what a write that
 * came before made of them. -EINVAL: not whole 4 KiB, or up to the end of the device.
 */
int hs_dev_forget(struct hs_dev *dev, uint64_t offset, uint64_t count, struct hs_error *err);

/* Ranges that are held in the cache, for dump and tests: fn gets origin offset, slot, state. */
struct hs_slot_info {
	uint64_t slot;
	uint64_t offset;		/* bytes on the origin */
	uint32_t length;		/* bytes; the last block may be short */
	bool dirty, lost;
};

/* ---- offline: nobody serves the cache; nothing is written unless said ------------------------------ */

enum hs_problem_kind {
	HS_PROBLEM_SUPERBLOCK,	/* one copy is damaged */
	HS_PROBLEM_TABLE_COPY,	/* a table unit's copy is damaged, its mirror serves */
	HS_PROBLEM_JOURNAL,	/* the journal's last transaction is incomplete and would be dropped */
	HS_PROBLEM_DATA_CLEAN,	/* a clean block does not match its checksum: the origin serves it */
	HS_PROBLEM_DATA_DIRTY,	/* a dirty block does not: its range is lost */
	HS_PROBLEM_MAP,		/* the map contradicts itself */
};

struct hs_check_opts {
	const char *cache;
	bool data;			/* read and verify every cached block too */
	void (*problem)(void *arg, enum hs_problem_kind kind, const char *line);
	int (*slot)(void *arg, const struct hs_slot_info *info);	/* every named slot; NULL: none */
	void *arg;
};

struct hs_check_result {
	struct hs_layout geo;
	enum hs_mode mode;
	bool clean_stop;
	uint64_t clean, dirty, lost;	/* slots */
	uint64_t problems;		/* HS_PROBLEM_JOURNAL after a crash is not counted: it is expected */
	uint64_t transactions;		/* in the journal beyond the table */
	uint64_t sequence, incarnation, superblock_sequence;
};

/* 0: could be read, see res->problems. Errors as hs_dev_open. */
int hs_check(const struct hs_check_opts *opts, struct hs_check_result *res, struct hs_error *err);

/* Rescues every dirty block onto the origin (recovers first, writes both devices). */
int hs_writeback(const char *origin, const char *cache,
		 hs_progress_fn progress, void *arg, struct hs_error *err);

/* Lists lost ranges of a cache that nobody serves. */
int hs_lost(const char *cache, int (*fn)(void *arg, uint64_t offset, uint64_t count), void *arg,
	    struct hs_error *err);

#ifdef __cplusplus
}
#endif
#endif
