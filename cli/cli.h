/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the subcommands share: their description, option parsing, errors.
 *
 * Errors go to stderr, one line, "hotset: " and then the thing and the way out. Exit codes: 0, 1
 * for a failure, 2 for a usage error (and, of check alone, for "cannot tell").
 */
#ifndef HS_CLI_H
#define HS_CLI_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

#define HS_EXIT_OK	0
#define HS_EXIT_FAILED	1
#define HS_EXIT_USAGE	2

struct hs_error;

struct hs_cmd {
	const char *name;
	const char *args;		/* synopsis behind the name */
	const char *summary;		/* for `hotset --help` */
	const char *options;		/* for `hotset NAME --help`, lines with their newlines */
	int (*run)(const struct hs_cmd *cmd, int argc, char **argv);
};

extern const struct hs_cmd hs_cmd_format;
extern const struct hs_cmd hs_cmd_serve;
extern const struct hs_cmd hs_cmd_attach;
extern const struct hs_cmd hs_cmd_detach;
extern const struct hs_cmd hs_cmd_monitor;
extern const struct hs_cmd hs_cmd_up;
extern const struct hs_cmd hs_cmd_udev;
extern const struct hs_cmd hs_cmd_stats;
extern const struct hs_cmd hs_cmd_set;
extern const struct hs_cmd hs_cmd_flush;
extern const struct hs_cmd hs_cmd_stop;
extern const struct hs_cmd hs_cmd_list;
extern const struct hs_cmd hs_cmd_top;
extern const struct hs_cmd hs_cmd_lost;
extern const struct hs_cmd hs_cmd_check;
extern const struct hs_cmd hs_cmd_dump;
extern const struct hs_cmd hs_cmd_writeback;

/* Complains and returns HS_EXIT_FAILED. */
int hs_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same for an error of the library: its line, or errno's text when it left none. */
int hs_fail_error(const struct hs_error *err, int r, const char *what);
/* Complains, points to --help and exits with HS_EXIT_USAGE. */
void hs_usage(const struct hs_cmd *cmd, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), noreturn));

/* A struct option. val: any other than '?', ':' and 'h'. */
#define HS_FLAG(name, val)	{ name, no_argument, NULL, val }
#define HS_VALUE(name, val)	{ name, required_argument, NULL, val }
#define HS_OPTIONS_END		HS_FLAG("help", 'h'), { NULL, 0, NULL, 0 }

/* getopt_long that deals with --help and with errors by itself: the next val, or -1. */
int hs_option_next(const struct hs_cmd *cmd, int argc, char **argv, const struct option *options);

/* optarg as a size, a number or a mode; a usage error otherwise. what: the option's name. */
uint64_t hs_option_size(const struct hs_cmd *cmd, const char *what);
uint32_t hs_option_number(const struct hs_cmd *cmd, const char *what, uint32_t min, uint32_t max);
int hs_option_mode(const struct hs_cmd *cmd);
uint64_t hs_option_milliseconds(const struct hs_cmd *cmd, const char *what);

/*
 * The arguments behind the options: exactly as many as names, a list ended by NULL; a usage error
 * otherwise, naming what is missing or too much.
 */
char **hs_arguments(const struct hs_cmd *cmd, int argc, char **argv, const char *const *names);

#endif
