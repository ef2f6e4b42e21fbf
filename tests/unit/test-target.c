// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * engine/file.c, file_use.c, edges.c, target.c: files and block devices as targets. On a file
 * system on disk and on tmpfs; on loop devices where the machine lets us have them.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <linux/loop.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/target.h"

#define SIZE	(1024u * 1024u)

static struct hs_error err;

/* ---- a place with a file --------------------------------------------------------------------- */

struct place {
	char dir[64];
	char file[128];
};

static int place_make(struct place *p, const char *base)
{
	snprintf(p->dir, sizeof(p->dir), "%s/hotset-test-XXXXXX", base);
	if (!mkdtemp(p->dir))
		return -1;
	snprintf(p->file, sizeof(p->file), "%s/file", p->dir);
	return 0;
}

static int place_remove(void **state)
{
	struct place *p = *state;

	unlink(p->file);
	rmdir(p->dir);
	free(p);
	return 0;
}

static int on_base(void **state, const char *base)
{
	*state = calloc(1, sizeof(struct place));
	return place_make(*state, base);
}

static int on_disk(void **state)
{
	return on_base(state, "/var/tmp");
}

static int on_tmpfs(void **state)
{
	return on_base(state, "/dev/shm");
}

static void file_make(const struct place *p, off_t size)
{
	int fd = open(p->file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	close(fd);
}

static off_t file_size(const struct place *p)
{
	struct stat st;

	assert_int_equal(stat(p->file, &st), 0);
	return st.st_size;
}

static struct hs_target *target(const char *name, unsigned int flags)
{
	struct hs_target *t;
	int ret = hs_target_open(name, flags, &t, &err);

	if (ret)
		fail_msg("%s: %s", name, err.msg);
	return t;
}

static void refused(const char *name, unsigned int flags, int why, const char *words)
{
	struct hs_target *t;

	err.msg[0] = '\0';
	assert_int_equal(hs_target_open(name, flags, &t, &err), why);
	assert_null(t);
	if (!strstr(err.msg, words) || !strstr(err.msg, name))
		fail_msg("message lacks \"%s\" or the name: %s", words, err.msg);
}

/* ---- operations against an array ------------------------------------------------------------- */

struct model {
	struct hs_target *t;
	uint8_t *want, *buf;
	unsigned int seed;
};

static unsigned int draw(struct model *m, unsigned int below)
{
	return (unsigned int)rand_r(&m->seed) % below;
}

static void model_write(struct model *m, uint8_t *buf, size_t count, uint64_t offset)
{
	size_t i;

	for (i = 0; i < count; i++)
		buf[i] = (uint8_t)draw(m, 256);
	memcpy(m->want + offset, buf, count);
	assert_int_equal(m->t->ops->pwrite(m->t, buf, count, offset, draw(m, 2)), 0);
}

static void model_read(struct model *m, uint8_t *buf, size_t count, uint64_t offset)
{
	memset(buf, 0x5a, count);
	assert_int_equal(m->t->ops->pread(m->t, buf, count, offset), 0);
	assert_memory_equal(buf, m->want + offset, count);
}

/* What a discarded range reads as is the target's business, but then it must stay so. */
static void model_discard(struct model *m, size_t count, uint64_t offset)
{
	assert_int_equal(m->t->ops->discard(m->t, count, offset), 0);
	assert_int_equal(m->t->ops->pread(m->t, m->want + offset, count, offset), 0);
}

static void model_step(struct model *m)
{
	uint32_t sectors = (uint32_t)(m->t->size / 512);
	uint64_t at = draw(m, sectors);
	size_t count = 1 + draw(m, (unsigned int)hs_min(sectors - at, 64));
	uint8_t *buf = m->buf + (draw(m, 2) ? 0 : draw(m, 512));

	at *= 512;
	count *= 512;
	switch (draw(m, 8)) {
	case 0:
		memset(m->want + at, 0, count);
		assert_int_equal(m->t->ops->zero(m->t, count, at, draw(m, 2)), 0);
		break;
	case 1:
		model_discard(m, count, at);
		break;
	case 2:
		assert_int_equal(m->t->ops->flush(m->t), 0);
		break;
	case 3 ... 5:
		model_write(m, buf, count, at);
		break;
	default:
		model_read(m, buf, count, at);
	}
}

static void model_run(struct hs_target *t, int steps)
{
	struct model m = { .t = t, .seed = 42 };

	m.want = calloc(1, t->size);
	m.buf = aligned_alloc(4096, 64 * 512 + 4096);
	assert_int_equal(t->ops->pread(t, m.want, t->size, 0), 0);
	while (steps--)
		model_step(&m);
	assert_int_equal(t->ops->flush(t), 0);
	free(m.buf);
	m.buf = malloc(t->size);
	model_read(&m, m.buf, t->size, 0);
	free(m.want);
	free(m.buf);
}

/* ---- files ----------------------------------------------------------------------------------- */

static void file_operations_match_model(void **state)
{
	struct place *p = *state;
	struct hs_target *t;

	file_make(p, SIZE);
	t = target(p->file, HS_TARGET_WRITE | HS_TARGET_CACHE);
	print_message("%s: direct %d, align %u\n", p->file, t->direct, t->align);
	assert_int_equal(t->size, SIZE);
	model_run(t, 2000);
	hs_target_close(t);
	assert_int_equal(file_size(p), SIZE);
}

/* Sizes that no unit divides; too small for O_DIRECT to be tried. */
static void file_of_odd_size_keeps_it(void **state)
{
	static const off_t sizes[] = { 512, 1000, 1536, 4096 + 512, 7 * 4096 + 3, 100 * 512 };
	struct place *p = *state;
	struct hs_target *t;
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		file_make(p, sizes[i]);
		t = target(p->file, HS_TARGET_WRITE);
		assert_int_equal(t->size, sizes[i] & ~511);
		model_run(t, 300);
		hs_target_close(t);
		assert_int_equal(file_size(p), sizes[i]);
	}
}

static void file_never_grows(void **state)
{
	struct place *p = *state;
	struct hs_target *t;
	uint8_t buf[1024] = { 0 };

	file_make(p, SIZE);
	t = target(p->file, HS_TARGET_WRITE);
	assert_int_equal(t->ops->pwrite(t, buf, 1024, SIZE - 512, false), -EINVAL);
	assert_int_equal(t->ops->pwrite(t, buf, 512, UINT64_MAX - 511, false), -EINVAL);
	assert_int_equal(t->ops->zero(t, 1024, SIZE - 512, false), -EINVAL);
	assert_int_equal(t->ops->discard(t, 1024, SIZE - 512), -EINVAL);
	assert_int_equal(t->ops->pread(t, buf, 1024, SIZE - 512), -EINVAL);
	hs_target_close(t);
	assert_int_equal(file_size(p), SIZE);
}

static void file_that_shrank_is_an_error(void **state)
{
	struct place *p = *state;
	struct hs_target *t;
	uint8_t buf[4096];

	file_make(p, SIZE);
	t = target(p->file, HS_TARGET_WRITE);
	assert_int_equal(truncate(p->file, SIZE / 2), 0);
	assert_int_equal(t->ops->pread(t, buf, 4096, 3 * SIZE / 4), -EIO);
	assert_int_equal(t->ops->pread(t, buf, 4096, 0), 0);
	hs_target_close(t);
}

static void file_read_only_is_not_written(void **state)
{
	struct place *p = *state;
	struct hs_target *t;
	uint8_t buf[512] = { 0 };

	file_make(p, SIZE);
	t = target(p->file, 0);
	assert_int_equal(t->ops->pread(t, buf, 512, 0), 0);
	assert_int_equal(t->ops->pwrite(t, buf, 512, 0, false), -EBADF);
	hs_target_close(t);
}

static void file_names_that_are_refused(void **state)
{
	struct place *p = *state;

	refused(p->dir, HS_TARGET_WRITE, -EINVAL, "neither a file nor a block device");
	refused("/dev/null", 0, -EINVAL, "neither a file nor a block device");
	refused("/nonexistent/x", 0, -ENOENT, "No such file");
	refused("nbd://localhost", HS_TARGET_CACHE, -EINVAL, "must be a file or a block device");
}

/* A full file system says so, and what is there stays readable. */
static void file_system_full(void **state)
{
	struct place *p = *state;
	char dir[128], name[160];
	struct hs_target *t;
	uint8_t *buf;

	snprintf(dir, sizeof(dir), "%s/mnt", p->dir);
	assert_int_equal(mkdir(dir, 0700), 0);
	if (mount("hotset-test", dir, "tmpfs", 0, "size=256k")) {
		rmdir(dir);
		print_message("skipped: no mount here: %s\n", strerror(errno));
		skip();
	}
	snprintf(name, sizeof(name), "%s/file", dir);
	close(open(name, O_CREAT | O_RDWR, 0600));
	assert_int_equal(truncate(name, SIZE), 0);
	buf = calloc(1, SIZE);
	t = target(name, HS_TARGET_WRITE);
	assert_int_equal(t->ops->pwrite(t, buf, SIZE, 0, false), -ENOSPC);
	assert_int_equal(t->ops->pread(t, buf, SIZE, 0), 0);
	hs_target_close(t);
	free(buf);
	umount(dir);
	rmdir(dir);
}

/* ---- exclusive ------------------------------------------------------------------------------- */

static void writer_excludes_everyone(void **state)
{
	struct place *p = *state;
	struct hs_target *t;

	file_make(p, SIZE);
	t = target(p->file, HS_TARGET_WRITE);
	refused(p->file, HS_TARGET_WRITE, -EBUSY, "in another program");
	refused(p->file, 0, -EBUSY, "in use by another program");
	hs_target_close(t);
	hs_target_close(target(p->file, HS_TARGET_WRITE));
}

static void readers_share(void **state)
{
	struct place *p = *state;
	struct hs_target *a, *b;

	file_make(p, SIZE);
	a = target(p->file, 0);
	b = target(p->file, 0);
	refused(p->file, HS_TARGET_WRITE, -EBUSY, "in use by another program");
	hs_target_close(a);
	refused(p->file, HS_TARGET_WRITE, -EBUSY, "in use by another program");
	hs_target_close(b);
	hs_target_close(target(p->file, HS_TARGET_WRITE));
}

/*
 * Closing another descriptor of the file, here by a reader that is refused, must not drop the lock.
 */
static void lock_outlives_other_descriptors(void **state)
{
	struct place *p = *state;
	struct hs_target *t;

	file_make(p, SIZE);
	t = target(p->file, HS_TARGET_WRITE);
	close(open(p->file, O_RDWR));
	refused(p->file, 0, -EBUSY, "in use by another program");
	hs_target_close(t);
}

static void foreign_writer_is_noticed(void **state)
{
	struct place *p = *state;
	int fd;

	file_make(p, SIZE);
	fd = open(p->file, O_RDWR);
	if (fcntl(fd, F_SETLEASE, F_UNLCK) && errno == EINVAL) {
		close(fd);
		print_message("skipped: no leases on this file system\n");
		skip();
	}
	refused(p->file, HS_TARGET_WRITE, -EBUSY, "open for writing in another program");
	close(fd);
	hs_target_close(target(p->file, HS_TARGET_WRITE));
}

/* Opens in a child that then sleeps; returns when it holds the lock. */
static pid_t hold_in_child(const char *name)
{
	struct hs_target *t;
	int pipefd[2];
	char ok = 0;
	pid_t pid;

	assert_int_equal(pipe(pipefd), 0);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		ok = !hs_target_open(name, HS_TARGET_WRITE, &t, NULL);
		if (write(pipefd[1], &ok, 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(pipefd[0], &ok, 1), 1);
	assert_int_equal(ok, 1);
	close(pipefd[0]);
	close(pipefd[1]);
	return pid;
}

static void killed_process_leaves_nothing_behind(void **state)
{
	struct place *p = *state;
	pid_t pid;

	file_make(p, SIZE);
	pid = hold_in_child(p->file);
	refused(p->file, HS_TARGET_WRITE, -EBUSY, "in another program");
	refused(p->file, 0, -EBUSY, "in use by another program");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	hs_target_close(target(p->file, HS_TARGET_WRITE));
}

/* ---- loop devices ---------------------------------------------------------------------------- */

struct loop {
	int fd;
	char name[32];
};

static void loop_detach(struct loop *l)
{
	close(l->fd);
}

/* Skips the test where loop devices are not to be had. */
static void loop_attach(struct loop *l, const struct place *p, uint32_t sector)
{
	/* It goes with the last descriptor, whatever becomes of the test. */
	struct loop_config config = {
		.block_size = sector, .info.lo_flags = LO_FLAGS_AUTOCLEAR,
	};
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int nr = control < 0 ? -1 : ioctl(control, LOOP_CTL_GET_FREE);
	int ret;

	close(control);
	snprintf(l->name, sizeof(l->name), "/dev/loop%d", nr);
	l->fd = nr < 0 ? -1 : open(l->name, O_RDWR | O_CLOEXEC);
	if (l->fd < 0) {
		print_message("skipped: no loop devices here\n");
		skip();
	}
	config.fd = (uint32_t)open(p->file, O_RDWR | O_CLOEXEC);
	ret = ioctl(l->fd, LOOP_CONFIGURE, &config);
	close((int)config.fd);
	if (ret) {
		close(l->fd);
		print_message("skipped: cannot configure %s\n", l->name);
		skip();
	}
}

static void block_device_matches_model(void **state)
{
	struct place *p = *state;
	struct hs_target *t;
	struct loop l;
	uint32_t sector;

	for (sector = 512; sector <= 4096; sector *= 8) {
		file_make(p, SIZE);
		loop_attach(&l, p, sector);
		t = target(l.name, HS_TARGET_WRITE);
		print_message("%s: direct %d, align %u\n", l.name, t->direct, t->align);
		assert_int_equal(t->size, SIZE);
		assert_true(t->direct);
		assert_int_equal(t->align, sector);
		model_run(t, 1000);
		refused(l.name, HS_TARGET_WRITE, -EBUSY, "in use");
		refused(l.name, 0, -EBUSY, "in use by another program");
		hs_target_close(t);
		loop_detach(&l);
	}
}

static void file_behind_loop_device_is_refused(void **state)
{
	struct place *p = *state;
	struct loop l;

	file_make(p, SIZE);
	loop_attach(&l, p, 512);
	refused(p->file, HS_TARGET_WRITE, -EBUSY, "losetup -d");
	loop_detach(&l);
	hs_target_close(target(p->file, HS_TARGET_WRITE));
}

static void mounted_device_is_refused(void **state)
{
	struct place *p = *state;
	char command[160];
	struct loop l;
	bool mounted;

	file_make(p, 4 * SIZE);
	snprintf(command, sizeof(command), "mke2fs -q -F %s", p->file);
	if (system(command)) {
		print_message("skipped: no mke2fs\n");
		skip();
	}
	loop_attach(&l, p, 512);
	snprintf(command, sizeof(command), "%s/a b", p->dir);
	assert_int_equal(mkdir(command, 0700), 0);
	mounted = !mount(l.name, command, "ext4", 0, NULL) ||
		  !mount(l.name, command, "ext2", 0, NULL);
	if (mounted) {
		refused(l.name, HS_TARGET_WRITE, -EBUSY, command);
		umount(command);
		hs_target_close(target(l.name, HS_TARGET_WRITE));
	}
	rmdir(command);
	loop_detach(&l);
	if (!mounted) {
		print_message("skipped: cannot mount\n");
		skip();
	}
}

/* ---- edges: a medium of 4096-byte units that checks what it is given ------------------------- */

struct medium {
	struct hs_target t;
	struct hs_edges edges;
	int fd;
};

static struct medium medium;

#define MEDIUM_SIZE	(64u * 1024u)

static int medium_read(struct hs_target *t, void *buf, size_t count, uint64_t offset)
{
	assert_true(hs_edges_fit(&medium.edges, buf, count, offset));
	return pread(medium.fd, buf, count, (off_t)offset) == (ssize_t)count ? 0 : -EIO;
}

static int medium_write(struct hs_target *t, const void *buf, size_t count, uint64_t offset,
			bool fua)
{
	assert_true(hs_edges_fit(&medium.edges, buf, count, offset));
	return pwrite(medium.fd, buf, count, (off_t)offset) == (ssize_t)count ? 0 : -EIO;
}

static int medium_make(void **state)
{
	medium.edges.read = medium_read;
	medium.edges.write = medium_write;
	medium.fd = memfd_create("medium", MFD_CLOEXEC);
	return ftruncate(medium.fd, MEDIUM_SIZE) || hs_edges_init(&medium.edges, 4096, 4096);
}

static int medium_remove(void **state)
{
	hs_edges_destroy(&medium.edges);
	close(medium.fd);
	return 0;
}

static int put(const void *buf, size_t count, uint64_t offset)
{
	return hs_edges_pwrite(&medium.edges, &medium.t, buf, count, offset, false);
}

static int get(void *buf, size_t count, uint64_t offset)
{
	return hs_edges_pread(&medium.edges, &medium.t, buf, count, offset);
}

static void edges_take_any_transfer(void **state)
{
	static uint8_t want[MEDIUM_SIZE], buf[MEDIUM_SIZE];
	unsigned int seed = 7, i;
	size_t at, count;

	for (i = 0; i < 2000; i++) {
		at = (size_t)rand_r(&seed) % 128 * 512;
		count = (size_t)rand_r(&seed) % (128 - at / 512) * 512 + 512;
		memset(buf, (int)i, count);
		memset(want + at, (int)i, count);
		assert_int_equal(put(buf, count, at), 0);
		assert_int_equal(get(buf, count, at), 0);
		assert_memory_equal(buf, want + at, count);
	}
	assert_int_equal(get(buf, MEDIUM_SIZE, 0), 0);
	assert_memory_equal(buf, want, MEDIUM_SIZE);
}

/* Each thread owns one sector of each unit, and counts in it. */
static void *write_own_sector(void *arg)
{
	size_t own = (size_t)(uintptr_t)arg, at;
	uint64_t sector[64] = { 0 }, back[64];
	unsigned int i;

	for (i = 0; i < 3000; i++) {
		at = i % 2 * 4096 + own * 512;
		sector[i % 64]++;
		if (put(sector, 512, at) || get(back, 512, at) || memcmp(back, sector, 512))
			return "a neighbour's write undid this one";
	}
	return NULL;
}

static void edges_of_neighbours_lose_nothing(void **state)
{
	pthread_t threads[8];
	void *lost;
	size_t i;

	for (i = 0; i < 8; i++)
		pthread_create(&threads[i], NULL, write_own_sector, (void *)(uintptr_t)i);
	for (i = 0; i < 8; i++) {
		pthread_join(threads[i], &lost);
		assert_null(lost);
	}
}

static atomic_bool stop;

static void *write_first_sector(void *arg)
{
	uint8_t sector[512] = { 0 };

	while (!atomic_load(&stop) && !put(sector, 512, 0))
		;
	return NULL;
}

/* The sectors that only the whole-unit writer writes are always as it left them. */
static void edges_beside_whole_units_lose_nothing(void **state)
{
	uint8_t *unit = aligned_alloc(4096, 4096), back[4096 - 512];
	pthread_t thread;
	int i;

	atomic_store(&stop, false);
	pthread_create(&thread, NULL, write_first_sector, NULL);
	for (i = 0; i < 5000; i++) {
		memset(unit, i, 4096);
		assert_int_equal(put(unit, 4096, 0), 0);
		assert_int_equal(get(back, sizeof(back), 512), 0);
		assert_memory_equal(back, unit + 512, sizeof(back));
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	free(unit);
}

/* ---- doubt ----------------------------------------------------------------------------------- */

static void doubt_reaches_every_overlapping_flush(void **state)
{
	struct hs_doubt d = { 0 };
	uint64_t a = hs_doubt_begin(&d), b = hs_doubt_begin(&d);

	assert_int_equal(hs_doubt_end(&d, a, -ENOSPC), -ENOSPC);
	assert_int_equal(hs_doubt_end(&d, b, 0), -EIO);
	assert_int_equal(hs_doubt_end(&d, hs_doubt_begin(&d), 0), 0);
}

static void doubt_of_a_durable_write_reaches_the_next_flush(void **state)
{
	struct hs_doubt d = { 0 };

	assert_int_equal(hs_doubt_fua_end(&d, hs_doubt_fua_begin(&d), -EIO), -EIO);
	/* A durable write that comes between does not take it away. */
	assert_int_equal(hs_doubt_fua_end(&d, hs_doubt_fua_begin(&d), 0), 0);
	assert_int_equal(hs_doubt_end(&d, hs_doubt_begin(&d), 0), -EIO);
	assert_int_equal(hs_doubt_end(&d, hs_doubt_begin(&d), 0), 0);
}

static void doubt_reaches_an_overlapping_durable_write(void **state)
{
	struct hs_doubt d = { 0 };
	uint64_t write = hs_doubt_fua_begin(&d);

	assert_int_equal(hs_doubt_end(&d, hs_doubt_begin(&d), -EIO), -EIO);
	assert_int_equal(hs_doubt_fua_end(&d, write, 0), -EIO);
}

/* ---- fingerprint ----------------------------------------------------------------------------- */

static uint64_t fingerprint(const struct place *p)
{
	struct hs_target *t = target(p->file, 0);
	uint64_t fp;

	assert_int_equal(hs_target_fingerprint(t, &fp), 0);
	hs_target_close(t);
	return fp;
}

static void put_byte(const struct place *p, off_t at, char byte)
{
	int fd = open(p->file, O_WRONLY | O_CLOEXEC);

	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

static void fingerprint_sees_ends_and_size(void **state)
{
	static const off_t sizes[] = { 512, 4096, SIZE, SIZE + 512, 64 * SIZE };
	struct place *p = *state;
	uint64_t zeroes;
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		file_make(p, sizes[i]);
		zeroes = fingerprint(p);
		put_byte(p, 17, 1);
		assert_int_not_equal(fingerprint(p), zeroes);
		put_byte(p, 17, 0);
		put_byte(p, sizes[i] - 1, 1);
		assert_int_not_equal(fingerprint(p), zeroes);
		put_byte(p, sizes[i] - 1, 0);
		assert_int_equal(fingerprint(p), zeroes);
		file_make(p, sizes[i] + 512);
		assert_int_not_equal(fingerprint(p), zeroes);
	}
}

/* The regions in between are looked at as well. */
static void fingerprint_sees_the_middle(void **state)
{
	struct place *p = *state;
	uint64_t zeroes;
	int seen = 0;
	off_t at;

	file_make(p, 8 * 1024 * 1024);
	zeroes = fingerprint(p);
	for (at = 256 * 1024; at < 7 * 1024 * 1024; at += 64 * 1024) {
		put_byte(p, at, 1);
		seen += fingerprint(p) != zeroes;
		put_byte(p, at, 0);
	}
	assert_in_range(seen, 8, 16);
}

#define ON_BOTH(test) \
	{ #test " on disk", test, on_disk, place_remove, NULL }, \
	{ #test " on tmpfs", test, on_tmpfs, place_remove, NULL }
#define ON_DISK(test)	cmocka_unit_test_setup_teardown(test, on_disk, place_remove)
#define ON_MEDIUM(test)	cmocka_unit_test_setup_teardown(test, medium_make, medium_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(file_operations_match_model),
		ON_BOTH(file_of_odd_size_keeps_it),
		ON_BOTH(file_never_grows),
		ON_BOTH(file_that_shrank_is_an_error),
		ON_DISK(file_read_only_is_not_written),
		ON_DISK(file_names_that_are_refused),
		ON_DISK(file_system_full),
		ON_BOTH(writer_excludes_everyone),
		ON_BOTH(readers_share),
		ON_BOTH(lock_outlives_other_descriptors),
		ON_BOTH(foreign_writer_is_noticed),
		ON_BOTH(killed_process_leaves_nothing_behind),
		ON_DISK(block_device_matches_model),
		ON_DISK(file_behind_loop_device_is_refused),
		ON_DISK(mounted_device_is_refused),
		ON_MEDIUM(edges_take_any_transfer),
		ON_MEDIUM(edges_of_neighbours_lose_nothing),
		ON_MEDIUM(edges_beside_whole_units_lose_nothing),
		cmocka_unit_test(doubt_reaches_every_overlapping_flush),
		cmocka_unit_test(doubt_of_a_durable_write_reaches_the_next_flush),
		cmocka_unit_test(doubt_reaches_an_overlapping_durable_write),
		ON_DISK(fingerprint_sees_ends_and_size),
		ON_DISK(fingerprint_sees_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
