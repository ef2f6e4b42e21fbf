#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# `hotset lost --forget` gives up what is lost, and nothing that a client writes there meanwhile, be it before
# the turn of a lost 4 KiB comes or while the origin is being asked for it. Ranges of other than whole 4 KiB
# are refused, for they would give up more than they name.
#
# Invariants: 1, 11, 29
# sanitize
. "${0%/*}/../lib/e2e.sh"
prepare --block-size 16k
first=$((8388608 + 5 * 16384 + 4096)) second=$((8388608 + 20 * 16384 + 8192)) third=$((8388608 + 30 * 16384))
for at in $first $second $third; do
	flip "$cache" $(($(where "$cache" data "$(slot_of "$cache" $at)") + at % 16384 + 77))
done
origin far file "$origin"
serve hot "$(uri far)" "$cache"
for range in $((first + 512))+512 $first+512 $((first - 512))+4608 $first+4608; do
	refused 'whole 4 KiB' "$HOTSET" lost hot --forget "$range"
done
for at in $first $second $third; do
	request_fails EIO hot read $at 4096
done

# Stands still with the origin in the middle of the first.
kill -STOP "${pids[far]}"
"$HOTSET" lost hot --forget 8M+1M >"$TMPDIR/forget.out" 2>&1 &
forget=$!
sleep 0.5
request hot write $second 4096 0x55
request hot write $first 4096 0x44 &
writer=$!
sleep 0.5
kill -CONT "${pids[far]}"
wait $forget || die "forget: $(cat "$TMPDIR/forget.out")"
wait $writer || die "the write failed"
[ -z "$("$HOTSET" lost hot)" ] || die "still lost: $("$HOTSET" lost hot)"

qemu-io -f raw -c "write -P 0x44 $first 4k" -c "write -P 0x55 $second 4k" "$expected" >/dev/null
dd if="$origin" of="$expected" bs=4k skip=$((third / 4096)) seek=$((third / 4096)) count=1 conv=notrunc status=none
as_expected hot
stop hot --writeback
nothing_dirty "$cache"
sound "$cache"
same "$expected" "$origin"
