// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* hotset format: makes a file or device a cache. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <hotset/hotset.h>

#include "cli.h"
#include "layout.h"

static const struct option options[] = {
	HS_VALUE("size", 's'),
	HS_VALUE("block-size", 'b'),
	HS_VALUE("assoc", 'a'),
	HS_VALUE("mode", 'm'),
	HS_VALUE("checksums", 'c'),
	HS_FLAG("force", 'f'),
	HS_OPTIONS_END
};

static uint32_t block_size_parse(const struct hs_cmd *cmd)
{
	uint64_t size = hs_option_size(cmd, "--block-size");

	if (size < 4096 || size > 1 << 20 || size & (size - 1))
		hs_usage(cmd, "--block-size %s: not a power of two from 4k to 1M", optarg);
	return size;
}

static uint32_t assoc_parse(const struct hs_cmd *cmd)
{
	uint32_t assoc = hs_option_number(cmd, "--assoc", 16, 32768);

	if (assoc & (assoc - 1))
		hs_usage(cmd, "--assoc %s: not a power of two from 16 to 32768", optarg);
	return assoc;
}

static bool checksums_parse(const struct hs_cmd *cmd)
{
	if (strcmp(optarg, "on") && strcmp(optarg, "off"))
		hs_usage(cmd, "--checksums %s: choose on or off", optarg);
	return !strcmp(optarg, "on");
}

static void options_parse(const struct hs_cmd *cmd, int argc, char **argv,
			  struct hs_format_opts *opts)
{
	int c;

	while ((c = hs_option_next(cmd, argc, argv, options)) != -1) {
		switch (c) {
		case 's':
			opts->size = hs_option_size(cmd, "--size");
			if (!opts->size)
				hs_usage(cmd, "--size %s: a cache needs room", optarg);
			break;
		case 'b':
			opts->block_size = block_size_parse(cmd);
			break;
		case 'a':
			opts->assoc = assoc_parse(cmd);
			break;
		case 'm':
			opts->mode = hs_option_mode(cmd);
			break;
		case 'c':
			opts->no_checksums = !checksums_parse(cmd);
			break;
		case 'f':
			opts->force = true;
			break;
		}
	}
}

static int run(const struct hs_cmd *cmd, int argc, char **argv)
{
	static const char *const names[] = { "ORIGIN", "CACHE", NULL };
	struct hs_format_opts opts = { .mode = HS_MODE_WRITEBACK };
	struct hs_error err = { .msg = "" };
	struct hs_layout layout;
	char **args;
	int r;

	options_parse(cmd, argc, argv, &opts);
	args = hs_arguments(cmd, argc, argv, names);
	opts.origin = args[0];
	opts.cache = args[1];
	r = hs_format(&opts, &layout, &err);
	if (r)
		return hs_fail_error(&err, r, opts.cache);
	printf("%s is now a cache for %s.\n", opts.cache, opts.origin);
	hs_layout_print(&layout, opts.mode);
	return HS_EXIT_OK;
}

const struct hs_cmd hs_cmd_format = {
	.name = "format",
	.args = "ORIGIN CACHE [OPTIONS]",
	.summary = "make CACHE (a file or device) a cache for ORIGIN",
	.options =
	"  --size N            size of a cache file, which is created or extended\n"
	"  --block-size N      4k (default) to 1M, a power of two\n"
	"  --assoc N           slots a set, 16 to 32768, a power of two; default 512\n"
	"  --mode MODE         writeback (default), writethrough, writearound, bypass\n"
	"  --checksums on|off  of cached data; default on\n"
	"  --force             overwrite dirty data, a file system or anything else\n",
	.run = run,
};
