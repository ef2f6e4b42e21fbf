/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the engine does I/O on: a file, a block device, or an NBD export. All calls block and may be made
 * from any number of threads at once. Offsets and lengths in bytes, multiples of 512; a short transfer is
 * continued inside, so each call returns 0 or a negative errno.
 */
#ifndef HS_ENGINE_IO_H
#define HS_ENGINE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hotset/hotset.h>

struct hs_target;

enum hs_target_flags {
	HS_TARGET_WRITE = 1,		/* for writing; exclusive */
	HS_TARGET_CACHE = 2,		/* as a cache device: O_DIRECT, no NBD URI */
};

struct hs_target_ops {
	int (*pread)(struct hs_target *t, void *buf, size_t count, uint64_t offset);
	/* fua: durable when it returns */
	int (*pwrite)(struct hs_target *t, const void *buf, size_t count, uint64_t offset, bool fua);
	int (*flush)(struct hs_target *t);
	/* May do nothing where the target cannot discard (and says so by returning 0). */
	int (*discard)(struct hs_target *t, uint64_t count, uint64_t offset);
	/* Always zeroes, by writing if need be. */
	int (*zero)(struct hs_target *t, uint64_t count, uint64_t offset, bool fua);
	void (*close)(struct hs_target *t);
};

struct hs_target {
	const struct hs_target_ops *ops;
	const char *name;		/* as the user gave it */
	uint64_t size;			/* bytes, rounded down to 512 */
	uint32_t align;			/* buffers and transfers wish to be multiples of this (512, 4096);
					 * others work, through a private copy inside */
	bool direct;			/* O_DIRECT is in use */
};

/*
 * Opens a path or an NBD URI. For writing: exclusive (O_EXCL on block devices; an open-file-description
 * lock on files), and refused (-EBUSY) when mounted, or used as swap or backing a loop device in use.
 */
int hs_target_open(const char *name, unsigned int flags, struct hs_target **t, struct hs_error *err);
void hs_target_close(struct hs_target *t);

/* Fingerprint of fixed regions of the origin (first, last and some in between; at most 1 MiB in all). */
int hs_target_fingerprint(struct hs_target *t, uint64_t *fingerprint);

/* engine/error.c: formats the line; returns code, so that callers can `return hs_error_set(...)`. */
int hs_error_set(struct hs_error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
