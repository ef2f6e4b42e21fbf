// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What core/platform.h asks of a shell in userspace: CRC32C, and the end of a failed assertion.
 *
 * The CRC (Castagnoli, reflected, no inversions) is linear: crc(s, A|B|C) is
 *
 *	shift(crc(s, A), |B| + |C|)  ^  shift(crc(0, B), |C|)  ^  crc(0, C)
 *
 * where shift(c, n) is c * x^8n mod P. The processors' instruction takes three cycles but a new one
 * can start each cycle, so three independent lanes keep it busy; they are joined by a carry-less
 * product with a constant, reduced by the same instruction. Made for 4096 bytes: 3 * 1360 + 16.
 *
 *	| lane A, 1360 | lane B, 1360 | lane C, 1360 | 16 |
 *
 * Left out on purpose: folding with wide vectors. It is two or three times as fast again on some
 * processors, for several times the code, when the sum already costs less than copying the data.
 */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/crc32c.h"

#define CRC_POLY	0x82f63b78u	/* reflected */

/* ---- plain C: eight bytes a step, one table for each byte's distance ("slicing by 8") -------- */

static u32 crc_table[8][256];

static void crc_table_init(void)
{
	u32 i, k, crc;

	for (i = 0; i < 256; i++) {
		crc = i;
		for (k = 0; k < 8; k++)
			crc = (crc >> 1) ^ (crc & 1 ? CRC_POLY : 0);
		crc_table[0][i] = crc;
	}
	for (k = 1; k < 8; k++) {
		for (i = 0; i < 256; i++) {
			crc = crc_table[k - 1][i];
			crc_table[k][i] = (crc >> 8) ^ crc_table[0][crc & 255];
		}
	}
}

static inline u64 load_le64(const u8 *p)
{
	u64 v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

static inline u32 crc_table_word(u32 crc, u64 v)
{
	v ^= crc;
	return crc_table[7][v & 255] ^ crc_table[6][v >> 8 & 255] ^
	       crc_table[5][v >> 16 & 255] ^ crc_table[4][v >> 24 & 255] ^
	       crc_table[3][v >> 32 & 255] ^ crc_table[2][v >> 40 & 255] ^
	       crc_table[1][v >> 48 & 255] ^ crc_table[0][v >> 56];
}

static u32 crc_plain(u32 crc, const void *data, size_t bytes)
{
	const u8 *p = data;

	for (; bytes >= 8; p += 8, bytes -= 8)
		crc = crc_table_word(crc, load_le64(p));
	for (; bytes; bytes--)
		crc = (crc >> 8) ^ crc_table[0][(crc ^ *p++) & 255];
	return crc;
}

static bool plain_usable(void)
{
	return true;
}

/* ---- with the processor's instruction -------------------------------------------------------- */

/*
 * Each world gives: HW_TARGET, hw_u8 and hw_u64 (one step of the CRC), hw_mul (carry-less product
 * of two 32-bit numbers) and hw_usable.
 */
#if defined(__x86_64__)
#define HW_NAME		"sse4.2"
#define HW_TARGET	__attribute__((target("sse4.2,pclmul")))

#include <immintrin.h>

HW_TARGET static inline u32 hw_u8(u32 crc, u8 v)
{
	return _mm_crc32_u8(crc, v);
}

HW_TARGET static inline u64 hw_u64(u64 crc, u64 v)
{
	return _mm_crc32_u64(crc, v);
}

HW_TARGET static inline u64 hw_mul(u32 a, u32 b)
{
	return _mm_cvtsi128_si64(_mm_clmulepi64_si128(_mm_cvtsi32_si128(a),
						      _mm_cvtsi32_si128(b), 0));
}

static bool hw_usable(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
}

#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32) && defined(__ARM_FEATURE_CRYPTO)
#define HW_NAME		"armv8"
#define HW_TARGET

#include <arm_acle.h>
#include <arm_neon.h>

static inline u32 hw_u8(u32 crc, u8 v)
{
	return __crc32cb(crc, v);
}

static inline u64 hw_u64(u64 crc, u64 v)
{
	return __crc32cd((u32)crc, v);
}

static inline u64 hw_mul(u32 a, u32 b)
{
	return (u64)vmull_p64(a, b);
}

static bool hw_usable(void)
{
	return true;	/* the whole program is built for it */
}
#endif

#ifdef HW_NAME

#define LANE_LONG	1360u
#define LANE_SHORT	168u

/*
 * To shift by n bytes: the reflected product of crc and k stands one bit too low, and the reducing
 * step multiplies by x^32 more, hence k = x^(8n - 33) mod P, reflected.
 */
#define K_LONG_1	0x3f70cc6fu	/* n = LANE_LONG */
#define K_LONG_2	0x5aa1f3cfu	/* n = 2 * LANE_LONG */
#define K_SHORT_1	0x1b3d8f29u	/* n = LANE_SHORT */
#define K_SHORT_2	0xa60ce07bu	/* n = 2 * LANE_SHORT */

HW_TARGET static inline u32 hw_shift(u32 crc, u32 k)
{
	return (u32)hw_u64(0, hw_mul(crc, k));
}

/* Three lanes of `lane` bytes each; k1, k2 shift by one and two of them. */
HW_TARGET static inline __attribute__((always_inline))
u32 hw_lanes(u32 crc, const u8 *p, size_t lane, u32 k1, u32 k2)
{
	u64 a = crc, b = 0, c = 0;
	size_t i;

	for (i = 0; i < lane; i += 8) {
		a = hw_u64(a, load_le64(p + i));
		b = hw_u64(b, load_le64(p + lane + i));
		c = hw_u64(c, load_le64(p + 2 * lane + i));
	}
	return hw_shift((u32)a, k2) ^ hw_shift((u32)b, k1) ^ (u32)c;
}

HW_TARGET static u32 crc_hw(u32 crc, const void *data, size_t bytes)
{
	const u8 *p = data;

	for (; bytes >= 3 * LANE_LONG; p += 3 * LANE_LONG, bytes -= 3 * LANE_LONG)
		crc = hw_lanes(crc, p, LANE_LONG, K_LONG_1, K_LONG_2);
	for (; bytes >= 3 * LANE_SHORT; p += 3 * LANE_SHORT, bytes -= 3 * LANE_SHORT)
		crc = hw_lanes(crc, p, LANE_SHORT, K_SHORT_1, K_SHORT_2);
	for (; bytes >= 8; p += 8, bytes -= 8)
		crc = (u32)hw_u64(crc, load_le64(p));
	for (; bytes; bytes--)
		crc = hw_u8(crc, *p++);
	return crc;
}
#endif

/* ---- choice ---------------------------------------------------------------------------------- */

const struct hs_crc32c_way hs_crc32c_ways[] = {
#ifdef HW_NAME
	{ HW_NAME, crc_hw, hw_usable },
#endif
	{ "plain", crc_plain, plain_usable },
	{ NULL, NULL, NULL },
};

static u32 (*crc_best)(u32 crc, const void *data, size_t bytes) = crc_plain;

/* Before other constructors, so that they may use it. Nothing here is written after it. */
__attribute__((constructor(101))) static void crc_choose(void)
{
	const struct hs_crc32c_way *way = hs_crc32c_ways;

	crc_table_init();
	while (!way->usable())
		way++;
	crc_best = way->fn;
}

u32 hs_crc32c(u32 crc, const void *data, size_t bytes)
{
	return crc_best(crc, data, bytes);
}

void hs_assert_failed(const char *file, int line, const char *expr)
{
	fprintf(stderr, "hotset: %s:%d: assertion failed: %s\n", file, line, expr);
	abort();
}
