// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Writes sectors that say who they are, and remembers what a crash may have left of them.
 *
 *	stamp write URI STATE [--seconds N] [--ops N] [--seed N] [--threads N] [--errors] [--no-trim]
 *		[--begun FILE] [--until FILE]
 *	stamp verify URI STATE [--exact]
 *	stamp stream --seed N			random bytes without end
 *
 * A sector is made of its number and the sequence number of its write, all 512 bytes of it, so that
 * every other content is noticed. Requests in flight never overlap (a sector is `busy`), so sequence
 * numbers are the order of writes. For each sector STATE keeps
 *
 *	floor	newest write that a FLUSH or FUA covered, or what was seen there after a crash
 *	cur	newest write acknowledged; 0: not known (a trim, a failed write)
 *	zero	newest write-zeroes asked for; 0: none
 *	trim	newest trim asked for; 0: none
 *
 * and the log of writes since the last verify. After a crash a sector may read as its floor or as a
 * later write to it that the log has; what it reads as is the floor from then on. `write` ends well when
 * its time is up, its requests are used up, FILE is there (--until) or the server is gone; `--errors` lets
 * requests fail; with --begun it makes FILE when the first one has been answered. The origin begins as zeroes.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libnbd.h>

#define SECTOR		512u
#define COUNT_MAX	256u		/* sectors a request */
#define COMPLAINTS	8

enum kind { WRITE, WRITE_FUA, READ, FLUSH, ZERO, TRIM, KINDS };

struct sector {
	uint64_t floor, cur, zero, trim;
};

struct entry {
	uint64_t first;
	uint32_t count;
	uint32_t kind;
	bool flushed;
};

struct head {
	uint64_t nsectors, seq, log_first, nlog;
};

static struct {
	struct head head;
	struct sector *sectors;
	struct entry *log;
	size_t log_room;
	bool *busy;
	size_t *pending;		/* log entries acknowledged, not known to be flushed */
	size_t npending, pending_room;
	uint64_t done[KINDS], errors, complaints;
	uint64_t ops_left;
	struct timespec end;
	bool gone, begun;
	pthread_mutex_t lock;
} s = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct {
	const char *uri, *state, *begun, *until;
	double seconds;
	uint64_t ops, seed;
	unsigned int threads;
	bool errors, no_trim, exact;
} opts = { .seconds = 1e9, .ops = UINT64_MAX, .seed = 1, .threads = 8 };

static void die(const char *what)
{
	fprintf(stderr, "stamp: %s\n", what);
	exit(2);
}

/* ---- sectors ------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t *x)	/* splitmix64 */
{
	uint64_t z = (*x += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static void sector_fill(uint8_t *buf, uint64_t nr, uint64_t seq)
{
	uint64_t x = nr * 0x2545f4914f6cdd1d ^ seq, word;

	memcpy(buf, &nr, 8);
	memcpy(buf + 8, &seq, 8);
	for (size_t i = 16; i < SECTOR; i += 8) {
		word = mix(&x);
		memcpy(buf + i, &word, 8);
	}
}

/* The write that the sector holds; 0: zeroes; UINT64_MAX: neither. */
static uint64_t sector_read(const uint8_t *buf, uint64_t nr)
{
	static const uint8_t zeroes[SECTOR];
	uint8_t expected[SECTOR];
	uint64_t seq;

	if (!memcmp(buf, zeroes, SECTOR))
		return 0;
	memcpy(&seq, buf + 8, 8);
	sector_fill(expected, nr, seq);
	return memcmp(buf, expected, SECTOR) ? UINT64_MAX : seq;
}

static bool log_has(uint64_t seq, uint64_t nr)
{
	const struct entry *e;

	if (seq < s.head.log_first || seq - s.head.log_first >= s.head.nlog)
		return false;
	e = &s.log[seq - s.head.log_first];
	return (e->kind == WRITE || e->kind == WRITE_FUA) && nr - e->first < e->count;
}

/* Whether a crash may have left that. */
static bool may_be(const struct sector *sec, uint64_t nr, uint64_t seen)
{
	if (seen == UINT64_MAX)
		return false;
	if (sec->trim && sec->trim >= sec->floor)
		return true;
	if (!seen)
		return sec->zero && sec->zero >= sec->floor;
	return seen == sec->floor || (seen > sec->floor && log_has(seen, nr));
}

/* Whether it is the newest acknowledged, exactly. */
static bool is_current(const struct sector *sec, uint64_t nr, uint64_t seen)
{
	if (!sec->cur)
		return may_be(sec, nr, seen);
	return seen ? seen == sec->cur : sec->zero == sec->cur;
}

/* The requests to that sector since the last verify. */
static void history_print(uint64_t nr)
{
	static const char *const names[] = { "write", "FUA write", "read", "flush", "zeroing", "trim" };

	for (uint64_t i = 0; i < s.head.nlog; i++) {
		const struct entry *e = &s.log[i];

		if (nr - e->first < e->count)
			fprintf(stderr, "stamp:   %s %" PRIu64 " of sectors %" PRIu64 " to %" PRIu64 "%s\n",
				names[e->kind], s.head.log_first + i, e->first, e->first + e->count - 1,
				e->flushed ? ", flushed" : "");
	}
}

static bool complain(const char *when, uint64_t nr, const uint8_t *buf, uint64_t seen)
{
	const struct sector *sec = &s.sectors[nr];
	uint64_t word[2];

	memcpy(word, buf, 16);
	if (s.complaints++ >= COMPLAINTS)
		return false;
	fprintf(stderr, "stamp: %s: sector %" PRIu64 " (byte %" PRIu64 ") reads as %s %" PRIu64
			" (says sector %" PRIu64 ", write %" PRIu64 "); floor %" PRIu64 " current %" PRIu64
			" zeroed %" PRIu64 " trimmed %" PRIu64 ", log from %" PRIu64 "\n", when, nr,
			nr * SECTOR, seen == UINT64_MAX ? "garbage" : seen ? "write" : "zeroes", seen,
			word[0], word[1], sec->floor, sec->cur, sec->zero, sec->trim, s.head.log_first);
	if (s.complaints == 1)
		history_print(nr);
	return false;
}

/* ---- state --------------------------------------------------------------------------------------- */

static void state_new(uint64_t bytes)
{
	s.head.nsectors = bytes / SECTOR;
	s.head.seq = 1;
	s.head.log_first = 2;
	s.sectors = calloc(s.head.nsectors, sizeof(*s.sectors));
	for (uint64_t i = 0; i < s.head.nsectors; i++)
		s.sectors[i] = (struct sector){ .floor = 1, .cur = 1, .zero = 1 };
}

static void state_load(uint64_t bytes)
{
	FILE *f = fopen(opts.state, "r");

	if (!f) {
		state_new(bytes);
		return;
	}
	if (fread(&s.head, sizeof(s.head), 1, f) != 1 || s.head.nsectors != bytes / SECTOR)
		die("the state is of another disk");
	s.sectors = calloc(s.head.nsectors, sizeof(*s.sectors));
	s.log_room = s.head.nlog;
	s.log = calloc(s.log_room + 1, sizeof(*s.log));
	if (fread(s.sectors, sizeof(*s.sectors), s.head.nsectors, f) != s.head.nsectors ||
	    fread(s.log, sizeof(*s.log), s.head.nlog, f) != s.head.nlog)
		die("the state is cut short");
	fclose(f);
}

static void state_save(void)
{
	FILE *f = fopen(opts.state, "w");

	if (!f || fwrite(&s.head, sizeof(s.head), 1, f) != 1 ||
	    fwrite(s.sectors, sizeof(*s.sectors), s.head.nsectors, f) != s.head.nsectors ||
	    fwrite(s.log, sizeof(*s.log), s.head.nlog, f) != s.head.nlog || fclose(f))
		die("cannot write the state");
}

static struct nbd_handle *connection(void)
{
	struct nbd_handle *nbd = nbd_create();

	if (nbd && !nbd_connect_uri(nbd, opts.uri))
		return nbd;
	if (nbd)
		nbd_close(nbd);
	return NULL;
}

/* ---- writing: all but the requests themselves with the lock held ------------------------------------ */

struct op {
	enum kind kind;
	uint64_t first, seq;
	uint32_t count;
	uint8_t *buf;
	size_t *covers, ncovers;	/* FLUSH: log entries acknowledged before it */
};

static bool range_take(struct op *op)
{
	if (op->first + op->count > s.head.nsectors)
		op->count = (uint32_t)(s.head.nsectors - op->first);
	for (uint64_t i = 0; i < op->count; i++)
		if (s.busy[op->first + i])
			return false;
	memset(s.busy + op->first, true, op->count);
	return true;
}

static enum kind kind_choose(uint64_t r)
{
	static const uint8_t upto[] = { 60, 68, 85, 89, 95, 100 };
	enum kind kind = WRITE;

	while (r % 100 >= upto[kind])
		kind++;
	return kind == TRIM && opts.no_trim ? ZERO : kind;
}

/* A small part of the disk takes most requests, so that blocks are overwritten while dirty. */
static void op_choose(struct op *op, uint64_t *random)
{
	uint64_t r = mix(random);

	op->kind = kind_choose(r);
	op->count = 0;
	while (op->kind != FLUSH) {
		uint64_t range = mix(random) % 10 < 6 ? s.head.nsectors / 8 + 1 : s.head.nsectors;

		r = mix(random);
		op->first = mix(random) % range;
		switch (r % 5) {
		case 0:
			op->count = 1;
			break;
		case 1:
			op->count = 1 + (r >> 8) % 16;
			break;
		case 2:
			op->count = 1 + (r >> 8) % COUNT_MAX;
			break;
		default:
			op->first &= ~7ull;
			op->count = 8;
			break;
		}
		if (range_take(op))
			break;
	}
}

static void op_log(struct op *op)
{
	if (op->kind == READ || op->kind == FLUSH)
		return;
	if (s.head.nlog == s.log_room) {
		s.log_room = 2 * s.log_room + 1024;
		s.log = realloc(s.log, s.log_room * sizeof(*s.log));
	}
	op->seq = ++s.head.seq;
	s.log[s.head.nlog++] = (struct entry){ .first = op->first, .count = op->count, .kind = op->kind };
	for (uint64_t i = op->first; i < op->first + op->count; i++) {
		s.sectors[i].cur = 0;
		if (op->kind == ZERO)
			s.sectors[i].zero = op->seq;
		if (op->kind == TRIM)
			s.sectors[i].trim = op->seq;
	}
}

static void floor_raise(const struct entry *e, uint64_t seq)
{
	for (uint64_t i = e->first; i < e->first + e->count; i++)
		if (s.sectors[i].floor < seq)
			s.sectors[i].floor = seq;
}

static void pending_add(size_t entry)
{
	if (s.npending == s.pending_room) {
		s.pending_room = 2 * s.pending_room + 1024;
		s.pending = realloc(s.pending, s.pending_room * sizeof(*s.pending));
	}
	s.pending[s.npending++] = entry;
}

/* Other flushes may be under way: what they cover stays pending until one has ended. */
static void flush_begin(struct op *op)
{
	size_t i, n = 0;

	for (i = 0; i < s.npending; i++)
		if (!s.log[s.pending[i]].flushed)
			s.pending[n++] = s.pending[i];
	s.npending = n;
	op->ncovers = n;
	op->covers = realloc(op->covers, (n + 1) * sizeof(*op->covers));
	if (n)
		memcpy(op->covers, s.pending, n * sizeof(*op->covers));
}

static void flush_acked(struct op *op)
{
	for (size_t i = 0; i < op->ncovers; i++) {
		struct entry *e = &s.log[op->covers[i]];

		e->flushed = true;
		floor_raise(e, s.head.log_first + op->covers[i]);
	}
}

static bool op_begin(struct op *op, uint64_t *random)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (s.gone || !s.ops_left || s.complaints || now.tv_sec > s.end.tv_sec ||
	    (now.tv_sec == s.end.tv_sec && now.tv_nsec > s.end.tv_nsec) ||
	    (opts.until && !access(opts.until, F_OK)))
		return false;
	s.ops_left--;
	op_choose(op, random);
	op_log(op);
	if (op->kind == WRITE || op->kind == WRITE_FUA)
		for (uint32_t i = 0; i < op->count; i++)
			sector_fill(op->buf + (size_t)i * SECTOR, op->first + i, op->seq);
	if (op->kind == FLUSH)
		flush_begin(op);
	return true;
}

static void op_acked(struct op *op)
{
	size_t entry = op->seq - s.head.log_first;

	if (op->kind == READ) {
		for (uint32_t i = 0; i < op->count; i++) {
			const uint8_t *at = op->buf + (size_t)i * SECTOR;
			uint64_t nr = op->first + i, seen = sector_read(at, nr);

			if (!is_current(&s.sectors[nr], nr, seen))
				complain("a read", nr, at, seen);
		}
		return;
	}
	for (uint64_t i = op->first; i < op->first + op->count; i++)
		s.sectors[i].cur = op->kind == TRIM ? 0 : op->seq;
	if (op->kind == WRITE_FUA)
		floor_raise(&s.log[entry], op->seq);
	else
		pending_add(entry);
}

static int op_perform(struct nbd_handle *nbd, const struct op *op)
{
	size_t bytes = (size_t)op->count * SECTOR;
	uint64_t offset = op->first * SECTOR;

	switch (op->kind) {
	case READ:
		return nbd_pread(nbd, op->buf, bytes, offset, 0);
	case FLUSH:
		return nbd_flush(nbd, 0);
	case ZERO:
		return nbd_zero(nbd, bytes, offset, offset & 512 ? LIBNBD_CMD_FLAG_NO_HOLE : 0);
	case TRIM:
		return nbd_trim(nbd, bytes, offset, 0);
	default:
		return nbd_pwrite(nbd, op->buf, bytes, offset,
				  op->kind == WRITE_FUA ? LIBNBD_CMD_FLAG_FUA : 0);
	}
}

static void begun_tell(void)
{
	int fd = open(opts.begun, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		die("cannot make the file that says that it has begun");
	close(fd);
	s.begun = true;
}

static void op_end(struct nbd_handle *nbd, struct op *op, int failed)
{
	memset(s.busy + op->first, false, op->count);
	if (!failed) {
		s.done[op->kind]++;
		if (opts.begun && !s.begun)
			begun_tell();
		if (op->kind == FLUSH)
			flush_acked(op);
		else
			op_acked(op);
		return;
	}
	if (nbd_aio_is_dead(nbd) || nbd_aio_is_closed(nbd) || nbd_get_errno() == ESHUTDOWN) {
		s.gone = true;
		return;
	}
	s.errors++;
	if (!opts.errors && s.complaints++ < COMPLAINTS)
		fprintf(stderr, "stamp: %s\n", nbd_get_error());
}

static void *writer(void *arg)
{
	uint64_t random = opts.seed * 1000 + (uintptr_t)arg;
	struct nbd_handle *nbd = connection();
	struct op op = { .buf = malloc(COUNT_MAX * SECTOR) };
	int failed;

	pthread_mutex_lock(&s.lock);
	while (nbd && op_begin(&op, &random)) {
		pthread_mutex_unlock(&s.lock);
		failed = op_perform(nbd, &op);
		pthread_mutex_lock(&s.lock);
		op_end(nbd, &op, failed);
	}
	pthread_mutex_unlock(&s.lock);
	free(op.buf);
	free(op.covers);
	if (nbd)
		nbd_close(nbd);
	return NULL;
}

static int run_write(void)
{
	pthread_t threads[64];

	s.busy = calloc(s.head.nsectors, 1);
	s.ops_left = opts.ops;
	clock_gettime(CLOCK_MONOTONIC, &s.end);
	s.end.tv_sec += (time_t)opts.seconds;
	s.end.tv_nsec += (long)((opts.seconds - (double)(time_t)opts.seconds) * 1e9);
	if (s.end.tv_nsec >= 1000000000) {
		s.end.tv_nsec -= 1000000000;
		s.end.tv_sec++;
	}
	for (uintptr_t i = 0; i < opts.threads; i++)
		pthread_create(&threads[i], NULL, writer, (void *)i);
	for (unsigned int i = 0; i < opts.threads; i++)
		pthread_join(threads[i], NULL);
	state_save();
	printf("%" PRIu64 " writes, %" PRIu64 " with FUA, %" PRIu64 " reads, %" PRIu64 " flushes, %" PRIu64
	       " zeroings, %" PRIu64 " trims, %" PRIu64 " errors%s\n", s.done[WRITE], s.done[WRITE_FUA],
	       s.done[READ], s.done[FLUSH], s.done[ZERO], s.done[TRIM], s.errors,
	       s.gone ? "; the server went away" : "");
	return s.complaints ? 1 : 0;
}

/* ---- verifying ----------------------------------------------------------------------------------- */

static void sector_settle(struct sector *sec, uint64_t seen)
{
	if (!seen)
		seen = sec->zero = ++s.head.seq;
	else
		sec->zero = 0;
	sec->floor = sec->cur = seen;
	sec->trim = 0;
}

static void sectors_verify(const uint8_t *buf, uint64_t first, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		const uint8_t *at = buf + i * SECTOR;
		struct sector *sec = &s.sectors[first + i];
		uint64_t seen = sector_read(at, first + i);

		if (opts.exact ? is_current(sec, first + i, seen) : may_be(sec, first + i, seen))
			sector_settle(sec, seen);
		else
			complain(opts.exact ? "exactly" : "after the crash", first + i, at, seen);
	}
}

static int run_verify(struct nbd_handle *nbd)
{
	const uint64_t step = (1u << 20) / SECTOR;
	uint8_t *buf = malloc(step * SECTOR);

	for (uint64_t at = 0; at < s.head.nsectors; at += step) {
		uint64_t count = s.head.nsectors - at < step ? s.head.nsectors - at : step;

		if (nbd_pread(nbd, buf, count * SECTOR, at * SECTOR, 0))
			die(nbd_get_error());
		sectors_verify(buf, at, count);
	}
	free(buf);
	s.head.nlog = 0;
	s.head.log_first = s.head.seq + 1;
	state_save();
	printf("%" PRIu64 " sectors, %" PRIu64 " wrong\n", s.head.nsectors, s.complaints);
	return s.complaints ? 1 : 0;
}

static int run_stream(void)
{
	uint64_t x = opts.seed * 0x5851f42d4c957f2d, words[8192];

	for (;;) {
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			words[i] = mix(&x);
		if (write(STDOUT_FILENO, words, sizeof(words)) < 0)
			return 0;
	}
}

static void options_parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seconds", required_argument, NULL, 't' }, { "ops", required_argument, NULL, 'o' },
		{ "seed", required_argument, NULL, 's' }, { "threads", required_argument, NULL, 'j' },
		{ "errors", no_argument, NULL, 'e' }, { "no-trim", no_argument, NULL, 'n' },
		{ "begun", required_argument, NULL, 'b' }, { "until", required_argument, NULL, 'u' },
		{ "exact", no_argument, NULL, 'x' }, { NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 't':
			opts.seconds = strtod(optarg, NULL);
			break;
		case 'o':
			opts.ops = strtoull(optarg, NULL, 0);
			break;
		case 's':
			opts.seed = strtoull(optarg, NULL, 0);
			break;
		case 'j':
			opts.threads = (unsigned int)strtoul(optarg, NULL, 0) % 65;
			break;
		case 'e':
			opts.errors = true;
			break;
		case 'n':
			opts.no_trim = true;
			break;
		case 'b':
			opts.begun = optarg;
			break;
		case 'u':
			opts.until = optarg;
			break;
		case 'x':
			opts.exact = true;
			break;
		default:
			die("see the head of its source");
		}
	}
}

int main(int argc, char **argv)
{
	struct nbd_handle *nbd;

	options_parse(argc, argv);
	argv += optind;
	argc -= optind;
	if (argc == 1 && !strcmp(argv[0], "stream"))
		return run_stream();
	if (argc != 3)
		die("see the head of its source");
	opts.uri = argv[1];
	opts.state = argv[2];
	nbd = connection();
	if (!nbd && !strcmp(argv[0], "write")) {
		printf("nothing: the server was already gone\n");
		return 0;
	}
	if (!nbd)
		die(nbd_get_error());
	state_load((uint64_t)nbd_get_size(nbd));
	if (!strcmp(argv[0], "verify"))
		return run_verify(nbd);
	nbd_close(nbd);
	return run_write();
}
