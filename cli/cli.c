// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See cli.h. */
#include "cli.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hotset/hotset.h>

#include "size.h"

int hs_fail(const char *fmt, ...)
{
	va_list args;

	fflush(stdout);
	fputs("hotset: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return HS_EXIT_FAILED;
}

int hs_fail_error(const struct hs_error *err, int r, const char *what)
{
	if (err->msg[0])
		return hs_fail("%s", err->msg);
	return hs_fail("%s: %s", what, strerror(-r));
}

void hs_usage(const struct hs_cmd *cmd, const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "hotset: %s: ", cmd->name);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "; see 'hotset %s --help'\n", cmd->name);
	exit(HS_EXIT_USAGE);
}

static void help(const struct hs_cmd *cmd)
{
	printf("Usage: hotset %s %s\n%s.\n", cmd->name, cmd->args, cmd->summary);
	if (*cmd->options)
		printf("\n%s", cmd->options);
	printf("\nMore in hotset-%s(1).\n", cmd->name);
	exit(HS_EXIT_OK);
}

int hs_option_next(const struct hs_cmd *cmd, int argc, char **argv, const struct option *options)
{
	int c;

	opterr = 0;
	c = getopt_long(argc, argv, ":h", options, NULL);
	switch (c) {
	case 'h':
		help(cmd);
		break;
	case ':':
		hs_usage(cmd, "%s needs a value", argv[optind - 1]);
	case '?':
		/* optopt is an option's val when one that takes no value was given one. */
		if (optopt && !strncmp(argv[optind - 1], "--", 2))
			hs_usage(cmd, "%s: this option takes no value", argv[optind - 1]);
		if (optopt)
			hs_usage(cmd, "unknown option -%c", optopt);
		hs_usage(cmd, "unknown option %s", argv[optind - 1]);
	}
	return c;
}

uint64_t hs_option_size(const struct hs_cmd *cmd, const char *what)
{
	uint64_t bytes;

	switch (hs_size_parse(optarg, &bytes)) {
	case 0:
		return bytes;
	case -ERANGE:
		hs_usage(cmd, "%s %s: too large", what, optarg);
	default:
		hs_usage(cmd, "%s %s: not a size (such as 4k, 1M, 2G)", what, optarg);
	}
}

uint32_t hs_option_number(const struct hs_cmd *cmd, const char *what, uint32_t min, uint32_t max)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(optarg, &end, 10);
	if (!isdigit((unsigned char)*optarg) || *end || errno || n < min || n > max)
		hs_usage(cmd, "%s %s: not a number from %u to %u", what, optarg, min, max);
	return n;
}

int hs_option_mode(const struct hs_cmd *cmd)
{
	int mode = hs_mode_parse(optarg);

	if (mode < 0)
		hs_usage(cmd, "--mode %s: choose writeback, writethrough, writearound or bypass",
			 optarg);
	return mode;
}

uint64_t hs_option_milliseconds(const struct hs_cmd *cmd, const char *what)
{
	double seconds;
	char *end;

	seconds = strtod(optarg, &end);
	if (!isdigit((unsigned char)*optarg) || *end || !(seconds >= 0.1 && seconds <= 86400))
		hs_usage(cmd, "%s %s: not a number of seconds from 0.1 to 86400", what, optarg);
	return seconds * 1000;
}

char **hs_arguments(const struct hs_cmd *cmd, int argc, char **argv, const char *const *names)
{
	int i = optind;

	for (; *names; names++, i++) {
		if (i >= argc)
			hs_usage(cmd, "%s is missing", *names);
		if (!*argv[i])
			hs_usage(cmd, "%s is empty", *names);
	}
	if (i < argc)
		hs_usage(cmd, "too many arguments: %s", argv[i]);
	return argv + optind;
}
