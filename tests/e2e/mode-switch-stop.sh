#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# A switch of the mode that has much to write back to a slow origin does not hold up a stop: it ends with an
# error that says how far it came, the stored mode is the old one, and what is dirty stays in the cache.
#
# Invariants: 20, 33
# sanitize
. "${0%/*}/../lib/e2e.sh"
data=$TMPDIR/data cache=$TMPDIR/cache blocks=400
truncate -s 24M "$data"
# No two neighbours, so that each takes a write of its own.
writes=()
for ((i = 0; i < blocks; i++)); do
	writes+=("write -P $((1 + i % 250)) $((i * 32))k 4k")
done
"$HOTSET" format "$data" "$cache" --size 9M >/dev/null
serve hot "$data" "$cache"
"$HOTSET" set hot writeback=off
io hot "${writes[@]}" flush
copy_out hot "$TMPDIR/expected"
stop hot

# So slow that it stands still, until the switch has ended: the stop has to wait for the writes that are under way,
# and for no others.
origin far --filter=delay file "$data" delay-write=600ms
serve hot "$(uri far)" "$cache"
kill -STOP "${pids[far]}"
"$HOTSET" set hot mode=writethrough >"$TMPDIR/set.out" 2>&1 &
setter=$!
in_force() { [ "$(stat_of hot mode)" = writethrough ]; }
wait_for in_force || die "the mode is not in force"
kill -TERM "${pids[hot]}"
! wait $setter || die "the switch is said to be complete"
kill -CONT "${pids[far]}"
ended hot || die "the stop was not clean: status $?"
grep -q 'interrupted: the mode is in force but not stored, [0-9]* blocks are still dirty' "$TMPDIR/set.out" ||
	die "set said: $(cat "$TMPDIR/set.out")"
dirty=$(check_of "$cache" dirty)
echo "$dirty of $blocks blocks are dirty"
[ "$(check_of "$cache" mode)" = writeback ] || die "the stored mode is $(check_of "$cache" mode)"
[ "$(check_of "$cache" clean_stop)" = true ] || die "no clean stop"
[ "$dirty" -gt 0 ] || die "the stop waited until everything was written back"
crash far
serve hot "$data" "$cache"
copy_out hot "$TMPDIR/copy"
same "$TMPDIR/copy" "$TMPDIR/expected"
stop hot --writeback
same "$data" "$TMPDIR/expected"
