// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Where the parts of a cache stand, and damage done to them, for the tests.
 *
 *	damage where CACHE superblock COPY | confirm COPY | table COPY SLOT | data SLOT
 *	damage journal CACHE		one line a transaction, oldest first: sequence, offset, bytes
 *	damage flip FILE OFFSET		one bit of that byte
 *	damage newer CACHE		an incompatible flag that nobody knows, in both superblocks
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/format.h"

static u8 buffer[64 * HS_MIB];

static void die(const char *what)
{
	fprintf(stderr, "damage: %s\n", what);
	exit(2);
}

static int file_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		die("cannot open the file");
	return fd;
}

static void page_read(int fd, void *page, u64 offset, size_t bytes)
{
	if (pread(fd, page, bytes, (off_t)offset) != (ssize_t)bytes)
		die("cannot read");
}

static void sb_load(int fd, struct hs_sb *sb)
{
	u8 pages[2][HS_PAGE];
	unsigned int bad;

	page_read(fd, pages[0], HS_SB_OFFSET(0), HS_PAGE);
	page_read(fd, pages[1], HS_SB_OFFSET(1), HS_PAGE);
	if (hs_sb_pick(pages[0], pages[1], sb, &bad))
		die("no superblock");
}

static int where(int argc, char **argv)
{
	int fd = file_open(argv[0], O_RDONLY);
	u64 a = strtoull(argv[2], NULL, 0), b = argc > 3 ? strtoull(argv[3], NULL, 0) : 0;
	struct hs_sb sb;
	u64 at = 0;

	sb_load(fd, &sb);
	close(fd);
	if (!strcmp(argv[1], "superblock"))
		at = HS_SB_OFFSET(a);
	else if (!strcmp(argv[1], "confirm"))
		at = HS_CONFIRM_OFFSET(a);
	else if (!strcmp(argv[1], "table"))
		at = sb.geo.table_offset[a & 1] + b / sb.geo.entries_per_unit * HS_PAGE;
	else if (!strcmp(argv[1], "data"))
		at = sb.geo.data_offset + (a << sb.geo.block_shift);
	else
		die("no such part");
	printf("%llu\n", (unsigned long long)at);
	return 0;
}

/* The whole transaction at a page of the ring, which may wrap round. */
static void tx_read(int fd, const struct hs_sb *sb, u32 page, u32 pages)
{
	u32 i;

	if ((u64)pages * HS_PAGE > sizeof(buffer))
		die("transaction too large");
	for (i = 0; i < pages; i++)
		page_read(fd, buffer + (size_t)i * HS_PAGE,
			  HS_JOURNAL_OFFSET + (u64)((page + i) % sb->geo.journal_pages) * HS_PAGE,
			  HS_PAGE);
}

static int journal(char **argv)
{
	int fd = file_open(argv[0], O_RDONLY);
	struct hs_tx_info tx;
	struct hs_jpos pos;
	struct hs_sb sb;

	sb_load(fd, &sb);
	pos = sb.tail;
	for (;;) {
		tx_read(fd, &sb, pos.page, 1);
		if (hs_tx_peek(buffer, &sb, &tx) || tx.seq != pos.seq || tx.prev_crc != pos.prev_crc)
			break;
		tx_read(fd, &sb, pos.page, hs_tx_pages(tx.bytes));
		if (!hs_tx_valid(buffer, &tx))
			break;
		printf("%llu %llu %u\n", (unsigned long long)tx.seq,
		       (unsigned long long)(HS_JOURNAL_OFFSET + (u64)pos.page * HS_PAGE), tx.bytes);
		pos.seq++;
		pos.page = (pos.page + hs_tx_pages(tx.bytes)) % sb.geo.journal_pages;
		pos.prev_crc = tx.crc;
	}
	close(fd);
	return 0;
}

static int flip(char **argv)
{
	int fd = file_open(argv[0], O_RDWR);
	off_t offset = (off_t)strtoull(argv[1], NULL, 0);
	u8 byte;

	page_read(fd, &byte, (u64)offset, 1);
	byte ^= 0x10;
	if (pwrite(fd, &byte, 1, offset) != 1 || fsync(fd))
		die("cannot write");
	close(fd);
	return 0;
}

static int newer(char **argv)
{
	int fd = file_open(argv[0], O_RDWR);
	u8 page[HS_PAGE];
	struct hs_sb sb;
	unsigned int copy;

	for (copy = 0; copy < 2; copy++) {
		page_read(fd, page, HS_SB_OFFSET(copy), HS_PAGE);
		if (hs_sb_decode(page, &sb))
			continue;
		sb.incompat |= 1u << 30;
		hs_sb_encode(&sb, page);
		if (pwrite(fd, page, HS_PAGE, (off_t)HS_SB_OFFSET(copy)) != HS_PAGE)
			die("cannot write");
	}
	close(fd);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 5 && !strcmp(argv[1], "where"))
		return where(argc - 2, argv + 2);
	if (argc == 3 && !strcmp(argv[1], "journal"))
		return journal(argv + 2);
	if (argc == 4 && !strcmp(argv[1], "flip"))
		return flip(argv + 2);
	if (argc == 3 && !strcmp(argv[1], "newer"))
		return newer(argv + 2);
	die("see the head of its source");
}
