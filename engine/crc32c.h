/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The ways to compute hs_crc32c (core/platform.h), for tests and benchmarks: hs_crc32c is the first
 * usable one. All of them take any length and any alignment.
 */
#ifndef HS_ENGINE_CRC32C_H
#define HS_ENGINE_CRC32C_H

#include "core/platform.h"

struct hs_crc32c_way {
	const char *name;
	u32 (*fn)(u32 crc, const void *data, size_t bytes);
	bool (*usable)(void);
};

/* Ends with an entry without a name; the entry before it, plain C, is usable everywhere. */
extern const struct hs_crc32c_way hs_crc32c_ways[];

#endif
