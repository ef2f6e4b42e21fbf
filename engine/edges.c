// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Transfers that the medium does not take as they are (engine/target.h), in pieces of COPY_MAX or
 * less:
 *
 *	units       |       |       |       |
 *	the caller      |--- take ----|
 *	the piece   |skip|            |  |		length: whole units
 */
#include <stdlib.h>

#include "engine/target.h"

#define COPY_MAX	(1024u * 1024u)

int hs_edges_init(struct hs_edges *e, uint32_t unit, uint32_t mem_align)
{
	pthread_rwlockattr_t attr;
	int ret;

	e->unit = unit;
	e->mem_align = mem_align;
	/* The default would let a steady stream of whole-unit writes starve the others. */
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	ret = pthread_rwlock_init(&e->lock, &attr);
	pthread_rwlockattr_destroy(&attr);
	return -ret;
}

void hs_edges_destroy(struct hs_edges *e)
{
	pthread_rwlock_destroy(&e->lock);
}

/* The part of [offset, offset + count) that one private copy serves, rounded out to units. */
struct piece {
	uint64_t start, length;	/* whole units */
	size_t skip, take;	/* the caller's bytes in it */
};

static struct piece piece_at(const struct hs_edges *e, size_t count, uint64_t offset)
{
	struct piece p;

	p.start = offset & ~(uint64_t)(e->unit - 1);
	p.skip = offset - p.start;
	p.take = hs_min(count, COPY_MAX - p.skip);
	p.length = hs_round_up(p.skip + p.take, e->unit);
	return p;
}

static void *piece_buffer(const struct hs_edges *e, size_t count)
{
	size_t align = hs_max(hs_max(e->unit, e->mem_align), sizeof(void *));

	/* Rounded out at both ends. */
	return aligned_alloc(align, hs_min(hs_round_up(count + e->unit, align), COPY_MAX));
}

int hs_edges_pread(struct hs_edges *e, struct hs_target *t, void *buf, size_t count,
		   uint64_t offset)
{
	uint8_t *copy, *to = buf;
	struct piece p;
	int ret = 0;

	copy = piece_buffer(e, count);
	if (!copy)
		return -ENOMEM;

	for (; count && !ret; offset += p.take, to += p.take, count -= p.take) {
		p = piece_at(e, count, offset);
		ret = e->read(t, copy, p.length, p.start);
		if (!ret)
			memcpy(to, copy + p.skip, p.take);
	}
	free(copy);
	return ret;
}

/* Reads what the caller does not replace of the first and the last unit. */
static int piece_read_edges(struct hs_edges *e, struct hs_target *t, uint8_t *copy,
			    const struct piece *p)
{
	uint64_t last = p->length - e->unit;
	bool tail = p->skip + p->take < p->length;
	int ret = 0;

	if (p->skip || (tail && !last))
		ret = e->read(t, copy, e->unit, p->start);
	if (!ret && tail && last)
		ret = e->read(t, copy + last, e->unit, p->start + last);
	return ret;
}

static int piece_write(struct hs_edges *e, struct hs_target *t, uint8_t *copy, const uint8_t *from,
		       const struct piece *p, bool fua)
{
	int ret;

	ret = piece_read_edges(e, t, copy, p);
	if (ret)
		return ret;
	memcpy(copy + p->skip, from, p->take);
	return e->write(t, copy, p->length, p->start, fua);
}

static int pieces_write(struct hs_edges *e, struct hs_target *t, const uint8_t *from, size_t count,
			uint64_t offset, bool fua)
{
	uint8_t *copy;
	struct piece p;
	int ret = 0;

	copy = piece_buffer(e, count);
	if (!copy)
		return -ENOMEM;

	for (; count && !ret; offset += p.take, from += p.take, count -= p.take) {
		p = piece_at(e, count, offset);
		ret = piece_write(e, t, copy, from, &p, fua);
	}
	free(copy);
	return ret;
}

int hs_edges_pwrite(struct hs_edges *e, struct hs_target *t, const void *buf, size_t count,
		    uint64_t offset, bool fua)
{
	int ret;

	if (!hs_edges_whole(e, count, offset)) {
		pthread_rwlock_wrlock(&e->lock);
		ret = pieces_write(e, t, buf, count, offset, fua);
		pthread_rwlock_unlock(&e->lock);
		return ret;
	}

	hs_edges_share(e);
	if (hs_edges_fit(e, buf, count, offset))
		ret = e->write(t, buf, count, offset, fua);
	else
		ret = pieces_write(e, t, buf, count, offset, fua);
	hs_edges_unshare(e);
	return ret;
}

void hs_edges_share(struct hs_edges *e)
{
	if (e->unit > 512)
		pthread_rwlock_rdlock(&e->lock);
}

void hs_edges_unshare(struct hs_edges *e)
{
	if (e->unit > 512)
		pthread_rwlock_unlock(&e->lock);
}

/* ---- doubt, for the same callers ------------------------------------------------------------- */

int hs_doubt_end(struct hs_doubt *d, uint64_t begin, int error)
{
	uint64_t now, told;

	if (error)
		hs_doubt_raise(d);
	now = atomic_load(&d->raised);
	if (now == begin)
		return error;

	told = atomic_load(&d->told);
	while (told < now && !atomic_compare_exchange_weak(&d->told, &told, now))
		;
	return error ? error : -EIO;
}

int hs_doubt_fua_end(struct hs_doubt *d, uint64_t begin, int error)
{
	if (error)
		hs_doubt_raise(d);
	else if (atomic_load(&d->raised) != begin)
		error = -EIO;
	return error;
}
