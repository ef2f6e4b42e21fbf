// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The life of a core between resume and suspend; settings; waiting for write-back. */
#include <linux/blkdev.h>
#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/sched/signal.h>

#include "kernel/dm.h"

#define HS_POLL_MS	10u
#define HS_STUCK_NS	(10 * NSEC_PER_SEC)	/* errors, and not one block less: no use */

/* ---- life ------------------------------------------------------------------------------------------------- */

void hs_dm_tune(struct hs_dm *dm)
{
	struct hs_tunables *tun = hs_core_tunables(dm->core);

	hs_poke(tun->dirty_age_ns, (u64)dm->opts.dirty_age * NSEC_PER_SEC);
	hs_poke(tun->dirty_percent, dm->opts.dirty_limit);
	hs_poke(tun->writeback, dm->opts.writeback);
	hs_poke(dm->seq_cutoff, (dm->opts.seq_cutoff + 511) >> SECTOR_SHIFT);
}

/* The map has been read and the cache claimed. */
void hs_dm_start(struct hs_dm *dm)
{
	hs_dm_tune(dm);
	dm->failure_told = false;
	dm->erring = false;
	dm->lost_told = 0;
	dm->errors_told = 0;
	hs_ticker_start(dm);
	/* To write-back takes a superblock; the other way the blocks drain while we serve. */
	if (hs_core_mode_wanted(dm->core) == HS_MODE_WRITEBACK)
		hs_dm_set_mode(dm, HS_MODE_WRITEBACK);
}

/* One of the two halves of a stop was started: waits for its end, and until all else has ended or parked. */
static int hs_dm_await_stop(struct hs_dm *dm)
{
	wait_for_completion(&dm->ended);
	hs_dm_calm(dm);
	return dm->ended_error;
}

/* All that was acknowledged is durable then; the map stays in memory. */
int hs_dm_stop(struct hs_dm *dm)
{
	struct hs_out out;
	int ret, flushed;

	hs_dm_await_orphans(dm);
	hs_ticker_stop(dm);
	reinit_completion(&dm->ended);
	hs_out_init(&out);
	spin_lock_irq(hs_dm_lock(dm, (s32)dm->shards));
	hs_core_stop(dm->core, &out);
	hs_dm_dispatch(dm, &out);
	spin_unlock_irq(hs_dm_lock(dm, (s32)dm->shards));
	ret = hs_dm_await_stop(dm);
	flushed = blkdev_issue_flush(dm->bdev[HS_ORIGIN]);
	dm->stop_error = ret ? ret : flushed;
	return dm->stop_error;
}

void hs_dm_resume(struct hs_dm *dm)
{
	spin_lock_irq(hs_dm_lock(dm, (s32)dm->shards));
	hs_core_resume(dm->core);
	spin_unlock_irq(hs_dm_lock(dm, (s32)dm->shards));
	hs_ticker_start(dm);
}

/*
 * After hs_dm_stop: if that ended with an error, so does this. Nothing writes to the origin any more, what the fingerprint
 * sees stays.
 */
int hs_dm_mark_clean(struct hs_dm *dm)
{
	struct hs_out out;
	u64 fingerprint;
	int ret = dm->stop_error ?: hs_load_fingerprint(dm, &fingerprint);

	if (ret)
		return ret;
	reinit_completion(&dm->ended);
	hs_out_init(&out);
	spin_lock_irq(hs_dm_lock(dm, (s32)dm->shards));
	hs_core_mark_clean(dm->core, fingerprint, &out);
	hs_dm_dispatch(dm, &out);
	spin_unlock_irq(hs_dm_lock(dm, (s32)dm->shards));
	return hs_dm_await_stop(dm);
}

/* ---- settings --------------------------------------------------------------------------------------------- */

/* Starts the change; it is complete when it is durable, which the status shows. */
int hs_dm_set_mode(struct hs_dm *dm, enum hs_mode mode)
{
	struct hs_out out;

	if (hs_core_failed(dm->core))
		return -EIO;
	hs_out_init(&out);
	spin_lock_irq(hs_dm_lock(dm, (s32)dm->shards));
	hs_core_set_mode(dm->core, mode, &out);
	hs_dm_dispatch(dm, &out);
	spin_unlock_irq(hs_dm_lock(dm, (s32)dm->shards));
	return 0;
}

static void hs_dm_drain(struct hs_dm *dm, bool on)
{
	struct hs_out out;

	hs_out_init(&out);
	spin_lock_irq(hs_dm_lock(dm, (s32)dm->shards));
	hs_core_drain(dm->core, on, &out);
	hs_dm_dispatch(dm, &out);
	spin_unlock_irq(hs_dm_lock(dm, (s32)dm->shards));
}

void hs_dm_count(struct hs_dm *dm, struct hs_counters *sum)
{
	s32 domain;

	memset(sum, 0, sizeof(*sum));
	for (domain = 0; domain <= (s32)dm->shards; domain++) {
		spin_lock_irq(hs_dm_lock(dm, domain));
		hs_core_count(dm->core, domain, sum);
		spin_unlock_irq(hs_dm_lock(dm, domain));
	}
}

/* ---- write-back of everything ------------------------------------------------------------------------------- */

static int hs_dm_await_clean(struct hs_dm *dm)
{
	u64 least = U64_MAX, since = 0, errors = 0;
	struct hs_counters sum;

	for (;;) {
		u64 now = ktime_get_ns();

		hs_dm_count(dm, &sum);
		if (sum.dirty <= sum.lost)
			return sum.lost ? -EIO : 0;
		if (sum.dirty < least) {
			least = sum.dirty;
			since = now;
			errors = sum.write_back_errors;
		}
		/* Tries may lie far apart: one error since then is enough. */
		if (now - since > HS_STUCK_NS && (sum.write_back_errors > errors || hs_core_failed(dm->core)))
			return -EIO;
		if (dm_suspended(dm->ti))
			return -EAGAIN;
		if (msleep_interruptible(HS_POLL_MS))
			return -EINTR;
	}
}

/* Nothing is dirty then, unless lost. -EIO, -EINTR. */
int hs_dm_clean(struct hs_dm *dm)
{
	int ret;

	mutex_lock(&dm->control);
	hs_dm_drain(dm, true);
	ret = hs_dm_await_clean(dm);
	hs_dm_drain(dm, false);
	mutex_unlock(&dm->control);
	return ret;
}

/* ---- forgetting --------------------------------------------------------------------------------------------- */

bool hs_dm_drop_slot(struct hs_dm *dm, u32 slot)
{
	spinlock_t *lock = hs_dm_lock(dm, hs_slot_domain(dm->core, slot));
	struct hs_out out;
	bool ret;

	hs_out_init(&out);
	spin_lock_irq(lock);
	ret = hs_slot_drop(dm->core, slot, &out);
	hs_dm_dispatch(dm, &out);
	spin_unlock_irq(lock);
	return ret;
}

/* What is dirty stays, and what comes meanwhile may. */
void hs_dm_drop(struct hs_dm *dm)
{
	u32 slot;

	mutex_lock(&dm->control);
	for (slot = 0; slot < dm->sb.geo.nr_slots; slot++) {
		hs_dm_drop_slot(dm, slot);
		if (!(slot & 0xfff))
			cond_resched();
	}
	mutex_unlock(&dm->control);
}
