// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What happened last, for people; and the end of a world that went wrong. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim/sim.h"

struct sim_world *sim_current;

static void note_print(const struct sim_note *n)
{
	printf("%12llu.%03u us  ", (unsigned long long)(n->ns / SIM_US), (u32)(n->ns % SIM_US));
	printf(n->fmt, n->word, (unsigned long long)n->a[0], (unsigned long long)n->a[1],
	       (unsigned long long)n->a[2], (unsigned long long)n->a[3]);
	putchar('\n');
}

void sim_note(struct sim_world *w, const char *fmt, const char *word, u64 a, u64 b, u64 c, u64 d)
{
	struct sim_note *n = &w->note[w->nr_note++ % SIM_TRACE];

	*n = (struct sim_note){ w->now, w->clock, fmt, word, { a, b, c, d } };
	w->digest = sim_hash2(w->digest ^ w->now, a ^ b << 16 ^ c << 32 ^ d << 48);
	if (w->trace)
		note_print(n);
}

void sim_notes_print(const struct sim_world *w)
{
	u32 i = w->nr_note > SIM_TRACE ? w->nr_note - SIM_TRACE : 0;

	for (; i < w->nr_note; i++)
		note_print(&w->note[i % SIM_TRACE]);
}

void sim_fail(struct sim_world *w, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(w->failure, sizeof(w->failure), fmt, args);
	va_end(args);
	longjmp(w->failed, 1);
}

/* Asked for by core/platform.h. */
void hs_assert_failed(const char *file, int line, const char *expr)
{
	if (sim_current)
		sim_fail(sim_current, "assertion failed: %s:%d: %s", file, line, expr);
	fprintf(stderr, "assertion failed: %s:%d: %s\n", file, line, expr);
	abort();
}

const char *sim_op_name(u32 op)
{
	static const char *const names[] = { "read", "write", "discard", "zero", "flush" };

	return op < HS_OP_COUNT ? names[op] : "machine";
}

const char *sim_io_name(u32 op)
{
	static const char *const names[] = { "read", "write", "flush", "discard", "zero" };

	return op <= HS_IO_ZERO ? names[op] : "?";
}
