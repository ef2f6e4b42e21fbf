// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * An NBD export as a target: keeps to what the server allows, and makes up for what it cannot do.
 */
#include <stdlib.h>

#include "engine/nbd_pool.h"

/* Trims and zeroings carry no data. Much longer ones would keep a server busy for too long. */
#define RANGE_MAX	(128u * HS_MIB)

struct hs_nbd {
	struct hs_target t;
	struct hs_nbd_pool *pool;
	const struct hs_nbd_export *export;
	struct hs_edges edges;
	char *name;
};

static inline struct hs_nbd *to_nbd(struct hs_target *t)
{
	return container_of(t, struct hs_nbd, t);
}

/* Callers of a target know lost connections as failed I/O. */
static int lost_is_eio(int ret)
{
	return ret == -ENOTCONN ? -EIO : ret;
}

/* In pieces of at most max bytes. */
static int nbd_pieces(struct hs_nbd *n, enum hs_nbd_op op, uint8_t *buf, uint64_t count,
		      uint64_t offset, bool fua, uint32_t max)
{
	uint64_t piece;
	int ret = 0;

	for (; count && !ret; count -= piece, offset += piece) {
		piece = hs_min(count, max);
		ret = hs_nbd_pool_call(n->pool, op, buf, piece, offset, fua);
		if (buf)
			buf += piece;
	}
	return ret;
}

/*
 * A durable write or zeroing: by the server's FUA, else by a FLUSH after it. A connection lost
 * between the two shows as doubt, for the write was acknowledged and not flushed.
 */
static int nbd_durable(struct hs_nbd *n, enum hs_nbd_op op, uint8_t *buf, uint64_t count,
		       uint64_t offset, uint32_t max)
{
	struct hs_doubt *doubt = hs_nbd_pool_doubt(n->pool);
	uint64_t begin = hs_doubt_fua_begin(doubt);
	bool native = n->export->can_fua;
	int ret;

	ret = nbd_pieces(n, op, buf, count, offset, native, max);
	if (!ret && !native && n->export->can_flush)
		ret = hs_nbd_pool_flush(n->pool);
	/* Of a lost connection the pool itself raises what there is to raise. */
	if (ret == -ENOTCONN || ret == -EOPNOTSUPP)
		return ret;
	return hs_doubt_fua_end(doubt, begin, ret);
}

static int nbd_raw_read(struct hs_target *t, void *buf, size_t count, uint64_t offset)
{
	struct hs_nbd *n = to_nbd(t);

	return lost_is_eio(nbd_pieces(n, HS_NBD_READ, buf, count, offset, false, n->export->max));
}

static int nbd_raw_write(struct hs_target *t, const void *buf, size_t count, uint64_t offset,
			 bool fua)
{
	struct hs_nbd *n = to_nbd(t);
	uint32_t max = n->export->max;

	if (fua)
		return lost_is_eio(nbd_durable(n, HS_NBD_WRITE, (void *)buf, count, offset, max));
	return lost_is_eio(nbd_pieces(n, HS_NBD_WRITE, (void *)buf, count, offset, false, max));
}

static int nbd_pread(struct hs_target *t, void *buf, size_t count, uint64_t offset)
{
	struct hs_nbd *n = to_nbd(t);

	if (!hs_target_takes(t, count, offset))
		return -EINVAL;
	if (!hs_edges_fit(&n->edges, buf, count, offset))
		return hs_edges_pread(&n->edges, t, buf, count, offset);
	return nbd_raw_read(t, buf, count, offset);
}

static int nbd_pwrite(struct hs_target *t, const void *buf, size_t count, uint64_t offset, bool fua)
{
	if (!hs_target_takes(t, count, offset))
		return -EINVAL;
	return hs_edges_pwrite(&to_nbd(t)->edges, t, buf, count, offset, fua);
}

static int nbd_flush(struct hs_target *t)
{
	struct hs_nbd *n = to_nbd(t);
	struct hs_doubt *doubt = hs_nbd_pool_doubt(n->pool);
	uint64_t begin = hs_doubt_begin(doubt);
	int ret;

	/* A server without FLUSH has nothing to flush: the meaning the protocol gives it. */
	if (!n->export->can_flush)
		return 0;
	ret = hs_nbd_pool_flush(n->pool);
	/* Nobody answered: that tells nothing of what a server may have lost before. */
	if (ret == -ENOTCONN)
		return -EIO;
	return hs_doubt_end(doubt, begin, ret);
}

static int nbd_discard(struct hs_target *t, uint64_t count, uint64_t offset)
{
	struct hs_nbd *n = to_nbd(t);
	uint64_t unit = n->export->unit, start = hs_round_up(offset, unit);
	uint64_t end = (offset + count) & ~(unit - 1);
	int ret = 0;

	if (!hs_target_takes(t, count, offset))
		return -EINVAL;
	if (n->export->can_trim && start < end)
		ret = nbd_pieces(n, HS_NBD_TRIM, NULL, end - start, start, false, RANGE_MAX);
	return ret == -EOPNOTSUPP ? 0 : lost_is_eio(ret);
}

static int nbd_zero_range(struct hs_nbd *n, uint64_t count, uint64_t offset, bool fua)
{
	int ret;

	if (!n->export->can_zero || !hs_edges_whole(&n->edges, count, offset))
		return -EOPNOTSUPP;
	hs_edges_share(&n->edges);
	if (fua)
		ret = nbd_durable(n, HS_NBD_ZERO, NULL, count, offset, RANGE_MAX);
	else
		ret = nbd_pieces(n, HS_NBD_ZERO, NULL, count, offset, false, RANGE_MAX);
	hs_edges_unshare(&n->edges);
	return ret;
}

static int nbd_zero(struct hs_target *t, uint64_t count, uint64_t offset, bool fua)
{
	int ret;

	if (!hs_target_takes(t, count, offset))
		return -EINVAL;
	ret = nbd_zero_range(to_nbd(t), count, offset, fua);
	if (ret == -EOPNOTSUPP)
		return hs_target_write_zeroes(t, count, offset, fua);
	return lost_is_eio(ret);
}

static void nbd_target_close(struct hs_target *t)
{
	struct hs_nbd *n = to_nbd(t);

	hs_nbd_pool_close(n->pool);
	hs_edges_destroy(&n->edges);
	free(n->name);
	free(n);
}

static const struct hs_target_ops nbd_ops = {
	.pread = nbd_pread,
	.pwrite = nbd_pwrite,
	.flush = nbd_flush,
	.discard = nbd_discard,
	.zero = nbd_zero,
	.close = nbd_target_close,
};

static int check_export(const char *uri, const struct hs_nbd_export *e, unsigned int flags,
			struct hs_error *err)
{
	if ((flags & HS_TARGET_WRITE) && e->read_only)
		return hs_error_set(err, -EROFS, "%s: the server exports it read-only", uri);
	if (e->unit > 512 && e->size & (e->unit - 1))
		return hs_error_set(err, -EINVAL,
				    "%s: the size is no multiple of the server's minimum, %u bytes",
				    uri, e->unit);
	if (!e->max)
		return hs_error_set(err, -EINVAL, "%s: the server's size limits contradict", uri);
	return 0;
}

static int nbd_init(struct hs_nbd *n, const char *uri, struct hs_error *err)
{
	int ret;

	n->export = hs_nbd_pool_export(n->pool);
	n->t.ops = &nbd_ops;
	n->t.size = n->export->size & ~(uint64_t)511;
	n->t.align = n->export->unit;
	n->name = strdup(uri);
	n->t.name = n->name;
	n->edges.read = nbd_raw_read;
	n->edges.write = nbd_raw_write;
	ret = n->name ? hs_edges_init(&n->edges, n->export->unit, 1) : -ENOMEM;
	return ret ? hs_error_set(err, ret, "cannot open %s: %s", uri, strerror(-ret)) : 0;
}

int hs_nbd_open(const char *uri, unsigned int flags, struct hs_target **t, struct hs_error *err)
{
	struct hs_nbd *n = calloc(1, sizeof(*n));
	int ret;

	if (!n)
		return hs_error_set(err, -ENOMEM, "cannot open %s: %s", uri, strerror(ENOMEM));
	ret = hs_nbd_pool_open(uri, &n->pool, err);
	if (ret)
		goto fail;
	ret = check_export(uri, hs_nbd_pool_export(n->pool), flags, err);
	if (!ret)
		ret = nbd_init(n, uri, err);
	if (ret)
		goto fail_pool;
	*t = &n->t;
	return 0;

fail_pool:
	hs_nbd_pool_close(n->pool);
	free(n->name);
fail:
	free(n);
	return ret;
}
