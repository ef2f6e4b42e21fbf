/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What worlds have exercised. Each is met by any ten thousand of them: a line that never is, is a failure. */
#ifndef HS_SIM_COUNT_H
#define HS_SIM_COUNT_H

#define SIM_COUNT_LIST(X) \
	X(REQ_READ, "reads") \
	X(REQ_WRITE, "writes") \
	X(REQ_FUA, "writes with FUA") \
	X(REQ_FLUSH, "FLUSHes") \
	X(REQ_DISCARD, "discards") \
	X(REQ_ZERO, "zeroings") \
	X(REQ_ZERO_AGAIN, "zeroings done again as writes: a block was dirty") \
	X(REQ_ZERO_WRITE, "writes of zeroes") \
	X(REQ_RAGGED, "requests not of whole units") \
	X(REQ_SPLIT, "requests of several parts") \
	X(REQ_SHORT_BLOCK, "requests on a short last block") \
	X(REQ_SEQUENTIAL, "requests of a long stream") \
	X(REQ_ANSWERED_EARLY, "reads answered before their fill was stored") \
	X(REQ_ERROR, "requests that ended with an error that a fault allows") \
	X(REQ_IN_FLIGHT_AT_CUT, "requests in flight when a life ended") \
	X(CUT_BOTH, "power cuts of both disks") \
	X(CUT_CACHE, "power cuts of the cache disk alone") \
	X(CUT_ORIGIN, "power cuts of the origin alone") \
	X(KILL, "kills without a cut") \
	X(CUT_FORMAT, "cuts during format") \
	X(CUT_OPEN, "cuts during recovery") \
	X(CUT_CLAIM, "cuts during the claim") \
	X(CUT_STOP, "cuts during a stop") \
	X(CUT_MARK, "cuts during the clean mark") \
	X(CUT_OFFLINE, "cuts during offline write-back") \
	X(CUT_SWITCH, "cuts during a mode switch") \
	X(CUT_CHECKPOINT, "cuts during a checkpoint") \
	X(CUT_COMMIT, "cuts during a commit") \
	X(OPEN, "openings") \
	X(OPEN_CLEAN, "openings after a clean stop") \
	X(OPEN_REPLAYED, "openings that replayed transactions") \
	X(OPEN_DROPPED, "openings that dropped the last transaction") \
	X(OPEN_TORN, "openings that found an incomplete transaction") \
	X(OPEN_UNIT_BAD, "openings that found a bad copy of a table unit") \
	X(OPEN_SB_BAD, "openings that found a bad copy of the superblock") \
	X(OPEN_WRAPPED, "openings whose journal wraps") \
	X(OPEN_REFUSED, "openings refused, as a fault allows") \
	X(OPEN_IO_ERROR, "openings that met an I/O error") \
	X(OPEN_FORMAT_CUT, "openings refused after a cut format") \
	X(OPEN_CHANGED, "openings refused: the origin was changed") \
	X(OPEN_ROLLED_BACK, "openings that lost the last transaction to silent damage") \
	X(OPEN_ABANDONED, "openings refused: the cache was abandoned") \
	X(FORMAT, "formats") \
	X(FORMAT_AGAIN, "formats of a device that was a cache") \
	X(STOP, "clean stops") \
	X(STOP_DIRTY, "clean stops with dirty blocks") \
	X(SUSPEND, "stops taken back: suspended and resumed") \
	X(STOP_FAILED, "stops that failed, as a fault allows") \
	X(OFFLINE_CHECK, "offline checks") \
	X(OFFLINE_WRITEBACK, "offline write-backs") \
	X(FINAL, "worlds whose origin alone held everything in the end") \
	X(AUDIT, "audits of the durable map") \
	X(AUDIT_CLEAN, "clean names audited") \
	X(AUDIT_DIRTY, "dirty names audited") \
	X(AUDIT_LOST, "lost names audited") \
	X(AUDIT_DROPPED, "audits whose recovery dropped the last transaction") \
	X(AUDIT_TORN, "audits whose recovery found an incomplete transaction") \
	X(AUDIT_REFUSED, "audits refused, as a fault allows") \
	X(MODE_WB_WT, "switches from writeback to writethrough") \
	X(MODE_WB_WA, "switches from writeback to writearound") \
	X(MODE_WB_BY, "switches from writeback to bypass") \
	X(MODE_WT_WB, "switches from writethrough to writeback") \
	X(MODE_WT_WA, "switches from writethrough to writearound") \
	X(MODE_WT_BY, "switches from writethrough to bypass") \
	X(MODE_WA_WB, "switches from writearound to writeback") \
	X(MODE_WA_WT, "switches from writearound to writethrough") \
	X(MODE_WA_BY, "switches from writearound to bypass") \
	X(MODE_BY_WB, "switches from bypass to writeback") \
	X(MODE_BY_WT, "switches from bypass to writethrough") \
	X(MODE_BY_WA, "switches from bypass to writearound") \
	X(MODE_AT_OPEN, "modes changed at opening") \
	X(DRAIN, "drains") \
	X(IO_INPLACE, "R1: writes in place into a slot of no durable map") \
	X(IO_NEW_SLOT, "R1: writes into a new slot") \
	X(RETIRED, "R1: retired slots seen") \
	X(IO_DIRECT, "R2: writes straight to the origin") \
	X(IO_WRITE_BACK, "R2: write-backs to the origin") \
	X(DIRECT_PARKED, "R2: direct writes that waited for a name to go") \
	X(ORIGIN_FLUSH, "R3, R4: FLUSHes of the origin") \
	X(FLUSH_FREE, "R4: FLUSHes that touched no disk") \
	X(FLUSH_ORIGIN, "R4: FLUSHes during which the origin was flushed") \
	X(IO_LONG_TX, "transactions of several pages") \
	X(HIT, "reads on the short way of hits") \
	X(HIT_LEFT, "reads that left it") \
	X(IO_SPLIT_TX, "transactions over the end of the ring") \
	X(IO_TX_FUA, "transactions with FUA, beside a FLUSH of the data") \
	X(IO_TX_FUA_ALONE, "transactions with FUA, after it or without") \
	X(IO_DATA_FUA, "data with FUA") \
	X(IO_SPLIT_TX_FUA, "transactions with FUA over the end of the ring") \
	X(IO_TX, "transactions") \
	X(SCAN, "steps of a commit that scans for spilled slots") \
	X(SPACE_WAIT, "commits that waited for room in the ring") \
	X(IO_CONFIRM, "confirm records") \
	X(IO_UNIT, "table writes") \
	X(IO_SB, "superblock writes") \
	X(IO_FUA_NATIVE, "I/Os with FUA, native") \
	X(IO_FUA_FLUSH, "I/Os with FUA, by a FLUSH") \
	X(IO_TORN, "I/Os whose data moved in two parts") \
	X(SLOT_WAIT, "waits for a slot") \
	X(REPLACED, "clean blocks evicted") \
	X(CHECKPOINT, "checkpoints") \
	X(NO_SLOT, "requests not cached: no slot") \
	X(REPAIR, "damaged clean blocks repaired") \
	X(CHECKSUM, "checksum errors noticed") \
	X(LOST, "dirty blocks flagged lost") \
	X(WB_ERROR, "write-back errors") \
	X(FAILED, "caches out of service") \
	X(ABANDONED, "caches abandoned") \
	X(F_ORIGIN_READ, "fault: origin read errors") \
	X(F_ORIGIN_WRITE, "fault: origin write errors") \
	X(F_ORIGIN_FLUSH, "fault: origin FLUSH fails") \
	X(F_ORIGIN_GONE, "fault: origin gone and back") \
	X(F_CACHE_READ, "fault: cache read errors in data") \
	X(F_CACHE_WRITE, "fault: cache write errors in data") \
	X(F_META_READ, "fault: cache read errors in metadata") \
	X(F_META_WRITE, "fault: cache write errors in metadata") \
	X(F_CACHE_FLUSH, "fault: cache FLUSH fails") \
	X(F_CACHE_GONE, "fault: cache gone") \
	X(F_ROT_DATA, "fault: cached data rot") \
	X(F_ROT_META, "fault: metadata rot") \
	X(F_LOST_DATA, "fault: a data write is lost") \
	X(F_LOST_META, "fault: a metadata write is lost") \
	X(F_ASTRAY_DATA, "fault: a data write goes astray") \
	X(F_ASTRAY_META, "fault: a metadata write goes astray") \
	X(F_PERMANENT, "fault: of the ranges, for ever") \
	X(F_VANISHED, "fault: data gone at once at a failed FLUSH") \
	X(F_ORIGIN_LOST, "fault: acknowledged writes lost by the origin") \
	X(F_CHANGED, "fault: the origin changed while stopped")

enum sim_count {
#define X(name, words) SIM_C_##name,
	SIM_COUNT_LIST(X)
#undef X
	SIM_COUNTS
};

extern const char *const sim_count_words[];

#endif
