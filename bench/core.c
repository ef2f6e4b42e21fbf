// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The core alone: what a request costs when its I/O costs nothing.
 *
 * A minimal shell: one lock a domain around each step, the engine's; an I/O ends at once with error 0 (metadata are
 * read for real while opening). Background machines run after the request that started them, in the same thread, so
 * their instructions are in the figures. What the functions of this file execute themselves is not in the instructions,
 * but shown apart; it is in the ns. The clock is virtual: OP_NS a request, a tick every 100 ms of it.
 * Traces are made beforehand from a fixed seed.
 *
 *	read hit	random resident blocks
 *	write, dirty	random blocks of a set that is dirty already, a FLUSH every 32
 *	write, first	a permutation of resident blocks, cycled: each is written back before it comes round again
 *	read miss	a permutation of all blocks of the origin, cycled: four times the cache
 *
 * Each runs in three worlds: a cache without checksums (the main figures); one with them, in which the shell
 * hands back a constant instead of summing; and one in which it copies and sums the data as the engine does.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "bench/count.h"
#include "core/core.h"
#include "engine/mutex.h"

#define OPS		2000000u
#define OP_NS		10000u
#define TICK_NS		100000000u
#define FLUSH_EVERY	32u
#define ORIGIN_BYTES	(4ull << 30)
#define SLOTS		(256u << 10)
#define DIRTY_BLOCKS	(SLOTS / 4)
#define SEED		20260101u
#define ARENA_PAGES	(16u << 10)	/* the data that are copied: 64 MiB */
#define STEPPED_HITS	256u

enum world_kind { WORLD_PLAIN, WORLD_SUMS, WORLD_DATA, WORLD_KINDS };

struct domain {
	struct hs_mutex mutex;
} __attribute__((aligned(64)));

struct shell {
	struct hs_core *core;
	enum world_kind kind;
	struct hs_geometry geo;
	void *mem;
	u64 mem_bytes;
	bool data;		/* I/Os have some */
	u8 *image;		/* the cache device's metadata, while opening; then NULL */
	u8 *arena;		/* pages that stand for all data */
	struct domain *domains;
	struct hs_list background;
	bool woken;		/* the request that waited */
	u64 now, next_tick;
};

struct client {
	struct hs_req req;
	u8 data[HS_PAGE];	/* the caller's buffer; a block's too, since they are as large */
};

static void die(const char *what)
{
	fprintf(stderr, "bench/core: %s\n", what);
	exit(1);
}

static void *need(void *p)
{
	if (!p || p == MAP_FAILED)
		die("out of memory");
	return p;
}

static u64 random_next(u64 *state)	/* xorshift64*, Vigna 2016 */
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

/* ---- the shell ------------------------------------------------------------------------------------- */

static inline void domain_lock(struct shell *s, s32 domain)
{
	hs_mutex_lock(&s->domains[domain].mutex);
}

static inline void domain_unlock(struct shell *s, s32 domain)
{
	hs_mutex_unlock(&s->domains[domain].mutex);
}

static void io_metadata(struct shell *s, const struct hs_io *io)
{
	u64 at = io->sector << HS_SECTOR_SHIFT, bytes = (u64)io->sectors << HS_SECTOR_SHIFT;

	if (io->buf != HS_BUF_MEM || io->dev != HS_CACHE || at + bytes > s->geo.data_offset)
		return;
	if (io->op == HS_IO_READ)
		memcpy((u8 *)io->mem + io->buf_off, s->image + at, bytes);
	else if (io->op == HS_IO_WRITE)
		memcpy(s->image + at, (u8 *)io->mem + io->buf_off, bytes);
}

/* All pages of the arena hold the same, so that a sum always matches; which one is read is spread. */
static void io_data(struct shell *s, struct hs_req *req, const struct hs_io *io)
{
	struct client *client = hs_list_entry(req, struct client, req);
	u8 *data = io->buf == HS_BUF_MEM ? (u8 *)io->mem + io->buf_off : client->data;
	u32 i, pages = io->sectors / HS_PAGE_SECTORS;

	if (io->buf == HS_BUF_MEM && !io->csum && io->dev == HS_CACHE)
		return;
	for (i = 0; i < pages; i++) {
		u8 *place = s->arena + (io->sector / HS_PAGE_SECTORS + i) % ARENA_PAGES * HS_PAGE;

		if (io->op == HS_IO_READ)
			memcpy(data + (size_t)i * HS_PAGE, place, HS_PAGE);
		else if (io->op == HS_IO_WRITE)
			memcpy(place, data + (size_t)i * HS_PAGE, HS_PAGE);
	}
	for (i = 0; i < io->csum_units; i++)
		io->csum[i] = hs_unit_crc(s->core, io->csum_first + i, data + (size_t)i * HS_PAGE);
}

static void perform_data(struct shell *s, struct hs_req *req)
{
	u32 i, k;

	for (i = 0; i < req->nr_io; i++) {
		struct hs_io *io = &req->io[i];

		if (s->image)
			io_metadata(s, io);
		else if (s->kind == WORLD_DATA)
			io_data(s, req, io);
		else
			for (k = 0; k < io->csum_units; k++)
				io->csum[k] = 1;
	}
}

static inline void perform(struct shell *s, struct hs_req *req)
{
	u32 i;

	for (i = 0; i < req->nr_io; i++)
		req->io[i].error = 0;
	if (s->data)
		perform_data(s, req);
}

/* What a step asked for: machines to the background, our own request is awake. */
static void dispatch(struct shell *s, struct hs_out *out)
{
	s32 journal = (s32)hs_core_shards(s->core);
	u32 kick;

	while ((kick = out->kick)) {
		out->kick = 0;
		domain_lock(s, journal);
		hs_kick(s->core, kick, out);
		domain_unlock(s, journal);
	}
	while (!hs_list_empty(&out->run)) {
		struct hs_list *l = out->run.next;
		struct hs_req *req = hs_list_entry(l, struct hs_req, link);

		hs_list_del(l);
		if ((uintptr_t)req - (uintptr_t)s->mem < s->mem_bytes)
			hs_list_add_tail(&s->background, l);
		else
			s->woken = true;
	}
}

static hs_always_inline enum hs_step_result step_with(struct shell *s, struct hs_req *req)
{
	s32 domain = req->domain;
	enum hs_step_result ret;
	struct hs_out out;

	hs_out_init(&out);
	domain_lock(s, domain);
	ret = hs_step(s->core, req, &out);
	domain_unlock(s, domain);
	if (unlikely(out.kick || !hs_list_empty(&out.run)))
		dispatch(s, &out);
	return ret;
}

static enum hs_step_result step(struct shell *s, struct hs_req *req)
{
	enum hs_step_result ret;
	struct hs_out out;

	if (req->domain != HS_DOMAIN_NONE)
		return step_with(s, req);
	hs_out_init(&out);
	ret = hs_step(s->core, req, &out);
	dispatch(s, &out);
	return ret;
}

/* Until it ends or is parked. */
static enum hs_step_result run(struct shell *s, struct hs_req *req)
{
	for (;;) {
		enum hs_step_result ret = step(s, req);

		if (ret == HS_IO)
			perform(s, req);
		else if (ret != HS_AGAIN)
			return ret;
	}
}

static void run_background(struct shell *s)
{
	while (!hs_list_empty(&s->background)) {
		struct hs_list *l = s->background.next;

		hs_list_del(l);
		run(s, hs_list_entry(l, struct hs_req, link));
	}
}

static void tick(struct shell *s)
{
	s32 journal = (s32)hs_core_shards(s->core);
	struct hs_out out;

	hs_out_init(&out);
	s->next_tick += TICK_NS;
	domain_lock(s, journal);
	hs_tick(s->core, s->now, &out);
	domain_unlock(s, journal);
	dispatch(s, &out);
	run_background(s);
}

static void __attribute__((noinline)) finish(struct shell *s, struct hs_req *req, enum hs_step_result ret)
{
	if (ret == HS_IO)
		perform(s, req);
	if (ret != HS_WAIT)
		ret = run(s, req);
	while (ret != HS_DONE) {
		s->woken = false;
		run_background(s);
		while (!s->woken) {
			s->now = s->next_tick;
			tick(s);
		}
		ret = run(s, req);
	}
}

static hs_always_inline void request(struct shell *s, struct client *c, enum hs_op op, u64 block)
{
	struct hs_req *req = &c->req;
	enum hs_step_result ret;

	req->op = (u8)op;
	req->flags = 0;
	req->sector.nr = block * HS_PAGE_SECTORS;
	req->sectors = HS_PAGE_SECTORS;
	hs_req_init(s->core, req, NULL);
	ret = step_with(s, req);
	if (likely(ret == HS_IO)) {
		perform(s, req);
		ret = step_with(s, req);
	}
	if (unlikely(ret != HS_DONE))
		finish(s, req, ret);
	if (unlikely(req->error))
		die("a request failed");
}

static inline void pass_time(struct shell *s)
{
	if (!hs_list_empty(&s->background))
		run_background(s);
	s->now += OP_NS;
	if (s->now >= s->next_tick)
		tick(s);
}

/* ---- worlds ---------------------------------------------------------------------------------------- */

static void format(struct shell *s, struct hs_sb *sb)
{
	struct hs_format_job job;
	u8 *buffer = need(malloc(HS_FORMAT_BUFFER));
	unsigned int bad, i;

	hs_format_start(&job, sb, buffer);
	while (hs_format_step(&job) != HS_DONE)
		for (i = 0; i < job.req.nr_io; i++)
			io_metadata(s, &job.req.io[i]);
	free(buffer);
	if (hs_sb_pick(s->image + HS_SB_OFFSET(0), s->image + HS_SB_OFFSET(1), sb, &bad))
		die("cannot format");
}

static void domains_init(struct shell *s)
{
	u32 nr = hs_core_shards(s->core) + 1;

	s->domains = need(aligned_alloc(64, nr * sizeof(*s->domains)));
	memset(s->domains, 0, nr * sizeof(*s->domains));
}

static void shell_open(struct shell *s, enum world_kind kind)
{
	struct hs_geometry_wish wish = {
		.origin_bytes = ORIGIN_BYTES,
		.cache_bytes = 2ull << 30,
		.max_slots = SLOTS,
		.no_checksums = kind == WORLD_PLAIN,
	};
	struct hs_core_opts opts = { .mode = -1 };
	struct hs_sb sb = { .mode = HS_MODE_WRITEBACK };
	const char *why;

	memset(s, 0, sizeof(*s));
	s->kind = kind;
	if (hs_geometry_choose(&wish, &s->geo, &why) || s->geo.nr_slots != SLOTS)
		die("no such geometry");
	sb.geo = s->geo;
	sb.incompat = kind == WORLD_PLAIN ? 0 : HS_INCOMPAT_CHECKSUMS;
	s->image = need(calloc(1, s->geo.data_offset));
	s->data = true;
	format(s, &sb);
	s->mem_bytes = hs_core_size(&s->geo, &opts);
	s->mem = need(mmap(NULL, s->mem_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	madvise(s->mem, s->mem_bytes, MADV_HUGEPAGE);
	s->core = hs_core_init(s->mem, &sb, &opts);
	hs_list_init(&s->background);
	s->next_tick = TICK_NS;
	domains_init(s);
	if (run(s, hs_core_open(s->core)) != HS_DONE || run(s, hs_core_claim(s->core)) != HS_DONE)
		die("cannot open");
	free(s->image);
	s->image = NULL;
	s->data = kind != WORLD_PLAIN;
	s->arena = need(calloc(ARENA_PAGES, HS_PAGE));
}

static void shell_close(struct shell *s)
{
	munmap(s->mem, s->mem_bytes);
	free(s->domains);
	free(s->arena);
}

static void count_all(struct shell *s, struct hs_counters *sum)
{
	u32 domain;

	memset(sum, 0, sizeof(*sum));
	for (domain = 0; domain <= hs_core_shards(s->core); domain++)
		hs_core_count(s->core, (s32)domain, sum);
}

/* ---- traces ---------------------------------------------------------------------------------------- */

static void shuffle(u32 *list, u32 nr)
{
	u64 state = SEED;
	u32 i;

	for (i = nr - 1; i; i--) {
		u32 k = (u32)(random_next(&state) % (i + 1)), swap = list[i];

		list[i] = list[k];
		list[k] = swap;
	}
}

/* Fills the cache and lists what is in it. */
static u32 resident(struct shell *s, struct client *c, u32 *list)
{
	struct hs_slot_view view;
	u32 i, nr = 0;

	for (i = 0; i < SLOTS; i++) {
		request(s, c, HS_OP_READ, i);
		pass_time(s);
	}
	for (i = 0; i < SLOTS; i++) {
		hs_slot_look(s->core, i, &view);
		if (view.named)
			list[nr++] = (u32)view.block;
	}
	return nr;
}

/* nr entries, drawn from the list at random or taken from it in turn. */
static u32 *trace_draw(const u32 *list, u32 from, u32 nr)
{
	u32 *trace = need(malloc(nr * sizeof(*trace))), i;
	u64 state = SEED;

	for (i = 0; i < nr; i++)
		trace[i] = list[(u32)(random_next(&state) >> 32) % from];
	return trace;
}

static u32 *trace_cycle(const u32 *list, u32 from, u32 nr)
{
	u32 *trace = need(malloc(nr * sizeof(*trace))), i;

	for (i = 0; i < nr; i++)
		trace[i] = list[i % from];
	return trace;
}

/* ---- cases ----------------------------------------------------------------------------------------- */

struct result {
	u32 ops;
	double ns;		/* the shell's too */
	double instructions;	/* of the core; < 0: not counted */
	double shell;		/* ... and those of the shell */
	struct hs_counters n;	/* of the measured part */
};

struct bench {
	const char *key, *name;
	enum hs_op op;
	u32 warm;		/* requests before those that are measured */
	double target, ocf;	/* instructions */
	struct result result[WORLD_KINDS];
};

enum { READ_HIT, WRITE_DIRTY, WRITE_FIRST, READ_MISS, BENCHES };
static struct bench benches[BENCHES] = {
	[READ_HIT] = {
		.key = "read_hit", .name = "read hit",
		.op = HS_OP_READ, .warm = 100000, .target = 200, .ocf = 2044,
	},
	[WRITE_DIRTY] = {
		.key = "wb_write_dirty", .name = "write-back write, dirty already",
		.op = HS_OP_WRITE, .warm = 3000000, .target = 600, .ocf = 2801,
	},
	[WRITE_FIRST] = {
		.key = "wb_write_first", .name = "write-back write, first",
		.op = HS_OP_WRITE, .warm = 1000000, .target = 900, .ocf = 5447,
	},
	[READ_MISS] = {
		.key = "read_miss", .name = "read miss, insert and evict",
		.op = HS_OP_READ, .warm = 1048576, .target = 1200, .ocf = 5122,
	},
};

/* Of nr blocks, those that are written: the rest are evicted for the slots that overwriting takes. */
static u32 first_blocks(u32 nr)
{
	return nr - nr / 8;
}

static u32 *bench_trace(u32 which, const u32 *list, u32 nr, u32 ops)
{
	u32 *all, *trace, i, blocks = (u32)(ORIGIN_BYTES / HS_PAGE);

	switch (which) {
	case READ_HIT:
		return trace_draw(list, nr, ops);
	case WRITE_DIRTY:
		return trace_draw(list, DIRTY_BLOCKS, ops);
	case WRITE_FIRST:
		return trace_cycle(list, first_blocks(nr), ops);
	}
	all = need(malloc(blocks * sizeof(*all)));
	for (i = 0; i < blocks; i++)
		all[i] = i;
	shuffle(all, blocks);
	trace = trace_cycle(all, blocks, ops);
	free(all);
	return trace;
}

static hs_always_inline void replay_of(struct shell *s, struct client *c, enum hs_op op, const u32 *trace, u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++) {
		request(s, c, op, trace[i]);
		if (op == HS_OP_WRITE && i % FLUSH_EVERY == FLUSH_EVERY - 1)
			request(s, c, HS_OP_FLUSH, 0);
		pass_time(s);
	}
}

static void __attribute__((noinline)) replay(struct shell *s, struct client *c, enum hs_op op, const u32 *trace, u32 nr)
{
	if (op == HS_OP_READ)
		replay_of(s, c, HS_OP_READ, trace, nr);
	else
		replay_of(s, c, HS_OP_WRITE, trace, nr);
}

static void counters_sub(struct hs_counters *n, const struct hs_counters *from)
{
	u64 *to = (u64 *)n;
	const u64 *less = (const u64 *)from;
	u32 i;

	for (i = 0; i < sizeof(*n) / sizeof(u64); i++)
		to[i] -= less[i];
}

/* A figure of something else than what it says would be worse than none. */
static void check(u32 which, const struct hs_counters *n, u32 ops)
{
	bool ok = true;

	switch (which) {
	case READ_HIT:
		ok = n->read_hits == ops;
		break;
	case WRITE_DIRTY:
		ok = n->write_hits == ops && n->flushes == ops / FLUSH_EVERY;
		break;
	case WRITE_FIRST:
		ok = n->write_hits == ops && n->write_backs > 0.9 * ops;
		break;
	case READ_MISS:
		ok = n->read_misses > 0.9 * ops && n->inserts > 0.9 * ops;
		break;
	}
	if (!ok)
		die("the trace did not do what it is for");
}

static void measure(u32 which, enum world_kind kind, u32 ops)
{
	struct bench *b = &benches[which];
	struct result *r = &b->result[kind];
	u32 *list = need(malloc(SLOTS * sizeof(*list))), nr, *trace;
	u32 warm = kind == WORLD_DATA ? b->warm / 3 : b->warm;	/* slow under callgrind */
	struct client *c = need(calloc(1, sizeof(*c)));
	struct hs_counters before;
	struct count count;
	struct shell s;

	shell_open(&s, kind);
	nr = resident(&s, c, list);
	shuffle(list, nr);
	/* Write-back comes in bursts: whole rounds over the blocks, so that each is in the figures as often as it comes. */
	if (which == WRITE_FIRST)
		ops = (u32)hs_max(2, ops / first_blocks(nr)) * first_blocks(nr);
	r->ops = ops;
	trace = bench_trace(which, list, nr, warm + ops);
	replay(&s, c, b->op, trace, warm);
	count_all(&s, &before);
	count_begin(&count);
	replay(&s, c, b->op, trace + warm, ops);
	count_end(&count);
	count_all(&s, &r->n);
	counters_sub(&r->n, &before);
	check(which, &r->n, ops);
	r->ns = (double)count.ns / ops;
	shell_close(&s);
	free(trace);
	free(list);
	free(c);
}

/* ---- locked instructions --------------------------------------------------------------------------- */

/* With a second thread in the process, else the C library leaves its locks' prefixes out. */
static void *idle(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void start_idle(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, idle, NULL))
		die("cannot start a thread");
}

struct hits {
	struct shell *s;
	struct client *c;
	const u32 *trace;
	u32 nr;
};

static void hits_run(void *arg)
{
	struct hits *h = arg;
	u32 i;

	for (i = 0; i < h->nr; i++)
		request(h->s, h->c, HS_OP_READ, h->trace[i]);
}

/* ---- two threads ----------------------------------------------------------------------------------- */

struct hitter {
	struct hits hits;
	pthread_barrier_t *barrier;
	u64 begun, ended;
	u64 cpu;		/* ns of this thread alone */
};

static u64 thread_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
}

static void *hitter_run(void *arg)
{
	struct hitter *h = arg;

	pthread_barrier_wait(h->barrier);
	h->begun = count_now();
	h->cpu = thread_ns();
	hits_run(&h->hits);
	h->cpu = thread_ns() - h->cpu;
	h->ended = count_now();
	return NULL;
}

/* Hits a second of the first `threads` hitters together. */
static double hitters_rate(struct hitter *h, u32 threads)
{
	u64 begun = UINT64_MAX, ended = 0;
	pthread_barrier_t barrier;
	pthread_t thread[2];
	u32 i;

	pthread_barrier_init(&barrier, NULL, threads);
	for (i = 0; i < threads; i++) {
		h[i].barrier = &barrier;
		if (pthread_create(&thread[i], NULL, hitter_run, &h[i]))
			die("cannot start a thread");
	}
	for (i = 0; i < threads; i++) {
		pthread_join(thread[i], NULL);
		begun = hs_min(begun, h[i].begun);
		ended = hs_max(ended, h[i].ended);
	}
	pthread_barrier_destroy(&barrier);
	return (double)threads * h[0].hits.nr / (double)(ended - begun);
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/*
 * A shard for each; one thread and two in turn, the median of the ratios. On a machine that is busy
 * with other things two threads do not get two processors: *cpu is the ratio that the threads' own time gives.
 */
static double hitters_ratio(struct shell *s, const u32 *list, u32 nr, u32 ops, double *cpu)
{
	u32 i, k, n[2] = { 0 };
	u32 *of[2] = { need(malloc(nr * 4)), need(malloc(nr * 4)) };
	struct hitter h[2];
	double ratio[9], own[9];

	for (i = 0; i < nr; i++) {
		struct hs_req req = {
			.op = HS_OP_READ,
			.sector = { (u64)list[i] * HS_PAGE_SECTORS },
			.sectors = HS_PAGE_SECTORS,
		};

		hs_req_init(s->core, &req, NULL);
		k = (u32)req.domain;
		if (k < 2)
			of[k][n[k]++] = list[i];
	}
	for (k = 0; k < 2; k++)
		h[k].hits = (struct hits){ s, need(aligned_alloc(HS_PAGE, 2 * HS_PAGE)),
					   trace_draw(of[k], n[k], ops), ops };
	hitters_rate(h, 2);
	for (i = 0; i < 9; i++) {
		double one = hitters_rate(h, 1);
		u64 alone = h[0].cpu;

		ratio[i] = hitters_rate(h, 2) / one;
		own[i] = 2.0 * (double)alone / (double)hs_max(h[0].cpu, h[1].cpu);
	}
	qsort(ratio, 9, sizeof(ratio[0]), compare_doubles);
	qsort(own, 9, sizeof(own[0]), compare_doubles);
	*cpu = own[4];
	return ratio[4];
}

/* ---- memory ---------------------------------------------------------------------------------------- */

/* Bytes of [mem, mem + bytes) that are there. */
static u64 touched(void *mem, u64 bytes)
{
	u64 pages = (bytes + HS_PAGE - 1) / HS_PAGE, i, n = 0;
	unsigned char *map = need(malloc(pages));

	if (mincore(mem, bytes, map))
		die("mincore failed");
	for (i = 0; i < pages; i++)
		n += map[i] & 1;
	free(map);
	return n * HS_PAGE;
}

/* ---- what has to do with hits on one full cache ---------------------------------------------------- */

struct extras {
	double map_bytes, all_bytes;	/* a slot */
	double locked, stepped;		/* a read hit; < 0: unknown */
	double two_threads;		/* ratio to one */
	double two_threads_cpu;		/* the same, by the threads' own time */
};

static void measure_extras(struct extras *e, u32 ops)
{
	struct hs_core_opts opts = { .mode = -1 };
	u32 *list = need(malloc(SLOTS * sizeof(*list))), nr;
	struct client *c = need(calloc(1, sizeof(*c)));
	struct count_steps steps, none;
	struct hits hits;
	struct shell s;

	shell_open(&s, WORLD_SUMS);
	nr = resident(&s, c, list);
	shuffle(list, nr);
	hits = (struct hits){ &s, c, trace_draw(list, nr, STEPPED_HITS), STEPPED_HITS };
	hits_run(&hits);
	e->locked = -1;
	e->stepped = -1;
	if (count_steps(start_idle, hits_run, &hits, &steps)) {
		hits.nr = 0;
		if (count_steps(start_idle, hits_run, &hits, &none)) {
			e->locked = (double)(steps.locked - none.locked) / STEPPED_HITS;
			e->stepped = (double)(steps.instructions - none.instructions) / STEPPED_HITS;
		}
	}
	e->two_threads = hitters_ratio(&s, list, nr, ops, &e->two_threads_cpu);
	replay(&s, c, HS_OP_WRITE, list, nr);
	e->map_bytes = (double)touched(s.mem, hs_core_map_size(&s.geo, &opts)) / SLOTS;
	e->all_bytes = (double)touched(s.mem, s.mem_bytes) / SLOTS;
	shell_close(&s);
	free((u32 *)(uintptr_t)hits.trace);
	free(list);
	free(c);
}

/* ---- results --------------------------------------------------------------------------------------- */

static void json_number(FILE *f, const char *key, const char *suffix, double value, bool last)
{
	if (value < 0)
		fprintf(f, "\t\"%s%s\": null%s\n", key, suffix, last ? "" : ",");
	else
		fprintf(f, "\t\"%s%s\": %.2f%s\n", key, suffix, value, last ? "" : ",");
}

static void write_json(const char *path, const struct extras *e, u32 ops)
{
	static const char *const suffix[WORLD_KINDS] = { "", "_sums", "_data" };
	FILE *f = fopen(path, "w");
	char name[64];
	u32 i, k;

	if (!f)
		die("cannot write the results");
	fprintf(f, "{\n\t\"operations\": %u,\n\t\"slots\": %u,\n", ops, SLOTS);
	for (k = 0; k < WORLD_KINDS; k++) {
		for (i = 0; i < BENCHES; i++) {
			snprintf(name, sizeof(name), "%s%s", benches[i].key, suffix[k]);
			json_number(f, name, "_instructions", benches[i].result[k].instructions, false);
			json_number(f, name, "_shell_instructions", benches[i].result[k].shell, false);
			json_number(f, name, "_ns", benches[i].result[k].ns, false);
		}
	}
	json_number(f, "read_hit_locked", "", e->locked, false);
	json_number(f, "read_hit_stepped", "_instructions", e->stepped, false);
	json_number(f, "two_threads_ratio", "", e->two_threads, false);
	json_number(f, "two_threads_cpu_ratio", "", e->two_threads_cpu, false);
	json_number(f, "bytes_per_slot", "", e->map_bytes, false);
	json_number(f, "bytes_per_slot_with_buffers", "", e->all_bytes, true);
	fprintf(f, "}\n");
	if (fclose(f))
		die("cannot write the results");
}

static void print_number(double value, const char *fmt)
{
	if (value < 0)
		printf("%9s", "-");
	else
		printf(fmt, value);
}

static void print_table(u32 ops)
{
	u32 i, k;

	printf("The core alone, I/O that costs nothing, 4 KiB, %u slots, one thread, %u requests:\n"
	       "instructions a request, with the commits and write-back that it causes (ns, with the bench's own shell).\n\n"
	       "%-33s%9s%15s%10s   %-15s  %-20s%s\n", SLOTS, ops, "", "to reach", "hotset", "Open CAS",
	       "with checksums:", "and copied, summed:", "its shell:");
	for (i = 0; i < BENCHES; i++) {
		const struct bench *b = &benches[i];

		printf("%-33s", b->name);
		print_number(b->target, "%9.0f");
		for (k = 0; k < WORLD_KINDS; k++) {
			print_number(b->result[k].instructions, "%9.0f");
			printf(" (%4.0f)", b->result[k].ns);
			if (!k)
				print_number(b->ocf, "%9.0f");
			printf("  ");
		}
		print_number(b->result[WORLD_PLAIN].shell, "%9.0f");
		printf("\n");
	}
	printf("\nA request's share of the background:%33s\n", "");
	for (i = 0; i < BENCHES; i++) {
		const struct hs_counters *n = &benches[i].result[WORLD_PLAIN].n;
		u32 nr = benches[i].result[WORLD_PLAIN].ops;

		printf("%-33s%9.4f commits%9.6f checkpoints%8.1f B journal%8.1f B table%6.2f write-backs\n",
		       benches[i].name, (double)n->commits / nr, (double)n->checkpoints / nr,
		       (double)n->journal_bytes / nr, (double)n->table_bytes / nr,
		       (double)n->write_backs / nr);
	}
}

static void print_extras(const struct extras *e)
{
	printf("\n%-33s%9s%9s\n", "", "to reach", "hotset");
	printf("%-33s%9.1f", "locked instructions, read hit", 4.0);
	print_number(e->locked, "%9.2f");
	printf("   of %.0f counted one by one, with checksums (Open CAS: 38)\n",
	       e->stepped);
	printf("%-33s%9.1f%9.2f   %.2f by their own time, if the machine is busy (Open CAS: 0.5)\n",
	       "two threads, ratio to one", 1.8, e->two_threads, e->two_threads_cpu);
	printf("%-33s%9.1f%9.2f   the map; %.2f with the background's buffers (Open CAS: 39 to 54)\n",
	       "RAM, bytes a slot", 20.0, e->map_bytes, e->all_bytes);
}

/* ---- the program ----------------------------------------------------------------------------------- */

/* "KEY=CORE,SHELL ...": instructions a request, as callgrind counted. */
static void take_given(const char *given)
{
	u32 i, k;

	for (i = 0; i < BENCHES; i++) {
		for (k = 0; k < WORLD_KINDS; k++) {
			struct result *r = &benches[i].result[k];
			char key[64];
			const char *at;

			r->instructions = -1;
			r->shell = -1;
			snprintf(key, sizeof(key), "%s.%u=", benches[i].key, k);
			at = given ? strstr(given, key) : NULL;
			if (at && sscanf(at + strlen(key), "%lf,%lf", &r->instructions, &r->shell) != 2)
				die("no such count");
		}
	}
}

static void measure_one(const char *what, u32 ops)
{
	char key[64];
	u32 i, k;

	for (i = 0; i < BENCHES; i++) {
		for (k = 0; k < WORLD_KINDS; k++) {
			snprintf(key, sizeof(key), "%s.%u", benches[i].key, k);
			if (strcmp(key, what))
				continue;
			measure(i, (enum world_kind)k, ops);
			printf("requests: %u\n", benches[i].result[k].ops);
			return;
		}
	}
	die("no such case");
}

/*
 * core OUT.json	measures everything; $GIVEN: instructions counted elsewhere
 * core --only CASE	one case, for callgrind
 */
int main(int argc, char **argv)
{
	const char *ops_env = getenv("OPS"), *given = getenv("GIVEN");
	u32 ops = ops_env ? (u32)atoi(ops_env) : OPS, i, k;
	struct extras extras;

	start_idle();
	if (argc == 3 && !strcmp(argv[1], "--only")) {
		measure_one(argv[2], ops);
		return 0;
	}
	if (argc != 2)
		die("usage: core OUT.json");
	for (i = 0; i < BENCHES; i++)
		for (k = 0; k < WORLD_KINDS; k++)
			measure(i, (enum world_kind)k, ops);
	take_given(given);
	measure_extras(&extras, ops);
	print_table(ops);
	print_extras(&extras);
	write_json(argv[1], &extras, ops);
	return 0;
}
