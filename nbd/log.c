// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See log.h. */
#include "log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

static bool log_syslog;

void hs_log_to_syslog(void)
{
	log_syslog = true;
}

static void log_line(int level, const char *fmt, va_list args)
{
	char line[1024];

	vsnprintf(line, sizeof(line), fmt, args);
	if (log_syslog)
		syslog(LOG_DAEMON | level, "hotset: %s", line);
	else
		fprintf(stderr, "hotset: %s\n", line);
}

void hs_log_info(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_line(LOG_INFO, fmt, args);
	va_end(args);
}

void hs_log_error(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_line(LOG_ERR, fmt, args);
	va_end(args);
}

void hs_log_request(const char *what, unsigned long long count, unsigned long long offset, int err)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static unsigned long long unsaid;
	static time_t last;
	unsigned long long silent = 0;
	struct timespec now;
	bool say;

	clock_gettime(CLOCK_MONOTONIC, &now);
	pthread_mutex_lock(&lock);
	say = !last || now.tv_sec != last;
	if (say) {
		silent = unsaid;
		unsaid = 0;
		last = now.tv_sec;
	} else {
		unsaid++;
	}
	pthread_mutex_unlock(&lock);
	if (say && silent)
		hs_log_error("%llu more request errors were not logged", silent);
	if (say)
		hs_log_error("%s of %llu bytes at %llu failed: %s", what, count, offset,
			     strerror(err));
}
