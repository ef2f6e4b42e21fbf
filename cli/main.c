// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The hotset command: finds the subcommand. */
#include <stdio.h>
#include <string.h>

#include <hotset/hotset.h>

#include "cli.h"

static const struct hs_cmd *const commands[] = {
	&hs_cmd_format,
	&hs_cmd_serve,
	&hs_cmd_attach,
	&hs_cmd_detach,
	&hs_cmd_monitor,
	&hs_cmd_up,
	&hs_cmd_udev,
	&hs_cmd_list,
	&hs_cmd_top,
	&hs_cmd_stats,
	&hs_cmd_set,
	&hs_cmd_flush,
	&hs_cmd_stop,
	&hs_cmd_lost,
	&hs_cmd_check,
	&hs_cmd_dump,
	&hs_cmd_writeback,
};

#define COMMANDS	(sizeof(commands) / sizeof(commands[0]))

static int help(void)
{
	printf("Usage: hotset COMMAND [OPTIONS] ARGUMENTS\n"
	       "Keeps the hot blocks of a slow disk on a fast one.\n\n");
	for (size_t i = 0; i < COMMANDS; i++)
		printf("  %-10s  %s\n", commands[i]->name, commands[i]->summary);
	printf("\nhotset COMMAND --help tells a command's options; hotset(1) the rest.\n");
	return HS_EXIT_OK;
}

static int usage(const char *problem, const char *what)
{
	fprintf(stderr, "hotset: %s%s; see 'hotset --help'\n", problem, what);
	return HS_EXIT_USAGE;
}

/* A full disk or a closed pipe must not pass for success. */
static int output_end(int code)
{
	if (!fflush(stdout) && !ferror(stdout))
		return code;
	hs_fail("cannot write the output");
	return code ? code : HS_EXIT_FAILED;
}

static int dispatch(int argc, char **argv)
{
	if (argc < 2)
		return usage("a command is missing", "");
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
		return help();
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		printf("hotset %s\n", HS_VERSION_STRING);
		return HS_EXIT_OK;
	}
	for (size_t i = 0; i < COMMANDS; i++)
		if (!strcmp(argv[1], commands[i]->name))
			return commands[i]->run(commands[i], argc - 1, argv + 1);
	return usage(argv[1][0] == '-' ? "unknown option " : "unknown command ", argv[1]);
}

int main(int argc, char **argv)
{
	return output_end(dispatch(argc, argv));
}
