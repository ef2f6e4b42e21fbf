#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# Origins whose size is no multiple of a block, down to one sector, are served whole: the last short
# block is read, written, zeroed, cached, and written back, and nothing beyond the end is touched.
#
# Invariants: 13, 24
. "${0%/*}/../lib/e2e.sh"
origin=$TMPDIR/origin cache=$TMPDIR/cache

for sectors in 1 7 9 8191 20487; do
	for block in 4k 64k 1M; do
		size=$((sectors * 512))
		random_file "$TMPDIR/data" $size $sectors
		cp "$TMPDIR/data" "$origin"
		"$HOTSET" format "$origin" "$cache" --size 40M --block-size $block --assoc 16 --force >/dev/null
		serve hot "$origin" "$cache"
		[ "$(nbdinfo --size "$(uri hot)")" = $size ] || die "$sectors sectors: size $(nbdinfo --size "$(uri hot)")"
		qemu-img compare -f raw -F raw "$TMPDIR/data" "$(uri hot)" >/dev/null || die "$sectors sectors, block $block"
		last="-P 0x61 $((size - 512)) 512" bytes="-P 0x62 $((size - 3)) 3" first="-P 0x63 0 512"
		io hot "write $last" "read $last" "write $bytes" "read $bytes" "write $first" "read $first"
		qemu-io -f raw -c "write $last" -c "write $bytes" -c "write $first" "$TMPDIR/data" >"$TMPDIR/io.out" 2>&1
		[ "$(grep -c '^wrote ' "$TMPDIR/io.out")" = 3 ] || die "qemu-io: $(cat "$TMPDIR/io.out")"
		request_fails 'EINVAL|ENOSPC' hot read "$size" 512
		request_fails 'EINVAL|ENOSPC' hot write $((size - 512)) 1024
		crash hot
		serve hot "$origin" "$cache"
		qemu-img compare -f raw -F raw "$TMPDIR/data" "$(uri hot)" >/dev/null || die "$sectors sectors, block $block, after a crash"
		stop hot --writeback
		sound "$cache"
		same "$TMPDIR/data" "$origin"
	done
done
