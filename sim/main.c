// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* hotset-sim: the command. See its manual page. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "sim/run.h"

static const char usage[] =
	"hotset-sim run [--seed S] [--worlds N | --seconds T] [--jobs J] [--seeds FILE] [--counts] [--first]\n"
	"hotset-sim replay --seed S [--trace] [LIMITS]\n"
	"hotset-sim shrink --seed S [LIMITS]\n"
	"LIMITS narrow a world down: --ops N, --lives N, --skip A-B, --without FAULTS, --no-audit\n";

static void __attribute__((noreturn)) bad_usage(void)
{
	fputs(usage, stderr);
	exit(2);
}

static u64 parse_number(const char *text)
{
	char *end;
	unsigned long long v = strtoull(text, &end, 0);

	if (!*text || *end)
		bad_usage();
	return v;
}

static void parse_skip(struct sim_limits *limits, const char *text)
{
	unsigned int a = 0, b = 0;

	if (limits->nr_skip == 64 || sscanf(text, "%u-%u", &a, &b) != 2)
		bad_usage();
	limits->skip[limits->nr_skip].first = a;
	limits->skip[limits->nr_skip++].end = b + 1;
}

enum { O_SEED = 256, O_WORLDS, O_SECONDS, O_JOBS, O_SEEDS, O_TRACE, O_OPS, O_LIVES, O_SKIP, O_WITHOUT,
       O_NO_AUDIT, O_COUNTS, O_FIRST, O_HELP };

static const struct option options[] = {
	{ "seed", required_argument, NULL, O_SEED },
	{ "worlds", required_argument, NULL, O_WORLDS },
	{ "seconds", required_argument, NULL, O_SECONDS },
	{ "jobs", required_argument, NULL, O_JOBS },
	{ "seeds", required_argument, NULL, O_SEEDS },
	{ "trace", no_argument, NULL, O_TRACE },
	{ "ops", required_argument, NULL, O_OPS },
	{ "lives", required_argument, NULL, O_LIVES },
	{ "skip", required_argument, NULL, O_SKIP },
	{ "without", required_argument, NULL, O_WITHOUT },
	{ "no-audit", no_argument, NULL, O_NO_AUDIT },
	{ "counts", no_argument, NULL, O_COUNTS },
	{ "first", no_argument, NULL, O_FIRST },
	{ "help", no_argument, NULL, O_HELP },
	{ NULL, 0, NULL, 0 },
};

static void parse_option(struct sim_job *job, int option)
{
	switch (option) {
	case O_SEED:
		job->seed = parse_number(optarg);
		job->seed_given = true;
		break;
	case O_WORLDS:
		job->worlds = parse_number(optarg);
		break;
	case O_SECONDS:
		job->seconds = parse_number(optarg);
		break;
	case O_JOBS:
		job->jobs = (u32)parse_number(optarg);
		break;
	case O_SEEDS:
		job->seeds_file = optarg;
		break;
	case O_TRACE:
		job->trace = true;
		break;
	case O_OPS:
		job->limits.ops = (u32)parse_number(optarg);
		break;
	case O_LIVES:
		job->limits.lives = (u32)parse_number(optarg);
		break;
	case O_SKIP:
		parse_skip(&job->limits, optarg);
		break;
	case O_WITHOUT:
		job->limits.without = (u32)parse_number(optarg);
		break;
	case O_NO_AUDIT:
		job->limits.no_audit = true;
		break;
	case O_COUNTS:
		job->counts = true;
		break;
	case O_FIRST:
		job->first = true;
		break;
	case O_HELP:
		fputs(usage, stdout);
		exit(0);
	default:
		bad_usage();
	}
}

int main(int argc, char **argv)
{
	struct sim_job job = { .jobs = 1, .limits = { .ops = ~0u, .lives = ~0u } };
	const char *verb = argc > 1 ? argv[1] : "";
	int option;

	while ((option = getopt_long(argc - 1, argv + 1, "", options, NULL)) != -1)
		parse_option(&job, option);
	if (optind != argc - 1)
		bad_usage();
	if (!strcmp(verb, "run"))
		return sim_run(&job);
	if (!job.seed_given)
		bad_usage();
	if (!strcmp(verb, "replay"))
		return sim_replay(&job);
	if (!strcmp(verb, "shrink"))
		return sim_shrink(&job);
	bad_usage();
}
