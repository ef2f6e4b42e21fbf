#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# An origin that is an NBD export (unix socket and TCP) is cached like a file: its data, write-back, trims, a
# crash of the server in between. An origin that is not there is refused.
#
# Invariants: 1, 7, 14, 27
. "${0%/*}/../lib/e2e.sh"
data=$TMPDIR/data cache=$TMPDIR/cache

random_file "$data" 24M 3
cp "$data" "$TMPDIR/expected"
origin far file "$data"
refused 'No such file|connect' "$HOTSET" format "nbd+unix:///?socket=$TMPDIR/nothing" "$cache" --size 9M
[ ! -e "$cache" ] || die "a refused format left a file behind"
"$HOTSET" format "$(uri far)" "$cache" --size 9M >/dev/null
serve hot "$(uri far)" "$cache"
qemu-img compare -f raw -F raw "$(uri hot)" "$data"
for command in "write -P 0x31 1M 2M" "write -P 0x32 5000 777" "write -z 8M 1M" "write -P 0x33 20M 64k"; do
	io hot "$command"
	qemu-io -f raw -c "$command" "$TMPDIR/expected" >/dev/null
done
io hot flush
crash hot
serve hot "$(uri far)" "$cache"
qemu-img compare -f raw -F raw "$(uri hot)" "$TMPDIR/expected"
io hot "discard 12M 1M"
stop hot --writeback
nothing_dirty "$cache"
crash far
cmp -n 12582912 "$data" "$TMPDIR/expected"
cmp -i 13631488 "$data" "$TMPDIR/expected"

# The same origin as a file: a cache belongs to contents, not to the way there.
serve hot "$data" "$cache"
copy_out hot "$TMPDIR/out"
stop hot --writeback
same "$TMPDIR/out" "$data"
serve_refused 'No such file|connect' "$(uri far)" "$cache"
