// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Many worlds: worker processes, each every J-th seed; what they share is a page of memory. A worker that dies,
 * or takes minutes over one world, has found a failure too.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sim/run.h"

#define WORLD_SECONDS	60	/* real time that a world may take */
#define NEEDS_ALL	10000u	/* a run of more worlds must exercise everything */
#define JOBS_MAX	64u

struct worker {
	pid_t pid;
	u64 seed, done, failures, steps;
	u64 digest;		/* sum over its worlds: what they did, in any order */
	u64 began;		/* s, of the world at hand; 0: none */
	u64 counted[SIM_COUNTS];
};

static u64 seconds_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec;
}

void sim_limits_print(const struct sim_limits *limits)
{
	u32 i;

	if (limits->ops != ~0u)
		printf(" --ops %u", limits->ops);
	if (limits->lives != ~0u)
		printf(" --lives %u", limits->lives);
	if (limits->without)
		printf(" --without %#x", limits->without);
	if (limits->no_audit)
		printf(" --no-audit");
	for (i = 0; i < limits->nr_skip; i++)
		printf(" --skip %u-%u", limits->skip[i].first, limits->skip[i].end - 1);
	putchar('\n');
}

static void failure_print(const struct sim_job *job, u64 seed, const struct sim_result *result)
{
	printf("FAILED seed %llu, step %llu: %s\n  hotset-sim replay --seed %llu --trace",
	       (unsigned long long)seed, (unsigned long long)result->steps, result->failure,
	       (unsigned long long)seed);
	sim_limits_print(&job->limits);
	fflush(stdout);
}

/* ---- one world ------------------------------------------------------------------------------------------- */

int sim_replay(struct sim_job *job)
{
	struct sim_result result;

	setvbuf(stdout, NULL, _IOLBF, 0);
	sim_world_run(job->seed, &job->limits, job->trace, false, &result);
	if (result.failed)
		failure_print(job, job->seed, &result);
	printf("seed %llu: %u requests, %llu steps, digest %016llx, %s\n", (unsigned long long)job->seed,
	       result.ops, (unsigned long long)result.steps, (unsigned long long)result.digest,
	       result.failed ? "failed" : "ok");
	return result.failed;
}

static void world_in_child(u64 seed, const struct sim_limits *limits, int fd)
{
	struct sim_result result;

	alarm(WORLD_SECONDS);
	sim_world_run(seed, limits, false, true, &result);
	if (result.failed && write(fd, result.failure, sizeof(result.failure)) < 0)
		_exit(2);
	_exit(result.failed);
}

bool sim_world_fails(u64 seed, const struct sim_limits *limits, char failure[512])
{
	int fds[2], status = 0;
	pid_t pid;

	if (pipe(fds))
		abort();
	fflush(stdout);
	pid = fork();
	if (!pid)
		world_in_child(seed, limits, fds[1]);
	close(fds[1]);
	snprintf(failure, 512, "the process died");
	if (read(fds[0], failure, 512) < 0)
		abort();
	close(fds[0]);
	waitpid(pid, &status, 0);
	return status;
}

/* ---- many ------------------------------------------------------------------------------------------------- */

struct run {
	struct sim_job *job;
	struct worker *worker;
	u64 *seeds;		/* first these */
	u64 nr_seeds;
	u64 *stop;		/* shared: set to end the run */
	u64 began;
};

static u64 run_seed(const struct run *run, u64 i)
{
	return i < run->nr_seeds ? run->seeds[i] : run->job->seed + (i - run->nr_seeds);
}

static void work(struct run *run, u32 me, u64 first)
{
	struct worker *worker = &run->worker[me];
	u64 i, end = run->job->worlds + run->nr_seeds;

	for (i = first; i < end && !__atomic_load_n(run->stop, __ATOMIC_RELAXED); i += run->job->jobs) {
		struct sim_result result;

		worker->seed = run_seed(run, i);
		worker->began = seconds_now();
		sim_world_run(worker->seed, &run->job->limits, false, worker->failures >= 3, &result);
		if (result.failed) {
			failure_print(run->job, worker->seed, &result);
			worker->failures++;
			if (run->job->first)
				__atomic_store_n(run->stop, 1, __ATOMIC_RELAXED);
			if (worker->failures >= 10)
				break;
		}
		worker->done++;
		worker->steps += result.steps;
		worker->digest += sim_hash2(worker->seed, result.digest ^ result.steps);
		worker->began = 0;
	}
	memcpy(worker->counted, sim_counted, sizeof(sim_counted));
	exit(0);
}

static void worker_start(struct run *run, u32 me, u64 first)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		work(run, me, first);
	run->worker[me].pid = pid;
}

/* A worker ended. Unless it had done all it had to, the world at hand killed it. */
static void worker_ended(struct run *run, u32 me, int status)
{
	struct worker *worker = &run->worker[me];

	worker->pid = 0;
	if (!status)
		return;
	printf("FAILED seed %llu: the process died (signal %d)\n", (unsigned long long)worker->seed,
	       WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	worker->failures++;
	worker->done++;
	if (run->job->first)
		__atomic_store_n(run->stop, 1, __ATOMIC_RELAXED);
	else if (worker->failures < 10)
		worker_start(run, me, me + worker->done * run->job->jobs);
}

static bool workers_reap(struct run *run)
{
	bool left = false;
	int status;
	pid_t pid;
	u32 i;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (i = 0; i < run->job->jobs; i++)
			if (run->worker[i].pid == pid)
				worker_ended(run, i, status);
	for (i = 0; i < run->job->jobs; i++) {
		struct worker *worker = &run->worker[i];
		u64 began = worker->began;

		left |= worker->pid != 0;
		if (worker->pid && began && seconds_now() > began + WORLD_SECONDS)
			kill(worker->pid, SIGKILL);
	}
	return left;
}

static u64 run_sum(const struct run *run, size_t offset)
{
	u64 sum = 0;
	u32 i;

	for (i = 0; i < run->job->jobs; i++)
		sum += *(const u64 *)((const char *)&run->worker[i] + offset);
	return sum;
}

static void progress(const struct run *run, u64 last)
{
	u64 done = run_sum(run, offsetof(struct worker, done));
	u64 s = seconds_now() - run->began;

	printf("%6llu s: %llu worlds, %llu failures, %llu worlds/s\n", (unsigned long long)s,
	       (unsigned long long)done,
	       (unsigned long long)run_sum(run, offsetof(struct worker, failures)),
	       (unsigned long long)(s ? done / s : 0));
	fflush(stdout);
}

static void run_wait(struct run *run)
{
	const struct timespec pause = { .tv_nsec = 50000000 };
	u64 next = 10;

	while (workers_reap(run)) {
		u64 s = seconds_now() - run->began;

		nanosleep(&pause, NULL);
		if (run->job->seconds && s >= run->job->seconds)
			__atomic_store_n(run->stop, 1, __ATOMIC_RELAXED);
		if (s >= next) {
			progress(run, next);
			next += next < 60 ? 10 : 60;
		}
	}
}

/* The words of each counter and how often; returns how many were never met. */
static u32 summary(const struct run *run, bool all)
{
	u32 i, never = 0;

	for (i = 0; i < SIM_COUNTS; i++) {
		u64 n = run_sum(run, offsetof(struct worker, counted) + i * sizeof(u64));

		if (all && n)
			printf("%12llu  %s\n", (unsigned long long)n, sim_count_words[i]);
		if (!n) {
			printf("%12s  %s\n", "*never exercised*", sim_count_words[i]);
			never++;
		}
	}
	return never;
}

/* Seeds from a file: the first word of each line that is a number. */
static void seeds_load(struct run *run, const char *path)
{
	FILE *f = fopen(path, "r");
	char line[512];

	if (!f) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(2);
	}
	while (fgets(line, sizeof(line), f)) {
		char *end;
		u64 seed = strtoull(line, &end, 0);

		if (end == line)
			continue;
		run->seeds = realloc(run->seeds, (run->nr_seeds + 1) * sizeof(u64));
		if (!run->seeds)
			abort();
		run->seeds[run->nr_seeds++] = seed;
	}
	fclose(f);
}

/* Of the workers, in ms. */
static u64 processor_time(void)
{
	struct rusage r;

	if (getrusage(RUSAGE_CHILDREN, &r))
		abort();
	return (u64)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000 +
	       (u64)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1000;
}

static void *shared(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

static void run_defaults(struct sim_job *job)
{
	struct timespec ts;

	if (!job->seed_given) {
		clock_gettime(CLOCK_REALTIME, &ts);
		job->seed = (u64)ts.tv_sec * 1000000 + (u64)ts.tv_nsec / 1000;
	}
	job->jobs = (u32)hs_min(hs_max(job->jobs, 1), JOBS_MAX);
	if (!job->worlds)
		job->worlds = job->seconds ? 1ull << 62 : 1000;
}

int sim_run(struct sim_job *job)
{
	struct run run = { .job = job };
	u64 done, failures, s;
	u32 i, never;

	run_defaults(job);
	if (job->seeds_file)
		seeds_load(&run, job->seeds_file);
	run.worker = shared(job->jobs * sizeof(*run.worker));
	run.stop = shared(sizeof(u64));
	run.began = seconds_now();
	printf("seeds from %llu on, %u at a time\n", (unsigned long long)job->seed, job->jobs);
	for (i = 0; i < job->jobs; i++)
		worker_start(&run, i, i);
	run_wait(&run);
	done = run_sum(&run, offsetof(struct worker, done));
	failures = run_sum(&run, offsetof(struct worker, failures));
	s = seconds_now() - run.began;
	never = summary(&run, job->counts || done > NEEDS_ALL);
	printf("%llu steps, %llu s, %llu worlds/s, %llu a processor second, seeds %llu to %llu, digest %016llx\n",
	       (unsigned long long)run_sum(&run, offsetof(struct worker, steps)), (unsigned long long)s,
	       (unsigned long long)(done / hs_max(s, 1)),
	       (unsigned long long)(done * 1000 / hs_max(processor_time(), 1)), (unsigned long long)job->seed,
	       (unsigned long long)(job->seed + done - 1),
	       (unsigned long long)run_sum(&run, offsetof(struct worker, digest)));
	printf("worlds %llu, failures %llu\n", (unsigned long long)done, (unsigned long long)failures);
	free(run.seeds);
	return failures || (never && done > NEEDS_ALL);
}
