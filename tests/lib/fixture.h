/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A directory of its own with an origin and a cache file, and the calls to make, open and close
 * them. What fails here fails the (cmocka) test, with the error's text. HS_TMP names the directory
 * to work in.
 */
#ifndef HS_TESTS_FIXTURE_H
#define HS_TESTS_FIXTURE_H

#include <stdint.h>

#include <hotset/hotset.h>

struct fixture {
	char dir[256];
	char origin[300], cache[300];	/* paths */
	uint64_t origin_size;		/* bytes */
	struct hs_layout layout;	/* of the last format */
	struct hs_dev *dev;		/* NULL: closed */
	bool log;			/* print what the device logs */
};

void fixture_init(struct fixture *f);
void fixture_destroy(struct fixture *f);	/* closes as a crash would, and removes all */

/* Creates the origin anew; fill gives each sector its content, NULL: a hole. */
void fixture_origin(struct fixture *f, uint64_t size,
		    void (*fill)(void *arg, uint64_t sector, uint8_t *data), void *arg);
/* Makes the cache anew. opts->origin and cache are filled in; opts may be NULL. */
void fixture_format(struct fixture *f, const struct hs_format_opts *opts);
/* Bytes of a cache file with room for that many slots and small metadata. */
uint64_t fixture_cache_size(uint64_t slots, uint32_t block_size);

void fixture_open(struct fixture *f, int mode, unsigned int threads);
/* For refusals: returns the error. */
int fixture_try_open(struct fixture *f, const struct hs_open_opts *opts, struct hs_error *err);
void fixture_close(struct fixture *f, enum hs_close_how how);

/*
 * From now on transfers of the open device take a random while, now and then, up to that many
 * microseconds, so that requests meet which otherwise would not.
 */
void fixture_jitter(struct fixture *f, unsigned int max_us);

/* Every gauge equals a recount of its shard. Any moment; NULL if all is well, else what is not. */
const char *fixture_gauges(struct fixture *f);

/* Bytes straight from or to a file, or the simulated disk (simdev.h) that goes by its name. */
void fixture_file_read(const char *path, void *buf, size_t count, uint64_t offset);
void fixture_file_write(const char *path, const void *buf, size_t count, uint64_t offset);

/* A small fast generator: xorshift64*. */
struct random {
	uint64_t state;
};
void random_seed(struct random *r, uint64_t seed);
uint64_t random_next(struct random *r);
uint64_t random_below(struct random *r, uint64_t limit);	/* 0 .. limit - 1 */
/* From HS_SEED, or the clock; printed. */
uint64_t random_main_seed(void);

#endif
