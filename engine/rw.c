// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Reads, writes, flushes, discards, zeroings of any length: cut at block boundaries into calls, a
 * window of them in flight at once. The parts are independent: one that has to wait does not hold
 * up the others.
 */
#include "engine/dev.h"

/* What is left of a request. */
struct hs_todo {
	u8 op;
	u32 flags;		/* HS_REQ_* */
	u8 *data;		/* the caller's, or NULL */
	struct hs_source *source;	/* of one part's data, or NULL */
	u64 sector, left;	/* sectors */
};

static u32 hs_todo_part(const struct hs_core *core, const struct hs_todo *todo)
{
	switch (todo->op) {
	case HS_OP_READ:
	case HS_OP_WRITE:
		return hs_block_limit(core, todo->sector, todo->left);
	case HS_OP_DISCARD:
	case HS_OP_ZERO:
		return (u32)hs_range_limit(core, todo->sector, todo->left);
	}
	return 0;
}

static struct hs_call *hs_todo_call(struct hs_exec *x, const struct hs_todo *todo, u32 sectors)
{
	struct hs_call *call = hs_call_get(x);

	if (!call)
		return NULL;
	call->data = todo->data;
	call->source = todo->source;
	call->req.op = todo->op;
	call->req.flags = todo->flags;
	call->req.sector.nr = todo->sector;
	call->req.sectors = sectors;
	return call;
}

static int hs_todo_submit(struct hs_hands *h, struct hs_todo *todo)
{
	struct hs_exec *x = &h->run->x;
	u32 sectors = hs_todo_part(x->core, todo);
	struct hs_call *call = hs_todo_call(x, todo, sectors);

	if (!call)
		return -ENOMEM;
	hs_hands_submit(h, call);
	if (todo->data)
		todo->data += (size_t)sectors << HS_SECTOR_SHIFT;
	todo->sector += sectors;
	todo->left -= sectors;
	return 0;
}

/* Runs one window. h->again holds the zeroings that are to be done as writes. */
static int hs_todo_window(struct hs_dev *dev, struct hs_hands *h, struct hs_todo *todo)
{
	u32 parts = 0;
	int ret, submitted;

	hs_hands_init(h, &dev->run);
	do
		submitted = hs_todo_submit(h, todo);
	while (!submitted && ++parts < dev->window && todo->left);
	h->commits = parts == 1 && todo->flags & HS_REQ_FUA;
	ret = hs_hands_finish(h);
	return ret ? ret : submitted;
}

static int hs_todo_run(struct hs_dev *dev, struct hs_todo todo)
{
	struct hs_hands h;
	int ret = 0;

	while (!ret && todo.left)
		ret = hs_todo_window(dev, &h, &todo);
	return ret;
}

/* ---- requests -------------------------------------------------------------------------------- */

static bool hs_dev_range_ok(const struct hs_dev *dev, u64 count, u64 offset)
{
	return !((count | offset) & 511) && offset <= dev->size && count <= dev->size - offset;
}

static u32 hs_dev_flags(u32 flags)
{
	return (flags & HS_FUA ? HS_REQ_FUA : 0) | (flags & HS_NO_INSERT ? HS_REQ_SEQUENTIAL : 0);
}

/* Streams are noted whole, before they are cut. */
static u32 hs_dev_stream(struct hs_dev *dev, u64 sector, u64 sectors)
{
	u64 cutoff = hs_peek(dev->seq_cutoff);
	bool long_one;

	if (likely(!cutoff))
		return 0;
	hs_mutex_lock(&dev->streams_lock);
	long_one = hs_streams_note(&dev->streams, sector, sectors, cutoff);
	hs_mutex_unlock(&dev->streams_lock);
	return long_one ? HS_REQ_SEQUENTIAL : 0;
}

/* Within one block, and likely a hit. */
static int hs_dev_read_block(struct hs_dev *dev, const struct hs_todo *todo)
{
	struct hs_call *call = hs_todo_call(&dev->run.x, todo, (u32)todo->left);
	struct hs_hands h;

	if (!call)
		return -ENOMEM;
	hs_hands_init(&h, &dev->run);
	return hs_hands_read(&h, call);
}

static bool hs_todo_in_block(const struct hs_exec *x, const struct hs_todo *todo)
{
	u32 sectors = x->block_bytes >> HS_SECTOR_SHIFT;

	return todo->left && todo->left <= sectors - (todo->sector & (sectors - 1));
}

static int hs_dev_rw(struct hs_dev *dev, u8 op, u8 *data, size_t count, u64 offset, u32 flags)
{
	struct hs_todo todo = {
		.op = op,
		.flags = hs_dev_flags(flags),
		.data = data,
		.sector = offset >> HS_SECTOR_SHIFT,
		.left = count >> HS_SECTOR_SHIFT,
	};

	if (!hs_dev_range_ok(dev, count, offset))
		return -EINVAL;
	todo.flags |= hs_dev_stream(dev, todo.sector, todo.left);
	if (op == HS_OP_READ && hs_todo_in_block(&dev->run.x, &todo))
		return hs_dev_read_block(dev, &todo);
	return hs_todo_run(dev, todo);
}

u64 hs_dev_size(const struct hs_dev *dev)
{
	return dev->size;
}

int hs_dev_pread(struct hs_dev *dev, void *buf, size_t count, u64 offset, u32 flags)
{
	return hs_dev_rw(dev, HS_OP_READ, buf, count, offset, flags & ~HS_FUA);
}

int hs_dev_pwrite(struct hs_dev *dev, const void *buf, size_t count, u64 offset, u32 flags)
{
	/* Never written to: struct hs_call has one pointer for both directions. */
	return hs_dev_rw(dev, HS_OP_WRITE, (u8 *)(uintptr_t)buf, count, offset, flags);
}

int hs_dev_write_from(struct hs_dev *dev, struct hs_source *source, u32 count, u64 offset)
{
	struct hs_todo todo = {
		.op = HS_OP_WRITE,
		.flags = HS_REQ_FUA,
		.source = source,
		.sector = offset >> HS_SECTOR_SHIFT,
		.left = count >> HS_SECTOR_SHIFT,
	};

	return hs_todo_run(dev, todo);
}

int hs_dev_flush(struct hs_dev *dev)
{
	struct hs_todo todo = { .op = HS_OP_FLUSH };
	struct hs_hands h;
	int ret;

	hs_hands_init(&h, &dev->run);
	h.commits = true;
	ret = hs_todo_submit(&h, &todo);
	return ret ? ret : hs_hands_finish(&h);
}

/* ---- ranges: whole blocks and their ragged ends ---------------------------------------------- */

struct hs_cut {
	u64 first, whole, after, end;	/* sectors: whole blocks are [whole, after) */
};

static void hs_dev_cut(const struct hs_dev *dev, u64 count, u64 offset, struct hs_cut *cut)
{
	u64 block = dev->run.x.block_bytes >> HS_SECTOR_SHIFT, size = dev->size >> HS_SECTOR_SHIFT;

	cut->first = offset >> HS_SECTOR_SHIFT;
	cut->end = (offset + count) >> HS_SECTOR_SHIFT;
	cut->whole = hs_min(hs_round_up(cut->first, block), cut->end);
	/* The last block of the origin may be short, and is whole all the same. */
	cut->after = cut->end == size ? cut->end : cut->end & ~(block - 1);
	if (cut->after < cut->whole)
		cut->after = cut->whole;
}

int hs_dev_discard(struct hs_dev *dev, u64 count, u64 offset, u32 flags)
{
	struct hs_todo todo = { .op = HS_OP_DISCARD, .flags = hs_dev_flags(flags) };
	struct hs_cut cut;

	if (!hs_dev_range_ok(dev, count, offset))
		return -EINVAL;
	hs_dev_cut(dev, count, offset, &cut);
	todo.sector = cut.whole;
	todo.left = cut.after - cut.whole;
	return hs_todo_run(dev, todo);
}

static int hs_dev_write_zeroes(struct hs_dev *dev, u64 sector, u64 sectors, u32 flags)
{
	struct hs_todo todo = {
		.op = HS_OP_WRITE,
		.flags = flags | HS_REQ_ZEROES,
		.sector = sector,
		.left = sectors,
	};

	return hs_todo_run(dev, todo);
}

/* Zeroings that found a dirty block: it takes the zeroes as any write. */
static int hs_dev_zero_again(struct hs_dev *dev, struct hs_hands *h)
{
	int ret = 0;

	while (!hs_list_empty(&h->again)) {
		struct hs_call *call =
			hs_call_of(hs_list_entry(h->again.next, struct hs_req, link));
		u64 sector = call->req.sector.nr, sectors = call->req.sectors;
		u32 flags = call->req.flags & (HS_REQ_FUA | HS_REQ_SEQUENTIAL);

		hs_list_del(&call->req.link);
		hs_call_put(&dev->run.x, call);
		if (!ret)
			ret = hs_dev_write_zeroes(dev, sector, sectors, flags);
	}
	return ret;
}

static int hs_dev_zero_blocks(struct hs_dev *dev, struct hs_todo todo)
{
	int ret = 0;

	while (!ret && todo.left) {
		struct hs_hands h;
		int again;

		ret = hs_todo_window(dev, &h, &todo);
		again = hs_dev_zero_again(dev, &h);
		ret = ret ? ret : again;
	}
	return ret;
}

int hs_dev_zero(struct hs_dev *dev, u64 count, u64 offset, u32 flags)
{
	struct hs_todo todo = { .op = HS_OP_ZERO, .flags = hs_dev_flags(flags) };
	struct hs_cut cut;
	int ret;

	if (!hs_dev_range_ok(dev, count, offset))
		return -EINVAL;
	hs_dev_cut(dev, count, offset, &cut);
	todo.sector = cut.whole;
	todo.left = cut.after - cut.whole;
	ret = hs_dev_write_zeroes(dev, cut.first, cut.whole - cut.first, todo.flags);
	if (!ret)
		ret = hs_dev_zero_blocks(dev, todo);
	if (!ret)
		ret = hs_dev_write_zeroes(dev, cut.after, cut.end - cut.after, todo.flags);
	return ret;
}
