// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Writes that can be checked after a power cut without remembering anything but a number.
 *
 *	pattern write DEVICE SEED FIRST LAST	rounds FIRST to LAST; prints "flushed N" after the fsync of each
 *	pattern verify DEVICE SEED LAST		after a cut: LAST was flushed, LAST + 1 may be there in part
 *	pattern exact DEVICE SEED LAST		nothing was lost and nothing more written
 *
 * Which sectors a round writes follows from SEED and the round's number alone. The device is cut into zones of 128
 * sectors; a round writes one range each of some zones, so writes of a round never overlap and eight threads may do
 * them in any order. A sector holds its own number and its round, all 512 bytes of it. What was never written must
 * be what it was: zeroes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR	512u
#define ZONE	128u	/* sectors */
#define THREADS	8u
#define SHARE	8u	/* one zone in so many is written in a round */

static int fd;
static uint64_t seed, zones;
static atomic_uint_fast64_t next_zone, failures;
static uint64_t round_now;

static uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t x = a * 0x9e3779b97f4a7c15u + b;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* The range that the round writes in the zone; false: none. */
static bool range(uint64_t round, uint64_t zone, uint32_t *first, uint32_t *count)
{
	uint64_t r = mix(mix(seed, round), zone);

	if (r % SHARE)
		return false;
	r >>= 8;
	switch (r & 3) {
	case 0:		/* any sectors */
		*first = (r >> 8) % ZONE;
		*count = 1 + (r >> 16) % (ZONE - *first);
		break;
	case 1:		/* whole units */
		*first = (r >> 8) % (ZONE / 8) * 8;
		*count = 8;
		break;
	case 2:
		*first = (r >> 8) % (ZONE / 8) * 8;
		*count = 8 * (1 + (r >> 16) % (ZONE / 8 - *first / 8));
		break;
	default:
		*first = 0;
		*count = ZONE;
	}
	return true;
}

static void fill(uint64_t *sector, uint64_t nr, uint64_t round)
{
	unsigned int i;

	for (i = 0; i < SECTOR / 8; i += 2) {
		sector[i] = nr;
		sector[i + 1] = round;
	}
}

/* The round that a sector's content is of; 0: zeroes; ~0: neither. */
static uint64_t round_of(const uint64_t *sector, uint64_t nr)
{
	uint64_t round = sector[1];
	unsigned int i;

	for (i = 0; i < SECTOR / 8; i += 2)
		if (sector[i] != (round ? nr : 0) || sector[i + 1] != round)
			return ~0ull;
	return round;
}

static void *buffer(void)
{
	void *p;

	if (posix_memalign(&p, 4096, ZONE * SECTOR))
		exit(2);
	return p;
}

static void *writer(void *arg)
{
	uint8_t *buf = buffer();
	uint32_t first, count, i;
	uint64_t zone;

	(void)arg;
	while ((zone = atomic_fetch_add(&next_zone, 1)) < zones) {
		if (!range(round_now, zone, &first, &count))
			continue;
		for (i = 0; i < count; i++)
			fill((uint64_t *)(buf + (size_t)i * SECTOR), zone * ZONE + first + i, round_now);
		if (pwrite(fd, buf, (size_t)count * SECTOR, (off_t)(zone * ZONE + first) * SECTOR) !=
		    (ssize_t)count * SECTOR) {
			perror("write");
			atomic_fetch_add(&failures, 1);
			break;
		}
	}
	free(buf);
	return NULL;
}

static int write_round(uint64_t round)
{
	pthread_t threads[THREADS];
	unsigned int i;

	round_now = round;
	atomic_store(&next_zone, 0);
	for (i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, writer, NULL))
			exit(2);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	if (atomic_load(&failures))
		return 1;
	if (fsync(fd)) {
		perror("fsync");
		return 1;
	}
	printf("flushed %" PRIu64 "\n", round);
	fflush(stdout);
	return 0;
}

/* Is a content of that round allowed where `floor` was flushed? */
static bool allowed(uint64_t seen, uint64_t floor, uint64_t last, bool exact, uint64_t zone, uint32_t at)
{
	uint32_t first, count;

	if (seen == floor)
		return true;
	if (exact || seen != last + 1 || !range(seen, zone, &first, &count))
		return false;
	return at >= first && at < first + count;
}

static int verify_zone(uint64_t zone, uint64_t last, bool exact, uint8_t *buf)
{
	uint64_t floor[ZONE] = { 0 }, round;
	uint32_t first, count, i;
	int bad = 0;

	for (round = 1; round <= last; round++)
		if (range(round, zone, &first, &count))
			for (i = first; i < first + count; i++)
				floor[i] = round;
	if (pread(fd, buf, ZONE * SECTOR, (off_t)(zone * ZONE) * SECTOR) != ZONE * SECTOR) {
		perror("read");
		return 1;
	}
	for (i = 0; i < ZONE; i++) {
		uint64_t seen = round_of((uint64_t *)(buf + (size_t)i * SECTOR), zone * ZONE + i);

		if (!allowed(seen, floor[i], last, exact, zone, i) && ++bad < 4)
			printf("sector %" PRIu64 ": of round %" PRId64 ", must be of %" PRIu64 "%s\n", zone * ZONE + i,
			       (int64_t)seen, floor[i], exact ? "" : " or the next");
	}
	return bad;
}

static int verify(uint64_t last, bool exact)
{
	uint8_t *buf = buffer();
	uint64_t zone;
	int bad = 0;

	for (zone = 0; zone < zones && bad < 16; zone++)
		bad += verify_zone(zone, last, exact, buf);
	free(buf);
	printf("%s after round %" PRIu64 "\n", bad ? "BAD" : "good", last);
	return bad != 0;
}

/* Of a block device or a file. */
static int size_of(uint64_t *bytes)
{
	struct stat st;

	if (fstat(fd, &st))
		return -1;
	*bytes = (uint64_t)st.st_size;
	return S_ISBLK(st.st_mode) ? ioctl(fd, BLKGETSIZE64, bytes) : 0;
}

int main(int argc, char **argv)
{
	uint64_t bytes, round, last;
	int ret = 0;

	if (argc < 5)
		return 2;
	fd = open(argv[2], O_RDWR | O_DIRECT);
	if (fd < 0 || size_of(&bytes)) {
		perror(argv[2]);
		return 2;
	}
	seed = strtoull(argv[3], NULL, 10);
	zones = bytes / SECTOR / ZONE;
	last = strtoull(argv[argc - 1], NULL, 10);
	if (strcmp(argv[1], "write"))
		return verify(last, !strcmp(argv[1], "exact"));
	for (round = strtoull(argv[4], NULL, 10); !ret && round <= last; round++)
		ret = write_round(round);
	return ret;
}
