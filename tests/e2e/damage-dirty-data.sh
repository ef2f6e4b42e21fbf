#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# A bit flipped in dirty cached data costs exactly its 4 KiB: reads of it fail, `hotset lost` lists it and
# nothing else, also after a restart; partial writes fail, a whole overwrite heals it, --forget gives
# it up, and everything else is served and written back.
#
# Invariants: 11, 18, 21, 29, 33
# sanitize
. "${0%/*}/../lib/e2e.sh"
prepare --block-size 16k
lost() { # WHAT-IS-EXPECTED COMMAND...
	local want=$1 got
	shift
	got=$("$HOTSET" lost "$@")
	[ "$got" = "$want" ] || die "hotset lost $*: '$got', expected '$want'"
}

# In the second 4 KiB of a block, and in the third of another.
first=$((8388608 + 5 * 16384 + 4096)) second=$((8388608 + 20 * 16384 + 8192))
flip "$cache" $(($(where "$cache" data "$(slot_of "$cache" $first)") + 4096 + 77))
flip "$cache" $(($(where "$cache" data "$(slot_of "$cache" $second)") + 8192 + 4095))
check_finds "^dirty data: .*bytes $first to $((first + 4095)) " --data "$cache"
check_finds "^dirty data: .*bytes $second to $((second + 4095)) " --data "$cache"

serve hot "$origin" "$cache"
for at in $first $second; do
	request_fails EIO hot read $at 4096
	request_fails EIO hot read $((at + 512)) 512
	request_fails EIO hot read $((at - 16384)) 65536
	request hot read $((at - 4096)) 4096 >"$TMPDIR/out"
	same "$TMPDIR/out" <(head -c 4096 /dev/zero | tr '\0' '\021')
	request hot read $((at + 4096)) 4096 >"$TMPDIR/out"
	same "$TMPDIR/out" <(head -c 4096 /dev/zero | tr '\0' '\021')
done
lost "$first+4096
$second+4096" hot
request_fails EIO hot write $((first + 512)) 512 0x22
stop hot
lost "$first+4096
$second+4096" "$cache"
serve hot "$origin" "$cache"
request_fails EIO hot read $first 4096

# Everything else can be written back; that something cannot is said.
refused "$first|lost" "$HOTSET" stop hot --writeback
request hot write $first 4096 0x33
request hot read $first 4096 >"$TMPDIR/out"
same "$TMPDIR/out" <(head -c 4096 /dev/zero | tr '\0' '\063')
lost "$second+4096" hot
"$HOTSET" lost hot --forget "$second+4096"
lost "" hot
request hot read $second 4096 >"$TMPDIR/out"
cmp -n 4096 -i "0:$second" "$TMPDIR/out" "$origin" || die "a forgotten range does not read as the origin"
qemu-io -f raw -c "write -P 0x33 $first 4k" "$expected" >/dev/null
dd if="$origin" of="$expected" bs=4k skip=$((second / 4096)) seek=$((second / 4096)) count=1 conv=notrunc status=none
as_expected hot
stop hot --writeback
nothing_dirty "$cache"
sound "$cache"
same "$expected" "$origin"
