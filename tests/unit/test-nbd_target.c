// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * engine/nbd_target.c, nbd_pool.c: NBD exports as targets. Each test runs nbdkit as a child, on a
 * unix socket in a directory of its own.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/nbd_pool.h"
#include "engine/target.h"

#define SIZE		(4u * 1024u * 1024u)
#define THREADS		32
#define MS		1000000ull
#define PATIENCE_S	300		/* what has not come by then never will, however busy the machine is */

static struct hs_error err;

/* ---- a server -------------------------------------------------------------------------------- */

struct server {
	char dir[64];
	char socket[80], pidfile[80], disk[80], uri[128];
	pid_t pid;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 * MS + (uint64_t)ts.tv_nsec;
}

static int server_make(void **state)
{
	struct server *s = calloc(1, sizeof(*s));

	strcpy(s->dir, "/tmp/hotset-test-XXXXXX");
	if (!mkdtemp(s->dir))
		return -1;
	snprintf(s->socket, sizeof(s->socket), "%s/sock", s->dir);
	snprintf(s->pidfile, sizeof(s->pidfile), "%s/pid", s->dir);
	snprintf(s->disk, sizeof(s->disk), "%s/disk", s->dir);
	snprintf(s->uri, sizeof(s->uri), "nbd+unix:///?socket=%s", s->socket);
	*state = s;
	return 0;
}

static void server_end(struct server *s, int sig)
{
	if (s->pid) {
		kill(s->pid, sig);
		waitpid(s->pid, NULL, 0);
	}
	s->pid = 0;
	unlink(s->socket);
	unlink(s->pidfile);
}

static void server_kill(struct server *s)
{
	server_end(s, SIGKILL);
}

static int server_remove(void **state)
{
	struct server *s = *state;

	server_kill(s);
	unlink(s->disk);
	rmdir(s->dir);
	free(s);
	return 0;
}

/*
 * args: what follows the socket on nbdkit's command line, blank between. Returns when it listens.
 */
static void server_start(struct server *s, const char *args)
{
	char command[1024];
	int i;

	snprintf(command, sizeof(command), "exec nbdkit -f -P %s -U %s %s 2>/dev/null", s->pidfile,
		 s->socket, args);
	s->pid = fork();
	if (!s->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	for (i = 0; i < PATIENCE_S * 100 && access(s->pidfile, F_OK); i++) {
		if (waitpid(s->pid, NULL, WNOHANG)) {
			s->pid = 0;
			fail_msg("did not start: %s", command);
		}
		usleep(10000);
	}
	assert_int_equal(access(s->pidfile, F_OK), 0);
}

static void server_start_on_disk(struct server *s, const char *filters, const char *params)
{
	char args[256];
	int fd = open(s->disk, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(ftruncate(fd, SIZE), 0);
	close(fd);
	snprintf(args, sizeof(args), "%s file %s %s", filters, s->disk, params);
	server_start(s, args);
}

static struct hs_target *target(struct server *s)
{
	struct hs_target *t;

	if (hs_target_open(s->uri, HS_TARGET_WRITE, &t, &err))
		fail_msg("%s", err.msg);
	return t;
}

static void refused(struct server *s, int why, const char *words)
{
	struct hs_target *t;
	int ret = hs_target_open(s->uri, HS_TARGET_WRITE, &t, &err);

	if (ret != why || !strstr(err.msg, words) || !strstr(err.msg, s->uri))
		fail_msg("%d, wanted %d with \"%s\": %s", ret, why, words, err.msg);
	assert_null(t);
}

/* ---- operations against an array ------------------------------------------------------------- */

static unsigned int seed;

static void fill(uint8_t *buf, size_t count)
{
	while (count--)
		*buf++ = (uint8_t)rand_r(&seed);
}

static void step(struct hs_target *t, uint8_t *want, uint8_t *buf)
{
	size_t at = (size_t)rand_r(&seed) % (SIZE / 512);
	size_t count = 1 + (size_t)rand_r(&seed) % hs_min(SIZE / 512 - at, 300);
	bool fua = rand_r(&seed) & 1;

	at *= 512;
	count *= 512;
	switch (rand_r(&seed) % 8) {
	case 0:
		memset(want + at, 0, count);
		assert_int_equal(t->ops->zero(t, count, at, fua), 0);
		break;
	case 1:
		/* What it then reads as is the server's business, but must stay so. */
		assert_int_equal(t->ops->discard(t, count, at), 0);
		assert_int_equal(t->ops->pread(t, want + at, count, at), 0);
		break;
	case 2:
		assert_int_equal(t->ops->flush(t), 0);
		break;
	case 3 ... 5:
		fill(want + at, count);
		assert_int_equal(t->ops->pwrite(t, want + at, count, at, fua), 0);
		break;
	default:
		assert_int_equal(t->ops->pread(t, buf, count, at), 0);
		assert_memory_equal(buf, want + at, count);
	}
}

static void matches_model(struct server *s)
{
	struct hs_target *t = target(s);
	uint8_t *want = calloc(1, SIZE), *buf = malloc(SIZE);
	int i;

	seed = 1;
	assert_int_equal(t->size, SIZE);
	for (i = 0; i < 300; i++)
		step(t, want, buf);
	assert_int_equal(t->ops->pread(t, buf, SIZE, 0), 0);
	assert_memory_equal(buf, want, SIZE);
	hs_target_close(t);
	free(want);
	free(buf);
}

static void export_matches_model(void **state)
{
	static const char *const servers[] = {
		"memory 4M",
		"--filter=multi-conn memory 4M multi-conn-mode=disable",
		"--filter=fua memory 4M",		/* FLUSH, but no FUA */
		"--filter=nozero memory 4M",
		("--filter=blocksize-policy memory 4M blocksize-minimum=4096"
		 " blocksize-preferred=4096 blocksize-maximum=65536 blocksize-error-policy=error"),
		"--no-sr memory 4M",
	};
	struct server *s = *state;
	size_t i;

	for (i = 0; i < sizeof(servers) / sizeof(servers[0]); i++) {
		print_message("%s\n", servers[i]);
		server_start(s, servers[i]);
		matches_model(s);
		server_kill(s);
	}
}

/* A server that can do nothing but read and write. */
static void export_without_flush_trim_zero(void **state)
{
	struct server *s = *state;
	struct hs_target *t;
	uint8_t buf[1024], zeroes[1024] = { 0 };

	server_start(s, "eval get_size='echo 1M' pread='dd if=$tmpdir/x skip=$4 count=$3"
		     " iflag=skip_bytes,count_bytes' can_write='exit 0'"
		     " pwrite='dd of=$tmpdir/x seek=$4 oflag=seek_bytes conv=notrunc'"
		     " get_ready='truncate -s 1M $tmpdir/x'");
	t = target(s);
	memset(buf, 1, sizeof(buf));
	assert_int_equal(t->ops->pwrite(t, buf, 1024, 512, true), 0);
	assert_int_equal(t->ops->discard(t, 512, 512), 0);
	assert_int_equal(t->ops->zero(t, 1024, 512, true), 0);
	assert_int_equal(t->ops->pread(t, buf, 1024, 512), 0);
	assert_memory_equal(buf, zeroes, 1024);
	assert_int_equal(t->ops->flush(t), 0);
	hs_target_close(t);
	server_end(s, SIGTERM);		/* it has files to remove */
}

/* ---- many at once ---------------------------------------------------------------------------- */

struct job {
	pthread_t thread;
	struct hs_target *t;
	uint64_t offset;
	unsigned int calls;		/* how often; UINT_MAX: until the first error */
	int error;
};

static void *read_often(void *arg)
{
	struct job *job = arg;
	uint8_t buf[4096];

	while (job->calls-- && !job->error)
		job->error = job->t->ops->pread(job->t, buf, sizeof(buf), job->offset);
	return NULL;
}

static void jobs_start(struct job *jobs, struct hs_target *t, unsigned int calls)
{
	unsigned int i;

	memset(jobs, 0, THREADS * sizeof(*jobs));
	for (i = 0; i < THREADS; i++) {
		jobs[i].t = t;
		jobs[i].offset = i * 8192;
		jobs[i].calls = calls;
		assert_int_equal(pthread_create(&jobs[i].thread, NULL, read_often, &jobs[i]), 0);
	}
}

static void jobs_join(struct job *jobs)
{
	unsigned int i;

	for (i = 0; i < THREADS; i++)
		pthread_join(jobs[i].thread, NULL);
}

/*
 * A server that answers no read before so many are there at once: who sends one after the other waits for ever, and
 * gets an error after all. (In sh, each read is a process of its own; `set` counts the files without one.)
 */
static void server_start_gated(struct server *s, unsigned int threads, bool multi_conn)
{
	char args[768];

	snprintf(args, sizeof(args),
		 "-t %u eval thread_model='echo parallel' get_size='echo 4M' can_multi_conn='exit %d'"
		 " pread='count=$3; : >$tmpdir/in.$$; tries=0;"
		 " while set -- $tmpdir/in.*; [ $# -lt %u ] && [ ! -e $tmpdir/open ]; do"
		 " tries=$((tries + 1)); [ $tries -lt %u ] || { echo EIO >&2; exit 1; }; sleep 1; done;"
		 " : >$tmpdir/open; head -c $count /dev/zero'",
		 threads, multi_conn ? 0 : 3, THREADS, PATIENCE_S);
	server_start(s, args);
}

static void requests_overlap(struct server *s, unsigned int threads, bool multi_conn)
{
	struct job jobs[THREADS];
	struct hs_target *t;
	unsigned int i;

	server_start_gated(s, threads, multi_conn);
	assert_int_equal(hs_target_open(s->uri, 0, &t, &err), 0);
	jobs_start(jobs, t, 2);
	jobs_join(jobs);
	for (i = 0; i < THREADS; i++)
		assert_int_equal(jobs[i].error, 0);
	hs_target_close(t);
	server_end(s, SIGTERM);		/* it has files to remove */
}

static void requests_overlap_on_one_connection(void **state)
{
	requests_overlap(*state, THREADS, false);
}

/* Each connection has its share of them. */
static void requests_overlap_on_many_connections(void **state)
{
	requests_overlap(*state, THREADS / HS_NBD_CONNS, true);
}

/* ---- errors ---------------------------------------------------------------------------------- */

static void server_errors_reach_their_caller(void **state)
{
	struct server *s = *state;
	struct hs_target *t;
	uint8_t buf[4096] = { 0 };

	server_start(s, "--filter=error memory 4M error-pread=EIO error-pread-rate=100%"
		     " error-pwrite=ENOSPC error-pwrite-rate=100%");
	t = target(s);
	assert_int_equal(t->ops->pread(t, buf, 4096, 0), -EIO);
	assert_int_equal(t->ops->pwrite(t, buf, 4096, 0, false), -ENOSPC);
	assert_int_equal(t->ops->flush(t), 0);
	/* With FUA it may have been another write's error that came up. */
	assert_int_equal(t->ops->pwrite(t, buf, 4096, 0, true), -ENOSPC);
	assert_int_equal(t->ops->flush(t), -EIO);
	assert_int_equal(t->ops->flush(t), 0);
	hs_target_close(t);
}

static void read_only_export_is_refused_for_writing(void **state)
{
	struct server *s = *state;
	struct hs_target *t;
	uint8_t buf[512];

	server_start(s, "-r memory 4M");
	refused(s, -EROFS, "read-only");
	assert_int_equal(hs_target_open(s->uri, 0, &t, &err), 0);
	assert_int_equal(t->ops->pread(t, buf, 512, 0), 0);
	hs_target_close(t);
}

static void odd_size_under_a_minimum_is_refused(void **state)
{
	struct server *s = *state;

	server_start(s, "--filter=blocksize-policy memory 1000K blocksize-minimum=64K"
		     " blocksize-preferred=64K");
	refused(s, -EINVAL, "no multiple of the server's minimum, 65536");
}

static void absent_server_is_named(void **state)
{
	refused(*state, -ENOENT, "No such file or directory");
}

/* ---- a server that dies ---------------------------------------------------------------------- */

static int read_block(struct hs_target *t)
{
	uint8_t buf[4096];

	return t->ops->pread(t, buf, sizeof(buf), 0);
}

static int write_block(struct hs_target *t, bool fua)
{
	uint8_t buf[4096] = { 1 };

	return t->ops->pwrite(t, buf, sizeof(buf), 0, fua);
}

static void wait_until(struct hs_target *t, bool works)
{
	uint64_t limit = now_ns() + PATIENCE_S * 1000 * MS;

	while (!read_block(t) != works) {
		if (now_ns() > limit)
			fail_msg("still not %s after %u s", works ? "reconnected" : "lost", PATIENCE_S);
		usleep(10000);
	}
}

#define DOWN_CALLS	100u

/* That they fail before there is a server again goes without saying: none comes before they have. */
static void killed_server_fails_calls_at_once(struct server *s, const char *filters,
					      const char *params)
{
	struct job jobs[THREADS];
	struct hs_target *t;
	unsigned int i;
	uint64_t killed, down, calls;

	server_start_on_disk(s, filters, params);
	t = target(s);
	jobs_start(jobs, t, UINT_MAX);
	usleep(200000);
	killed = now_ns();
	server_kill(s);
	jobs_join(jobs);
	down = now_ns();
	for (i = 0; i < THREADS; i++)
		assert_int_equal(jobs[i].error, -EIO);
	for (i = 0; i < DOWN_CALLS; i++)
		assert_int_equal(read_block(t), -EIO);
	calls = now_ns() - down;
	print_message("%s: %u threads failed %u ms after the kill, %u calls while down: %u ms\n",
		      filters, THREADS, (unsigned int)((down - killed) / MS), DOWN_CALLS,
		      (unsigned int)(calls / MS));
	/* Less than if each had waited for the shortest pause between two tries to connect. */
	assert_true(calls < DOWN_CALLS * 100 * MS);

	server_start_on_disk(s, filters, params);
	wait_until(t, true);
	jobs_start(jobs, t, 10);
	jobs_join(jobs);
	for (i = 0; i < THREADS; i++)
		assert_int_equal(jobs[i].error, 0);
	hs_target_close(t);
	server_kill(s);
}

static void killed_server_and_its_successor(void **state)
{
	killed_server_fails_calls_at_once(*state, "", "");
	killed_server_fails_calls_at_once(*state, "--filter=delay", "rdelay=50ms");
	killed_server_fails_calls_at_once(*state, "--no-sr --filter=multi-conn",
					  "multi-conn-mode=disable");
}

static void restart(struct server *s, struct hs_target *t, const char *filters)
{
	server_kill(s);
	wait_until(t, false);
	assert_int_equal(t->ops->flush(t), -EIO);	/* nobody there; this tells nothing */
	server_start_on_disk(s, filters, "");
	wait_until(t, true);
}

static void flush_fails_once_after_unflushed_writes(void **state)
{
	struct server *s = *state;
	struct hs_target *t;

	server_start_on_disk(s, "", "");
	t = target(s);
	assert_int_equal(write_block(t, false), 0);
	restart(s, t, "");
	/* A durable write of one's own does not take the news from the flush. */
	assert_int_equal(write_block(t, true), 0);
	assert_int_equal(t->ops->flush(t), -EIO);
	assert_int_equal(t->ops->flush(t), 0);

	assert_int_equal(t->ops->zero(t, 4096, 0, false), 0);
	restart(s, t, "");
	assert_int_equal(t->ops->flush(t), -EIO);
	assert_int_equal(t->ops->flush(t), 0);
	hs_target_close(t);
}

static void flush_after_flushed_writes(struct server *s, const char *filters)
{
	struct hs_target *t;

	server_start_on_disk(s, filters, "");
	t = target(s);
	assert_int_equal(write_block(t, false), 0);
	assert_int_equal(t->ops->flush(t), 0);
	assert_int_equal(write_block(t, true), 0);
	restart(s, t, filters);
	assert_int_equal(t->ops->flush(t), 0);
	hs_target_close(t);
	server_kill(s);
}

static void flush_succeeds_if_nothing_was_unflushed(void **state)
{
	flush_after_flushed_writes(*state, "");
	flush_after_flushed_writes(*state, "--filter=fua");	/* FLUSH, but no FUA */
}

/* Another disk at the same address must not be taken for ours. */
static void successor_of_another_size_is_not_used(void **state)
{
	struct server *s = *state;
	struct hs_target *t;
	int i;

	server_start(s, "memory 4M");
	t = target(s);
	server_kill(s);
	wait_until(t, false);
	server_start(s, "memory 8M");
	for (i = 0; i < 50; i++) {
		assert_int_equal(read_block(t), -EIO);
		usleep(20000);
	}
	server_kill(s);
	server_start(s, "memory 4M");
	wait_until(t, true);
	hs_target_close(t);
}

/* Closing does not wait for a server that is not there. */
static void close_while_down(void **state)
{
	struct server *s = *state;
	struct hs_target *t;
	uint64_t began;

	server_start(s, "memory 4M");
	t = target(s);
	server_kill(s);
	wait_until(t, false);
	usleep(500000);
	began = now_ns();
	hs_target_close(t);
	assert_true(now_ns() - began < 9000 * MS);	/* a connection has ten seconds to come about */
}

#define WITH_SERVER(test)	cmocka_unit_test_setup_teardown(test, server_make, server_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SERVER(export_matches_model),
		WITH_SERVER(export_without_flush_trim_zero),
		WITH_SERVER(requests_overlap_on_one_connection),
		WITH_SERVER(requests_overlap_on_many_connections),
		WITH_SERVER(server_errors_reach_their_caller),
		WITH_SERVER(read_only_export_is_refused_for_writing),
		WITH_SERVER(odd_size_under_a_minimum_is_refused),
		WITH_SERVER(absent_server_is_named),
		WITH_SERVER(killed_server_and_its_successor),
		WITH_SERVER(flush_fails_once_after_unflushed_writes),
		WITH_SERVER(flush_succeeds_if_nothing_was_unflushed),
		WITH_SERVER(successor_of_another_size_is_not_used),
		WITH_SERVER(close_while_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
