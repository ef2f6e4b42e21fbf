#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# A sparse cache file on a file system that gets full: errors reach their callers or the origin takes
# the writes, no wrong data are read, what was flushed stays, and with room again everything goes on. A cache
# that was given up while it was served is refused by name from then on, and can be made new.
#
# Invariants: 1, 8, 21, 29, 30
. "${0%/*}/../lib/e2e.sh"
at_end() { umount -l "$TMPDIR/small" 2>/dev/null || true; }
origin=$TMPDIR/origin cache=$TMPDIR/small/cache state=$TMPDIR/state
mkdir "$TMPDIR/small"
mount -t tmpfs -o size=6m hotset-test "$TMPDIR/small" 2>/dev/null || skip "tmpfs cannot be mounted here"
truncate -s 24M "$origin"
"$HOTSET" format "$origin" "$cache" --size 16M >/dev/null
serve hot "$origin" "$cache"
"$tools/stamp" write "$(uri hot)" "$state" --ops 4000 --errors --seed 6 >"$TMPDIR/stamp.out" 2>&1 ||
	die "$(cat "$TMPDIR/stamp.out")"
cat "$TMPDIR/stamp.out"
[ "$(stat_of hot cache_errors)" -gt 0 ] || die "the file system did not get full"
mount -o remount,size=64m "$TMPDIR/small"
if kill -TERM "${pids[hot]}" && ! ended hot; then echo "the stop was not clean, and said so"; fi
if [ -n "$(ls "$HOTSET_STATEDIR" 2>/dev/null)" ]; then
	serve_refused 'failed while it was served .*hotset format --force' "$origin" "$cache"
	refused 'failed while it was served' "$HOTSET" writeback "$origin" "$cache"
	"$HOTSET" format "$origin" "$cache" --force >/dev/null
	serve hot "$origin" "$cache"
	copy_out hot "$TMPDIR/copy"
	stop hot --writeback
	same "$TMPDIR/copy" "$origin"
	exit 0
fi
serve hot "$origin" "$cache"
"$tools/stamp" verify "$(uri hot)" "$state"
"$tools/stamp" write "$(uri hot)" "$state" --ops 1000 --seed 7
"$tools/stamp" verify "$(uri hot)" "$state" --exact
stop hot --writeback
nothing_dirty "$cache"
sound "$cache"
