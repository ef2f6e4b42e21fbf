// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The table line behind the two devices:
 *
 *	[<persistence 0|1> [<block size, sectors> [<cache size, blocks> [<associativity> [<write policy 0|1>]]]]]
 *	[<number of features> <feature>...]
 *
 * The ancestor's numbers come first. Features are words, so the number just before the first word counts them.
 */
#include <linux/ctype.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/string.h>

#include "kernel/dm.h"

#define HS_POSITIONAL		5u
#define HS_BLOCKS_DEFAULT	65536u
#define HS_DIRTY_AGE_DEFAULT	30u
#define HS_DIRTY_LIMIT_DEFAULT	50u

static const char *const hs_modes[HS_MODE_COUNT] = { "writeback", "writethrough", "writearound", "bypass" };

int hs_mode_by_name(const char *name)
{
	return match_string(hs_modes, HS_MODE_COUNT, name);
}

const char *hs_mode_text(enum hs_mode mode)
{
	return hs_modes[mode];
}

/* ---- the ancestor's numbers --------------------------------------------------------------------------------- */

static int hs_arg_persistence(struct hs_options *opts, u64 n, char **why)
{
	*why = "Persistence must be 0 (a new cache) or 1 (what stands on the cache device)";
	opts->load = n == 1;
	return n > 1 ? -EINVAL : 0;
}

static int hs_arg_block_size(struct hs_options *opts, u64 n, char **why)
{
	*why = "Block size must be a power of two from 8 to 2048 sectors";
	opts->wish.block_size = (u32)n << SECTOR_SHIFT;
	return n < 8 || n > 2048 || !is_power_of_2(n) ? -EINVAL : 0;
}

static int hs_arg_cache_size(struct hs_options *opts, u64 n, char **why)
{
	*why = "Cache size must be from 16 to 2147483648 blocks";
	opts->wish.max_slots = n;
	opts->exact_slots = true;
	return n < HS_ASSOC_MIN || n > HS_SLOTS_MAX ? -EINVAL : 0;
}

static int hs_arg_assoc(struct hs_options *opts, u64 n, char **why)
{
	*why = "Associativity must be a power of two from 16 to 32768";
	if (n < HS_ASSOC_MIN || n > HS_ASSOC_MAX || !is_power_of_2(n))
		return -EINVAL;
	*why = "Associativity must not be above the cache size";
	opts->wish.assoc = (u32)n;
	return n > opts->wish.max_slots ? -EINVAL : 0;
}

static int hs_arg_policy(struct hs_options *opts, u64 n, char **why)
{
	*why = "Write policy must be 0 (write-through) or 1 (write-back)";
	opts->policy_arg = (u32)n;
	return n > 1 ? -EINVAL : 0;
}

static int (*const hs_args[HS_POSITIONAL])(struct hs_options *, u64, char **) = {
	hs_arg_persistence, hs_arg_block_size, hs_arg_cache_size, hs_arg_assoc, hs_arg_policy,
};

/* ---- features ----------------------------------------------------------------------------------------------- */

/* A number with an optional k, M, G or T: memparse knows more than the command does. */
static bool hs_parse_size(const char *s, u64 *size)
{
	size_t digits = strspn(s, "0123456789");
	char *end;

	if (!digits)
		return false;
	*size = memparse(s, &end);
	return !*end && (!s[digits] || strchr("kKMGT", s[digits]));
}

static bool hs_parse_number(const char *s, u64 max, u64 *n)
{
	return !kstrtou64(s, 10, n) && *n <= max;
}

int hs_option_set(struct hs_options *opts, const char *key, const char *value, char **why)
{
	u64 n;

	if (!strcmp(key, "seq_cutoff")) {
		*why = "seq_cutoff wants a size such as 4M, or 0 for off";
		if (!hs_parse_size(value, &n))
			return -EINVAL;
		opts->seq_cutoff = n;
	} else if (!strcmp(key, "dirty_age")) {
		*why = "dirty_age wants seconds";
		if (!hs_parse_number(value, U32_MAX, &n))
			return -EINVAL;
		opts->dirty_age = (u32)n;
	} else if (!strcmp(key, "dirty_limit")) {
		*why = "dirty_limit wants percent of the slots, 0 to 100";
		if (!hs_parse_number(value, 100, &n))
			return -EINVAL;
		opts->dirty_limit = (u32)n;
	} else if (!strcmp(key, "writeback")) {
		*why = "writeback wants on or off";
		if (strcmp(value, "on") && strcmp(value, "off"))
			return -EINVAL;
		opts->writeback = !strcmp(value, "on");
	} else {
		return -ENOENT;
	}
	return 0;
}

static int hs_feature_word(struct hs_options *opts, const char *word, char **why)
{
	*why = "Unknown feature: there are mode=, policy=, seq_cutoff=, dirty_age=, dirty_limit=, writeback=, no_checksums, force, accept_changed_origin, grow";
	if (!strcmp(word, "no_checksums"))
		opts->wish.no_checksums = true;
	else if (!strcmp(word, "force"))
		opts->force = true;
	else if (!strcmp(word, "accept_changed_origin"))
		opts->accept_changed_origin = true;
	else if (!strcmp(word, "grow"))
		opts->grow = true;
	else
		return -EINVAL;
	return 0;
}

static int hs_feature(struct hs_options *opts, char *word, char **why)
{
	char *value = strchr(word, '=');
	int ret;

	if (!value)
		return hs_feature_word(opts, word, why);
	*value++ = '\0';
	if (!strcmp(word, "mode")) {
		*why = "mode wants writeback, writethrough, writearound or bypass";
		opts->mode = hs_mode_by_name(value);
		return opts->mode < 0 ? -EINVAL : 0;
	}
	if (!strcmp(word, "policy")) {
		*why = "policy wants lru";
		return strcmp(value, "lru") ? -EINVAL : 0;
	}
	ret = hs_option_set(opts, word, value, why);
	if (ret != -ENOENT)
		return ret;
	value[-1] = '=';
	return hs_feature_word(opts, word, why);
}

/* ---- all ---------------------------------------------------------------------------------------------------- */

static void hs_options_init(struct hs_options *opts)
{
	memset(opts, 0, sizeof(*opts));
	opts->wish.block_size = 8 << SECTOR_SHIFT;
	opts->wish.max_slots = HS_BLOCKS_DEFAULT;
	opts->mode = -1;
	opts->dirty_age = HS_DIRTY_AGE_DEFAULT;
	opts->dirty_limit = HS_DIRTY_LIMIT_DEFAULT;
	opts->writeback = true;
}

static bool hs_is_word(const char *arg)
{
	return isalpha(*arg);
}

static int hs_table_features(struct hs_options *opts, unsigned int argc, char **argv, char **why)
{
	unsigned int i;
	u64 nr;
	int ret;

	*why = "The number of features does not match what follows it";
	if (!hs_parse_number(argv[0], argc - 1, &nr) || nr != argc - 1)
		return -EINVAL;
	for (i = 1; i < argc; i++) {
		ret = hs_feature(opts, argv[i], why);
		if (ret)
			return ret;
	}
	return 0;
}

static int hs_table_numbers(struct hs_options *opts, unsigned int argc, char **argv, char **why)
{
	unsigned int i;
	int ret;
	u64 n;

	for (i = 0; i < argc; i++) {
		ret = hs_args[i](opts, hs_parse_number(argv[i], U64_MAX - 1, &n) ? n : U64_MAX, why);
		if (ret)
			return ret;
	}
	return 0;
}

int hs_table_parse(struct hs_options *opts, unsigned int argc, char **argv, char **why)
{
	unsigned int numbers = 0, word;
	int ret;

	hs_options_init(opts);
	for (word = 0; word < argc && !hs_is_word(argv[word]); word++)
		;
	numbers = word < argc && word ? word - 1 : word;
	if (word == argc)
		numbers = min(argc, HS_POSITIONAL);
	*why = "Too many arguments: persistence, block size, cache size, associativity, write policy, then features with their number first";
	if (numbers > HS_POSITIONAL)
		return -EINVAL;
	*why = "Features must be preceded by their number";
	if (word < argc && !word)
		return -EINVAL;
	ret = hs_table_numbers(opts, numbers, argv, why);
	if (!ret && numbers < argc)
		ret = hs_table_features(opts, argc - numbers, argv + numbers, why);
	if (opts->mode < 0 && !opts->load)
		opts->mode = opts->policy_arg ? HS_MODE_WRITEBACK : HS_MODE_WRITETHROUGH;
	return ret;
}

/* The line that makes the device anew, with what it holds. */
void hs_table_show(struct hs_dm *dm, char *result, unsigned int maxlen)
{
	const struct hs_geometry *geo = &dm->sb.geo;
	const struct hs_options *opts = &dm->opts;
	bool loaded = dm->state != HS_DM_NEW;
	enum hs_mode mode = loaded && dm->core ? hs_core_mode_wanted(dm->core) :
			    opts->mode < 0 ? dm->sb.mode : (u32)opts->mode;
	unsigned int sz = 0;

	DMEMIT("%s %s %u %u %u %u %u", dm->dev[HS_ORIGIN]->name, dm->dev[HS_CACHE]->name, loaded || opts->load,
	       hs_block_sectors(geo), geo->nr_slots, hs_assoc(geo), mode == HS_MODE_WRITEBACK);
	DMEMIT(" %u mode=%s seq_cutoff=%llu dirty_age=%u dirty_limit=%u writeback=%s%s", geo->checksums ? 5 : 6,
	       hs_modes[mode], opts->seq_cutoff, opts->dirty_age, opts->dirty_limit, opts->writeback ? "on" : "off",
	       geo->checksums ? "" : " no_checksums");
}
