#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# What ordinary NBD clients write is what they read back, and what the origin holds in the end:
# nbdcopy in and out, qemu-img compare, qemu-io patterns of all sizes at odd places.
#
# Invariants: 13, 18, 24
# sanitize
. "${0%/*}/../lib/e2e.sh"
origin=$TMPDIR/origin cache=$TMPDIR/cache

random_file "$TMPDIR/data" 40M 1
truncate -s 40M "$origin"
"$HOTSET" format "$origin" "$cache" --size 16M >/dev/null
serve hot "$origin" "$cache"

nbdcopy "$TMPDIR/data" "$(uri hot)"
copy_out hot "$TMPDIR/out"
same "$TMPDIR/data" "$TMPDIR/out"
qemu-img compare -f raw -F raw "$TMPDIR/data" "$(uri hot)"

# A file takes the same writes; aligned or not, inside a block and across several.
for command in "write -P 0x11 0 4k" "write -P 0x22 512 512" "write -P 0x33 1000 1" "write -P 0x44 4095 2" \
	"write -P 0x55 12345 54321" "write -P 0x66 1M 3M" "write -P 0x77 20M 65537" "write -P 0x88 41942528 512" \
	"write -P 0x99 7777 7777" "write -z 30M 100k" "write -z 31457281 4099" "write -P 0xaa 41943039 1"; do
	io hot "$command"
	qemu-io -f raw -c "$command" "$TMPDIR/data" >/dev/null
	[[ $command = *-z* ]] || io hot "read ${command#write }"
done
qemu-img compare -f raw -F raw "$TMPDIR/data" "$(uri hot)"
stop hot
serve hot "$origin" "$cache"
qemu-img compare -f raw -F raw "$TMPDIR/data" "$(uri hot)"
stop hot --writeback
nothing_dirty "$cache"
same "$TMPDIR/data" "$origin"
