#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# An origin that fails reads and writes: every error reaches its caller, what is cached is served all the
# same, no wrong data are ever read, dirty data stay in the cache and are written back once it is well.
#
# Invariants: 17, 21, 30, 31, 33, 39
. "${0%/*}/../lib/e2e.sh"
origin=$TMPDIR/origin cache=$TMPDIR/cache state=$TMPDIR/state
truncate -s 16M "$origin"

# Errors while the file `ill` is there.
origin sick --filter=error file "$origin" error=EIO error-rate=30% error-file="$TMPDIR/ill" \
	error-pread-rate=30% error-pwrite-rate=30% error-zero-rate=30% error-trim-rate=30%
"$HOTSET" format "$(uri sick)" "$cache" --size 9M >/dev/null
for mode in writeback writethrough; do
	serve hot "$(uri sick)" "$cache" --mode $mode
	touch "$TMPDIR/ill"
	"$tools/stamp" write "$(uri hot)" "$state" --ops 1500 --errors --seed 5 >"$TMPDIR/stamp.out" 2>&1 ||
		die "$mode: $(cat "$TMPDIR/stamp.out")"
	cat "$TMPDIR/stamp.out"
	[ "$(stat_of hot origin_errors)" -gt 0 ] || [ "$(stat_of hot write_back_errors)" -gt 0 ] || die "no errors in $mode"
	rm "$TMPDIR/ill"
	# A failed write-back is tried again, later and later.
	"$tools/stamp" verify "$(uri hot)" "$state" || die "$mode"
	# An origin FLUSH that failed in the background is told once.
	request hot flush 2>/dev/null || request hot flush
	stop hot --writeback
	nothing_dirty "$cache"
	sound "$cache"
done
crash sick
origin plain file "$origin"
"$tools/stamp" verify "$(uri plain)" "$state" --exact
crash plain

# Every origin write fails: hits and new writes go on, stopping with write-back says why it cannot, stopping
# without keeps the data.
origin dead --filter=error file "$origin" error-pwrite=EIO error-pwrite-rate=100% error-pwrite-file="$TMPDIR/ill"
serve hot "$(uri dead)" "$cache"
"$HOTSET" set hot mode=writeback
touch "$TMPDIR/ill"
io hot "write -P 0x19 1M 64k" flush "read -P 0x19 1M 64k"
refused 'write-back fails: .* blocks are still dirty' "$HOTSET" stop hot --writeback
[ "$(stat_of hot write_back_errors)" -gt 0 ]
io hot "read -P 0x19 1M 64k"
stop hot
[ "$(check_of "$cache" dirty)" -gt 0 ]
rm "$TMPDIR/ill"
"$HOTSET" writeback "$(uri dead)" "$cache"
crash dead
qemu-io -f raw -c "read -P 0x19 1M 64k" "$origin" >"$TMPDIR/io.out" 2>&1
! grep -i fail "$TMPDIR/io.out" || die "the origin holds something else"
