// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See progress.h. */
#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BAR_WIDTH	40
#define LINE_EVERY_MS	2000

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

void hs_progress_begin(struct hs_progress *progress, const char *what)
{
	*progress = (struct hs_progress){ .what = what, .tty = isatty(STDERR_FILENO) };
}

static void bar_draw(struct hs_progress *progress, uint64_t left, uint64_t total)
{
	static const char full[] = "########################################";
	double done = total && left < total ? 1 - (double)left / total : 0;
	int width = done * BAR_WIDTH;

	fprintf(stderr, "\r%s [%.*s%*s] %3d %%, %" PRIu64 " dirty blocks left \033[K",
		progress->what, width, full, BAR_WIDTH - width, "", (int)(done * 100), left);
	progress->drawn = true;
}

void hs_progress_show(struct hs_progress *progress, uint64_t left, uint64_t total)
{
	uint64_t now;

	if (progress->tty) {
		bar_draw(progress, left, total);
		return;
	}
	now = now_ms();
	if (now < progress->next_ms)
		return;
	progress->next_ms = now + LINE_EVERY_MS;
	fprintf(stderr, "%s: %" PRIu64 " of %" PRIu64 " dirty blocks left\n", progress->what, left,
		total);
}

void hs_progress_end(struct hs_progress *progress)
{
	if (progress->drawn)
		fputc('\n', stderr);
	progress->drawn = false;
}

bool hs_progress_callback(void *progress, uint64_t left, uint64_t total)
{
	hs_progress_show(progress, left, total);
	return true;
}
