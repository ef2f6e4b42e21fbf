#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# With seq_cutoff a long sequential stream passes the cache by, and is counted as such, while random requests
# and the hot blocks stay cached; off by default.
#
# Invariants: 15, 32
. "${0%/*}/../lib/e2e.sh"
origin=$TMPDIR/origin cache=$TMPDIR/cache
random_file "$origin" 32M 13
cp "$origin" "$TMPDIR/expected"
"$HOTSET" format "$origin" "$cache" --size 48M >/dev/null
stream() { fio_nbd hot --rw="$1" --bs=64k --size=24M --offset=8M --iodepth=1; }

serve hot "$origin" "$cache"
stream read
[ "$(stat_of hot inserts)" = 6144 ] || die "by default a stream is cached: $(stat_of hot inserts) inserts"
stop hot --writeback
"$HOTSET" format "$origin" "$cache" >/dev/null

serve hot "$origin" "$cache"
"$HOTSET" set hot seq_cutoff=1M
io hot "read 0 4k" "read 1M 4k" "read 3M 4k"
stream read
[ "$(stat_of hot inserts)" -lt 1000 ] || die "$(stat_of hot inserts) blocks of a stream were cached"
[ "$(stat_of hot not_cached.sequential)" -gt 5000 ] || die "$(stat_of hot not_cached.sequential) were counted"
hits=$(stat_of hot read_hits)
io hot "read 0 4k" "read 1M 4k" "read 3M 4k"
[ "$(stat_of hot read_hits)" = $((hits + 3)) ] || die "random blocks are not cached"
copy_out hot "$TMPDIR/copy"
same "$TMPDIR/copy" "$TMPDIR/expected"
stream write
dirty=$(stat_of hot dirty)
[ "$dirty" -lt 1000 ] || die "$dirty blocks of a stream are dirty"
copy_out hot "$TMPDIR/copy"
refused 'seq_cutoff' "$HOTSET" set hot seq_cutoff=many
stop hot --writeback
same "$TMPDIR/copy" "$origin"
