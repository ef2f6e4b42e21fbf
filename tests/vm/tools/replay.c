// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Reads logs of dm-log-writes.
 *
 *	replay points LOG-A LOG-B		consistent points of two logs, one name a line
 *	replay to LOG DEVICE FROM TO		writes to DEVICE what LOG holds behind the mark FROM ("-": its start), up to TO
 *
 * A log holds writes in the order in which they became durable: at a FLUSH, or alone if FUA. So its beginning, up to a
 * mark, is the disk after a power cut at that moment which took all that was not flushed.
 *
 * Two disks need the same moment. The same marks are set in turn: a1 b1 a2 b2 ... If A's log holds nothing between
 * a2 and a3, both logs up to their mark 2 are both disks at the moment b2; if B's holds nothing between b1 and
 * b2, they are both at the moment a2. Other marks are passed over.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_MAGIC	0x6a736677736872ull
#define LOG_DISCARD	4u
#define LOG_MARK	8u
#define SECTOR		512u
#define NAME_MAX_LEN	63u
#define MARKS_MAX	65536u

struct super {
	uint64_t magic, version, nr_entries;
	uint32_t sectorsize;
} __attribute__((packed));

struct entry {
	uint64_t sector, nr_sectors, flags, data_len;
};

struct log {
	const char *path;
	int fd;
	uint64_t nr, left, at;		/* entries, those not read yet, offset of the next */
	struct entry entry;		/* the last read */
	char mark[NAME_MAX_LEN + 1];
};

static void die(const char *what)
{
	fprintf(stderr, "replay: %s: %s\n", what, errno ? strerror(errno) : "not what was expected");
	exit(1);
}

static void get(int fd, const char *path, void *buf, size_t bytes, uint64_t at)
{
	errno = 0;
	if (pread(fd, buf, bytes, (off_t)at) != (ssize_t)bytes)
		die(path);
}

static void open_log(struct log *log, const char *path)
{
	struct super super;

	log->path = path;
	log->fd = open(path, O_RDONLY);
	if (log->fd < 0)
		die(path);
	get(log->fd, path, &super, sizeof(super), 0);
	if (super.magic != LOG_MAGIC || super.version != 1 || super.sectorsize != SECTOR)
		die(path);
	log->nr = log->left = super.nr_entries;
	log->at = SECTOR;
}

/* The data of a write stand behind its entry, the name of a mark inside. */
static bool next(struct log *log)
{
	uint8_t page[SECTOR];

	if (!log->left)
		return false;
	log->left--;
	get(log->fd, log->path, page, SECTOR, log->at);
	memcpy(&log->entry, page, sizeof(log->entry));
	log->at += SECTOR;
	log->mark[0] = '\0';
	if (log->entry.flags & LOG_MARK) {
		if (log->entry.data_len > NAME_MAX_LEN)
			die(log->path);
		memcpy(log->mark, page + sizeof(log->entry), log->entry.data_len);
		log->mark[log->entry.data_len] = '\0';
	} else if (!(log->entry.flags & LOG_DISCARD)) {
		log->at += log->entry.nr_sectors * SECTOR;
	}
	return true;
}

/* ---- points ------------------------------------------------------------------------------------------- */

struct marks {
	uint32_t nr;
	char (*name)[NAME_MAX_LEN + 1];
	uint32_t *before;	/* entries between a mark and the one before it */
};

/* The marks that begin with "t."; all others are entries like any. */
static void marks_of(const char *path, struct marks *m)
{
	struct log log;
	uint32_t count = 0;

	open_log(&log, path);
	m->nr = 0;
	m->name = calloc(MARKS_MAX, sizeof(*m->name));
	m->before = calloc(MARKS_MAX + 1, sizeof(*m->before));
	if (!m->name || !m->before)
		die("memory");
	while (next(&log) && m->nr < MARKS_MAX) {
		if (strncmp(log.mark, "t.", 2)) {
			count++;
			continue;
		}
		m->before[m->nr] = count;
		memcpy(m->name[m->nr++], log.mark, sizeof(log.mark));
		count = 0;
	}
	m->before[m->nr] = count;
	close(log.fd);
}

static int points(const char *path_a, const char *path_b)
{
	struct marks a, b;
	uint32_t i;

	marks_of(path_a, &a);
	marks_of(path_b, &b);
	for (i = 0; i < a.nr && i < b.nr; i++) {
		errno = 0;
		if (strcmp(a.name[i], b.name[i]))
			die("the logs' marks differ");
		if (i && (!a.before[i + 1] || !b.before[i]))
			printf("%s\n", a.name[i]);
	}
	return 0;
}

/* ---- replay ------------------------------------------------------------------------------------------- */

static void apply(struct log *log, int fd, const char *device)
{
	static uint8_t buf[1 << 20];
	uint64_t left = log->entry.nr_sectors * SECTOR, to = log->entry.sector * SECTOR, from = log->at - left;
	bool discard = log->entry.flags & LOG_DISCARD;

	memset(buf, 0, discard ? sizeof(buf) : 0);
	while (left) {
		size_t n = left < sizeof(buf) ? left : sizeof(buf);

		if (!discard)
			get(log->fd, log->path, buf, n, from);
		errno = 0;
		if (pwrite(fd, buf, n, (off_t)to) != (ssize_t)n)
			die(device);
		from += n;
		to += n;
		left -= n;
	}
}

static int replay(const char *path, const char *device, const char *from, const char *to)
{
	struct log log;
	int fd = open(device, O_WRONLY);
	bool on = !strcmp(from, "-");
	uint64_t n = 0;

	if (fd < 0)
		die(device);
	open_log(&log, path);
	while (next(&log)) {
		if (!strcmp(log.mark, to) && on) {
			printf("%" PRIu64 "\n", n);
			return 0;
		}
		if (log.entry.flags & LOG_MARK) {
			on |= !strcmp(log.mark, from);
			continue;
		}
		if (!on)
			continue;
		apply(&log, fd, device);
		n++;
	}
	errno = 0;
	die(to);
	return 1;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "points"))
		return points(argv[2], argv[3]);
	if (argc == 6 && !strcmp(argv[1], "to"))
		return replay(argv[2], argv[3], argv[4], argv[5]);
	return 2;
}
