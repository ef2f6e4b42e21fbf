/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How far a write-back is: a bar that is redrawn on a terminal, else a line every few seconds. On
 * stderr, so that output stays output.
 */
#ifndef HS_PROGRESS_H
#define HS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct hs_progress {
	const char *what;		/* whose write-back */
	bool tty;
	bool drawn;			/* the terminal's line needs an end */
	uint64_t next_ms;		/* when the next line is due */
};

void hs_progress_begin(struct hs_progress *progress, const char *what);
/* left and total are blocks. */
void hs_progress_show(struct hs_progress *progress, uint64_t left, uint64_t total);
void hs_progress_end(struct hs_progress *progress);

/* hs_progress_show for the library's callbacks; always goes on. */
bool hs_progress_callback(void *progress, uint64_t left, uint64_t total);

#endif
