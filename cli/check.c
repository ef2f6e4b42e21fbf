// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* hotset check: whether a cache that nobody serves is sound. Exit code: see enum verdict. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <hotset/hotset.h>
#include <json-c/json.h>

#include "cli.h"
#include "control.h"
#include "layout.h"

enum verdict {
	SOUND,
	PROBLEMS,
	CANNOT_TELL,
};

static const struct option options[] = {
	HS_FLAG("data", 'd'),
	HS_FLAG("json", 'j'),
	HS_OPTIONS_END
};

static const char *kind_name(enum hs_problem_kind kind)
{
	switch (kind) {
	case HS_PROBLEM_SUPERBLOCK:
		return "superblock";
	case HS_PROBLEM_TABLE_COPY:
		return "table";
	case HS_PROBLEM_JOURNAL:
		return "journal";
	case HS_PROBLEM_DATA_CLEAN:
		return "clean data";
	case HS_PROBLEM_DATA_DIRTY:
		return "dirty data";
	case HS_PROBLEM_MAP:
		return "map";
	}
	return "other";
}

static void problem_print(void *arg, enum hs_problem_kind kind, const char *line)
{
	(void)arg;
	printf("%s: %s\n", kind_name(kind), line);
}

static void problem_collect(void *arg, enum hs_problem_kind kind, const char *line)
{
	struct json_object *problem = json_object_new_object();

	json_object_object_add(problem, "kind", json_object_new_string(kind_name(kind)));
	json_object_object_add(problem, "text", json_object_new_string(line));
	json_object_array_add(arg, problem);
}

static enum verdict verdict_of(int r, const struct hs_check_result *res)
{
	if (r == -EUCLEAN)
		return PROBLEMS;
	if (r)
		return CANNOT_TELL;
	return res->problems || res->lost ? PROBLEMS : SOUND;
}

static void result_print(const char *cache, enum verdict verdict,
			 const struct hs_check_result *res)
{
	if (res->lost)
		printf("lost: %" PRIu64 " dirty blocks; 'hotset lost %s' lists them\n", res->lost,
		       cache);
	printf("%s: %s; %" PRIu64 " clean and %" PRIu64 " dirty blocks, %s\n", cache,
	       verdict == SOUND ? "sound" : "has problems", res->clean, res->dirty,
	       res->clean_stop ? "stopped cleanly" :
	       "not stopped cleanly (the next start recovers)");
}

static void number_add(struct json_object *obj, const char *key, uint64_t n)
{
	json_object_object_add(obj, key, json_object_new_uint64(n));
}

static void result_add(struct json_object *obj, const struct hs_check_result *res)
{
	json_object_object_add(obj, "mode", json_object_new_string(hs_mode_name(res->mode)));
	json_object_object_add(obj, "clean_stop", json_object_new_boolean(res->clean_stop));
	number_add(obj, "clean", res->clean);
	number_add(obj, "dirty", res->dirty);
	number_add(obj, "lost", res->lost);
	number_add(obj, "transactions", res->transactions);
	json_object_object_add(obj, "geometry", hs_layout_json(&res->geo));
}

static enum verdict check_text(struct hs_check_opts *opts)
{
	struct hs_error err = { .msg = "" };
	struct hs_check_result res;
	enum verdict verdict;
	int r;

	opts->problem = problem_print;
	r = hs_check(opts, &res, &err);
	verdict = verdict_of(r, &res);
	if (r)
		hs_fail_error(&err, r, opts->cache);
	else
		result_print(opts->cache, verdict, &res);
	return verdict;
}

static enum verdict check_json(struct hs_check_opts *opts)
{
	static const char *const words[] = { "sound", "problems", "cannot tell" };
	struct json_object *obj = json_object_new_object();
	struct hs_error err = { .msg = "" };
	struct hs_check_result res;
	enum verdict verdict;
	int r;

	opts->problem = problem_collect;
	opts->arg = json_object_new_array();
	r = hs_check(opts, &res, &err);
	verdict = verdict_of(r, &res);
	json_object_object_add(obj, "cache", json_object_new_string(opts->cache));
	json_object_object_add(obj, "verdict", json_object_new_string(words[verdict]));
	json_object_object_add(obj, "problems", opts->arg);
	if (r)
		json_object_object_add(obj, "error",
				       json_object_new_string(err.msg[0] ? err.msg : strerror(-r)));
	else
		result_add(obj, &res);
	hs_json_print(obj);
	json_object_put(obj);
	return verdict;
}

static int run(const struct hs_cmd *cmd, int argc, char **argv)
{
	static const char *const names[] = { "CACHE", NULL };
	struct hs_check_opts opts = { .data = false };
	bool json = false;
	int c;

	while ((c = hs_option_next(cmd, argc, argv, options)) != -1) {
		if (c == 'd')
			opts.data = true;
		else
			json = true;
	}
	opts.cache = hs_arguments(cmd, argc, argv, names)[0];
	return json ? check_json(&opts) : check_text(&opts);
}

const struct hs_cmd hs_cmd_check = {
	.name = "check",
	.args = "CACHE [--data] [--json]",
	.summary = "tell whether a cache that nobody serves is sound",
	.options =
	"  --data  read every cached block too and verify its checksum\n"
	"  --json  one object\n"
	"Exit code: 0 sound, 1 problems, 2 cannot tell.\n",
	.run = run,
};
