// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <stdlib.h>

#include "sim/inside.h"
#include "tests/lib/corebox.h"

/* ---- devices --------------------------------------------------------------------------------------- */

static void dev_init(struct box_dev *d, u64 bytes)
{
	d->bytes = bytes;
	d->now = calloc(1, bytes);
	d->durable = calloc(1, bytes);
	assert_non_null(d->now);
	assert_non_null(d->durable);
}

static void dev_forget(struct box_dev *d)
{
	while (d->nr_log)
		free(d->log[--d->nr_log].data);
}

static void dev_log(struct box_dev *d, u64 sector, u32 sectors, bool fua)
{
	struct box_log *l;

	if (d->nr_log == d->log_room) {
		d->log_room = d->log_room ? 2 * d->log_room : 64;
		d->log = realloc(d->log, d->log_room * sizeof(*d->log));
	}
	l = &d->log[d->nr_log++];
	*l = (struct box_log){ .sector = sector, .nr = d->written++, .sectors = sectors, .fua = fua };
	l->data = malloc((size_t)sectors << HS_SECTOR_SHIFT);
	memcpy(l->data, d->now + (sector << HS_SECTOR_SHIFT), (size_t)sectors << HS_SECTOR_SHIFT);
}

static void log_apply(struct box_dev *d, const struct box_log *l, struct random *rnd, u32 keep)
{
	u32 i;

	for (i = 0; i < l->sectors; i++)
		if (l->fua || !rnd || random_below(rnd, 100) < keep)
			memcpy(d->durable + ((l->sector + i) << HS_SECTOR_SHIFT),
			       l->data + ((size_t)i << HS_SECTOR_SHIFT), 1u << HS_SECTOR_SHIFT);
}

/* FLUSH: what had ended when it began. A failed one may lose it for good, though reads still see it. */
static void dev_flush(struct box_dev *d, u64 mark, bool failed)
{
	u32 i, left = 0;

	for (i = 0; i < d->nr_log; i++) {
		if (d->log[i].nr >= mark) {
			d->log[left++] = d->log[i];
			continue;
		}
		if (!failed || d->log[i].fua)
			log_apply(d, &d->log[i], NULL, 0);
		free(d->log[i].data);
	}
	d->nr_log = left;
}

static void dev_cut(struct box_dev *d, struct random *rnd, u32 keep)
{
	u32 i;

	for (i = 0; i < d->nr_log; i++)
		log_apply(d, &d->log[i], rnd, keep);
	dev_forget(d);
	memcpy(d->now, d->durable, d->bytes);
}

/* ---- I/O --------------------------------------------------------------------------------------------- */

static struct box_req *box_req_of(struct hs_req *r)
{
	return container_of(r, struct box_req, r);
}

static u8 *io_buffer(struct box *b, struct hs_req *r, struct hs_io *io)
{
	struct box_req *q = box_req_of(r);

	if (io->buf == HS_BUF_MEM)
		return (u8 *)io->mem + io->buf_off;
	if (io->buf == HS_BUF_CALLER)
		return q->data + io->buf_off;
	if (!q->block)
		q->block = calloc(1, hs_block_bytes(&b->sb.geo));
	return q->block + io->buf_off;
}

/* Where the caller's data stand in the block buffer. */
static u8 *box_place(struct box *b, struct box_req *q)
{
	u64 start = q->r.sector.nr & (hs_block_sectors(&b->sb.geo) - 1);

	return q->block + (start << HS_SECTOR_SHIFT);
}

static void io_sums(struct box *b, struct hs_io *io, const u8 *p)
{
	u32 i;

	for (i = 0; io->csum && i < io->csum_units; i++)
		io->csum[i] = hs_unit_crc(b->core, io->csum_first + i,
					  p + io->csum_skip + (size_t)i * HS_UNIT_BYTES);
}

static void io_write(struct box *b, struct box_io *f, struct hs_io *io)
{
	struct box_dev *d = &b->dev[io->dev];
	size_t bytes = (size_t)io->sectors << HS_SECTOR_SHIFT;
	u8 *to = d->now + (io->sector << HS_SECTOR_SHIFT);

	assert_true((io->sector + io->sectors) << HS_SECTOR_SHIFT <= d->bytes);
	if (io->op == HS_IO_WRITE) {
		u8 *p = io_buffer(b, f->req, io);

		if (io->flags & HS_IO_OVERLAY)
			memcpy(box_place(b, box_req_of(f->req)), box_req_of(f->req)->data,
			       (size_t)f->req->sectors << HS_SECTOR_SHIFT);
		io_sums(b, io, p);
		memcpy(to, p, bytes);
	} else {
		memset(to, 0, bytes);
	}
	dev_log(d, io->sector, io->sectors, io->flags & HS_IO_FUA);
}

static void io_read(struct box *b, struct box_io *f, struct hs_io *io)
{
	struct box_dev *d = &b->dev[io->dev];
	u8 *p = io_buffer(b, f->req, io);

	assert_true((io->sector + io->sectors) << HS_SECTOR_SHIFT <= d->bytes);
	memcpy(p, d->now + (io->sector << HS_SECTOR_SHIFT), (size_t)io->sectors << HS_SECTOR_SHIFT);
	io_sums(b, io, p);
}

static void io_perform(struct box *b, struct box_io *f, struct hs_io *io)
{
	b->count[io->dev][io->op]++;
	if (io->error && (io->op != HS_IO_FLUSH || !b->lossy))
		return;
	if (io->op == HS_IO_FLUSH)
		dev_flush(&b->dev[io->dev], f->mark, io->error);
	else if (io->op == HS_IO_READ)
		io_read(b, f, io);
	else
		io_write(b, f, io);
}

static s32 box_faulty(struct box *b, const struct hs_io *io)
{
	u32 i;

	for (i = 0; i < BOX_FAULTS; i++) {
		struct box_fault *t = &b->fault[i];

		if (!t->times || t->dev != io->dev || t->op != io->op ||
		    (t->sectors && (io->sector >= t->sector + t->sectors ||
				    t->sector >= io->sector + io->sectors)))
			continue;
		t->times -= t->times > 0;
		return -EIO;
	}
	return 0;
}

/* ---- stepping ---------------------------------------------------------------------------------------- */

static void box_submit(struct box *b, struct hs_req *r)
{
	u32 i;

	assert_true(r->nr_io > 0);
	for (i = 0; i < r->nr_io; i++) {
		assert_true(b->nr_io < BOX_IOS);
		b->io[b->nr_io++] = (struct box_io){ r, i, b->dev[r->io[i].dev].written };
		r->io[i].error = 1;	/* in flight */
	}
}

static void box_done(struct box *b, struct hs_req *r)
{
	struct box_req *q = box_req_of(r);

	if (r->op >= HS_OP_COUNT) {
		b->machine_done = true;	/* open, claim or stop */
		return;
	}
	assert_false(q->done);
	q->done = true;
	if (r->op == HS_OP_READ && (r->flags & HS_REQ_COPYOUT) && !r->error)
		memcpy(q->data, box_place(b, q), (size_t)r->sectors << HS_SECTOR_SHIFT);
}

static void box_step(struct box *b, struct hs_req *r, struct hs_list *run)
{
	struct hs_out out;
	enum hs_step_result ret;

	assert_true(++b->steps < BOX_STEPS);
	hs_out_init(&out);
	ret = hs_step(b->core, r, &out);
	if (ret == HS_IO)
		box_submit(b, r);
	if (ret == HS_DONE)
		box_done(b, r);
	if (ret == HS_AGAIN)
		hs_list_add_tail(run, &r->link);
	if (ret != HS_WAIT && (r->flags & HS_REQ_ANSWER) && r->op < HS_OP_COUNT) {
		r->flags &= ~HS_REQ_ANSWER;
		box_req_of(r)->answered = true;
	}
	if (out.kick)
		hs_kick(b->core, out.kick, &out);
	hs_list_splice_tail(run, &out.run);
}

static void box_step_all(struct box *b, struct hs_list *run)
{
	while (!hs_list_empty(run)) {
		struct hs_list *l = run->next;

		hs_list_del(l);
		box_step(b, hs_list_entry(l, struct hs_req, link), run);
	}
}

static void box_go(struct box *b, struct hs_req *r)
{
	struct hs_list run;

	hs_list_init(&run);
	hs_list_init(&r->link);
	hs_list_add_tail(&run, &r->link);
	box_step_all(b, &run);
}

void box_control(struct box *b, struct hs_out *out)
{
	if (out->kick)
		hs_kick(b->core, out->kick, out);
	b->steps = 0;
	box_step_all(b, &out->run);
}

void box_drain(struct box *b, bool on)
{
	struct hs_out out;

	hs_out_init(&out);
	hs_core_drain(b->core, on, &out);
	box_control(b, &out);
}

void box_fail(struct box *b, u32 index, s32 error)
{
	struct box_io f = b->io[index];
	struct hs_io *io = &f.req->io[f.index];
	u32 i;

	assert_true(index < b->nr_io);
	memmove(&b->io[index], &b->io[index + 1], (--b->nr_io - index) * sizeof(f));
	io->error = error;
	io_perform(b, &f, io);
	b->steps = 0;
	for (i = 0; i < f.req->nr_io; i++)
		if (f.req->io[i].error > 0)
			return;
	box_go(b, f.req);
}

void box_end(struct box *b, u32 index)
{
	box_fail(b, index, box_faulty(b, &b->io[index].req->io[b->io[index].index]));
}

static bool box_is_held(const struct box *b, u32 i)
{
	const struct hs_io *io = &b->io[i].req->io[b->io[i].index];

	return b->held >> (8 * io->dev + io->op) & 1;
}

void box_run(struct box *b)
{
	u32 i = 0, n = 0;

	while (i < b->nr_io) {
		if (box_is_held(b, i)) {
			i++;
			continue;
		}
		assert_true(++n < BOX_STEPS);
		box_end(b, i);
		i = 0;
	}
}

int box_find(const struct box *b, int dev, int op)
{
	u32 i;

	for (i = 0; i < b->nr_io; i++) {
		const struct hs_io *io = &b->io[i].req->io[b->io[i].index];

		if (io->dev == dev && io->op == op)
			return (int)i;
	}
	return -1;
}

void box_end_one(struct box *b, int dev, int op)
{
	int i = box_find(b, dev, op);

	assert_true(i >= 0);
	box_end(b, (u32)i);
}

void box_hold(struct box *b, int dev, int op)
{
	b->held |= 1u << (8 * dev + op);
}

void box_let(struct box *b)
{
	b->held = 0;
}

void box_tick(struct box *b, u64 ms)
{
	struct hs_out out;

	b->now += ms * 1000000;
	hs_out_init(&out);
	hs_tick(b->core, b->now, &out);
	box_control(b, &out);
}

void box_ticks(struct box *b, u32 n, u64 ms)
{
	while (n--) {
		box_tick(b, ms);
		box_run(b);
	}
}

void box_fault(struct box *b, int dev, int op, u64 sector, u64 sectors, s32 times)
{
	u32 i = 0;

	while (b->fault[i].times)
		assert_true(++i < BOX_FAULTS);
	b->fault[i] = (struct box_fault){ (u8)dev, (u8)op, sector, sectors, times };
}

void box_no_faults(struct box *b)
{
	memset(b->fault, 0, sizeof(b->fault));
}

/* ---- life ---------------------------------------------------------------------------------------------- */

static void box_format(struct box *b)
{
	struct hs_format_job job;
	u8 *buffer = malloc(HS_FORMAT_BUFFER);
	enum hs_step_result ret;
	u32 i;

	hs_format_start(&job, &b->sb, buffer);
	while ((ret = hs_format_step(&job)) != HS_DONE) {
		for (i = 0; ret == HS_IO && i < job.req.nr_io; i++) {
			struct box_io f = { &job.req, i, b->dev[HS_CACHE].written };

			job.req.io[i].error = 0;
			io_perform(b, &f, &job.req.io[i]);
		}
	}
	assert_int_equal(job.req.error, 0);
	free(buffer);
}

void box_geometry(struct hs_geometry_wish *wish, u32 block_size, u32 nsets)
{
	memset(wish, 0, sizeof(*wish));
	wish->block_size = block_size;
	wish->assoc = 16;
	wish->consecutive = 4;
	wish->max_slots = 16ull * nsets;
	wish->journal_bytes = 256 * HS_KIB;
	wish->cache_bytes = HS_MIB + (u64)block_size * 16 * nsets;
	wish->origin_bytes = (u64)block_size * 16 * nsets * 4;
}

void box_init(struct box *b, const struct hs_geometry_wish *wish, enum hs_mode mode)
{
	const char *why = NULL;

	memset(b, 0, sizeof(*b));
	random_seed(&b->rnd, 1);
	if (hs_geometry_choose(wish, &b->sb.geo, &why))
		fail_msg("%s", why);
	b->sb.mode = (u8)mode;
	b->sb.incompat = b->sb.geo.checksums ? HS_INCOMPAT_CHECKSUMS : 0;
	memset(b->sb.uuid, 0x5a, HS_UUID_BYTES);
	dev_init(&b->dev[HS_CACHE], wish->cache_bytes);
	dev_init(&b->dev[HS_ORIGIN], wish->origin_bytes & ~511ull);
	box_format(b);
}

void box_start(struct box *b, u32 block_size, u32 nsets, enum hs_mode mode)
{
	struct hs_geometry_wish wish;

	box_geometry(&wish, block_size, nsets);
	box_init(b, &wish, mode);
	box_must_open(b);
}

void box_close(struct box *b)
{
	free(b->mem);
	b->mem = NULL;
	b->core = NULL;
	b->nr_io = 0;
	box_let(b);
}

void box_destroy(struct box *b)
{
	int i;

	if (b->core)
		box_check(b);
	box_close(b);
	for (i = 0; i < 2; i++) {
		dev_forget(&b->dev[i]);
		free(b->dev[i].log);
		free(b->dev[i].now);
		free(b->dev[i].durable);
	}
}

/* Runs one of the requests that the core itself owns to its end. */
static int box_own(struct box *b, struct hs_req *r)
{
	b->steps = 0;
	b->machine_done = false;
	box_go(b, r);
	box_run(b);
	assert_true(b->machine_done);
	return r->error;
}

int box_load(struct box *b, s32 mode)
{
	struct hs_core_opts opts = {
		.shards = b->shards, .mode = mode, .now = b->now, .cache_fua = b->cache_fua,
	};
	const u8 *dev = b->dev[HS_CACHE].now;
	unsigned int bad;
	struct hs_sb sb;
	size_t size;
	int err = hs_sb_pick(dev + HS_SB_OFFSET(0), dev + HS_SB_OFFSET(1), &sb, &bad);

	if (err)
		return err;
	size = hs_round_up(hs_core_size(&sb.geo, &opts), HS_PAGE);
	b->mem = aligned_alloc(HS_PAGE, size);
	memset(b->mem, 0xa5, size);
	b->core = hs_core_init(b->mem, &sb, &opts);
	return box_own(b, hs_core_open(b->core));
}

int box_open(struct box *b, s32 mode)
{
	int err = box_load(b, mode);

	return err ? err : box_own(b, hs_core_claim(b->core));
}

void box_must_open(struct box *b)
{
	int err = box_open(b, -1);

	if (err)
		fail_msg("open: %d, %s", err, hs_core_open_why(b->core));
}

void box_cut(struct box *b, u32 keep)
{
	u32 i;

	/* Writes in flight may have reached the media in part. */
	for (i = 0; i < b->nr_io; i++) {
		struct hs_io *io = &b->io[i].req->io[b->io[i].index];

		if (io->op != HS_IO_READ && io->op != HS_IO_FLUSH && random_below(&b->rnd, 2)) {
			io->flags &= (u8)~HS_IO_FUA;
			io_write(b, &b->io[i], io);
		}
	}
	box_close(b);
	dev_cut(&b->dev[HS_CACHE], &b->rnd, keep);
	dev_cut(&b->dev[HS_ORIGIN], &b->rnd, keep);
}

void box_reopen(struct box *b, u32 keep)
{
	box_cut(b, keep);
	box_must_open(b);
}

/* Half of the clean stop. */
int box_stop_half(struct box *b, bool mark)
{
	struct hs_out out;
	struct hs_req *r;

	hs_out_init(&out);
	b->machine_done = false;
	r = mark ? hs_core_mark_clean(b->core, 0x1234, &out) : hs_core_stop(b->core, &out);
	box_control(b, &out);
	box_run(b);
	assert_true(b->machine_done);
	return r->error;
}

int box_stop(struct box *b)
{
	int err = box_stop_half(b, false);

	if (!err)
		err = box_stop_half(b, true);
	box_check(b);
	box_close(b);
	return err;
}

/* ---- requests ------------------------------------------------------------------------------------------ */

void box_begin(struct box *b, struct box_req *q, enum hs_op op, u64 sector, u32 sectors, u32 flags)
{
	size_t bytes = (size_t)sectors << HS_SECTOR_SHIFT;

	memset(q, 0, sizeof(*q));
	q->data = calloc(1, bytes + 1);
	q->r.op = (u8)op;
	q->r.flags = flags;
	q->r.sector.nr = sector;
	q->r.sectors = sectors;
	hs_req_init(b->core, &q->r, q->csum);
	b->steps = 0;
	box_go(b, &q->r);
}

void box_begin_write(struct box *b, struct box_req *q, u64 sector, u32 sectors, u64 value, u32 flags)
{
	size_t bytes = (size_t)sectors << HS_SECTOR_SHIFT;
	u8 *data = malloc(bytes + 1);

	box_pattern(data, sector, sectors, value);
	memset(q, 0, sizeof(*q));
	q->data = data;
	q->r.op = HS_OP_WRITE;
	q->r.flags = flags;
	q->r.sector.nr = sector;
	q->r.sectors = sectors;
	hs_req_init(b->core, &q->r, q->csum);
	b->steps = 0;
	box_go(b, &q->r);
}

void box_drop(struct box_req *q)
{
	free(q->data);
	free(q->block);
	q->data = NULL;
	q->block = NULL;
}

/* Runs all, and the clock if need be: for half a minute and a bit. */
static int box_finish(struct box *b, struct box_req *q)
{
	u32 i;

	box_run(b);
	for (i = 0; !q->done && i < 400; i++)
		box_ticks(b, 1, 100);
	if (!q->done)
		fail_msg("a request of kind %u at %llu hangs", q->r.op,
			 (unsigned long long)q->r.sector.nr);
	return q->r.error;
}

int box_write(struct box *b, u64 sector, u32 sectors, u64 value, u32 flags)
{
	struct box_req q;
	int err;

	box_begin_write(b, &q, sector, sectors, value, flags);
	err = box_finish(b, &q);
	box_drop(&q);
	return err;
}

int box_op(struct box *b, enum hs_op op, u64 sector, u32 sectors, u32 flags)
{
	struct box_req q;
	int err;

	box_begin(b, &q, op, sector, sectors, flags);
	err = box_finish(b, &q);
	box_drop(&q);
	return err;
}

int box_flush(struct box *b)
{
	return box_op(b, HS_OP_FLUSH, 0, 0, 0);
}

int box_read_error(struct box *b, u64 sector, u32 sectors)
{
	return box_op(b, HS_OP_READ, sector, sectors, 0);
}

void box_expect(struct box *b, u64 sector, u32 sectors, u64 value)
{
	struct box_req q;
	u32 i;

	box_begin(b, &q, HS_OP_READ, sector, sectors, 0);
	if (box_finish(b, &q))
		fail_msg("read at %llu: %d", (unsigned long long)sector, q.r.error);
	for (i = 0; i < sectors; i++) {
		u64 v = box_value(q.data + ((size_t)i << HS_SECTOR_SHIFT), sector + i);

		if (v != value)
			fail_msg("sector %llu: %lld, not %llu", (unsigned long long)(sector + i),
				 (long long)v, (unsigned long long)value);
	}
	box_drop(&q);
}

/* ---- looking ----------------------------------------------------------------------------------------- */

void box_pattern(u8 *data, u64 sector, u32 sectors, u64 value)
{
	u64 *p = (u64 *)(void *)data;
	u32 i, k;

	for (i = 0; i < sectors; i++)
		for (k = 0; k < 64; k++)
			*p++ = value ? value << 32 | (sector + i) : 0;
}

u64 box_value(const u8 *data, u64 sector)
{
	u64 first, v;
	u32 k;

	memcpy(&first, data, 8);
	for (k = 1; k < 64; k++) {
		memcpy(&v, data + 8 * (size_t)k, 8);
		if (v != first)
			return ~0ull;
	}
	if (first && (u32)first != (u32)sector)
		return ~0ull;
	return first >> 32;
}

void box_counters(struct box *b, struct hs_counters *n)
{
	s32 i;

	memset(n, 0, sizeof(*n));
	for (i = 0; i <= hs_journal_domain(b->core); i++)
		hs_core_count(b->core, i, n);
}

int box_slot(struct box *b, u64 block)
{
	u32 set = hs_block_set(&b->sb.geo, block);
	u16 way = hs_set_find(b->core, hs_set_at(b->core, set), block);

	return way == HS_NIL ? -1 : (int)hs_slot_of(b->core, set, way).nr;
}

u16 box_state(struct box *b, u64 block)
{
	int slot = box_slot(b, block);

	assert_true(slot >= 0);
	return hs_set_at(b->core, (u32)slot >> b->sb.geo.assoc_shift)
		->way[(u32)slot & (hs_assoc(&b->sb.geo) - 1)].state;
}

u8 *box_slot_data(struct box *b, u32 slot)
{
	return b->dev[HS_CACHE].now + b->sb.geo.data_offset + ((u64)slot << b->sb.geo.block_shift);
}

void box_rot(struct box *b, int dev, u64 byte)
{
	b->dev[dev].now[byte] ^= 4;
	b->dev[dev].durable[byte] ^= 4;
}

/* What hs_core_recount leaves out: the set's own numbers, and what FLUSH and the origin's flush go by. */
struct box_recount {
	u32 unnamed, hold[2], dirty, sole;
};

/* Versions of a block stand newest first: nothing durable, nor on its way to be, before its current data. */
static void check_order(struct box *b, struct hs_set *st, u16 way)
{
	u16 w = hs_set_find_any(b->core, st, hs_tag(b->core, st, way), HS_NIL);

	for (; w != way; w = hs_set_find_any(b->core, st, hs_tag(b->core, st, way), w)) {
		assert_true(w != HS_NIL);
		assert_false(st->way[w].state & (HS_S_DUR | HS_S_IN_TX));
	}
}

/* Each slot with the flag is on the list. Some may be there twice, or without it: see hs_todo_inherit. */
static void check_todo(struct box *b, struct hs_shard *sh)
{
	u32 first = sh->first_set << b->sb.geo.assoc_shift, nr = sh->nsets << b->sb.geo.assoc_shift, i;
	bool *listed = calloc(nr, sizeof(*listed));

	for (i = 0; i < sh->todo.count; i++)
		listed[sh->todo.ring[(sh->todo.head + i) & sh->todo.mask] - first] = true;
	for (i = 0; i < nr; i++)
		if (hs_set_at(b->core, (first + i) >> b->sb.geo.assoc_shift)->way[i & (b->core->ways - 1)].state & HS_S_TODO)
			assert_true(listed[i]);
	free(listed);
}

static void check_set(struct box *b, u32 set, struct box_recount *n)
{
	struct hs_set *st = hs_set_at(b->core, set);
	u32 free = 0, retired = 0, held = 0, dirty = 0, i;

	for (i = 0; i < hs_assoc(&b->sb.geo); i++) {
		u16 s = st->way[i].state;
		enum hs_cur cur = hs_cur(s);

		free += cur == HS_FREE;
		retired += cur == HS_RETIRED;
		dirty += cur == HS_DIRTY || cur == HS_INPLACE;
		held += !!(s & HS_S_HOLD);
		n->dirty += hs_cur_dirty(cur);
		n->sole += hs_slot_sole(s);
		n->unnamed += hs_cur_dirty(cur) && hs_dur(s) == HS_D_NONE;
		if (s & HS_S_HOLD)
			n->hold[!!(s & HS_S_PHASE)]++;
		if (hs_cur_named(cur) && !hs_core_failed(b->core))
			check_order(b, st, (u16)i);
		assert_int_equal(hs_bit(hs_held(b->core, st), i), !!(s & HS_S_HOLD));
	}
	assert_int_equal(hs_nfree(st), free);
	assert_int_equal(hs_nretired(st), retired);
	assert_int_equal(st->nheld, held);
	assert_int_equal(hs_nwork(st), dirty);
}

static void check_shard(struct box *b, u32 shard)
{
	struct hs_shard *sh = &b->core->shards[shard];
	struct box_recount n = { 0 };
	struct hs_counters a = { 0 }, r = { 0 };
	u32 i;

	hs_core_count(b->core, (s32)shard, &a);
	hs_core_recount(b->core, (s32)shard, &r);
	assert_int_equal(a.used, r.used);
	assert_int_equal(a.dirty, r.dirty);
	assert_int_equal(a.free, r.free);
	assert_int_equal(a.retired, r.retired);
	assert_int_equal(a.lost, r.lost);
	for (i = 0; i < sh->nsets; i++)
		check_set(b, sh->first_set + i, &n);
	assert_int_equal(sh->unnamed, n.unnamed);
	assert_int_equal(sh->sole, n.sole);
	assert_int_equal(sh->hold[0], n.hold[0]);
	assert_int_equal(sh->hold[1], n.hold[1]);
	assert_int_equal(hs_shard_dirty(sh), n.dirty);
	check_todo(b, sh);
}

void box_check(struct box *b)
{
	u32 i;

	for (i = 0; i < b->core->nr_shards; i++)
		check_shard(b, i);
	/* On a failed cache nothing is committed any more. */
	if (!hs_core_failed(b->core))
		assert_int_equal(sim_inside_forgotten(b->core), HS_NOSET);
}
