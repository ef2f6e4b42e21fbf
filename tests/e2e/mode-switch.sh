#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# The mode is switched again and again under load; nothing that was written is lost or stale, every
# switch becomes durable, and a crash right after one finds the new mode.
#
# Invariants: 17, 20, 28
# sanitize
. "${0%/*}/../lib/e2e.sh"
origin=$TMPDIR/origin cache=$TMPDIR/cache state=$TMPDIR/state

truncate -s 24M "$origin"
"$HOTSET" format "$origin" "$cache" --size 9M >/dev/null
serve hot "$origin" "$cache"
stamp_begin hot "$state" --until "$TMPDIR/enough"
for mode in bypass writeback writethrough writeback writearound bypass writethrough writearound writeback; do
	sleep 0.3
	"$HOTSET" set hot mode=$mode
	[ "$(stat_of hot mode)" = $mode ] || die "not in mode $mode"
	[ "$(stat_of hot mode_durable)" = $mode ] || die "mode $mode is not durable, though set returned"
	[ $mode = writeback ] || [ "$(stat_of hot dirty)" = 0 ] || die "dirty blocks in mode $mode"
done
: >"$TMPDIR/enough"
wait $writer || die "$(cat "$TMPDIR/stamp.out")"
cat "$TMPDIR/stamp.out"
"$tools/stamp" verify "$(uri hot)" "$state" --exact

refused 'writeback, writethrough' "$HOTSET" set hot mode=fast
"$HOTSET" set hot mode=bypass
io hot "write -P 0x5a 0 64k"
crash hot
[ "$(check_of "$cache" mode)" = bypass ] || die "after a crash the mode is $(check_of "$cache" mode)"
nothing_dirty "$cache"
serve hot "$origin" "$cache"
io hot "read -P 0x5a 0 64k"
[ "$(stat_of hot mode)" = bypass ]
stop hot
