#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# Bits flipped in clean cached data: `check --data` lists the blocks, reads are served from the origin,
# the blocks are filled anew, and all is sound again.
#
# Invariants: 11, 29, 31
. "${0%/*}/../lib/e2e.sh"
prepare
# The first, one in the middle and the last; which blocks have clean names depends on the moment.
mapfile -t offsets < <("$HOTSET" dump "$cache" --json |
	jq '[.slots[] | select(.state == "clean").offset] | sort | .[0], .[length / 2 | floor], .[-1]')
[ ${#offsets[@]} = 3 ] || die "fewer than three clean blocks"
for offset in "${offsets[@]}"; do
	slot=$(slot_of "$cache" "$offset")
	flip "$cache" $(($(where "$cache" data "$slot") + 1234))
done
for offset in "${offsets[@]}"; do
	check_finds "^clean data: .*bytes $offset to $((offset + 4095)) " --data "$cache"
done
[ "$(grep -c '^clean data' "$TMPDIR/check.out")" = 3 ] || die "not three: $(cat "$TMPDIR/check.out")"

serve hot "$origin" "$cache"
as_expected hot
[ "$(stat_of hot checksum_errors)" -ge 3 ] || die "checksum_errors is $(stat_of hot checksum_errors)"
[ "$(stat_of hot repairs)" -ge 3 ] || die "repairs is $(stat_of hot repairs)"
[ "$(stat_of hot lost)" = 0 ]
as_expected hot
stop hot
sound "$cache"
