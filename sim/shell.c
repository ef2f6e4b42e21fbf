// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The shell as core.h wants it, in simulated time. A thread that takes up a request may be put off between any
 * two steps, so steps of different domains interleave in any order; a step itself is atomic, as under its
 * domain's lock.
 */
#include "sim/sim.h"

enum { IO_FREE, IO_MOVING, IO_FUA_FLUSH };
enum { HIT_NO, HIT_BEGIN, HIT_END };

bool sim_req_mine(const struct hs_req *req)
{
	return req->op < HS_OP_COUNT;
}

static struct sim_req *req_of(struct hs_req *req)
{
	return container_of(req, struct sim_req, r);
}

/* ---- requests ------------------------------------------------------------------------------------------ */

void sim_shell_init(struct sim_world *w)
{
	u32 i;

	for (i = 0; i < SIM_IOS; i++) {
		w->io[i].state = IO_FREE;
		w->io[i].place = i + 1;
	}
	w->free_io = 0;
	w->nr_io = 0;
	for (i = 0; i < SIM_REQS; i++) {
		w->req[i].used = false;
		w->call[i].used = false;
	}
	w->in_flight = 0;
	w->learner = NULL;
	sim_events_drop(w);
	w->tick_due = false;
}

/* How long until a thread comes by. */
static u64 step_delay(struct sim_world *w)
{
	if (w->plan.stall_percent && sim_percent(&w->rng, w->plan.stall_percent))
		return sim_random(&w->rng) % w->plan.stall;
	return sim_below(&w->rng, 500);
}

void sim_shell_ready(struct sim_world *w, struct hs_req *req)
{
	sim_event_add(w, step_delay(w), SIM_EV_STEP, req, 0);
}

void sim_shell_out(struct sim_world *w, struct hs_out *out)
{
	if (out->kick)
		sim_event_add(w, step_delay(w), SIM_EV_KICK, NULL, out->kick);
	while (!hs_list_empty(&out->run)) {
		struct hs_list *l = out->run.next;

		hs_list_del(l);
		sim_shell_ready(w, hs_list_entry(l, struct hs_req, link));
	}
}

void sim_shell_kick(struct sim_world *w, u32 kick)
{
	struct hs_out out;

	hs_out_init(&out);
	hs_kick(w->core, kick, &out);
	sim_shell_out(w, &out);
}

struct sim_req *sim_req_new(struct sim_world *w)
{
	u32 i;

	for (i = 0; i < SIM_REQS; i++)
		if (!w->req[i].used)
			break;
	if (i == SIM_REQS)
		return NULL;
	w->req[i].used = true;
	w->req[i].answered = false;
	w->req[i].rewrite = false;
	w->req[i].call = NULL;
	return &w->req[i];
}

static bool hit_may_be(const struct sim_world *w, const struct hs_req *r)
{
	return w->plan.hits && w->plan.geo.block_shift == HS_UNIT_SHIFT && r->op == HS_OP_READ && !r->flags &&
	       r->sectors == HS_UNIT_SECTORS && !(r->sector.nr % HS_UNIT_SECTORS);
}

void sim_req_submit(struct sim_world *w, struct sim_req *q)
{
	q->since = w->now;
	q->flushed = w->flushed;
	q->flushes[0] = w->flushes[0];
	q->flushes[1] = w->flushes[1];
	w->in_flight++;
	q->hit = hit_may_be(w, &q->r) ? HIT_BEGIN : HIT_NO;
	hs_req_init(w->core, &q->r, q->csum);
	sim_say(w, "%s #%llu at %llu + %llu, flags %llx", sim_op_name(q->r.op), q->nr, q->r.sector.nr,
		q->r.sectors, q->r.flags);
	sim_shell_ready(w, &q->r);
}

/* Where the caller's data stand in the block buffer. */
static u8 *block_place(const struct sim_world *w, const struct sim_req *q)
{
	u64 in_block = q->r.sector.nr & (hs_block_sectors(&w->plan.geo) - 1);

	return q->block + (in_block << HS_SECTOR_SHIFT);
}

static void req_answer(struct sim_world *w, struct sim_req *q)
{
	if (q->r.op == HS_OP_READ && !q->r.error && (q->r.flags & HS_REQ_COPYOUT))
		memcpy(q->data, block_place(w, q), (size_t)q->r.sectors << HS_SECTOR_SHIFT);
	q->answered = true;
	sim_req_answered(w, q);
}

static void req_done(struct sim_world *w, struct hs_req *req)
{
	struct sim_req *q = req_of(req);

	if (w->format || !sim_req_mine(req)) {
		w->machine_done = true;
		w->machine_error = req->error;
		sim_say(w, "%smachine has ended: %llu", "", (u32)-req->error, 0, 0, 0);
		return;
	}
	if (!q->used)
		sim_fail(w, "a request ended twice");
	if (!q->answered)
		req_answer(w, q);
	sim_say(w, "%s #%llu ended: %llu", sim_op_name(q->r.op), q->nr, (u32)-q->r.error, 0, 0);
	w->in_flight--;
	sim_req_ended(w, q);
	q->used = false;
}

/* ---- I/Os ---------------------------------------------------------------------------------------------- */

static u8 *io_data(const struct sim_world *w, struct hs_req *req, const struct hs_io *h)
{
	if (h->buf == HS_BUF_MEM)
		return (u8 *)h->mem + h->buf_off;
	if (h->buf == HS_BUF_CALLER)
		return req_of(req)->data + h->buf_off;
	if (h->buf == HS_BUF_BLOCK)
		return req_of(req)->block + h->buf_off;
	return NULL;
}

/* Of what users store: it is moved in short. */
static bool io_of_data(const struct sim_world *w, const struct hs_io *h)
{
	return h->dev == HS_ORIGIN || h->sector >= w->plan.geo.data_offset >> HS_SECTOR_SHIFT;
}

static void io_sums(struct sim_world *w, struct hs_io *h, const u8 *p)
{
	struct sim_content c[HS_UNIT_SECTORS];
	u32 i, k;

	if (!h->csum)
		return;
	hs_assert(io_of_data(w, h));
	for (i = 0, p += h->csum_skip; i < h->csum_units; i++) {
		for (k = 0; k < HS_UNIT_SECTORS; k++, p += SIM_SECTOR)
			c[k] = sim_short_get(p);
		h->csum[i] = sim_unit_crc(w->core, h->csum_first + i, c);
	}
}

/* A cheap mark of what is being written: it must not change while it is. */
static u32 io_mark(const u8 *p, u32 sectors)
{
	u64 sum = 0, word[2];

	for (; p && sectors--; p += SIM_SECTOR) {
		memcpy(word, p, sizeof(word));
		sum = sum * 31 + word[0] + 7 * word[1];
	}
	return (u32)(sum ^ sum >> 32);
}

static struct sim_io *io_new(struct sim_world *w)
{
	struct sim_io *io = &w->io[w->free_io];

	if (w->free_io == SIM_IOS)
		sim_fail(w, "more than %u I/Os in flight", SIM_IOS);
	w->free_io = io->place;
	w->nr_io++;
	io->place = (u32)(io - w->io);
	io->state = IO_MOVING;
	io->moved = 0;
	io->number = 0;
	io->lost = false;
	io->astray = SIM_FOREVER;
	return io;
}

static void io_free(struct sim_world *w, struct sim_io *io)
{
	u32 index = (u32)(io - w->io);

	io->state = IO_FREE;
	io->place = w->free_io;
	w->free_io = index;
	w->nr_io--;
}

static bool in_table(const struct sim_world *w, const struct hs_io *h)
{
	u64 at = h->sector << HS_SECTOR_SHIFT;

	return at >= w->plan.geo.table_offset[0] && at < w->plan.geo.data_offset;
}

/* The data move at once, at the end, or at one or two moments between. */
static void io_schedule(struct sim_world *w, struct sim_io *io, const struct hs_io *h)
{
	u64 latency = sim_latency_draw(&w->plan.latency[h->dev], &w->rng);

	if (h->dev == HS_CACHE && h->op == HS_IO_WRITE && in_table(w, h))
		latency = hs_min(latency * w->plan.table_slow, 2 * SIM_S);
	sim_event_add(w, latency, SIM_EV_END, io, 0);
	if (h->op == HS_IO_FLUSH)
		return;
	if (sim_percent(&w->rng, w->plan.early_percent))
		sim_io_move(w, io);
	else if (sim_one_in(&w->rng, 2))
		sim_event_add(w, sim_random(&w->rng) % latency, SIM_EV_MOVE, io, 0);
}

static void io_check(struct sim_world *w, const struct hs_io *h)
{
	if (h->op == HS_IO_FLUSH)
		return;
	if (!h->sectors || h->sector + h->sectors > w->disk[h->dev].sectors)
		sim_fail(w, "I/O outside of the %s: %s %llu + %u", w->disk[h->dev].name,
			 sim_io_name(h->op), (unsigned long long)h->sector, h->sectors);
}

static void tx_seen(struct sim_world *w, const u8 *p)
{
	u64 seq = hs_get(p + 32, 8);

	if (memcmp(p, "hsTX", 4))
		return;
	w->tx[seq % SIM_TXS] = (struct sim_tx){ seq, ++w->clock };
	w->tx_last = seq;
	sim_count(SIM_C_IO_TX);
}

static void count_cache_write(struct sim_world *w, const struct hs_req *req, const struct hs_io *h,
			      const u8 *p)
{
	const struct hs_geometry *geo = &w->plan.geo;
	u64 at = h->sector << HS_SECTOR_SHIFT;

	if (at >= geo->data_offset) {
		if (h->flags & HS_IO_FUA)
			sim_count(SIM_C_IO_DATA_FUA);
		if (sim_req_mine(req) && req->op == HS_OP_WRITE && h->buf == HS_BUF_CALLER &&
		    h->sectors < hs_block_units(geo, req->first) * HS_UNIT_SECTORS)
			sim_count(SIM_C_IO_INPLACE);
		else
			sim_count(SIM_C_IO_NEW_SLOT);
	} else if (at >= geo->table_offset[0]) {
		sim_count(SIM_C_IO_UNIT);
	} else if (at >= HS_JOURNAL_OFFSET) {
		tx_seen(w, p);
		if (h->sectors > HS_PAGE_SECTORS)
			sim_count(SIM_C_IO_LONG_TX);
		if (req->nr_io >= 2 && req->io[1].op == HS_IO_WRITE)
			sim_count(SIM_C_IO_SPLIT_TX);
		if ((h->flags & HS_IO_FUA) && req->nr_io == 3)
			sim_count(SIM_C_IO_SPLIT_TX_FUA);
		else if (h->flags & HS_IO_FUA)
			sim_count(req->nr_io == 1 ? SIM_C_IO_TX_FUA_ALONE : SIM_C_IO_TX_FUA);
	} else if (at == HS_CONFIRM_OFFSET(0) || at == HS_CONFIRM_OFFSET(1)) {
		sim_count(SIM_C_IO_CONFIRM);
	} else {
		sim_count(SIM_C_IO_SB);
	}
}

/* A discard that leaves the range alone would not make it durable either. */
static bool io_fua_native(const struct sim_world *w, const struct hs_io *h)
{
	return (h->flags & HS_IO_FUA) && h->op != HS_IO_DISCARD && w->plan.native_fua[h->dev];
}

static void count_io(struct sim_world *w, const struct hs_req *req, const struct hs_io *h, const u8 *p)
{
	if (h->dev == HS_CACHE && h->op == HS_IO_WRITE)
		count_cache_write(w, req, h, p);
	if (h->dev == HS_ORIGIN && h->op == HS_IO_WRITE)
		sim_count(sim_req_mine(req) ? SIM_C_IO_DIRECT : SIM_C_IO_WRITE_BACK);
	if (h->op == HS_IO_FLUSH)
		w->flushes[h->dev]++;
	if (h->dev == HS_ORIGIN && h->op == HS_IO_FLUSH)
		sim_count(SIM_C_ORIGIN_FLUSH);
	if (h->flags & HS_IO_FUA)
		sim_count(io_fua_native(w, h) ? SIM_C_IO_FUA_NATIVE : SIM_C_IO_FUA_FLUSH);
}

static void io_submit(struct sim_world *w, struct hs_req *req, u32 index)
{
	struct hs_io *h = &req->io[index];
	struct sim_io *io = io_new(w);
	u8 *p = io_data(w, req, h);

	io_check(w, h);
	io->req = req;
	io->index = index;
	h->error = 1;	/* in flight */
	if (h->op == HS_IO_WRITE && h->dev == HS_CACHE && h->sector == HS_SB_OFFSET(0) >> HS_SECTOR_SHIFT)
		sim_audit_superblock(w, 0);
	if (h->op == HS_IO_WRITE && h->dev == HS_CACHE && h->sector == HS_SB_OFFSET(1) >> HS_SECTOR_SHIFT)
		sim_audit_superblock(w, 1);
	if (h->op == HS_IO_WRITE) {
		if (h->flags & HS_IO_OVERLAY)
			memcpy(block_place(w, req_of(req)), req_of(req)->data,
			       (size_t)req->sectors << HS_SECTOR_SHIFT);
		io_sums(w, h, p);
		io->sum = io_mark(p, h->sectors);
		sim_fault_write(w, io, h);
	}
	if (h->op == HS_IO_FLUSH)
		io->number = w->disk[h->dev].writes;
	io->doubt = h->op == HS_IO_FLUSH ? w->disk[h->dev].doubt_told : w->disk[h->dev].doubt_raised;
	sim_say(w, h->dev ? "      origin %s %llu + %llu (request op %llu, io %llu)" :
			    "      cache %s %llu + %llu (request op %llu, io %llu)",
		sim_io_name(h->op), h->sector, h->sectors, req->op, io->place);
	count_io(w, req, h, p);
	io_schedule(w, io, h);
}

/* What it has lost already is not left alone: it would be an earlier value that does not stay. */
static void disk_discard(struct sim_world *w, struct sim_disk *d, u64 sector, u32 number)
{
	static const u8 zeroes[SIM_SECTOR];
	const struct sim_version *v = d->sector[sector].newest;

	if ((v && v->doomed) || sim_percent(&w->rng, w->plan.discard_percent))
		sim_disk_write_short(d, sector, 1, zeroes, number);
}

static void move_write(struct sim_world *w, struct sim_io *io, const struct hs_io *h, u32 sectors)
{
	static const u8 zeroes[SIM_SECTOR];
	struct sim_disk *d = &w->disk[h->dev];
	u64 sector = h->sector + io->moved;
	u32 i;

	if (!io->number)
		io->number = sim_disk_number(d);
	if (io->lost)
		return;
	if (h->op == HS_IO_WRITE) {
		const u8 *p = io_data(w, io->req, h) + ((size_t)io->moved << HS_SECTOR_SHIFT);

		if (io->astray != SIM_FOREVER)
			sector = io->astray + io->moved;
		if (io_of_data(w, h))
			sim_disk_write_short(d, sector, sectors, p, io->number);
		else
			sim_disk_write(d, sector, sectors, p, io->number);
		return;
	}
	for (i = 0; i < sectors; i++, sector++)
		if (h->op == HS_IO_ZERO)
			sim_disk_write_short(d, sector, 1, zeroes, io->number);
		else
			disk_discard(w, d, sector, io->number);
}

static void move_read(struct sim_world *w, const struct sim_io *io, const struct hs_io *h, u32 sectors)
{
	u8 *p = io_data(w, io->req, h) + ((size_t)io->moved << HS_SECTOR_SHIFT);

	if (io_of_data(w, h))
		sim_disk_read_short(&w->disk[h->dev], h->sector + io->moved, sectors, p);
	else
		sim_disk_read(&w->disk[h->dev], h->sector + io->moved, sectors, p);
}

static void io_move_part(struct sim_world *w, struct sim_io *io, u32 sectors)
{
	const struct hs_io *h = &io->req->io[io->index];

	if (h->op == HS_IO_READ)
		move_read(w, io, h, sectors);
	else
		move_write(w, io, h, sectors);
	io->moved += sectors;
}

void sim_io_move(struct sim_world *w, struct sim_io *io)
{
	const struct hs_io *h = &io->req->io[io->index];
	u32 left = h->sectors - io->moved, part = left;

	if (left > 1 && sim_one_in(&w->rng, 2)) {
		part = sim_between(&w->rng, 1, left - 1);
		sim_count(SIM_C_IO_TORN);
	}
	if (part)
		io_move_part(w, io, part);
}

/* ---- their ends ---------------------------------------------------------------------------------------- */

/*
 * What a FLUSH ends with. The medium tells of an error once; but two FLUSHes may be under way, of FUA writes
 * say, and what is lost need not be what the one that was told had asked for. So, as in the engine: a FLUSH
 * fails if there is any news that no FLUSH has told of, a write with FUA if there is any since it began.
 */
static s32 doubt_end(struct sim_disk *d, const struct sim_io *io, s32 err)
{
	if (err)
		d->doubt_raised++;
	if (io->state == IO_FUA_FLUSH)
		return d->doubt_raised != io->doubt ? -EIO : 0;
	if (d->doubt_raised == io->doubt)
		return 0;
	d->doubt_told = d->doubt_raised;
	return -EIO;
}

static s32 flush_medium(struct sim_world *w, u8 dev, u32 mark)
{
	struct sim_disk *d = &w->disk[dev];
	bool visible;

	if (!sim_disk_fault(d, HS_IO_FLUSH, 0, 0, w->now)) {
		sim_disk_flush(d, mark);
		return 0;
	}
	visible = (dev == HS_CACHE && !w->plan.geo.checksums) || sim_one_in(&w->fate, 2);
	if (!visible)
		sim_count(SIM_C_F_VANISHED);
	/* A disk that is gone loses nothing by not answering. */
	if (w->now >= d->gone_until)
		sim_disk_flush_failed(d, mark, &w->fate, visible,
				      dev == HS_ORIGIN ? sim_oracle_lost : NULL, w);
	return -EIO;
}

static s32 end_read(struct sim_world *w, struct sim_io *io, struct hs_io *h)
{
	u8 *p = io_data(w, io->req, h);
	u64 bytes = (u64)h->sectors << HS_SECTOR_SHIFT;

	if (sim_disk_fault(&w->disk[h->dev], HS_IO_READ, h->sector, h->sectors, w->now)) {
		memset(p, 0xee, bytes);
		return -EIO;
	}
	io_move_part(w, io, h->sectors - io->moved);
	/* What the origin does not have of its last block reads as zeroes. */
	if (h->dev == HS_ORIGIN && h->buf == HS_BUF_BLOCK) {
		u64 end = h->buf_off + bytes;

		memset(p + bytes, 0, hs_round_up(end, HS_UNIT_BYTES) - end);
	}
	io_sums(w, h, p);
	return 0;
}

static s32 end_write(struct sim_world *w, struct sim_io *io, struct hs_io *h)
{
	struct sim_disk *d = &w->disk[h->dev];
	s32 err = sim_disk_fault(d, (enum hs_io_op)h->op, h->sector, h->sectors, w->now);
	u8 *p = io_data(w, io->req, h);

	if (h->op == HS_IO_WRITE && io_mark(p, h->sectors) != io->sum)
		sim_fail(w, "the data of a write changed while it was in flight: %s %llu + %u", d->name,
			 (unsigned long long)h->sector, h->sectors);
	if (!err || sim_one_in(&w->fate, 2))
		io_move_part(w, io, h->sectors - io->moved);
	/* It is durable even if a FLUSH that failed meanwhile has lost what the cache held of it. */
	if (!err && io_fua_native(w, h) && d->doubt_raised != io->doubt) {
		io->moved = 0;
		io_move_part(w, io, h->sectors);
	}
	if (!err && io_fua_native(w, h))
		sim_disk_harden(d, h->sector, h->sectors, io->number);
	return err;
}

/* True if the I/O goes on: a FUA that takes a FLUSH. */
static bool io_goes_on(struct sim_world *w, struct sim_io *io, struct hs_io *h)
{
	if (h->error || !(h->flags & HS_IO_FUA) || io_fua_native(w, h) || io->state == IO_FUA_FLUSH)
		return false;
	io->state = IO_FUA_FLUSH;
	io->number = w->disk[h->dev].writes;
	h->error = 1;
	sim_event_add(w, sim_latency_draw(&w->plan.latency[h->dev], &w->rng), SIM_EV_END, io, 0);
	return true;
}

void sim_io_end(struct sim_world *w, struct sim_io *io)
{
	struct hs_req *req = io->req;
	struct hs_io *h = &req->io[io->index];
	u32 i;

	if (h->op == HS_IO_FLUSH || io->state == IO_FUA_FLUSH)
		h->error = doubt_end(&w->disk[h->dev], io, flush_medium(w, h->dev, io->number));
	else if (h->op == HS_IO_READ)
		h->error = end_read(w, io, h);
	else
		h->error = end_write(w, io, h);
	if (h->error)
		sim_fault_note(w, h);
	if (h->error && h->op == HS_IO_FLUSH && h->dev == HS_ORIGIN)
		w->learner = req;
	if (io_goes_on(w, io, h))
		return;
	sim_say(w, "%s      io %llu ended: %llu", "", io->place, (u32)-h->error, 0, 0);
	io_free(w, io);
	for (i = 0; i < req->nr_io; i++)
		if (req->io[i].error > 0)
			return;
	sim_shell_ready(w, req);
}

/* ---- steps ------------------------------------------------------------------------------------------------- */

static void step_result(struct sim_world *w, struct hs_req *req, enum hs_step_result ret)
{
	u32 i;

	switch (ret) {
	case HS_IO:
		if (!req->nr_io)
			sim_fail(w, "HS_IO without any I/O");
		if (!w->format && sim_req_mine(req))
			req_of(req)->learned = w->learned;
		for (i = 0; i < req->nr_io; i++)
			req->io[i].error = 1;
		for (i = 0; i < req->nr_io; i++)
			io_submit(w, req, i);
		break;
	case HS_AGAIN:
		sim_shell_ready(w, req);
		break;
	case HS_DONE:
		req_done(w, req);
		break;
	default:
		break;
	}
}

/*
 * The core learns of an error by a step, maybe long after the disk has met with it. What it has on the way to the
 * origin at that moment may be lost, for all that it can know: a FLUSH may say so, even if another has succeeded
 * between the disk's error and the step.
 */
static void step_learns(struct sim_world *w, const struct hs_req *req, bool mine)
{
	const struct hs_io *h = &req->io[0];

	if (req == w->learner) {
		w->learner = NULL;
		w->learned++;
		w->flush_failed = ++w->clock;
	}
	if (mine && req->nr_io && h->dev == HS_ORIGIN && h->op != HS_IO_READ &&
	    container_of(req, const struct sim_req, r)->learned != w->learned)
		w->flush_failed = ++w->clock;
}

/* The core's short way for hits: all but what it asks for is spoiled. */
static enum hs_step_result hit_begin(struct sim_world *w, struct sim_req *q, struct hs_out *out)
{
	struct hs_req *r = &q->r;
	u64 sector = r->sector.nr, at;

	q->hit = HIT_NO;
	memset(r, 0xa5, sizeof(*r));
	hs_hit_init(w->core, r, sector);
	at = hs_hit_begin(w->core, r);
	r->flags = 0;
	r->sector.nr = sector;
	r->sectors = HS_UNIT_SECTORS;
	if (!at) {
		hs_req_init(w->core, r, q->csum);
		return hs_step(w->core, r, out);
	}
	sim_count(SIM_C_HIT);
	q->hit = HIT_END;
	r->io = r->ios;
	r->nr_io = 1;
	r->io[0] = (struct hs_io){ .dev = HS_CACHE, .op = HS_IO_READ, .buf = HS_BUF_CALLER, .sector = at,
				   .sectors = HS_UNIT_SECTORS };
	if (w->plan.geo.checksums) {
		r->io[0].csum = q->csum;
		r->io[0].csum_units = 1;
		r->io[0].csum_first = sector / HS_UNIT_SECTORS;
	}
	return HS_IO;
}

static enum hs_step_result hit_end(struct sim_world *w, struct sim_req *q, struct hs_out *out)
{
	struct hs_req *r = &q->r;
	s32 err = r->io[0].error;
	bool owes = sim_inside_owes(r);

	q->hit = HIT_NO;
	r->error = 0;
	if (!err && hs_hit_end(w->core, r, q->csum[0])) {
		if (owes)
			sim_fail(w, "a hit ended on the short way, and left a retired slot behind");
		return HS_DONE;
	}
	sim_count(SIM_C_HIT_LEFT);
	hs_hit_leave(w->core, r);
	r->io[0].error = err;
	if (r->io[0].csum)
		*r->io[0].csum = q->csum[0];
	return hs_step(w->core, r, out);
}

static enum hs_step_result core_step(struct sim_world *w, struct hs_req *req, bool mine, struct hs_out *out)
{
	if (w->format)
		return hs_format_step(w->format);
	if (mine && req_of(req)->hit == HIT_BEGIN)
		return hit_begin(w, req_of(req), out);
	if (mine && req_of(req)->hit == HIT_END)
		return hit_end(w, req_of(req), out);
	return hs_step(w->core, req, out);
}

void sim_shell_step(struct sim_world *w, struct hs_req *req)
{
	bool mine = !w->format && sim_req_mine(req);
	enum hs_step_result ret;
	struct hs_out out;

	if (!w->format)
		step_learns(w, req, mine);
	hs_out_init(&out);
	ret = core_step(w, req, mine, &out);
	if (!w->format && sim_inside_scan(w->core, req))
		sim_count(SIM_C_SCAN);
	if (ret == HS_WAIT && !w->format && !mine && sim_inside_space_wait(w->core))
		sim_count(SIM_C_SPACE_WAIT);
	if (ret == HS_WAIT && mine && req->op == HS_OP_WRITE && hs_core_mode(w->core) != HS_MODE_WRITEBACK)
		sim_count(SIM_C_DIRECT_PARKED);
	if (ret != HS_WAIT && mine && (req->flags & HS_REQ_ANSWER)) {
		req->flags &= ~HS_REQ_ANSWER;
		sim_count(SIM_C_REQ_ANSWERED_EARLY);
		req_answer(w, req_of(req));
	}
	step_result(w, req, ret);
	sim_shell_out(w, &out);
}

/* What was on its way to the cache's metadata? */
static void count_cut(const struct sim_world *w, const struct hs_io *h)
{
	u64 at = h->sector << HS_SECTOR_SHIFT;

	if (h->dev != HS_CACHE || h->op != HS_IO_WRITE || at < HS_JOURNAL_OFFSET || !w->core)
		return;
	if (at < w->plan.geo.table_offset[0])
		sim_count(SIM_C_CUT_COMMIT);
	else if (at < w->plan.geo.data_offset)
		sim_count(SIM_C_CUT_CHECKPOINT);
}

void sim_shell_kill(struct sim_world *w)
{
	u32 i;

	for (i = 0; i < SIM_IOS; i++) {
		struct sim_io *io = &w->io[i];
		const struct hs_io *h;

		if (io->state == IO_FREE)
			continue;
		h = &io->req->io[io->index];
		if (h->op != HS_IO_READ && h->op != HS_IO_FLUSH && io->state == IO_MOVING &&
		    sim_one_in(&w->fate, 2))
			io_move_part(w, io, sim_between(&w->fate, 0, h->sectors - io->moved));
		count_cut(w, h);
	}
	sim_shell_init(w);
}
