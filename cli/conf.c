// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * See conf.h. One "key = value" a line; a value goes to the end of its line, so that a path may have blanks. Lines that
 * begin with # are comments.
 */
#include "conf.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <hotset/hotset.h>

#include "../nbd/names.h"
#include "cache.h"
#include "cli.h"

#define CONF_MAX	65536

const char *hs_conf_dir(void)
{
	const char *dir = getenv("HOTSET_CONFDIR");

	return dir && *dir ? dir : "/etc/hotset";
}

/* ---- values: each tells what is wrong with it, or NULL ------------------------------------------ */

static const char *kind_set(struct hs_conf *conf, const char *value)
{
	conf->server = !strcmp(value, "server");
	return conf->server || !strcmp(value, "kernel") ? NULL : "choose kernel or server";
}

static const char *origin_set(struct hs_conf *conf, const char *value)
{
	conf->origin = value;
	return *value == '/' || hs_origin_is_uri(value) ? NULL : "neither an absolute path nor an NBD URI";
}

static const char *cache_set(struct hs_conf *conf, const char *value)
{
	conf->cache = value;
	return *value == '/' ? NULL : "not an absolute path";
}

static const char *mode_set(struct hs_conf *conf, const char *value)
{
	conf->mode = value;
	return hs_mode_parse(value) >= 0 ? NULL : "choose writeback, writethrough, writearound or bypass";
}

static const char *socket_set(struct hs_conf *conf, const char *value)
{
	conf->socket = value;
	return *value == '/' ? NULL : "not an absolute path";
}

static bool is_number(const char *value, unsigned long max)
{
	unsigned long n = strtoul(value, NULL, 10);

	return strspn(value, "0123456789") == strlen(value) && strlen(value) < 10 && n >= 1 && n <= max;
}

static const char *port_set(struct hs_conf *conf, const char *value)
{
	conf->port = value;
	return is_number(value, 65535) ? NULL : "not a number from 1 to 65535";
}

static const char *bind_set(struct hs_conf *conf, const char *value)
{
	conf->bind = value;
	return NULL;
}

static const char *threads_set(struct hs_conf *conf, const char *value)
{
	conf->threads = value;
	return is_number(value, 1024) ? NULL : "not a number from 1 to 1024";
}

static const char *readonly_set(struct hs_conf *conf, const char *value)
{
	conf->readonly = !strcmp(value, "yes");
	return conf->readonly || !strcmp(value, "no") ? NULL : "choose yes or no";
}

/* ---- keys ------------------------------------------------------------------------------------ */

static const struct key {
	const char *name;
	const char *(*set)(struct hs_conf *conf, const char *value);	/* NULL: a setting */
	bool of_server;
} keys[] = {
	{ "kind", kind_set, false },
	{ "origin", origin_set, false },
	{ "cache", cache_set, false },
	{ "mode", mode_set, false },
	{ "seq_cutoff", NULL, false },
	{ "dirty_age", NULL, false },
	{ "dirty_limit", NULL, false },
	{ "writeback", NULL, false },
	{ "socket", socket_set, true },
	{ "port", port_set, true },
	{ "bind", bind_set, true },
	{ "threads", threads_set, true },
	{ "read_only", readonly_set, true },
};

#define KEYS	(sizeof(keys) / sizeof(keys[0]))

static int key_find(const char *name)
{
	for (size_t i = 0; i < KEYS; i++)
		if (!strcmp(keys[i].name, name))
			return i;
	return -1;
}

/* ---- lines ----------------------------------------------------------------------------------- */

static char *trim(char *text)
{
	char *end;

	while (isspace((unsigned char)*text))
		text++;
	end = text + strlen(text);
	while (end > text && isspace((unsigned char)end[-1]))
		end--;
	*end = 0;
	return text;
}

struct line {
	struct hs_conf *conf;
	int number;
	int seen[KEYS];			/* the line that had it */
};

static int complain(const struct line *line, const char *what, const char *why)
{
	hs_fail("%s:%d: %s: %s", line->conf->path, line->number, what, why);
	return -1;
}

/* "seq_cutoff = 4M" becomes "seq_cutoff=4M", in the place of the line. */
static const char *setting_set(struct hs_conf *conf, char *name, const char *value)
{
	size_t len = strlen(name);

	name[len] = '=';
	memmove(name + len + 1, value, strlen(value) + 1);
	conf->settings[conf->nr_settings++] = name;
	return hs_setting_problem(name);
}

static int line_read(struct line *line, char *text)
{
	char *equals, *name, *value;
	const char *problem;
	int key;

	name = trim(text);
	if (!*name || *name == '#')
		return 0;
	equals = strchr(name, '=');
	if (!equals)
		return complain(line, name, "not of the form KEY = VALUE");
	*equals = 0;
	value = trim(equals + 1);
	name = trim(name);
	key = key_find(name);
	if (key < 0)
		return complain(line, name, "no such key; see hotset.conf(5)");
	if (line->seen[key])
		return complain(line, name, "given twice");
	if (!*value)
		return complain(line, name, "has no value");
	line->seen[key] = line->number;
	if (!keys[key].set) {
		problem = setting_set(line->conf, name, value);
		return problem ? complain(line, name, problem) : 0;
	}
	problem = keys[key].set(line->conf, value);
	return problem ? complain(line, value, problem) : 0;
}

static int whole_check(struct line *line)
{
	struct hs_conf *conf = line->conf;

	for (size_t i = 0; i < KEYS && !conf->server; i++) {
		if (!keys[i].of_server || !line->seen[i])
			continue;
		line->number = line->seen[i];
		return complain(line, keys[i].name, "is of a server; add kind = server, or leave it out");
	}
	if (!conf->origin || !conf->cache)
		hs_fail("%s: %s is missing", conf->path, conf->origin ? "cache" : "origin");
	else if (!conf->server && hs_origin_is_uri(conf->origin))
		hs_fail("%s: origin %s: the kernel caches block devices; an NBD origin wants kind = server", conf->path,
			conf->origin);
	else if (conf->socket && conf->port)
		hs_fail("%s: socket and port exclude each other", conf->path);
	else if (conf->bind && !conf->port)
		hs_fail("%s: bind goes with port", conf->path);
	else
		return 0;
	return -1;
}

static int lines_read(struct hs_conf *conf)
{
	struct line line = { .conf = conf };
	char *text = conf->text, *end;

	for (; text; text = end) {
		end = strchr(text, '\n');
		if (end)
			*end++ = 0;
		line.number++;
		if (line_read(&line, text))
			return -1;
	}
	return whole_check(&line);
}

/* ---- the file -------------------------------------------------------------------------------- */

static int file_read(struct hs_conf *conf)
{
	int fd = open(conf->path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0) {
		hs_fail("%s: %s", conf->path, strerror(errno));
		return -1;
	}
	conf->text = calloc(1, CONF_MAX + 1);
	n = conf->text ? read(fd, conf->text, CONF_MAX) : -1;
	close(fd);
	if (n >= 0 && n < CONF_MAX && strlen(conf->text) == (size_t)n)
		return 0;
	hs_fail("%s: not a text file of less than %d bytes", conf->path, CONF_MAX);
	return -1;
}

int hs_conf_read(struct hs_conf *conf, const char *name, const char *path)
{
	int len;

	memset(conf, 0, sizeof(*conf));
	if (path)
		len = snprintf(conf->path, sizeof(conf->path), "%s", path);
	else
		len = snprintf(conf->path, sizeof(conf->path), "%s/%s.conf", hs_conf_dir(), name);
	if (len >= (int)sizeof(conf->path)) {
		hs_fail("%s: too long a path", conf->path);
		return -1;
	}
	if (!file_read(conf) && !lines_read(conf))
		return 0;
	hs_conf_free(conf);
	return -1;
}

void hs_conf_free(struct hs_conf *conf)
{
	free(conf->text);
	conf->text = NULL;
}
