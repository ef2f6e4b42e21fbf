// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <stdlib.h>

#include "engine/run.h"
#include "tests/lib/simdev.h"

/* Somebody's view of it. */
struct simdev_target {
	struct hs_target t;
	struct simdev *s;
	struct hs_doubt doubt;
	bool writes;
};

static struct simdev *registered;

static struct simdev *disk_of(struct hs_target *t)
{
	return container_of(t, struct simdev_target, t)->s;
}

/* Locked: does the I/O fail? */
static s32 io_begin(struct simdev *s, enum hs_io_op op, u64 count, u64 offset)
{
	pthread_mutex_lock(&s->lock);
	return sim_disk_fault(&s->d, op, offset / SIM_SECTOR, (u32)(count / SIM_SECTOR), hs_now());
}

static int io_end(struct simdev *s, s32 err)
{
	pthread_mutex_unlock(&s->lock);
	return err;
}

static int simdev_pread(struct hs_target *t, void *buf, size_t count, uint64_t offset)
{
	struct simdev *s = disk_of(t);
	s32 err;

	if (!hs_target_takes(t, count, offset))
		return -EINVAL;
	err = io_begin(s, HS_IO_READ, count, offset);
	if (!err)
		sim_disk_read(&s->d, offset / SIM_SECTOR, (u32)(count / SIM_SECTOR), buf);
	return io_end(s, err);
}

/* One that failed has reached any part of its range. NULL: zeroes. */
static void write_some(struct simdev *s, const u8 *data, u64 count, u64 offset, bool fua, s32 err)
{
	static const u8 zeroes[SIM_SECTOR];
	u32 sectors = (u32)(count / SIM_SECTOR), i, number = sim_disk_number(&s->d);

	if (err)
		sectors = sim_below(&s->rng, sectors + 1);
	for (i = 0; i < sectors; i++)
		sim_disk_write(&s->d, offset / SIM_SECTOR + i, 1, data ? data + i * SIM_SECTOR : zeroes, number);
	if (fua && !err)
		sim_disk_harden(&s->d, offset / SIM_SECTOR, sectors, number);
}

static int simdev_pwrite(struct hs_target *t, const void *buf, size_t count, uint64_t offset, bool fua)
{
	struct simdev *s = disk_of(t);
	s32 err;

	if (!hs_target_takes(t, count, offset))
		return -EINVAL;
	err = io_begin(s, HS_IO_WRITE, count, offset);
	write_some(s, buf, count, offset, fua, err);
	return io_end(s, err);
}

static int simdev_zero(struct hs_target *t, uint64_t count, uint64_t offset, bool fua)
{
	struct simdev *s = disk_of(t);
	s32 err;

	if (!hs_target_takes(t, count, offset))
		return -EINVAL;
	err = io_begin(s, HS_IO_ZERO, count, offset);
	write_some(s, NULL, count, offset, fua, err);
	return io_end(s, err);
}

/* Zeroes, or leaves alone, each sector by chance. */
static int simdev_discard(struct hs_target *t, uint64_t count, uint64_t offset)
{
	struct simdev *s = disk_of(t);
	u64 at;
	s32 err;

	if (!hs_target_takes(t, count, offset))
		return -EINVAL;
	err = io_begin(s, HS_IO_DISCARD, count, offset);
	for (at = offset; !err && at < offset + count; at += SIM_SECTOR)
		if (sim_one_in(&s->rng, 2))
			write_some(s, NULL, SIM_SECTOR, at, false, 0);
	return io_end(s, err);
}

static void count_lost(void *arg, u64 sector)
{
	((struct simdev *)arg)->lost++;
}

static int simdev_flush(struct hs_target *t)
{
	struct simdev_target *target = container_of(t, struct simdev_target, t);
	uint64_t doubt = hs_doubt_begin(&target->doubt);
	struct simdev *s = target->s;
	s32 err = io_begin(s, HS_IO_FLUSH, 0, 0);

	if (!err)
		sim_disk_flush(&s->d, s->d.writes);
	else if (hs_now() >= s->d.gone_until)
		sim_disk_flush_failed(&s->d, s->d.writes, &s->rng, !s->vanish, count_lost, s);
	io_end(s, 0);
	return hs_doubt_end(&target->doubt, doubt, err);
}

static void simdev_close(struct hs_target *t)
{
	struct simdev_target *target = container_of(t, struct simdev_target, t);
	struct simdev *s = target->s;

	pthread_mutex_lock(&s->lock);
	s->open--;
	if (target->writes)
		s->written = false;
	pthread_mutex_unlock(&s->lock);
	free(target);
}

static const struct hs_target_ops simdev_ops = {
	.pread = simdev_pread,
	.pwrite = simdev_pwrite,
	.flush = simdev_flush,
	.discard = simdev_discard,
	.zero = simdev_zero,
	.close = simdev_close,
};

static int simdev_open(struct simdev *s, unsigned int flags, struct hs_target **t, struct hs_error *err)
{
	struct simdev_target *target = calloc(1, sizeof(*target));
	bool writes = flags & HS_TARGET_WRITE, busy;

	if (!target)
		return -ENOMEM;
	pthread_mutex_lock(&s->lock);
	busy = writes && s->written;
	if (!busy) {
		s->open++;
		s->written |= writes;
	}
	pthread_mutex_unlock(&s->lock);
	if (busy) {
		free(target);
		return hs_error_set(err, -EBUSY, "%s: in use", s->path);
	}
	target->t = (struct hs_target){ &simdev_ops, s->path, s->d.sectors * SIM_SECTOR, SIM_SECTOR, true };
	target->s = s;
	target->writes = writes;
	*t = &target->t;
	return 0;
}

int __real_hs_target_open(const char *name, unsigned int flags, struct hs_target **t, struct hs_error *err);
int __wrap_hs_target_open(const char *name, unsigned int flags, struct hs_target **t, struct hs_error *err);

int __wrap_hs_target_open(const char *name, unsigned int flags, struct hs_target **t, struct hs_error *err)
{
	struct simdev *s = simdev_at(name);

	return s ? simdev_open(s, flags, t, err) : __real_hs_target_open(name, flags, t, err);
}

/* ---- the disk -------------------------------------------------------------------------------- */

void simdev_init(struct simdev *s, const char *path, u64 bytes, u64 seed)
{
	memset(s, 0, sizeof(*s));
	pthread_mutex_init(&s->lock, NULL);
	s->rng.state = seed;
	s->path = path;
	sim_disk_init(&s->d, path, bytes / SIM_SECTOR, SIM_ZERO, &s->store);
	s->next = registered;
	registered = s;
}

void simdev_destroy(struct simdev *s)
{
	struct simdev **link = &registered;

	hs_assert(!s->open);
	while (*link != s)
		link = &(*link)->next;
	*link = s->next;
	sim_store_free(&s->store);
	pthread_mutex_destroy(&s->lock);
}

struct simdev *simdev_at(const char *path)
{
	struct simdev *s = registered;

	while (s && strcmp(s->path, path))
		s = s->next;
	return s;
}

void simdev_fail(struct simdev *s, u32 ops, u64 first, u64 end, u32 times)
{
	pthread_mutex_lock(&s->lock);
	sim_disk_fail_range(&s->d, ops, first, end, ~0ull, times);
	pthread_mutex_unlock(&s->lock);
}

void simdev_gone(struct simdev *s)
{
	pthread_mutex_lock(&s->lock);
	s->d.gone_until = ~0ull;
	pthread_mutex_unlock(&s->lock);
}

void simdev_heal(struct simdev *s)
{
	pthread_mutex_lock(&s->lock);
	sim_disk_heal(&s->d, hs_now());
	pthread_mutex_unlock(&s->lock);
}

void simdev_rot(struct simdev *s, u64 sector)
{
	pthread_mutex_lock(&s->lock);
	sim_disk_rot(&s->d, sector, &s->rng);
	pthread_mutex_unlock(&s->lock);
}

void simdev_cut(struct simdev *s, const struct sim_cut *cut)
{
	struct sim_cut drawn;

	hs_assert(!s->open);
	if (!cut)
		sim_cut_draw(&drawn, &s->d, &s->rng);
	sim_disk_cut(&s->d, cut ? cut : &drawn);
}

void simdev_peek(struct simdev *s, void *buf, u64 count, u64 offset)
{
	pthread_mutex_lock(&s->lock);
	sim_disk_read(&s->d, offset / SIM_SECTOR, (u32)(count / SIM_SECTOR), buf);
	pthread_mutex_unlock(&s->lock);
}

void simdev_poke(struct simdev *s, const void *buf, u64 count, u64 offset)
{
	u32 number;

	pthread_mutex_lock(&s->lock);
	number = sim_disk_number(&s->d);
	sim_disk_write(&s->d, offset / SIM_SECTOR, (u32)(count / SIM_SECTOR), buf, number);
	sim_disk_flush(&s->d, number);
	pthread_mutex_unlock(&s->lock);
}
