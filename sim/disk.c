// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * THE FAULT MODEL. What the simulated disks do to the cache, and what the cache may then do to its callers.
 *
 * Always, in every world:
 *   - I/Os take any time and end in any order. The data of one I/O move in up to two parts, at any moment
 *     between its submission and its end: a read may see half of a write that is in flight.
 *   - A write goes to a volatile cache. A FLUSH makes durable what had ended before it began.
 *   - A power cut keeps, of what was not flushed, any subset of 512-byte sectors: each sector ends as it was on
 *     the media or as any unflushed write left it. So metadata pages and transactions are torn like data.
 *     Allowed: a sector reads as its last flushed value or one written later, and, once read, stays so.
 *   - The process is killed: both disks keep their caches, I/Os in flight happen or not. Allowed: as after a
 *     cut; but what is read then is not yet durable, a later cut may take it, until a FLUSH.
 *   - One of the two disks loses its power alone, the process with it.
 *   - A discard zeroes, or leaves alone, each sector by chance. Allowed: a discarded range reads as zero or any
 *     earlier value, and stays so once read.
 *
 * In worlds with faults:
 *   - An I/O error on a range, for a while or for ever. A write that failed has reached any part of its range.
 *     Allowed on the origin: an error for the requests that touch the range; a write that failed may be there or
 *     not. On the cache: no error for what is clean; for what is dirty an error for that range alone. In the
 *     cache's metadata: the cache goes out of service; nothing flushed is lost.
 *   - FLUSH fails: of the data it was to make durable each sector may be durable, still be pending, or be lost;
 *     what is lost is read until the next cut, or is gone at once. Later FLUSHes succeed. Allowed on the
 *     origin: writes acknowledged before may be lost, but then a FLUSH says so, once, before one succeeds; such a
 *     sector may show what was lost or what was before it, in turns, until it is written again (nobody can know
 *     that what the origin still shows is not durable). On the cache (where what is lost is read no longer than
 *     until the process ends): it goes out of service, FLUSH fails as long as something acknowledged is not durable elsewhere.
 *   - A disk is gone: every I/O fails, for a while or for ever.
 *   - The cache disk rots: a bit of a sector flips. It loses a write (acknowledged, never done), or puts it in
 *     another place. In data, allowed: nothing if clean; an error for the 4 KiB unit if dirty. In metadata:
 *     mirrored copies serve; else opening refuses. The last transaction, if its pages or the data of its names
 *     were hit and its confirm record did not survive the cut, may roll back; what it changed may then read as before
 *     or after it, and what stood in slots that it freed may be lost. (If recovery can merely not read them it stays:
 *     an error then, for those blocks alone, if they are bad.) At most one hit on metadata a world: two can hit both
 *     copies, and so can one write that goes astray to where its twin is, which none does.
 *   - The origin is changed while the cache is stopped clean: opening must notice.
 *
 * Left out: a cache disk that shows a new process what it lost at a failed FLUSH of an earlier one, takes its FLUSH,
 * and loses it all the same; silent damage on the origin (nobody can notice it: it has no checksums); silent damage to a cache
 * without checksums, and data that vanish from one at a failed FLUSH before any cut; two hits on metadata; I/O
 * that never ends; memory errors.
 */
#include <stdlib.h>

#include "sim/disk.h"

/* ---- stamps ---------------------------------------------------------------------------------------------- */

#define STAMP_MAGIC	0x686f747365742121ull
#define WORDS		(SIM_SECTOR / 8)

static u64 word_get(const u8 *data, u32 i)
{
	u64 word;

	memcpy(&word, data + 8 * i, 8);
	return word;
}

static void word_put(u8 *data, u32 i, u64 word)
{
	memcpy(data + 8 * i, &word, 8);
}

void sim_stamp(u8 *data, u64 sector, u32 value)
{
	u64 fill = sim_hash2(sector, value);
	u32 i;

	if (value == SIM_ZERO) {
		memset(data, 0, SIM_SECTOR);
		return;
	}
	word_put(data, 0, STAMP_MAGIC ^ sector);
	word_put(data, 1, value);
	for (i = 2; i < WORDS; i++)
		word_put(data, i, fill);
}

/* Are all words from `first` on the same as this one? If it is, and each is as its neighbour. */
static bool words_are(const u8 *data, u32 first, u64 word)
{
	return word_get(data, first) == word &&
	       !memcmp(data + 8 * first, data + 8 * (first + 1), 8 * (WORDS - first - 1));
}

/* SIM_JUNK, without its bytes, if it is no stamp. */
static struct sim_content content_of(const u8 *data)
{
	u64 place = word_get(data, 0) ^ STAMP_MAGIC, value = word_get(data, 1);

	if (!(place >> 32) && value && value < SIM_JUNK && words_are(data, 2, sim_hash2(place, value)))
		return sim_content_stamp(place, (u32)value);
	return sim_content_stamp(0, words_are(data, 0, 0) ? SIM_ZERO : SIM_JUNK);
}

bool sim_content_same(const struct sim_content *a, const struct sim_content *b)
{
	if (a->bytes && b->bytes)
		return !memcmp(a->bytes, b->bytes, SIM_SECTOR);
	return a->value == b->value && a->place == b->place;
}

void sim_content_put(const struct sim_content *c, u8 *data)
{
	if (c->bytes)
		memcpy(data, c->bytes, SIM_SECTOR);
	else
		sim_stamp(data, c->place, c->value);
}

/* ---- versions, and the bytes of some ------------------------------------------------------------------------- */

#define POOL_CHUNK	1024u	/* things */

static void pool_reset(struct sim_pool *pool, size_t size)
{
	pool->size = size;
	pool->free = NULL;
	pool->used = 0;
}

static void pool_free(struct sim_pool *pool)
{
	u32 i;

	for (i = 0; i < pool->nr_chunks; i++)
		free(pool->chunk[i]);
	free(pool->chunk);
}

static void pool_grow(struct sim_pool *pool)
{
	pool->chunk = realloc(pool->chunk, (pool->nr_chunks + 1) * sizeof(*pool->chunk));
	if (!pool->chunk)
		abort();
	pool->chunk[pool->nr_chunks] = malloc(POOL_CHUNK * pool->size);
	if (!pool->chunk[pool->nr_chunks++])
		abort();
}

static void *pool_get(struct sim_pool *pool)
{
	void *p = pool->free;

	if (p) {
		memcpy(&pool->free, p, sizeof(p));
		return p;
	}
	if (pool->used == pool->nr_chunks * POOL_CHUNK)
		pool_grow(pool);
	p = pool->chunk[pool->used / POOL_CHUNK] + pool->used % POOL_CHUNK * pool->size;
	pool->used++;
	return p;
}

static void pool_put(struct sim_pool *pool, void *p)
{
	memcpy(p, &pool->free, sizeof(p));
	pool->free = p;
}

static void content_free(struct sim_disk *d, struct sim_content *c)
{
	if (c->bytes)
		pool_put(&d->store->bytes, c->bytes);
	c->bytes = NULL;
}

static u8 *bytes_keep(struct sim_disk *d, const u8 *data)
{
	return memcpy(pool_get(&d->store->bytes), data, SIM_SECTOR);
}

static void content_set(struct sim_disk *d, struct sim_content *c, const u8 *data)
{
	*c = content_of(data);
	if (c->value == SIM_JUNK)
		c->bytes = bytes_keep(d, data);
}

static void version_free(struct sim_disk *d, struct sim_version *v)
{
	content_free(d, &v->content);
	pool_put(&d->store->versions, v);
}

static void chain_free(struct sim_disk *d, struct sim_version *v)
{
	while (v) {
		struct sim_version *older = v->older;

		version_free(d, v);
		v = older;
	}
}

/* ---- in short ---------------------------------------------------------------------------------------------- */

#define JUNK_MAGIC	0x6a756e6b6a756e6bull

/* Bytes that a buffer refers to; few, and kept until the world ends. */
struct lent {
	struct lent *next;
	u8 bytes[SIM_SECTOR];
};

static struct lent *lent;

void sim_shorts_drop(void)
{
	while (lent) {
		struct lent *l = lent;

		lent = l->next;
		free(l);
	}
}

void sim_short_put(u8 *data, const struct sim_content *c)
{
	struct lent *l;

	if (!c->bytes) {
		word_put(data, 0, c->value == SIM_ZERO ? 0 : STAMP_MAGIC ^ c->place);
		word_put(data, 1, c->value);
		return;
	}
	l = malloc(sizeof(*l));
	if (!l)
		abort();
	l->next = lent;
	lent = l;
	memcpy(l->bytes, c->bytes, SIM_SECTOR);
	word_put(data, 0, JUNK_MAGIC);
	word_put(data, 1, (uintptr_t)l->bytes);
}

struct sim_content sim_short_get(const u8 *data)
{
	u64 first = word_get(data, 0), place = first ^ STAMP_MAGIC, value = word_get(data, 1);

	if (!(place >> 32) && value && value < SIM_JUNK)
		return sim_content_stamp(place, (u32)value);
	if (!first && !value)
		return sim_content_stamp(0, SIM_ZERO);
	/* Never put there: what a failed read left, or metadata that are none of the users' business. */
	return (struct sim_content){ .value = SIM_JUNK, .bytes = first == JUNK_MAGIC ? (u8 *)(uintptr_t)value :
											 (u8 *)(uintptr_t)data };
}

/* ---- reading and writing ---------------------------------------------------------------------------------- */

static void store_make_room(struct sim_store *store, u64 sectors)
{
	if (store->room >= sectors)
		return;
	free(store->sector);
	free(store->list);
	store->sector = malloc(sectors * sizeof(*store->sector));
	store->list = malloc(sectors * sizeof(*store->list));
	if (!store->sector || !store->list)
		abort();
	store->room = sectors;
}

void sim_disk_init(struct sim_disk *d, const char *name, u64 sectors, u32 untouched, struct sim_store *store)
{
	store_make_room(store, sectors);
	pool_reset(&store->versions, sizeof(struct sim_version));
	pool_reset(&store->bytes, SIM_SECTOR);
	memset(d, 0, sizeof(*d));
	d->name = name;
	d->sectors = sectors;
	d->untouched = untouched;
	d->store = store;
	d->sector = store->sector;
	d->list = store->list;
	memset(d->sector, 0, sectors * sizeof(*d->sector));
}

void sim_store_free(struct sim_store *store)
{
	pool_free(&store->versions);
	pool_free(&store->bytes);
	free(store->sector);
	free(store->list);
	memset(store, 0, sizeof(*store));
}

void sim_disk_read(const struct sim_disk *d, u64 sector, u32 sectors, u8 *data)
{
	sim_disk_read_after(d, NULL, sector, sectors, data);
}

void sim_disk_read_short(const struct sim_disk *d, u64 sector, u32 sectors, u8 *data)
{
	for (; sectors--; sector++, data += SIM_SECTOR) {
		struct sim_content c = sim_disk_after(d, NULL, sector);

		sim_short_put(data, &c);
	}
}

u32 sim_disk_number(struct sim_disk *d)
{
	return ++d->writes;
}

static void sector_list(struct sim_disk *d, u64 sector)
{
	if (d->sector[sector].listed)
		return;
	d->sector[sector].listed = true;
	d->list[d->nr_list++] = (u32)sector;
}

static struct sim_content *version_add(struct sim_disk *d, u64 sector, u32 number)
{
	struct sim_version *v = pool_get(&d->store->versions);
	struct sim_sector *s = &d->sector[sector];

	v->older = s->newest;
	v->write = number;
	v->durable = false;
	v->doomed = false;
	s->newest = v;
	sector_list(d, sector);
	return &v->content;
}

void sim_disk_write(struct sim_disk *d, u64 sector, u32 sectors, const u8 *data, u32 number)
{
	for (; sectors--; sector++, data += SIM_SECTOR)
		content_set(d, version_add(d, sector, number), data);
}

void sim_disk_write_short(struct sim_disk *d, u64 sector, u32 sectors, const u8 *data, u32 number)
{
	for (; sectors--; sector++, data += SIM_SECTOR) {
		struct sim_content *c = version_add(d, sector, number);

		*c = sim_short_get(data);
		if (c->bytes)
			c->bytes = bytes_keep(d, c->bytes);
	}
}

/* ---- FLUSH -------------------------------------------------------------------------------------------------- */

static void version_harden(struct sim_disk *d, struct sim_version *v)
{
	chain_free(d, v->older);
	v->older = NULL;
	v->durable = true;
}

/* Takes the sectors off the list that have nothing unflushed left. */
static void list_tidy(struct sim_disk *d)
{
	u32 i, left = 0;

	for (i = 0; i < d->nr_list; i++) {
		struct sim_sector *s = &d->sector[d->list[i]];

		if (s->newest && !s->newest->durable)
			d->list[left++] = d->list[i];
		else
			s->listed = false;
	}
	d->nr_list = left;
}

void sim_disk_flush(struct sim_disk *d, u32 mark)
{
	u32 i;

	for (i = 0; i < d->nr_list; i++) {
		struct sim_version *v = d->sector[d->list[i]].newest;

		while (v && (v->write > mark || v->doomed))
			v = v->older;
		if (v && !v->durable)
			version_harden(d, v);
	}
	list_tidy(d);
}

void sim_disk_harden(struct sim_disk *d, u64 sector, u32 sectors, u32 number)
{
	for (; sectors--; sector++) {
		struct sim_version *v = d->sector[sector].newest;

		while (v && v->write != number)
			v = v->older;
		if (v && !v->durable && !v->doomed)
			version_harden(d, v);
	}
}

/* The newest version that the FLUSH was to make durable goes; what is below it may have been kept. */
static void version_lose(struct sim_disk *d, struct sim_version **link, bool visible)
{
	struct sim_version *v = *link;

	if (visible) {
		v->doomed = true;
		return;
	}
	*link = v->older;
	version_free(d, v);
}

void sim_disk_flush_failed(struct sim_disk *d, u32 mark, struct sim_rng *r, bool visible,
			   void (*lost)(void *arg, u64 sector), void *arg)
{
	u32 i, fate = sim_below(r, 4);

	for (i = 0; i < d->nr_list; i++) {
		u64 sector = d->list[i];
		struct sim_version **link = &d->sector[sector].newest;

		while (*link && ((*link)->write > mark || (*link)->doomed))
			link = &(*link)->older;
		if (!*link || (*link)->durable)
			continue;
		switch (fate == 3 ? sim_below(r, 3) : fate) {
		case 0:
			version_harden(d, *link);
			break;
		case 1:
			version_lose(d, link, visible);
			if (lost)
				lost(arg, sector);
			break;
		default:
			break;
		}
	}
	list_tidy(d);
}

void sim_disk_settle(struct sim_disk *d, struct sim_rng *r)
{
	bool again = sim_one_in(r, 2);
	u32 i;

	for (i = 0; i < d->nr_list; i++) {
		struct sim_version **link = &d->sector[d->list[i]].newest;

		while (*link) {
			if ((*link)->doomed && !again) {
				version_lose(d, link, false);
				continue;
			}
			(*link)->doomed = false;
			link = &(*link)->older;
		}
	}
	list_tidy(d);
}

/* ---- power cuts ---------------------------------------------------------------------------------------------- */

void sim_cut_draw(struct sim_cut *cut, const struct sim_disk *d, struct sim_rng *r)
{
	static const u32 percents[] = { 50, 50, 90, 10, 98 };

	cut->keep = (enum sim_keep)sim_below(r, SIM_KEEP_COUNT);
	cut->salt = sim_random(r);
	cut->percent = percents[sim_below(r, 5)];
	cut->before = d->writes + 1 - sim_below(r, (u32)hs_min(d->writes + 1, 40));
}

static bool cut_keeps(const struct sim_cut *cut, u64 sector, const struct sim_version *v)
{
	switch (cut->keep) {
	case SIM_KEEP_ALL:
		return true;
	case SIM_KEEP_NONE:
		return false;
	case SIM_KEEP_SECTORS:
		return sim_hash2(cut->salt ^ v->write, sector) % 100 < cut->percent;
	case SIM_KEEP_WRITES:
		return sim_hash2(cut->salt, v->write) % 100 < cut->percent;
	default:
		return v->write < cut->before;
	}
}

const struct sim_version *sim_version_after(const struct sim_disk *d, u64 sector, const struct sim_cut *cut)
{
	const struct sim_version *v = d->sector[sector].newest;

	while (v && !v->durable && (v->doomed || !cut_keeps(cut, sector, v)))
		v = v->older;
	return v;
}

void sim_disk_read_after(const struct sim_disk *d, const struct sim_cut *cut, u64 sector, u32 sectors,
			 u8 *data)
{
	for (; sectors--; sector++, data += SIM_SECTOR) {
		struct sim_content c = sim_disk_after(d, cut, sector);

		sim_content_put(&c, data);
	}
}

void sim_disk_cut(struct sim_disk *d, const struct sim_cut *cut)
{
	u32 i;

	for (i = 0; i < d->nr_list; i++) {
		struct sim_sector *s = &d->sector[d->list[i]];
		const struct sim_version *stays = sim_version_after(d, d->list[i], cut);

		while (s->newest != stays) {
			struct sim_version *v = s->newest;

			s->newest = v->older;
			version_free(d, v);
		}
		if (s->newest)
			version_harden(d, s->newest);
	}
	list_tidy(d);
}

/* ---- silent damage ------------------------------------------------------------------------------------------- */

void sim_disk_rot(struct sim_disk *d, u64 sector, struct sim_rng *r)
{
	struct sim_sector *s = &d->sector[sector];
	u32 byte, bit;
	u8 data[SIM_SECTOR];

	sim_disk_read(d, sector, 1, data);
	if (!s->newest) {
		sim_disk_write(d, sector, 1, data, sim_disk_number(d));
		version_harden(d, s->newest);
		list_tidy(d);
	}
	bit = sim_below(r, 8);
	byte = sim_below(r, SIM_SECTOR);
	data[byte] ^= (u8)(1u << bit);
	content_free(d, &s->newest->content);
	content_set(d, &s->newest->content, data);
}

/* ---- errors ---------------------------------------------------------------------------------------------------- */

void sim_disk_fail_range(struct sim_disk *d, u32 ops, u64 first, u64 end, u64 until, u32 times)
{
	u32 i;

	for (i = 0; i < SIM_ERRORS - 1 && d->error[i].ops; i++)
		;
	d->error[i] = (struct sim_error_range){ ops, first, end, until, times };
}

static bool error_hits(const struct sim_error_range *e, enum hs_io_op op, u64 sector, u32 sectors, u64 now)
{
	if (!(e->ops >> op & 1) || now >= e->until || !e->times)
		return false;
	return op == HS_IO_FLUSH || (sector < e->end && e->first < sector + sectors);
}

s32 sim_disk_fault(struct sim_disk *d, enum hs_io_op op, u64 sector, u32 sectors, u64 now)
{
	bool hit = now < d->gone_until;
	u32 i;

	d->for_ever = hit && d->gone_until == ~0ull;

	for (i = 0; i < SIM_ERRORS && !hit; i++) {
		if (!error_hits(&d->error[i], op, sector, sectors, now))
			continue;
		hit = true;
		d->for_ever = d->error[i].until == ~0ull && d->error[i].times == ~0u;
		if (d->error[i].times != ~0u && !--d->error[i].times)
			d->error[i].ops = 0;
	}
	if (!hit)
		return 0;
	d->errors_seen++;
	d->last_error = now;
	return -EIO;
}

void sim_disk_heal(struct sim_disk *d, u64 now)
{
	memset(d->error, 0, sizeof(d->error));
	d->gone_until = 0;
	d->last_heal = now;
}
