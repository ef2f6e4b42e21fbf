// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* engine/crc32c.c: every way to compute it gives what the definition, bit by bit, gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/crc32c.h"

#define LENGTHS	5000
#define SHIFTS	16

static u8 data[LENGTHS + SHIFTS];

static u32 crc_by_bits(u32 crc, const u8 *p, size_t bytes)
{
	int bit;

	for (; bytes; bytes--) {
		crc ^= *p++;
		for (bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return crc;
}

static int fill_data(void **state)
{
	u32 x = 1;
	size_t i;

	for (i = 0; i < sizeof(data); i++) {
		x = x * 1664525 + 1013904223;
		data[i] = (u8)(x >> 24);
	}
	return 0;
}

/* RFC 3720, B.4, and the usual check value. */
static void known_vectors(void **state)
{
	u8 buf[32];
	int i;

	assert_int_equal(~hs_crc32c(~0u, "123456789", 9), 0xe3069283u);
	memset(buf, 0, sizeof(buf));
	assert_int_equal(~hs_crc32c(~0u, buf, sizeof(buf)), 0x8a9136aau);
	memset(buf, 0xff, sizeof(buf));
	assert_int_equal(~hs_crc32c(~0u, buf, sizeof(buf)), 0x62a8ab43u);
	for (i = 0; i < 32; i++)
		buf[i] = (u8)i;
	assert_int_equal(~hs_crc32c(~0u, buf, sizeof(buf)), 0x46dd794eu);
	for (i = 0; i < 32; i++)
		buf[i] = (u8)(31 - i);
	assert_int_equal(~hs_crc32c(~0u, buf, sizeof(buf)), 0x113fdb5cu);
}

static void every_length(const struct hs_crc32c_way *way, size_t shift)
{
	u32 want = 0xdeadbeef;
	size_t n;

	for (n = 0; n <= LENGTHS; n++) {
		if (way->fn(0xdeadbeef, data + shift, n) != want)
			fail_msg("%s: %zu bytes at %zu", way->name, n, shift);
		want = crc_by_bits(want, data + shift + n, n < LENGTHS);
	}
}

static void every_way_every_length(void **state)
{
	const struct hs_crc32c_way *way;
	size_t shift;

	for (way = hs_crc32c_ways; way->name; way++) {
		print_message("%s: %s\n", way->name, way->usable() ? "tested" : "not usable here");
		for (shift = 0; way->usable() && shift < SHIFTS; shift++)
			every_length(way, shift);
	}
}

/* A sum may be taken in parts: the state is the result. */
static void in_parts(void **state)
{
	u32 whole = hs_crc32c(7, data, LENGTHS);
	size_t cut;

	for (cut = 0; cut <= LENGTHS; cut += 61)
		assert_int_equal(hs_crc32c(hs_crc32c(7, data, cut), data + cut, LENGTHS - cut),
				 whole);
}

static void one_flipped_bit_shows(void **state)
{
	u32 whole = hs_crc32c(0, data, 4096);
	int bit;

	for (bit = 0; bit < 4096 * 8; bit++) {
		data[bit / 8] ^= 1u << bit % 8;
		assert_int_not_equal(hs_crc32c(0, data, 4096), whole);
		data[bit / 8] ^= 1u << bit % 8;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_vectors),
		cmocka_unit_test(every_way_every_length),
		cmocka_unit_test(in_parts),
		cmocka_unit_test(one_flipped_bit_shows),
	};

	return cmocka_run_group_tests(tests, fill_data, NULL);
}
