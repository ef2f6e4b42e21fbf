// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Encoding and decoding of everything in format.h. No state, no I/O; nothing read is trusted. */
#include "core/format.h"

static const u8 sb_magic[8] = { 'h', 'o', 't', 's', 'e', 't', 's', 'b' };
static const u8 unit_magic[4] = { 'h', 's', 'T', 'U' };
static const u8 tx_magic[4] = { 'h', 's', 'T', 'X' };
static const u8 confirm_magic[4] = { 'h', 's', 'C', 'F' };

/* Superblock: byte offsets. */
enum {
	SB_MAGIC = 0, SB_VERSION = 8, SB_CRC = 12, SB_COMPAT = 16, SB_INCOMPAT = 20,
	SB_SEQ = 24, SB_UUID = 32, SB_STATE = 48, SB_MODE = 52,
	SB_ORIGIN = 56, SB_CACHE = 64, SB_BLOCK_SHIFT = 72, SB_ASSOC_SHIFT = 73,
	SB_CONSECUTIVE_SHIFT = 74, SB_NSETS = 76, SB_JOURNAL_PAGES = 80,
	SB_INCARNATION = 88, SB_INC_SEQ = 96, SB_TAIL = 104, SB_END = 120, SB_FINGERPRINT = 136,
	SB_BYTES = 144,
};

/* Table unit: 4 magic, 4 CRC, 16 UUID, 8 seq, 4 index, 4 copy, 8 newest. */
enum {
	UNIT_CRC = 4, UNIT_UUID = 8, UNIT_SEQ = 24, UNIT_INDEX = 32, UNIT_COPY = 36,
	UNIT_NEWEST = 40,
};

/* Transaction: 4 magic, 4 CRC, 16 UUID, 8 incarnation, 8 seq, 4 prev CRC, 4 bytes, 4 records, zero. */
enum {
	TX_CRC = 4, TX_UUID = 8, TX_INCARNATION = 24, TX_SEQ = 32, TX_PREV = 40, TX_BYTES = 44,
	TX_RECORDS = 48,
};

/* Confirm record: 4 magic, 4 CRC, 16 UUID, 8 incarnation, 8 seq. */
enum { CF_CRC = 4, CF_UUID = 8, CF_INCARNATION = 24, CF_SEQ = 32, CF_BYTES = 40 };

/* CRC of `bytes` at p, the four bytes at crc_at taken as zero. */
static u32 hs_crc_around(const u8 *p, u32 crc_at, u32 bytes)
{
	static const u8 zero[4];
	u32 crc = hs_crc32c(~0u, p, crc_at);

	crc = hs_crc32c(crc, zero, 4);
	return ~hs_crc32c(crc, p + crc_at + 4, bytes - crc_at - 4);
}

static void hs_jpos_put(u8 *p, const struct hs_jpos *pos)
{
	hs_put(p, pos->seq, 8);
	hs_put(p + 8, pos->page, 4);
	hs_put(p + 12, pos->prev_crc, 4);
}

static void hs_jpos_get(const u8 *p, struct hs_jpos *pos)
{
	pos->seq = hs_get(p, 8);
	pos->page = (u32)hs_get(p + 8, 4);
	pos->prev_crc = (u32)hs_get(p + 12, 4);
}

void hs_sb_encode(const struct hs_sb *sb, void *page)
{
	u8 *p = page;

	memset(p, 0, HS_PAGE);
	memcpy(p + SB_MAGIC, sb_magic, sizeof(sb_magic));
	hs_put(p + SB_VERSION, sb->version, 4);
	hs_put(p + SB_COMPAT, sb->compat, 4);
	hs_put(p + SB_INCOMPAT, sb->incompat, 4);
	hs_put(p + SB_SEQ, sb->sb_seq, 8);
	memcpy(p + SB_UUID, sb->uuid, HS_UUID_BYTES);
	hs_put(p + SB_STATE, sb->state, 4);
	p[SB_MODE] = sb->mode;
	hs_put(p + SB_ORIGIN, sb->geo.origin_sectors, 8);
	hs_put(p + SB_CACHE, sb->geo.cache_bytes, 8);
	p[SB_BLOCK_SHIFT] = (u8)sb->geo.block_shift;
	p[SB_ASSOC_SHIFT] = (u8)sb->geo.assoc_shift;
	p[SB_CONSECUTIVE_SHIFT] = (u8)sb->geo.consecutive_shift;
	hs_put(p + SB_NSETS, sb->geo.nsets, 4);
	hs_put(p + SB_JOURNAL_PAGES, sb->geo.journal_pages, 4);
	hs_put(p + SB_INCARNATION, sb->incarnation, 8);
	hs_put(p + SB_INC_SEQ, sb->inc_seq, 8);
	hs_jpos_put(p + SB_TAIL, &sb->tail);
	hs_jpos_put(p + SB_END, &sb->end);
	hs_put(p + SB_FINGERPRINT, sb->fingerprint, 8);
	hs_put(p + SB_CRC, hs_crc_around(p, SB_CRC, HS_PAGE), 4);
}

static void hs_sb_fields(const u8 *p, struct hs_sb *sb)
{
	memset(sb, 0, sizeof(*sb));
	sb->version = (u32)hs_get(p + SB_VERSION, 4);
	sb->compat = (u32)hs_get(p + SB_COMPAT, 4);
	sb->incompat = (u32)hs_get(p + SB_INCOMPAT, 4);
	sb->sb_seq = hs_get(p + SB_SEQ, 8);
	memcpy(sb->uuid, p + SB_UUID, HS_UUID_BYTES);
	sb->state = (u32)hs_get(p + SB_STATE, 4);
	sb->mode = p[SB_MODE];
	sb->geo.origin_sectors = hs_get(p + SB_ORIGIN, 8);
	sb->geo.cache_bytes = hs_get(p + SB_CACHE, 8);
	sb->geo.block_shift = p[SB_BLOCK_SHIFT];
	sb->geo.assoc_shift = p[SB_ASSOC_SHIFT];
	sb->geo.consecutive_shift = p[SB_CONSECUTIVE_SHIFT];
	sb->geo.checksums = sb->incompat & HS_INCOMPAT_CHECKSUMS;
	sb->geo.nsets = (u32)hs_get(p + SB_NSETS, 4);
	sb->geo.journal_pages = (u32)hs_get(p + SB_JOURNAL_PAGES, 4);
	sb->incarnation = hs_get(p + SB_INCARNATION, 8);
	sb->inc_seq = hs_get(p + SB_INC_SEQ, 8);
	hs_jpos_get(p + SB_TAIL, &sb->tail);
	hs_jpos_get(p + SB_END, &sb->end);
	sb->fingerprint = hs_get(p + SB_FINGERPRINT, 8);
}

/* A CRC can match and the page still be nonsense (or hostile). */
static int hs_sb_sane(struct hs_sb *sb)
{
	if (hs_geometry_derive(&sb->geo) || sb->mode >= HS_MODE_COUNT || !sb->inc_seq ||
	    !sb->tail.seq || sb->end.seq < sb->tail.seq || sb->inc_seq > sb->end.seq ||
	    sb->tail.page >= sb->geo.journal_pages || sb->end.page >= sb->geo.journal_pages)
		return HS_E_DAMAGED;
	return 0;
}

int hs_sb_decode(const void *page, struct hs_sb *sb)
{
	const u8 *p = page;

	if (memcmp(p + SB_MAGIC, sb_magic, sizeof(sb_magic)))
		return HS_E_FOREIGN;
	if (hs_get(p + SB_CRC, 4) != hs_crc_around(p, SB_CRC, HS_PAGE))
		return HS_E_DAMAGED;
	hs_sb_fields(p, sb);
	if (sb->version > HS_VERSION || (sb->incompat & ~HS_INCOMPAT_ALL))
		return HS_E_NEWER;
	return hs_sb_sane(sb);
}

int hs_sb_pick(const void *page0, const void *page1, struct hs_sb *sb, unsigned int *bad)
{
	struct hs_sb other;
	int err0 = hs_sb_decode(page0, sb);
	int err1 = hs_sb_decode(page1, &other);

	*bad = (err0 ? 1u : 0) | (err1 ? 2u : 0);
	/* One copy made by a newer version: it may well be the current one. */
	if (err0 == HS_E_NEWER || err1 == HS_E_NEWER)
		return HS_E_NEWER;
	if (err0 && err1)
		return err0 == HS_E_DAMAGED || err1 == HS_E_DAMAGED ? HS_E_DAMAGED : HS_E_FOREIGN;
	if (err0 || (!err1 && other.sb_seq > sb->sb_seq))
		*sb = other;
	return 0;
}

void hs_unit_seal(u8 *page, const struct hs_sb *sb, const struct hs_unit_info *info)
{
	memset(page, 0, HS_UNIT_HEADER);
	memcpy(page, unit_magic, sizeof(unit_magic));
	memcpy(page + UNIT_UUID, sb->uuid, HS_UUID_BYTES);
	hs_put(page + UNIT_SEQ, info->seq, 8);
	hs_put(page + UNIT_INDEX, info->index, 4);
	hs_put(page + UNIT_COPY, info->copy, 4);
	hs_put(page + UNIT_NEWEST, info->newest, 8);
	hs_put(page + UNIT_CRC, hs_crc_around(page, UNIT_CRC, HS_PAGE), 4);
}

int hs_unit_open(const u8 *page, const struct hs_sb *sb, u32 index, u32 copy,
		 struct hs_unit_info *info)
{
	if (memcmp(page, unit_magic, sizeof(unit_magic)) ||
	    memcmp(page + UNIT_UUID, sb->uuid, HS_UUID_BYTES) ||
	    hs_get(page + UNIT_INDEX, 4) != index || hs_get(page + UNIT_COPY, 4) != copy ||
	    hs_get(page + UNIT_CRC, 4) != hs_crc_around(page, UNIT_CRC, HS_PAGE))
		return HS_E_DAMAGED;
	info->seq = hs_get(page + UNIT_SEQ, 8);
	info->newest = hs_get(page + UNIT_NEWEST, 8);
	info->index = index;
	info->copy = copy;
	return 0;
}

u32 hs_record_get(const u8 *buf, u32 left, const struct hs_geometry *geo, struct hs_record *rec)
{
	u32 bytes;

	memset(rec, 0, sizeof(*rec));
	if (left < HS_REC_STATE_BYTES || (buf[0] != HS_REC_STATE && buf[0] != HS_REC_NAME) ||
	    (buf[0] == HS_REC_NAME && left < HS_REC_NAME_BYTES))
		return 0;
	rec->kind = buf[0];
	rec->state = buf[1];
	rec->slot = (u32)hs_get(buf + 2, 4);
	rec->prev = rec->kind == HS_REC_NAME ? (u16)hs_get(buf + 6, 2) : HS_REC_NO_PREV;
	bytes = rec->kind == HS_REC_NAME ? hs_record_name_bytes(geo) : HS_REC_STATE_BYTES;
	if (left < bytes || rec->slot >= geo->nr_slots || rec->state >= HS_D_COUNT)
		return 0;
	if (rec->kind == HS_REC_STATE)
		return bytes;
	rec->block = hs_get_block(buf + 8);
	rec->crcs = geo->checksums ? buf + HS_REC_NAME_BYTES : NULL;
	if (rec->state == HS_D_NONE || rec->block >= geo->nr_blocks ||
	    (rec->prev != HS_REC_NO_PREV &&
	     (rec->prev >= hs_assoc(geo) || hs_record_prev(geo, rec) == rec->slot)))
		return 0;
	return bytes;
}

void hs_tx_seal(u8 *buf, const struct hs_sb *sb, struct hs_tx_info *info)
{
	memset(buf, 0, HS_TX_HEADER);
	memset(buf + info->bytes, 0, (size_t)hs_tx_pages(info->bytes) * HS_PAGE - info->bytes);
	memcpy(buf, tx_magic, sizeof(tx_magic));
	memcpy(buf + TX_UUID, sb->uuid, HS_UUID_BYTES);
	hs_put(buf + TX_INCARNATION, info->incarnation, 8);
	hs_put(buf + TX_SEQ, info->seq, 8);
	hs_put(buf + TX_PREV, info->prev_crc, 4);
	hs_put(buf + TX_BYTES, info->bytes, 4);
	hs_put(buf + TX_RECORDS, info->records, 4);
	info->crc = hs_crc_around(buf, TX_CRC, info->bytes);
	hs_put(buf + TX_CRC, info->crc, 4);
}

int hs_tx_peek(const u8 *page, const struct hs_sb *sb, struct hs_tx_info *info)
{
	if (memcmp(page, tx_magic, sizeof(tx_magic)) ||
	    memcmp(page + TX_UUID, sb->uuid, HS_UUID_BYTES))
		return HS_E_DAMAGED;
	info->incarnation = hs_get(page + TX_INCARNATION, 8);
	info->seq = hs_get(page + TX_SEQ, 8);
	info->prev_crc = (u32)hs_get(page + TX_PREV, 4);
	info->bytes = (u32)hs_get(page + TX_BYTES, 4);
	info->records = (u32)hs_get(page + TX_RECORDS, 4);
	info->crc = (u32)hs_get(page + TX_CRC, 4);
	if (info->bytes < HS_TX_HEADER || hs_tx_pages(info->bytes) > sb->geo.journal_pages / 4)
		return HS_E_DAMAGED;
	return 0;
}

bool hs_tx_valid(const u8 *buf, const struct hs_tx_info *info)
{
	return hs_crc_around(buf, TX_CRC, info->bytes) == info->crc;
}

void hs_confirm_encode(u8 *page, const struct hs_sb *sb, u64 incarnation, u64 seq)
{
	memcpy(page, confirm_magic, sizeof(confirm_magic));
	memcpy(page + CF_UUID, sb->uuid, HS_UUID_BYTES);
	hs_put(page + CF_INCARNATION, incarnation, 8);
	hs_put(page + CF_SEQ, seq, 8);
	hs_put(page + CF_CRC, hs_crc_around(page, CF_CRC, CF_BYTES), 4);
}

u64 hs_confirm_decode(const u8 *page, const struct hs_sb *sb)
{
	u64 incarnation = hs_get(page + CF_INCARNATION, 8);
	u64 seq = hs_get(page + CF_SEQ, 8);

	if (memcmp(page, confirm_magic, sizeof(confirm_magic)) ||
	    memcmp(page + CF_UUID, sb->uuid, HS_UUID_BYTES) ||
	    hs_get(page + CF_CRC, 4) != hs_crc_around(page, CF_CRC, CF_BYTES))
		return 0;
	/* A record of an earlier incarnation may name a transaction that was dropped since. */
	if (seq >= sb->inc_seq && incarnation != sb->incarnation)
		return 0;
	return seq;
}
