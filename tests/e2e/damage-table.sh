#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# The slot table is mirrored: a page damaged in one copy is served by the other and mended; the same page
# damaged in both is refused, with nothing written.
#
# Invariants: 37
. "${0%/*}/../lib/e2e.sh"
prepare
slot=$(slot_of "$cache" 8388608)
cp "$cache" "$TMPDIR/good"
cp "$origin" "$TMPDIR/origin.good"

for copy in 0 1; do
	cp "$TMPDIR/good" "$cache"
	cp "$TMPDIR/origin.good" "$origin"
	flip "$cache" $(($(where "$cache" table $copy "$slot") + 100))
	check_finds '^table: ' "$cache"
	serve hot "$origin" "$cache"
	as_expected hot
	crash hot
	serve hot "$origin" "$cache"
	as_expected hot
	# The next checkpoint mends it.
	checkpoints=$(stat_of hot checkpoints)
	for ((i = 0; i < 500; i++)); do
		[ "$(stat_of hot checkpoints)" = "$checkpoints" ] || break
		io hot "write -P 0x11 8M 1M" flush
	done
	[ $i -lt 500 ] || die "no checkpoint"
	stop hot
	serve hot "$origin" "$cache"
	as_expected hot
	stop hot
	sound "$cache"
done

cp "$TMPDIR/good" "$cache"
cp "$TMPDIR/origin.good" "$origin"
flip "$cache" $(($(where "$cache" table 0 "$slot") + 100))
flip "$cache" $(($(where "$cache" table 1 "$slot") + 3000))
check_finds 'both copies' "$cache"
serve_refused 'both copies .*damaged' "$origin" "$cache"
refused 'both copies .*damaged' "$HOTSET" writeback "$origin" "$cache"
refused 'force' "$HOTSET" format "$origin" "$cache"
# A page that another one was written over is found too.
cp "$TMPDIR/good" "$cache"
for copy in 0 1; do
	at=$(where "$cache" table $copy 0)
	dd if="$cache" of="$cache" bs=4096 skip=$((at / 4096)) seek=$((at / 4096 + 1)) count=1 conv=notrunc status=none
done
serve_refused 'both copies .*damaged' "$origin" "$cache"
