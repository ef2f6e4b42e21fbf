// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A world from beginning to end: format, then lives, each
 *
 *	open -> claim -> serve -> the end: a cut, a kill, a stop; and offline tools before the next
 *
 * any of which may be cut short; in the end faults heal, everything is written back, and the origin alone must
 * hold it.
 */
#include <stdlib.h>

#include "sim/sim.h"

#define PATIENCE	(600 * SIM_S)	/* simulated time for what has to come to an end */

enum ending { END_CUT, END_KILL, END_STOP, END_OVER };

/* ---- small things ---------------------------------------------------------------------------------------- */

static bool machine_done(struct sim_world *w)
{
	return w->machine_done;
}

static bool all_quiet(struct sim_world *w)
{
	return !w->nr_heap && !w->nr_io;
}

/* A cut comes within about so many events, or not at all. */
static void cut_soon(struct sim_world *w, u32 percent, u32 events)
{
	w->stop_at = SIM_FOREVER;
	if (sim_percent(&w->fate, percent))
		w->stop_at = w->events + sim_spread(&w->fate, 1, events);
}

/* Steps one of the core's own requests to its end. False: a cut came first. */
static bool run_machine(struct sim_world *w, const char *what)
{
	return sim_loop(w, machine_done, PATIENCE, what);
}

static bool run_request(struct sim_world *w, struct hs_req *req, const char *what)
{
	w->machine_done = false;
	sim_shell_ready(w, req);
	return run_machine(w, what);
}

static void *core_memory(const struct hs_sb *sb, const struct hs_core_opts *opts)
{
	static struct sim_memory memory;
	void *mem = sim_core_memory(&memory, hs_core_size(&sb->geo, opts));

	/* The map's; what is in the buffers is written before it is read, or has a CRC. */
	memset(mem, 0xa5, hs_core_map_size(&sb->geo, opts));
	return mem;
}

/* ---- ends of lives ----------------------------------------------------------------------------------------- */

/* An abandoned cache takes with it what could not be read. */
static void forget_abandoned(struct sim_world *w)
{
	u32 block = hs_block_sectors(&w->plan.geo);
	u8 *lost = calloc(1, w->plan.geo.nr_blocks);
	struct hs_slot_view view;
	u32 slot;
	u64 s;

	if (!lost)
		abort();
	sim_audit_lost(w, lost);
	/* Lost as the durable map has it, though a newer write has taken its place. */
	for (slot = 0; slot < w->plan.geo.nr_slots; slot++) {
		hs_slot_look(w->core, slot, &view);
		if (view.durable == HS_D_LOST)
			lost[view.block] = 1;
	}
	for (s = 0; s < w->plan.geo.origin_sectors; s++)
		if (lost[s / block] || (w->unreadable[s / block / 8] >> s / block % 8 & 1))
			sim_oracle_forget(w, s);
	free(lost);
}

static void cut_disk(struct sim_world *w, enum hs_io_dev dev)
{
	struct sim_cut cut;

	sim_cut_draw(&cut, &w->disk[dev], &w->fate);
	sim_disk_cut(&w->disk[dev], &cut);
	sim_say(w, dev == HS_CACHE ? "%s=== the cache loses its power (%llu, %llu %%)" :
				     "%s=== the origin loses its power (%llu, %llu %%)",
		"", cut.keep, cut.percent, 0, 0);
}

/* The process is gone at this very moment, and perhaps the power of one disk or both. */
static void die(struct sim_world *w, bool cut)
{
	u32 which = cut ? sim_below(&w->fate, 6) : 6;

	if (w->in_flight)
		sim_count(SIM_C_REQ_IN_FLIGHT_AT_CUT);
	if (w->serving && hs_core_mode_wanted(w->core) != hs_core_mode_durable(w->core))
		sim_count(SIM_C_CUT_SWITCH);
	if (w->serving && w->abandoned)
		forget_abandoned(w);
	w->serving = false;
	w->ticking = false;
	sim_say(w, "%s=== the process ends", "", 0, 0, 0, 0);
	sim_shell_kill(w);
	sim_disk_settle(&w->disk[HS_CACHE], &w->fate);
	if (which != 4 && which != 6)
		cut_disk(w, HS_CACHE);
	if (which != 5 && which != 6)
		cut_disk(w, HS_ORIGIN);
	sim_count(which == 4 ? SIM_C_CUT_ORIGIN : which == 5 ? SIM_C_CUT_CACHE : which == 6 ? SIM_C_KILL :
			       SIM_C_CUT_BOTH);
	w->format = NULL;
	w->core = NULL;
	w->disk[0].doubt_told = w->disk[0].doubt_raised;
	w->disk[1].doubt_told = w->disk[1].doubt_raised;
	w->stop_at = SIM_FOREVER;
	w->calm = 0;
	sim_oracle_restart(w, which < 4);
	if (sim_percent(&w->fate, 70))
		sim_faults_heal(w);
}

static void die_somehow(struct sim_world *w)
{
	die(w, !sim_one_in(&w->fate, 4));
}

/* ---- format ------------------------------------------------------------------------------------------------- */

static u8 *format_buffer(void)
{
	static u8 *buffer;

	if (!buffer) {
		buffer = aligned_alloc(HS_PAGE, HS_FORMAT_BUFFER);
		if (!buffer)
			abort();
	}
	return buffer;
}

/* What is left of an earlier transaction: records as they might stand there now, but for what they say. */
static void stale_page(struct sim_world *w, u8 *page)
{
	const struct hs_geometry *geo = &w->plan.geo;
	u32 bytes = hs_record_name_bytes(geo), at;

	memset(page, 0, HS_PAGE);
	for (at = HS_TX_HEADER; at + bytes <= HS_PAGE; at += bytes) {
		u64 block = sim_below(&w->fate, geo->nr_blocks);
		u32 slot = (hs_block_set(geo, block) << geo->assoc_shift) + (u32)sim_below(&w->fate, hs_assoc(geo));

		hs_record_put_name(page + at, HS_D_DIRTY, slot, HS_REC_NO_PREV, (u32)block, (u8)(block >> 32));
	}
}

/* As after many commits: the journal's next transactions go over earlier ones, and over the end of the ring. */
static void age_ring(struct sim_world *w)
{
	struct sim_disk *d = &w->disk[HS_CACHE];
	u32 page = w->plan.geo.journal_pages - 1 - (u32)sim_below(&w->fate, 4), i;
	u8 data[HS_PAGE];
	unsigned int bad;
	struct hs_sb sb;

	for (i = 0; i < w->plan.geo.journal_pages; i++) {
		stale_page(w, data);
		sim_disk_write(d, (HS_JOURNAL_OFFSET >> HS_SECTOR_SHIFT) + (u64)i * HS_PAGE_SECTORS, HS_PAGE_SECTORS,
			       data, sim_disk_number(d));
	}
	hs_assert(!sim_superblock(w, NULL, &sb, &bad));
	sb.tail.page = sb.end.page = page;
	for (i = 0; i < 2; i++) {
		sb.sb_seq++;
		hs_sb_encode(&sb, data);
		sim_disk_write(d, HS_SB_OFFSET(sb.sb_seq & 1) >> HS_SECTOR_SHIFT, HS_PAGE_SECTORS, data,
			       sim_disk_number(d));
	}
	sim_disk_flush(d, d->writes);
}

/* Until it has been done without a cut. */
static void format(struct sim_world *w)
{
	static struct hs_format_job job;

	for (;;) {
		u32 i;

		for (i = 0; i < HS_UUID_BYTES; i++)
			w->sb.uuid[i] = (u8)sim_random(&w->fate);
		sim_faults_heal(w);
		hs_format_start(&job, &w->sb, format_buffer());
		w->format = &job;
		sim_count(SIM_C_FORMAT);
		cut_soon(w, 10, 30);
		if (run_request(w, &job.req, "format"))
			break;
		sim_count(SIM_C_CUT_FORMAT);
		die_somehow(w);
		sim_audit_half_formatted(w);
	}
	if (job.req.error)
		sim_fail(w, "format failed: %d", job.req.error);
	if (w->plan.wide)
		age_ring(w);
	w->format = NULL;
	w->abandoned = false;
	w->rolled_back = w->hit_meta = w->hit_cache = false;
	memset(w->tx, 0, sizeof(w->tx));
	w->stop_at = SIM_FOREVER;
}

/* The user starts anew; what is not on the origin is given up. */
static void format_again(struct sim_world *w)
{
	sim_count(SIM_C_FORMAT_AGAIN);
	w->sb.mode = (u8)sim_below(&w->fate, HS_MODE_COUNT);
	format(w);
}

/* ---- open ----------------------------------------------------------------------------------------------------- */

enum opened { OPENED, OPEN_AGAIN, OPEN_GIVE_UP };

static enum opened open_refused(struct sim_world *w, s32 err, const char *why)
{
	sim_say(w, "refused: %s (%llu)", why ? why : "?", (u32)-err, 0, 0, 0);
	if (w->disk[HS_CACHE].errors_seen && w->disk[HS_CACHE].last_error >= w->disk[HS_CACHE].last_heal) {
		sim_count(SIM_C_OPEN_IO_ERROR);
		sim_faults_heal(w);
		sim_disk_settle(&w->disk[HS_CACHE], &w->fate);
		return OPEN_AGAIN;
	}
	if (!w->hit_meta)
		sim_fail(w, "it cannot be opened: %d, %s", err, why ? why : "?");
	sim_count(SIM_C_OPEN_REFUSED);
	return OPEN_GIVE_UP;
}

/* A copy that cannot be read is a copy that is not there. */
static s32 load_superblock(struct sim_world *w, struct hs_sb *sb)
{
	struct sim_disk *d = &w->disk[HS_CACHE];
	u8 page[2][HS_PAGE];
	unsigned int bad;
	s32 err;
	u32 i;

	for (i = 0; i < 2; i++) {
		u64 sector = HS_SB_OFFSET(i) >> HS_SECTOR_SHIFT;

		sim_disk_read(d, sector, HS_PAGE_SECTORS, page[i]);
		if (sim_disk_fault(d, HS_IO_READ, sector, HS_PAGE_SECTORS, w->now))
			memset(page[i], 0, HS_PAGE);
	}
	err = hs_sb_pick(page[0], page[1], sb, &bad);
	if (!err && bad)
		sim_count(SIM_C_OPEN_SB_BAD);
	if (err && d->last_error == w->now && d->errors_seen)
		err = -EIO;
	return err;
}

static void count_opening(struct sim_world *w)
{
	const struct hs_open_report *report = hs_core_report(w->core);
	const struct hs_sb *sb = hs_core_sb(w->core);

	sim_count(SIM_C_OPEN);
	if (report->clean_stop)
		sim_count(SIM_C_OPEN_CLEAN);
	if (report->transactions)
		sim_count(SIM_C_OPEN_REPLAYED);
	if (report->dropped_last)
		sim_count(SIM_C_OPEN_DROPPED);
	if (report->torn_tail)
		sim_count(SIM_C_OPEN_TORN);
	if (report->unit_copies_bad)
		sim_count(SIM_C_OPEN_UNIT_BAD);
	if (sb->end.page < sb->tail.page)
		sim_count(SIM_C_OPEN_WRAPPED);
	if (report->map_conflicts)
		sim_fail(w, "the map contradicts itself");
}

/* The clean mark, if there is one, must be true; unless the origin has shown what it had lost. */
static void check_clean_mark(struct sim_world *w, const struct hs_sb *sb)
{
	if ((sb->state & HS_SB_CLEAN) && sb->fingerprint != sim_origin_fingerprint(w) && !w->hit_meta &&
	    !w->flush_failed)
		sim_fail(w, "it says that it was stopped clean, but the origin was written since");
}

static enum opened open_map(struct sim_world *w, s32 mode)
{
	struct hs_core_opts opts = {
		.shards = w->plan.shards, .todo_room = w->plan.todo_room, .step_budget = w->plan.step_budget,
		.cache_fua = w->plan.native_fua[HS_CACHE], .mode = mode, .now = w->now,
	};
	struct hs_sb sb;
	s32 err = load_superblock(w, &sb);

	if (err)
		return open_refused(w, err, "superblock");
	check_clean_mark(w, &sb);
	w->core = hs_core_init(core_memory(&sb, &opts), &sb, &opts);
	*hs_core_tunables(w->core) = w->plan.tun;
	cut_soon(w, 8, 40);
	if (!run_request(w, hs_core_open(w->core), "recovery")) {
		sim_count(SIM_C_CUT_OPEN);
		die_somehow(w);
		return OPEN_AGAIN;
	}
	if (w->machine_error)
		return open_refused(w, w->machine_error, hs_core_open_why(w->core));
	return OPENED;
}

static void after_open(struct sim_world *w, u64 claims)
{
	if (claims != SIM_FOREVER) {
		/* Was anything lost that had been claimed? */
		sim_count(SIM_C_OPEN_ROLLED_BACK);
		sim_oracle_roll_back(w, claims);
	}
	sim_audit_served(w, claims, !sim_one_in(&w->fate, 5));
	sim_audit_counters(w);
	w->restart = ++w->clock;
}

/* Recovers and claims; recovery may be cut short any number of times. */
static enum opened open_cache(struct sim_world *w, s32 mode)
{
	enum opened ret;
	u64 claims = SIM_FOREVER;

	do {
		if (w->abandoned)
			return OPEN_GIVE_UP;
		ret = open_map(w, mode);
		if (ret != OPENED)
			continue;
		count_opening(w);
		claims = sim_audit_claims(w, w->core);
		cut_soon(w, 8, 20);
		if (!run_request(w, hs_core_claim(w->core), "claim")) {
			sim_count(SIM_C_CUT_CLAIM);
			die_somehow(w);
			ret = OPEN_AGAIN;
			continue;
		}
		if (w->machine_error)
			ret = open_refused(w, w->machine_error, hs_core_open_why(w->core));
	} while (ret == OPEN_AGAIN);
	w->stop_at = SIM_FOREVER;
	if (ret == OPENED)
		after_open(w, claims);
	return ret;
}

/* ---- serve ------------------------------------------------------------------------------------------------------ */

static void check_hanging(struct sim_world *w)
{
	/* Those who ask for the same block wait in line, each for as long as it may. */
	u64 bound = (w->plan.users + 1) * w->plan.tun.slot_wait_ns + 100 * SIM_S;
	u32 i;

	if (sim_faults_now(w))
		w->last_fault = w->now;
	for (i = 0; i < SIM_REQS; i++) {
		const struct sim_req *q = &w->req[i];

		if (q->used && w->now > hs_max(q->since, w->last_fault) + bound)
			sim_fail(w, "%s #%u at %llu hangs (flags %x, state %u, domain %d)",
				 sim_op_name(q->r.op), q->nr, (unsigned long long)q->r.sector.nr, q->r.flags,
				 q->r.state, q->r.domain);
	}
}

/* The cache failed, and a write waits: record outside of it that it must not be used again. */
static void abandon(struct sim_world *w)
{
	struct hs_out out;

	if (w->abandoned || !hs_core_abandon_due(w->core))
		return;
	w->abandoned = true;
	sim_count(SIM_C_ABANDONED);
	sim_say(w, "%s*** the cache is abandoned", "", 0, 0, 0, 0);
	hs_out_init(&out);
	hs_core_abandon(w->core, &out);
	sim_shell_out(w, &out);
}

/* A switch to a mode without write-back has come to its end: nothing is dirty then, nor can be soon. */
static void check_mode(struct sim_world *w)
{
	u32 mode = hs_core_mode_durable(w->core), before = w->mode_durable, i;
	struct hs_counters n = { 0 };

	w->mode_durable = mode;
	if (mode == before || mode == HS_MODE_WRITEBACK)
		return;
	for (i = 0; i < hs_core_shards(w->core); i++)
		hs_core_count(w->core, (s32)i, &n);
	if (n.dirty)
		sim_fail(w, "mode %u is durable with %llu dirty blocks", mode, (unsigned long long)n.dirty);
}

void sim_shell_tick(struct sim_world *w)
{
	struct hs_out out;

	w->tick_due = false;
	if (!w->ticking)
		return;
	hs_out_init(&out);
	hs_tick(w->core, w->now, &out);
	sim_shell_out(w, &out);
	abandon(w);
	check_hanging(w);
	check_mode(w);
	sim_event_add(w, 90 * SIM_MS + sim_below(&w->rng, 20) * SIM_MS, SIM_EV_TICK, NULL, 0);
	w->tick_due = true;
}

static bool users_have_asked(struct sim_world *w)
{
	return !w->life_ops;
}

static bool users_are_answered(struct sim_world *w)
{
	return !w->life_ops && !w->in_flight;
}

static void count_life(struct sim_world *w)
{
	struct hs_counters sum = { 0 };
	u32 i;

	for (i = 0; i <= hs_core_shards(w->core); i++)
		hs_core_count(w->core, (s32)i, &sum);
	sim_counted[SIM_C_SLOT_WAIT] += sum.slot_waits;
	sim_counted[SIM_C_REPLACED] += sum.replacements;
	sim_counted[SIM_C_CHECKPOINT] += sum.checkpoints;
	sim_counted[SIM_C_NO_SLOT] += sum.not_cached[HS_WHY_NO_SLOT];
	sim_counted[SIM_C_REPAIR] += sum.repairs;
	sim_counted[SIM_C_CHECKSUM] += sum.checksum_errors;
	sim_counted[SIM_C_LOST] += sum.lost;
	sim_counted[SIM_C_WB_ERROR] += sum.write_back_errors;
	sim_counted[SIM_C_FAILED] += hs_core_failed(w->core);
}

static void serve_begin(struct sim_world *w)
{
	w->serving = true;
	w->ticking = true;
	w->mode_durable = hs_core_mode_durable(w->core);
	/* At once: opening may have taken long, and the core's clock is as old. */
	sim_shell_tick(w);
	if (hs_core_mode_wanted(w->core) != hs_core_mode_durable(w->core)) {
		struct hs_out out;

		sim_count(SIM_C_MODE_AT_OPEN);
		hs_out_init(&out);
		hs_core_set_mode(w->core, hs_core_mode_wanted(w->core), &out);
		sim_shell_out(w, &out);
	}
}

/* False: a cut came. */
static bool serve(struct sim_world *w, enum ending ending)
{
	w->life_ops = sim_between(&w->fate, 1, w->plan.ops);
	sim_users_start(w);
	sim_loop(w, users_have_asked, SIM_FOREVER / 2, "serving");
	if (ending != END_STOP) {
		w->stop_at = w->events + sim_spread(&w->fate, 1, 2000);
		sim_loop(w, users_are_answered, SIM_FOREVER / 2, "serving");
		sim_audit_counters(w);
		return false;
	}
	sim_loop(w, users_are_answered, SIM_FOREVER / 2, "serving");
	sim_audit_counters(w);
	return true;
}

/* ---- stop --------------------------------------------------------------------------------------------------------- */

static void count_gauges(struct sim_world *w, struct hs_counters *sum)
{
	u32 i;

	memset(sum, 0, sizeof(*sum));
	for (i = 0; i < hs_core_shards(w->core); i++)
		hs_core_count(w->core, (s32)i, sum);
}

/* What is lost cannot be written back. */
static u64 dirty_left(struct sim_world *w)
{
	struct hs_counters sum;

	count_gauges(w, &sum);
	return sum.dirty - sum.lost;
}

static u64 dirty_at_all(struct sim_world *w)
{
	struct hs_counters sum;

	count_gauges(w, &sum);
	return sum.dirty;
}

static bool drained(struct sim_world *w)
{
	return !dirty_left(w) || hs_core_failed(w->core) ||
	       (w->now > w->drain_since + 100 * SIM_S && w->last_error > w->drain_since);
}

/* Writes everything back. False: a cut came, or it cannot be. */
static bool drain(struct sim_world *w)
{
	struct hs_out out;
	bool done;

	hs_out_init(&out);
	hs_core_drain(w->core, true, &out);
	sim_shell_out(w, &out);
	w->drain_since = w->now;
	done = sim_loop(w, drained, PATIENCE, "write-back of everything");
	hs_out_init(&out);
	hs_core_drain(w->core, false, &out);
	sim_shell_out(w, &out);
	return done && !dirty_left(w);
}

/* As a user's, and answered. */
static s32 flush_now(struct sim_world *w)
{
	struct sim_req *q = sim_req_new(w);

	q->r = (struct hs_req){ .op = HS_OP_FLUSH };
	q->begin = ++w->clock;
	q->nr = w->ops;
	sim_count(SIM_C_REQ_FLUSH);
	sim_req_submit(w, q);
	if (!sim_loop(w, users_are_answered, PATIENCE, "the last FLUSH"))
		return -EINTR;
	return q->r.error;
}

/* 0, -EINTR: a cut came, -EIO. */
static s32 stop_half(struct sim_world *w, bool mark)
{
	struct hs_out out;

	hs_out_init(&out);
	w->machine_done = false;
	if (mark)
		hs_core_mark_clean(w->core, sim_origin_fingerprint(w), &out);
	else
		hs_core_stop(w->core, &out);
	sim_shell_out(w, &out);
	if (!run_machine(w, mark ? "the clean mark" : "stop")) {
		sim_count(mark ? SIM_C_CUT_MARK : SIM_C_CUT_STOP);
		return -EINTR;
	}
	if (w->machine_error)
		return w->machine_error;
	return sim_loop(w, all_quiet, PATIENCE, "coming to rest") ? 0 : -EINTR;
}

static s32 stop_clean(struct sim_world *w)
{
	struct sim_disk *origin = &w->disk[HS_ORIGIN];
	s32 err;

	w->ticking = false;
	err = stop_half(w, false);
	if (err)
		return err;
	sim_audit_rested(w);
	/* Nothing touches the origin any more. */
	if (sim_disk_fault(origin, HS_IO_FLUSH, 0, 0, w->now)) {
		w->flush_failed = ++w->clock;
		w->last_error = w->now;
		return -EIO;
	}
	sim_disk_flush(origin, origin->writes);
	return stop_half(w, true);
}

/* Could a fault have kept it from stopping clean? */
static void judge_stop(struct sim_world *w, s32 err)
{
	if (err != -EIO || !(hs_core_failed(w->core) || w->flush_failed || w->last_error))
		sim_fail(w, "it cannot be stopped clean: %d", err);
	sim_count(SIM_C_STOP_FAILED);
}

/* A device suspended and resumed: the first half of a stop, taken back. False: a cut came. */
static bool suspend(struct sim_world *w)
{
	s32 err;

	cut_soon(w, 15, 300);
	w->ticking = false;
	err = stop_half(w, false);
	if (err == -EINTR)
		return false;
	w->stop_at = SIM_FOREVER;
	if (err)
		judge_stop(w, err);
	else
		sim_audit_rested(w);
	sim_audit_counters(w);
	hs_core_resume(w->core);
	w->ticking = true;
	if (!w->tick_due)
		sim_shell_tick(w);
	sim_count(SIM_C_SUSPEND);
	return true;
}

/* True: stopped clean. */
static bool stop(struct sim_world *w, bool everything)
{
	s32 err = 0;
	bool dirty;

	if (everything && !drain(w))
		err = w->events >= w->stop_at ? -EINTR : -EIO;
	if (!err)
		err = flush_now(w);
	dirty = !err && dirty_left(w);
	w->nothing_dirty = !dirty_at_all(w);
	if (!err)
		err = stop_clean(w);
	if (err) {
		if (err != -EINTR)
			judge_stop(w, err);
		die_somehow(w);
		return false;
	}
	sim_audit_counters(w);
	sim_count(SIM_C_STOP);
	if (dirty)
		sim_count(SIM_C_STOP_DIRTY);
	w->serving = false;
	w->core = NULL;
	w->stop_at = SIM_FOREVER;
	sim_shell_init(w);
	sim_disk_settle(&w->disk[HS_CACHE], &w->fate);
	sim_oracle_restart(w, false);
	return true;
}

/* ---- between lives ------------------------------------------------------------------------------------------------- */

/* hotset check: opens, and looks; writes nothing. */
static void offline_check(struct sim_world *w)
{
	struct hs_core_opts opts = { .mode = -1, .now = w->now };
	u32 written = w->disk[HS_CACHE].writes;
	struct hs_sb sb;

	if (load_superblock(w, &sb))
		return;
	w->core = hs_core_init(core_memory(&sb, &opts), &sb, &opts);
	run_request(w, hs_core_open(w->core), "offline check");
	if (w->disk[HS_CACHE].writes != written)
		sim_fail(w, "the offline check has written");
	if (w->machine_error)
		open_refused(w, w->machine_error, hs_core_open_why(w->core));
	w->core = NULL;
	sim_count(SIM_C_OFFLINE_CHECK);
}

/* Somebody writes to the origin while the cache is stopped clean: that must be noticed. */
static void change_origin(struct sim_world *w)
{
	struct sim_disk *d = &w->disk[HS_ORIGIN];
	u64 sector = sim_random(&w->fate) % d->sectors;
	u8 data[SIM_SECTOR];
	struct hs_sb sb;
	unsigned int bad;
	u32 op;

	if (!sim_oracle_room(w, sector, 1))
		return;
	op = sim_oracle_begin(w, sector, 1, false, false);
	sim_oracle_end(w, op, true, true);
	sim_stamp(data, sector, sim_oracle_value(op));
	sim_disk_write(d, sector, 1, data, sim_disk_number(d));
	sim_disk_flush(d, d->writes);
	sim_count(SIM_C_F_CHANGED);
	if (sim_superblock(w, NULL, &sb, &bad) || !(sb.state & HS_SB_CLEAN)) {
		if (!w->hit_meta)
			sim_fail(w, "after a clean stop there is no clean mark");
	} else if (sb.fingerprint == sim_origin_fingerprint(w)) {
		sim_fail(w, "the origin was changed and the fingerprint is the same");
	}
	sim_count(SIM_C_OPEN_CHANGED);
	format_again(w);
}

/* hotset writeback. */
static void offline_writeback(struct sim_world *w)
{
	if (open_cache(w, -1) != OPENED)
		return;
	sim_count(SIM_C_OFFLINE_WRITEBACK);
	serve_begin(w);
	w->life_ops = 0;
	cut_soon(w, 30, 500);
	if (w->stop_at != SIM_FOREVER)
		sim_count(SIM_C_CUT_OFFLINE);
	stop(w, true);
}

static void between_lives(struct sim_world *w, bool clean)
{
	if (sim_one_in(&w->fate, 6))
		offline_check(w);
	if (clean && w->nothing_dirty && sim_one_in(&w->fate, 4))
		change_origin(w);
	else if (sim_one_in(&w->fate, 10))
		offline_writeback(w);
}

/* ---- the world ------------------------------------------------------------------------------------------------------ */

/* False: the cache was given up, as a fault allows; a new one is made, or the world ends. */
static bool give_up(struct sim_world *w)
{
	if (!w->abandoned)
		return false;
	sim_count(SIM_C_OPEN_ABANDONED);
	format_again(w);
	return true;
}

/* Serves, and ends in one of many ways. True: stopped clean. */
static bool serve_and_end(struct sim_world *w, enum ending ending, bool everything)
{
	bool served;

	serve_begin(w);
	if (ending == END_STOP && !(sim_hash2(w->seed ^ 0x73757370656e64, w->life) % 3) && (!serve(w, ending) || !suspend(w))) {
		die_somehow(w);
		return false;
	}
	served = serve(w, ending);
	count_life(w);
	if (!served) {
		die(w, ending == END_CUT);
		return false;
	}
	cut_soon(w, 25, 300);
	return stop(w, everything);
}

static bool life(struct sim_world *w)
{
	enum ending ending = (enum ending)sim_below(&w->fate, END_OVER);
	s32 mode = sim_one_in(&w->fate, 5) ? (s32)sim_below(&w->fate, HS_MODE_COUNT) : -1;
	bool everything = sim_one_in(&w->fate, 2);

	if (sim_one_in(&w->fate, 2))
		ending = END_CUT;
	if (open_cache(w, mode) != OPENED)
		return give_up(w);
	between_lives(w, serve_and_end(w, ending, everything));
	return true;
}

static void last_life(struct sim_world *w)
{
	u8 *lost;

	sim_faults_heal(w);
	if (open_cache(w, -1) != OPENED && (!give_up(w) || open_cache(w, -1) != OPENED))
		return;
	sim_faults_heal(w);
	w->last_fault = w->last_error = 0;
	w->flush_failed = 0;
	serve_begin(w);
	w->life_ops = 0;
	if (!drain(w))
		sim_fail(w, "what is dirty cannot be written back");
	lost = calloc(1, w->plan.geo.nr_blocks);
	if (!lost)
		abort();
	sim_audit_lost(w, lost);
	if (!stop(w, true))
		sim_fail(w, "the last stop failed");
	sim_audit_origin(w, lost);
	free(lost);
	sim_count(SIM_C_FINAL);
}

static void world_live(struct sim_world *w)
{
	w->sb.geo = w->plan.geo;
	w->sb.mode = (u8)w->plan.mode;
	w->sb.incompat = w->plan.geo.checksums ? HS_INCOMPAT_CHECKSUMS : 0;
	format(w);
	for (w->life = 0; w->life < w->plan.lives && w->life < w->limits->lives; w->life++)
		if (!life(w))
			return;
	last_life(w);
}

/* Memory that outlives the world. */
static void *world_keep(void **mem, size_t bytes)
{
	if (!*mem)
		*mem = aligned_alloc(64, hs_round_up(bytes, 64));
	if (!*mem)
		abort();
	return *mem;
}

/* Not a power of two: all buffers would compete for the same sets of the processor's cache. */
#define BUFFER_ROOM	((size_t)SIM_BLOCK_MAX + HS_PAGE)
#define CACHE_MAX	(16u * HS_MIB / SIM_SECTOR)

static void world_init(struct sim_world *w, u64 seed, const struct sim_limits *limits)
{
	static struct sim_store stores[2];
	static void *buffers;
	u64 n[2] = { 0 };
	u32 i;

	memset(w, 0, offsetof(struct sim_world, heap));
	memset(&w->nr_heap, 0, sizeof(*w) - offsetof(struct sim_world, nr_heap));
	w->seed = seed;
	w->limits = limits;
	w->rng.state = sim_hash2(seed, 2);
	w->fate.state = sim_hash2(seed, 3);
	sim_plan_draw(&w->plan, seed);
	w->plan.faults &= ~limits->without;
	n[HS_CACHE] = w->plan.geo.cache_bytes >> HS_SECTOR_SHIFT;
	n[HS_ORIGIN] = w->plan.geo.origin_sectors;
	hs_assert(n[HS_CACHE] <= CACHE_MAX && n[HS_ORIGIN] <= SIM_ORIGIN_MAX);
	for (i = 0; i < 2; i++)
		sim_disk_init(&w->disk[i], i == HS_CACHE ? "cache" : "origin", n[i],
			      i == HS_CACHE ? SIM_ZERO : SIM_INITIAL, &stores[i]);
	for (i = 0; i < SIM_REQS; i++) {
		w->req[i].data = (u8 *)world_keep(&buffers, 2 * SIM_REQS * BUFFER_ROOM) + 2 * i * BUFFER_ROOM;
		w->req[i].block = w->req[i].data + BUFFER_ROOM;
	}
	w->now = SIM_S;
	w->stop_at = SIM_FOREVER;
	sim_oracle_init(w);
	sim_shell_init(w);
}

void sim_world_run(u64 seed, const struct sim_limits *limits, bool trace, bool quiet, struct sim_result *result)
{
	static struct sim_world world;
	struct sim_world *w = &world;

	sim_current = w;
	memset(result, 0, sizeof(*result));
	world_init(w, seed, limits);
	w->trace = trace;
	if (!setjmp(w->failed))
		world_live(w);
	else
		result->failed = true;
	result->steps = w->events;
	result->digest = w->digest;
	result->ops = w->ops;
	memcpy(result->failure, w->failure, sizeof(result->failure));
	if (result->failed && !quiet && !trace)
		sim_notes_print(w);
	sim_oracle_free(w);
	sim_shorts_drop();
	sim_current = NULL;
}
