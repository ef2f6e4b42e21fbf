// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* cli/size.c: what is a size and a range and what is not, and how sizes are shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* The command is a program and no library: its one file under test comes in whole. */
#include "cli/size.c"

#define UNTOUCHED	UINT64_C(0x5a5a5a5a5a5a5a5a)

struct size_case {
	const char *text;
	int result;
	uint64_t bytes;
};

static void check_size(const struct size_case *c)
{
	uint64_t bytes = UNTOUCHED;
	int r = hs_size_parse(c->text, &bytes);

	if (r != c->result || bytes != (r ? UNTOUCHED : c->bytes))
		fail_msg("'%s': %d, %" PRIu64 "; wanted %d, %" PRIu64, c->text, r, bytes, c->result,
			 r ? UNTOUCHED : c->bytes);
}

static void sizes_are_parsed(void **state)
{
	static const struct size_case cases[] = {
		{ "0", 0, 0 },
		{ "512", 0, 512 },
		{ "007", 0, 7 },
		{ "1b", 0, 1 },
		{ "4k", 0, 4096 },
		{ "4K", 0, 4096 },
		{ "4KiB", 0, 4096 },
		{ "1M", 0, 1 << 20 },
		{ "2G", 0, 2ull << 30 },
		{ "2g", 0, 2ull << 30 },
		{ "3T", 0, 3ull << 40 },
		{ "5PiB", 0, 5ull << 50 },
		{ "15E", 0, 15ull << 60 },
		{ "0E", 0, 0 },
		{ "18446744073709551615", 0, UINT64_MAX },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_size(&cases[i]);
}

static void junk_is_no_size(void **state)
{
	static const char *const junk[] = {
		"", " ", "k", "-1", "+1", " 1", "1 ", "1 k", "4kk", "4kB", "4KB", "4kib", "4Ki",
		"1biB", "1.5G", "0x10", "1e3", "4z", "4,096", "4k\n", "\xff", "iB", "1iB",
	};

	for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++)
		check_size(&(struct size_case){ junk[i], -EINVAL, 0 });
}

static void sizes_beyond_64_bits_are_refused(void **state)
{
	static const char *const large[] = {
		"18446744073709551616", "99999999999999999999999", "16E", "18014398509481984k",
		"18446744073709551615k", "17179869184G",
	};

	for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++)
		check_size(&(struct size_case){ large[i], -ERANGE, 0 });
	check_size(&(struct size_case){ "18014398509481983k", 0, UINT64_MAX - 1023 });
}

static void check_range(const char *text, int result, uint64_t offset, uint64_t length)
{
	uint64_t o = UNTOUCHED, l = UNTOUCHED;
	int r = hs_range_parse(text, &o, &l);

	if (result)
		offset = length = UNTOUCHED;
	if (r != result || o != offset || l != length)
		fail_msg("'%s': %d, %" PRIu64 "+%" PRIu64, text, r, o, l);
}

static void ranges_are_parsed(void **state)
{
	check_range("0+512", 0, 0, 512);
	check_range("4k+8k", 0, 4096, 8192);
	check_range("4k-8k", 0, 4096, 4096);
	check_range("1T-1025G", 0, 1ull << 40, 1ull << 30);
	check_range("18446744073709551614+1", 0, UINT64_MAX - 1, 1);
}

static void junk_is_no_range(void **state)
{
	static const char *const junk[] = {
		"", "4096", "+", "-", "4k+", "+4k", "-4k", "4k-", "4k+0", "8k-4k", "4k-4k",
		"4k+4k+4k",
		"4k--8k", "4k+-8k", "4k 8k", "a-b", "000000000000000000000000000000000000001+1",
	};

	for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++)
		check_range(junk[i], -EINVAL, 0, 0);
	check_range("18446744073709551615+1", -ERANGE, 0, 0);
	check_range("16E+1", -ERANGE, 0, 0);
	check_range("1+16E", -ERANGE, 0, 0);
}

static void sizes_are_shown_short(void **state)
{
	static const struct size_case cases[] = {
		{ "0 B", 0, 0 },
		{ "1023 B", 0, 1023 },
		{ "1 KiB", 0, 1024 },
		{ "1.50 KiB", 0, 1536 },
		{ "12.5 MiB", 0, 25ull << 19 },
		{ "512 GiB", 0, 512ull << 30 },
		{ "16 EiB", 0, UINT64_MAX },
	};
	char text[HS_SIZE_TEXT];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(hs_size_print(text, cases[i].bytes), cases[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_parsed),
		cmocka_unit_test(junk_is_no_size),
		cmocka_unit_test(sizes_beyond_64_bits_are_refused),
		cmocka_unit_test(ranges_are_parsed),
		cmocka_unit_test(junk_is_no_range),
		cmocka_unit_test(sizes_are_shown_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
