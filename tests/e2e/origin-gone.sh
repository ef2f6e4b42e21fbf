#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# An NBD origin that is killed: what is cached is read and written all the same, what is not fails with an
# error and does not hang for ever; when it is back the server goes on by itself, nothing is lost.
#
# Invariants: 1, 21, 33
. "${0%/*}/../lib/e2e.sh"
data=$TMPDIR/data cache=$TMPDIR/cache
random_file "$data" 16M 11
cp "$data" "$TMPDIR/expected"
origin far file "$data"
"$HOTSET" format "$(uri far)" "$cache" --size 9M >/dev/null
serve hot "$(uri far)" "$cache"
io hot "read 0 64k" "write -P 0x51 2M 64k"
request hot flush
crash far

request hot read 0 65536 >"$TMPDIR/out"
cmp -n 65536 "$TMPDIR/out" "$TMPDIR/expected"
io hot "read -P 0x51 2M 64k"
request hot write 2097152 65536 0x52
start=$(ms)
request_fails 'EIO|ENOTCONN|ESHUTDOWN|ETIMEDOUT' hot read 8388608 4096
took=$(($(ms) - start))
[ $took -lt 60000 ] || die "an error took $took ms"
echo "an error took $took ms"

origin far file "$data"
wait_for request hot read 8388608 4096 >"$TMPDIR/out" 2>/dev/null || die "the origin is back, but not used"
io hot "read -P 0x52 2M 64k" "write -P 0x53 12M 64k"
stop hot --writeback
crash far
qemu-io -f raw -c "write -P 0x52 2M 64k" -c "write -P 0x53 12M 64k" "$TMPDIR/expected" >/dev/null
same "$TMPDIR/expected" "$data"
sound "$cache"
