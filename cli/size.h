/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sizes as people write and read them: 512, 4k, 1M, 2G, 1T; powers of 1024. */
#ifndef HS_SIZE_H
#define HS_SIZE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Digits and at most one of the letters b k M G T P E, in either case, which "iB" may follow.
 * -EINVAL: anything else, signs, spaces and fractions included; -ERANGE: 2^64 bytes or more.
 * *bytes is left alone on an error.
 */
int hs_size_parse(const char *text, uint64_t *bytes);

/*
 * OFFSET+LENGTH or OFFSET-END (END not included), both in sizes; bytes.
 * -EINVAL as above, or empty, or END before OFFSET; -ERANGE: ends beyond 2^64.
 */
int hs_range_parse(const char *text, uint64_t *offset, uint64_t *length);

/* Three digits and a unit, "1.50 GiB", all of them where it is a whole number. Returns buf. */
#define HS_SIZE_TEXT	32
char *hs_size_print(char buf[HS_SIZE_TEXT], uint64_t bytes);

#endif
