// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What a sector of the cached device may hold. Each sector has a history of the writes that it might show;
 * each write has, on the oracle's clock, a beginning, an end, and whether it was acknowledged.
 *
 *	   A |-----|              a read here may see A, B or C: B and C overlap, so either may be last
 *	       B   |------|       ... and once a read has seen C, the next may not see B
 *	       C |------|
 *	                 read |--|
 *
 * A write *replaces* another for readers if it was acknowledged, and began after the other had ended. It
 * replaces it for a power cut if it was *durable* besides: acknowledged before a FLUSH began that succeeded, or
 * with FUA, or seen by a read since an earlier cut. So after a cut a sector holds its last flushed value or a
 * later one.
 */
#include <stdio.h>
#include <stdlib.h>

#include "sim/sim.h"

/* Of every sector, until it is written. */
static const struct sim_history initial = { .nr = 1, .e = { { .value = SIM_INITIAL } } };

static bool written(const struct sim_world *w, u64 sector)
{
	return w->written[sector / 64] >> sector % 64 & 1;
}

static const struct sim_history *history_of(const struct sim_world *w, u64 sector)
{
	return written(w, sector) ? &w->history[sector] : &initial;
}

/* To be changed. */
static struct sim_history *history_own(struct sim_world *w, u64 sector)
{
	struct sim_history *h = &w->history[sector];

	if (!written(w, sector)) {
		w->written[sector / 64] |= 1ull << sector % 64;
		h->nr = 1;
		h->e[0] = initial.e[0];
	}
	return h;
}

u64 sim_oracle_written(const struct sim_world *w, u64 sector)
{
	u64 i = sector / 64, bits;

	if (sector >= w->plan.geo.origin_sectors)
		return SIM_FOREVER;
	bits = w->written[i] & ~0ull << sector % 64;
	while (!bits)
		if (++i * 64 >= w->plan.geo.origin_sectors)
			return SIM_FOREVER;
		else
			bits = w->written[i];
	return i * 64 + (u64)__builtin_ctzll(bits);
}

#define for_each_written(w, sector) \
	for (sector = sim_oracle_written(w, 0); sector != SIM_FOREVER; \
	     sector = sim_oracle_written(w, sector + 1))

/* Its memory serves the next world, too. */
void sim_oracle_init(struct sim_world *w)
{
	static struct sim_history *history;

	if (!history)
		history = malloc(SIM_ORIGIN_MAX * sizeof(*history));
	w->history = history;
	w->room_op = 1024;
	w->op = malloc(w->room_op * sizeof(*w->op));
	w->room_flush_ok = 64;
	w->flush_ok = malloc(w->room_flush_ok * sizeof(*w->flush_ok));
	if (!w->op || !w->history || !w->flush_ok)
		abort();
	w->clock = 1;
	w->nr_op = 1;
	w->op[0] = (struct sim_op){ .ok = true, .hard = true };
}

void sim_oracle_free(struct sim_world *w)
{
	free(w->op);
	free(w->flush_ok);
	w->op = NULL;
	w->flush_ok = NULL;
}

/* ---- durable ------------------------------------------------------------------------------------------- */

/* What ended before this was made durable by a FLUSH that was acknowledged before `claims`. */
static u64 flushed_by(const struct sim_world *w, u64 claims)
{
	u64 best = 0;
	u32 i;

	if (claims == SIM_FOREVER)
		return w->flushed;
	for (i = 0; i < w->nr_flush_ok; i++)
		if (w->flush_ok[i].end < claims)
			best = hs_max(best, w->flush_ok[i].begin);
	return best;
}

static bool entry_durable(const struct sim_world *w, const struct sim_entry *e, u64 flushed, u64 claims)
{
	const struct sim_op *op = &w->op[e->op];

	if (!op->ok || (e->flags & SIM_E_MAYBE))
		return false;
	if (op->hard && op->end < claims)
		return true;
	return op->end < flushed && !(e->flags & SIM_E_EXCUSED);
}

static bool entry_matches(const struct sim_world *w, const struct sim_entry *e, u32 value)
{
	if (e->flags & SIM_E_RESOLVED)
		return value == e->resolved;
	if (e->flags & SIM_E_WILD)
		return value == SIM_ZERO || value <= w->op[e->op].upto;
	return value == e->value;
}

/* Entry n. Only what stands behind it can have begun after its end. */
static bool replaced_durably(const struct sim_world *w, const struct sim_history *h, u32 n, u64 flushed, u64 claims)
{
	u64 end = w->op[h->e[n].op].end;
	u32 i;

	for (i = n + 1; i < h->nr; i++)
		if (w->op[h->e[i].op].begin > end && entry_durable(w, &h->e[i], flushed, claims))
			return true;
	return false;
}

/* As entry_matches, after a cut: what a read saw of a discard need not have been durable. */
static bool survivor_matches(const struct sim_world *w, const struct sim_entry *e, u32 value, u64 flushed,
			     u64 claims)
{
	struct sim_entry unresolved = *e;

	if (!(e->flags & SIM_E_RESOLVED) || entry_durable(w, e, flushed, claims))
		return entry_matches(w, e, value);
	unresolved.flags &= ~SIM_E_RESOLVED;
	return entry_matches(w, &unresolved, value);
}

/* The usual case: one version, and it is that. */
static bool settled_as(const struct sim_history *h, u32 value)
{
	return h->nr == 1 && !(h->e[0].flags & (SIM_E_WILD | SIM_E_RESOLVED)) && h->e[0].value == value;
}

bool sim_oracle_survives(const struct sim_world *w, u64 sector, u32 value, u64 claims)
{
	const struct sim_history *h = history_of(w, sector);
	u64 flushed;
	u32 i;

	if (settled_as(h, value))
		return true;
	flushed = flushed_by(w, claims);
	for (i = h->nr; i--; )
		if (survivor_matches(w, &h->e[i], value, flushed, claims) &&
		    !replaced_durably(w, h, i, flushed, claims))
			return true;
	return false;
}

/*
 * Damage that is still to come may take the last transactions back, one for bad data, one more for each bad page; that
 * which has come, all since the restart.
 */
static u64 claims_for_ever(const struct sim_world *w)
{
	const struct sim_tx *tx = &w->tx[(w->tx_last - 2) % SIM_TXS];

	if (w->hit_cache || tx->seq != w->tx_last - 2 || tx->clock < w->restart)
		return hs_max(w->restart, 1);
	return tx->clock;
}

/* Forgets what can never be seen again. */
static void history_prune(struct sim_world *w, struct sim_history *h)
{
	u64 flushed, claims;
	u32 i, left = 0, stay = 0;

	if (h->nr == 1)
		return;
	claims = claims_for_ever(w);
	flushed = flushed_by(w, claims);
	for (i = 0; i < h->nr; i++)
		if (!replaced_durably(w, h, i, flushed, claims))
			stay |= 1u << i;
	for (i = 0; i < h->nr; i++)
		if (stay >> i & 1)
			h->e[left++] = h->e[i];
	h->nr = left;
}

bool sim_oracle_room(struct sim_world *w, u64 sector, u32 sectors)
{
	u32 i;

	for (i = 0; i < sectors; i++) {
		struct sim_history *h = &w->history[sector + i];

		if (!written(w, sector + i) || h->nr + 3 < SIM_HISTORY)
			continue;
		history_prune(w, h);
		if (h->nr + 3 >= SIM_HISTORY)
			return false;
	}
	return true;
}

/* ---- writes -------------------------------------------------------------------------------------------- */

static u32 op_new(struct sim_world *w)
{
	if (w->nr_op == w->room_op) {
		w->room_op *= 2;
		w->op = realloc(w->op, w->room_op * sizeof(*w->op));
		if (!w->op)
			abort();
	}
	w->op[w->nr_op] = (struct sim_op){ .begin = ++w->clock, .end = SIM_FOREVER, .upto = SIM_JUNK - 1 };
	return w->nr_op++;
}

/* Values grow with the beginnings of their writes. */
u32 sim_oracle_value(u32 op)
{
	return op + SIM_INITIAL;
}

static void entry_add(struct sim_world *w, u64 sector, struct sim_entry e)
{
	struct sim_history *h = history_own(w, sector);

	if (h->nr == SIM_HISTORY)
		sim_fail(w, "the simulator: a history is too short");
	hs_assert(e.op > h->e[h->nr - 1].op);
	h->e[h->nr++] = e;
}

u32 sim_oracle_begin(struct sim_world *w, u64 sector, u32 sectors, bool zero, bool wild)
{
	struct sim_entry e = { .op = op_new(w) };

	e.value = zero ? SIM_ZERO : sim_oracle_value(e.op);
	e.flags = wild ? SIM_E_WILD : 0;
	for (; sectors--; sector++)
		entry_add(w, sector, e);
	return e.op;
}

void sim_oracle_end(struct sim_world *w, u32 op, bool ok, bool fua)
{
	w->op[op].end = ++w->clock;
	w->op[op].ok = ok;
	w->op[op].hard = ok && fua;
	w->op[op].upto = w->nr_op;
}

/* ---- FLUSH --------------------------------------------------------------------------------------------- */

void sim_oracle_flushed(struct sim_world *w, u64 begin)
{
	w->clock++;
	if (w->nr_flush_ok == w->room_flush_ok) {
		w->room_flush_ok *= 2;
		w->flush_ok = realloc(w->flush_ok, w->room_flush_ok * sizeof(*w->flush_ok));
		if (!w->flush_ok)
			abort();
	}
	w->flush_ok[w->nr_flush_ok++] = (struct sim_flush_ok){ begin, w->clock };
	w->flushed = hs_max(w->flushed, begin);
}

/* The origin lost unflushed versions of this sector, and told so by the error of a FLUSH. */
void sim_oracle_lost(void *world, u64 sector)
{
	struct sim_world *w = world;
	struct sim_history *h = &w->history[sector];
	u32 i;

	/* Written back along with its block: it has one version for ever. */
	for (i = 0; written(w, sector) && i < h->nr; i++) {
		h->e[i].gone = 0;
		if (!entry_durable(w, &h->e[i], w->flushed, SIM_FOREVER))
			h->e[i].flags = (h->e[i].flags & ~SIM_E_RESOLVED) | SIM_E_DOUBT;
	}
	sim_count(SIM_C_F_ORIGIN_LOST);
}

/* A FLUSH has said that something was lost: from now on nobody claims what the origin had lost by then. */
void sim_oracle_flush_failed(struct sim_world *w)
{
	u64 s;
	u32 i;

	w->clock++;
	for_each_written(w, s) {
		struct sim_history *h = &w->history[s];

		for (i = 0; i < h->nr; i++)
			if ((h->e[i].flags & SIM_E_DOUBT) &&
			    !entry_durable(w, &h->e[i], w->flushed, SIM_FOREVER))
				h->e[i].flags |= SIM_E_EXCUSED;
	}
}

/* ---- reads --------------------------------------------------------------------------------------------- */

/* Entry n. */
static bool replaced(const struct sim_world *w, const struct sim_history *h, u32 n, u64 before)
{
	u64 end = w->op[h->e[n].op].end;
	u32 i;

	if (h->e[n].gone && h->e[n].gone < before)
		return true;
	for (i = n + 1; i < h->nr; i++) {
		const struct sim_op *op = &w->op[h->e[i].op];

		if (op->ok && op->begin > end && op->end < before &&
		    !(h->e[i].flags & (SIM_E_MAYBE | SIM_E_DOUBT)))
			return true;
	}
	return false;
}

static bool history_doubtful(const struct sim_history *h)
{
	u32 i;

	for (i = 0; i < h->nr; i++)
		if (h->e[i].flags & SIM_E_DOUBT)
			return true;
	return false;
}

bool sim_oracle_doubtful(const struct sim_world *w, u64 sector)
{
	return history_doubtful(history_of(w, sector));
}

/* The read ended now and has seen e: what had ended before it began is gone. */
static void reads_settle(struct sim_world *w, struct sim_history *h, struct sim_entry *seen, u32 value,
			 u64 begin)
{
	u32 i;

	if (w->op[seen->op].end > begin || w->rolled_back || history_doubtful(h))
		return;
	if (seen->flags & SIM_E_WILD) {
		seen->flags |= SIM_E_RESOLVED;
		seen->resolved = value;
	}
	for (i = 0; i < h->nr; i++)
		if (&h->e[i] != seen && w->op[h->e[i].op].end < begin && !h->e[i].gone)
			h->e[i].gone = (u32)w->clock;
}

void sim_oracle_read(struct sim_world *w, u64 sector, u32 value, u64 begin, const char *how)
{
	struct sim_entry *seen = NULL;
	struct sim_history *h;
	u32 i, matches = 0;

	if (settled_as(history_of(w, sector), value))
		return;
	h = history_own(w, sector);
	for (i = 0; i < h->nr; i++) {
		if (!entry_matches(w, &h->e[i], value) || replaced(w, h, i, begin))
			continue;
		seen = &h->e[i];
		matches++;
	}
	if (!seen)
		sim_oracle_complain(w, sector, value, SIM_FOREVER, how);
	if (matches == 1)
		reads_settle(w, h, seen, value, begin);
}

/* ---- restarts ------------------------------------------------------------------------------------------ */

static void history_restart(struct sim_world *w, struct sim_history *h)
{
	u32 i;

	for (i = 0; i < h->nr; i++) {
		struct sim_entry *e = &h->e[i];

		if (w->op[e->op].end == SIM_FOREVER)
			continue;
		e->gone = 0;
		if (entry_durable(w, e, w->flushed, SIM_FOREVER))
			continue;
		e->flags |= SIM_E_MAYBE;
		e->flags &= ~SIM_E_RESOLVED;
	}
}

void sim_oracle_restart(struct sim_world *w, bool power)
{
	u64 s;
	u32 i;

	w->clock++;
	/* What was in flight has happened or not; it is over. */
	for (i = 0; i < w->nr_op; i++)
		if (w->op[i].end == SIM_FOREVER)
			sim_oracle_end(w, i, false, false);
	for_each_written(w, s)
		history_restart(w, &w->history[s]);
	w->power_lost = power;
	w->clock++;
}

u32 sim_oracle_pin_begin(struct sim_world *w)
{
	u32 op = op_new(w);

	w->op[op].end = ++w->clock;
	w->op[op].ok = true;
	w->op[op].hard = w->power_lost;
	return op;
}

void sim_oracle_pin(struct sim_world *w, u32 op, u64 sector, u32 value)
{
	struct sim_history *h = history_own(w, sector);

	if (h->nr == 1 && h->e[0].value == value && !(h->e[0].flags & (SIM_E_WILD | SIM_E_MAYBE)))
		return;
	history_prune(w, h);
	if (h->nr == SIM_HISTORY)
		return;
	entry_add(w, sector, (struct sim_entry){ .op = op, .value = value });
	if (w->power_lost)
		history_prune(w, h);
}

void sim_oracle_roll_back(struct sim_world *w, u64 claims)
{
	u64 s, flushed = flushed_by(w, claims);
	u32 i;

	for_each_written(w, s) {
		struct sim_history *h = &w->history[s];

		for (i = 0; i < h->nr; i++)
			if (!entry_durable(w, &h->e[i], flushed, claims))
				h->e[i].flags |= SIM_E_MAYBE;
	}
	w->flushed = flushed;
	w->nr_flush_ok = 0;
	/* Slots that it had freed may have been used again. */
	w->rolled_back = w->damaged = true;
}

void sim_oracle_forget(struct sim_world *w, u64 sector)
{
	struct sim_history *h = history_own(w, sector);
	const struct sim_version *v = w->disk[HS_ORIGIN].sector[sector].newest;
	/* What the origin shows may be lost already: the cache was to have it, and nobody was in doubt. */
	u32 doubt = history_doubtful(h) || (v && v->doomed) ? SIM_E_DOUBT : 0;

	h->nr = 1;
	h->e[0] = (struct sim_entry){ .op = op_new(w), .flags = SIM_E_WILD | doubt };
	sim_oracle_end(w, h->e[0].op, false, false);
}

/* ---- complaints ---------------------------------------------------------------------------------------- */

static void history_print(const struct sim_world *w, u64 sector)
{
	const struct sim_history *h = history_of(w, sector);
	u32 i;

	for (i = 0; i < h->nr; i++) {
		const struct sim_entry *e = &h->e[i];
		const struct sim_op *op = &w->op[e->op];

		sim_say((struct sim_world *)(uintptr_t)w, "%s    its history: value %llu from %llu to %llu, flags %llx",
			op->ok ? op->hard ? "hard" : "ok" : "unacknowledged", e->value, op->begin, op->end, e->flags);
	}
}

void sim_oracle_complain(struct sim_world *w, u64 sector, u32 value, u64 claims, const char *how)
{
	const struct hs_geometry *geo = &w->plan.geo;

	history_print(w, sector);
	sim_fail(w, "%s: sector %llu (block %llu) holds value %lld at clock %llu, claims up to %lld (flushed %llu)",
		 how, (unsigned long long)sector,
		 (unsigned long long)(sector >> (geo->block_shift - HS_SECTOR_SHIFT)),
		 value == SIM_JUNK ? -1ll : (long long)value, (unsigned long long)w->clock, (long long)claims,
		 (unsigned long long)w->flushed);
}
