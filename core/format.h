/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What stands on the cache device, on one page. docs/FORMAT.md tells the same byte by byte, and what a
 * reader does with damage; docs/ARCHITECTURE.md tells why.
 *
 *   0           superblock, copy 0          one page each; all integers little endian
 *   4 KiB       confirm record 0
 *   64 KiB      superblock, copy 1
 *   68 KiB      confirm record 1
 *   128 KiB     journal ring                transactions, each begins on a page
 *   ...         slot table, copy A          units of one page
 *   ...         slot table, copy B
 *   ...         data                        slot n at data_offset + n * block_size, 1 MiB aligned
 */
#ifndef HS_FORMAT_H
#define HS_FORMAT_H

#include "core/platform.h"
#include "core/geometry.h"
#include "include/hotset/enums.h"

#define HS_PAGE			4096u		/* bytes: unit of all metadata I/O */
#define HS_PAGE_SECTORS		(HS_PAGE >> HS_SECTOR_SHIFT)

#define HS_SB_OFFSET(copy)	((u64)(copy) * 64 * HS_KIB)			/* bytes */
#define HS_CONFIRM_OFFSET(copy)	(HS_SB_OFFSET(copy) + HS_PAGE)			/* bytes */
#define HS_JOURNAL_OFFSET	(128 * (u64)HS_KIB)				/* bytes */

#define HS_VERSION		1u
#define HS_UUID_BYTES		16

/* Superblock feature flags. An unknown incompatible flag refuses the device. */
#define HS_INCOMPAT_CHECKSUMS	(1u << 0)	/* data checksums in table and journal */
#define HS_INCOMPAT_ALL		HS_INCOMPAT_CHECKSUMS

/* Superblock state flags. */
#define HS_SB_CLEAN		(1u << 0)	/* stopped clean: fingerprint holds, journal is complete */

/* A place in the journal's sequence of transactions. */
struct hs_jpos {
	u64 seq;	/* of the transaction that starts here */
	u32 page;	/* its first page in the ring */
	u32 prev_crc;	/* CRC of the transaction before it */
};

/* The superblock, decoded. */
struct hs_sb {
	u64 sb_seq;			/* this write of it; copy sb_seq & 1 */
	u32 version;
	u32 compat, incompat;
	u32 state;			/* HS_SB_* */
	u8 uuid[HS_UUID_BYTES];
	struct hs_geometry geo;
	u8 mode;			/* enum hs_mode */
	u64 incarnation;		/* of transactions from inc_seq on */
	u64 inc_seq;
	struct hs_jpos tail;		/* replay begins here */
	struct hs_jpos end;		/* everything before it must be there */
	u64 fingerprint;		/* of fixed regions of the origin, if HS_SB_CLEAN */
};

/* Durable state of a slot, as in table entries and journal records. */
enum hs_dstate {
	HS_D_NONE,
	HS_D_CLEAN,
	HS_D_DIRTY,
	HS_D_LOST,		/* dirty, and part of it cannot be read */
	HS_D_COUNT,
};

/* Errors of the decoders (negative errno): */
#define HS_E_FOREIGN	(-EINVAL)	/* no hotset superblock at all */
#define HS_E_DAMAGED	(-EBADMSG)	/* ours, but the CRC does not match */
#define HS_E_NEWER	(-EPROTONOSUPPORT) /* a version or incompatible flag unknown to us */

void hs_sb_encode(const struct hs_sb *sb, void *page);
int hs_sb_decode(const void *page, struct hs_sb *sb);
/* Picks the newer valid copy. *bad: bit n set if copy n is not valid. Errors as hs_sb_decode. */
int hs_sb_pick(const void *page0, const void *page1, struct hs_sb *sb, unsigned int *bad);

/* ---- little endian bytes ------------------------------------------------------------------------ */

static inline void hs_put(u8 *p, u64 v, unsigned int bytes)
{
	v = hs_le64(v);
	memcpy(p, &v, bytes);
}

static inline u64 hs_get(const u8 *p, unsigned int bytes)
{
	u64 v = 0;

	memcpy(&v, p, bytes);
	return hs_le64(v);
}

/* The number of a block: 5 bytes. */
static inline u64 hs_get_block(const u8 *p)
{
	return hs_get(p, 4) | (u64)p[4] << 32;
}

/* ---- slot table --------------------------------------------------------------------------------- */

#define HS_UNIT_HEADER		48u
#define HS_ENTRY_BYTES		6u	/* state 1, block 5; then a CRC for each 4 KiB */

struct hs_unit_info {
	u64 seq;	/* transactions up to this one are in it; replay passes them over */
	u64 newest;	/* some of those up to this one may be; so it was durable */
	u32 index;	/* place in the table */
	u32 copy;
};

/* The page's entries start at HS_UNIT_HEADER; unit_seal writes the header and the CRC of it all. */
void hs_unit_seal(u8 *page, const struct hs_sb *sb, const struct hs_unit_info *info);
/* 0, or HS_E_DAMAGED (bad CRC, other place, other format of the device). */
int hs_unit_open(const u8 *page, const struct hs_sb *sb, u32 index, u32 copy,
		 struct hs_unit_info *info);

static inline u8 *hs_unit_entry(u8 *page, const struct hs_geometry *geo, u32 i)
{
	return page + HS_UNIT_HEADER + (size_t)i * geo->entry_bytes;
}

/* ---- journal ------------------------------------------------------------------------------------ */

#define HS_TX_HEADER		64u

/*
 * Records, packed one after another, at most one a block in a transaction:
 *   NAME   kind 1, state 1, slot 4, prev 2, block 5, CRC 4 for each 4 KiB (with checksums)
 *          the slot gets the block's name; way prev of the same set, unless 0xffff, loses it
 *   STATE  kind 1, state 1, slot 4          the slot keeps its block and CRCs; NONE drops the name
 */
enum hs_record_kind {
	HS_REC_NAME = 1,
	HS_REC_STATE = 2,
};
#define HS_REC_STATE_BYTES	6u
#define HS_REC_NAME_BYTES	13u
#define HS_REC_NO_PREV		0xffffu

struct hs_record {
	u8 kind, state;
	u16 prev;		/* NAME; else HS_REC_NO_PREV */
	u32 slot;
	u64 block;		/* NAME */
	const u8 *crcs;		/* NAME: units_per_block times 4 bytes; NULL without checksums */
};

struct hs_tx_info {
	u64 incarnation, seq;
	u32 prev_crc;
	u32 bytes;		/* with header */
	u32 records;
	u32 crc;		/* of this one */
};

static inline u32 hs_record_name_bytes(const struct hs_geometry *geo)
{
	return HS_REC_NAME_BYTES + (geo->checksums ? 4 * geo->units_per_block : 0);
}

static inline u32 hs_record_put_state(u8 *buf, u32 state, u32 slot)	/* returns its bytes */
{
	buf[0] = HS_REC_STATE;
	buf[1] = (u8)state;
	hs_put(buf + 2, slot, 4);
	return HS_REC_STATE_BYTES;
}

/* A NAME, and with checksums what follows it. Both return where they end. */
static inline u8 *hs_record_put_name(u8 *buf, u32 state, u32 slot, u16 prev, u32 block_lo, u8 block_hi)
{
	hs_put(buf, HS_REC_NAME | state << 8, 2);
	hs_put(buf + 2, slot, 4);
	hs_put(buf + 6, prev, 2);
	hs_put(buf + 8, block_lo, 4);
	buf[12] = block_hi;
	return buf + HS_REC_NAME_BYTES;
}

static inline u8 *hs_record_put_crcs(u8 *buf, const u32 *crcs, u32 units)
{
	u32 i;

	for (i = 0; i < units; i++)
		hs_put(buf + 4 * i, crcs[i], 4);
	return buf + 4 * units;
}

/* Reads the record at buf, with `left` bytes there. Returns its bytes, or 0 if it is malformed. */
u32 hs_record_get(const u8 *buf, u32 left, const struct hs_geometry *geo, struct hs_record *rec);

static inline u32 hs_record_slot(const u8 *buf)
{
	return (u32)hs_get(buf + 2, 4);
}

/* The slot that loses its name. */
static inline u32 hs_record_prev(const struct hs_geometry *geo, const struct hs_record *rec)
{
	return (rec->slot & ~(hs_assoc(geo) - 1)) + rec->prev;
}

static inline u32 hs_tx_pages(u32 bytes)
{
	return (bytes + HS_PAGE - 1) / HS_PAGE;
}

/* Writes the header and the CRC (info->crc is set); pads the last page with zeroes. */
void hs_tx_seal(u8 *buf, const struct hs_sb *sb, struct hs_tx_info *info);
/* Looks at a header page: 0 and *info if a transaction of this format might start here. */
int hs_tx_peek(const u8 *page, const struct hs_sb *sb, struct hs_tx_info *info);
/* The whole transaction is in buf: true if its CRC matches. */
bool hs_tx_valid(const u8 *buf, const struct hs_tx_info *info);

/* page: zeroed before the first. */
void hs_confirm_encode(u8 *page, const struct hs_sb *sb, u64 incarnation, u64 seq);
/* The sequence number that the record confirms, or 0 if it is not one of ours. */
u64 hs_confirm_decode(const u8 *page, const struct hs_sb *sb);

#endif
