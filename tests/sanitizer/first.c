// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Preloaded into nbdkit beside a sanitizer, and linked so that its constructor runs before all others: a first
 * allocation starts the sanitizer. Otherwise a library's constructor may be the first to allocate, inside
 * newlocale(), and the sanitizer then starts while the C library's locale lock is held, and breaks it.
 */
#include <stdlib.h>

void hs_sanitizer_first(void);

__attribute__((constructor)) void hs_sanitizer_first(void)
{
	void *volatile p = malloc(1);

	free(p);
}
