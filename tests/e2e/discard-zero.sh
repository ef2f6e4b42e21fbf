#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# Zeroing and discarding change their range and nothing beside it, to the byte, in every mode and
# wherever the data are (on the origin, cached clean, dirty); zeroes stay zeroes after a crash.
#
# Invariants: 2, 23
# sanitize
. "${0%/*}/../lib/e2e.sh"
origin=$TMPDIR/origin cache=$TMPDIR/cache expected=$TMPDIR/expected

random_file "$expected" 16M 4
cp "$expected" "$origin"
"$HOTSET" format "$origin" "$cache" --size 9M --block-size 16k >/dev/null
base=0
for mode in writeback writethrough writearound bypass; do
	serve hot "$origin" "$cache" --mode $mode
	io hot "read $((base + 65536)) 128k" "write -P 0x77 $((base + 262144)) 128k"
	qemu-io -f raw -c "write -P 0x77 $((base + 262144)) 128k" "$expected" >/dev/null
	# On the origin, on cached clean data, on written data; whole blocks, parts, odd bytes, across.
	zeroes=()
	for at in 3 70000 81920 90001 262144 300001 393000; do
		for length in 1 511 4096 16384 20001; do
			zeroes+=("write -z $((base + at)) $length")
			at=$((at + length + 7))
		done
	done
	io hot "${zeroes[@]}"
	qemu-io -f raw "${zeroes[@]/#/-c}" "$expected" >"$TMPDIR/io.out" 2>&1
	[ "$(grep -c '^wrote ' "$TMPDIR/io.out")" = ${#zeroes[@]} ] || die "qemu-io: $(cat "$TMPDIR/io.out")"
	qemu-img compare -f raw -F raw "$(uri hot)" "$expected" >/dev/null || die "$mode: zeroing changed more than its range"
	# A discarded range may hold anything that was there, its neighbours may not change.
	for range in "600001 1000" "655360 16384" "700000 100000" "66000 3000" "263000 5000"; do
		read -r at length <<<"$range"
		at=$((at + base))
		around=$((at - 2048)),$((length + 4096))
		request hot read "${around%,*}" "${around#*,}" >"$TMPDIR/before"
		request hot trim $at "$length"
		request hot read "${around%,*}" "${around#*,}" >"$TMPDIR/after"
		cmp -n 2048 "$TMPDIR/before" "$TMPDIR/after" || die "$mode: a discard at $at changed what is before it"
		cmp -i $((2048 + length)) "$TMPDIR/before" "$TMPDIR/after" || die "$mode: a discard at $at changed what is behind it"
		# Each byte in it is zero or what it was.
		! cmp -l "$TMPDIR/before" "$TMPDIR/after" | awk '$3 != 0' | grep -m 1 . || die "$mode: a discard at $at made data up"
	done
	request hot flush
	copy_out hot "$TMPDIR/out"
	crash hot
	serve hot "$origin" "$cache"
	copy_out hot "$TMPDIR/again"
	same "$TMPDIR/out" "$TMPDIR/again"
	stop hot --writeback
	same "$TMPDIR/out" "$origin"
	cp "$TMPDIR/out" "$expected"
	base=$((base + 4194304))
done
sound "$cache"
