// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* core/streams.c */
#include "tests/lib/corebox.h"

static void off_unless_asked_for(void **state)
{
	struct hs_streams s = { 0 };
	u64 at;

	for (at = 0; at < 100000; at += 8)
		assert_false(hs_streams_note(&s, at, 8, 0));
}

static void a_stream_shows_once_it_is_longer_than_the_cutoff(void **state)
{
	struct hs_streams s = { 0 };

	assert_false(hs_streams_note(&s, 1000, 64, 128));
	assert_false(hs_streams_note(&s, 1064, 64, 128));
	assert_true(hs_streams_note(&s, 1128, 1, 128));
	assert_true(hs_streams_note(&s, 1129, 1, 128));
	/* It stops: the next request elsewhere is not part of it. */
	assert_false(hs_streams_note(&s, 5000, 8, 128));
}

static void sixteen_streams_are_told_apart(void **state)
{
	struct hs_streams s = { 0 };
	u64 at, i;

	for (at = 0; at < 80; at += 8)
		for (i = 0; i < HS_STREAMS; i++)
			assert_int_equal(hs_streams_note(&s, i * 100000 + at, 8, 64), at >= 64);
}

static void random_requests_do_not_end_a_live_stream(void **state)
{
	struct hs_streams s = { 0 };
	u64 at;

	for (at = 0; at < 80; at += 8) {
		assert_int_equal(hs_streams_note(&s, at, 8, 64), at >= 64);
		assert_false(hs_streams_note(&s, 1000000 + at * 997, 8, 64));
	}
}

static void the_least_recently_continued_gives_way(void **state)
{
	struct hs_streams s = { 0 };
	u64 i;

	hs_streams_note(&s, 0, 100, 64);
	for (i = 1; i <= HS_STREAMS; i++)
		hs_streams_note(&s, i * 100000, 8, 64);
	assert_false(hs_streams_note(&s, 100, 8, 64));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(off_unless_asked_for),
		cmocka_unit_test(a_stream_shows_once_it_is_longer_than_the_cutoff),
		cmocka_unit_test(sixteen_streams_are_told_apart),
		cmocka_unit_test(random_requests_do_not_end_a_live_stream),
		cmocka_unit_test(the_least_recently_continued_gives_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
