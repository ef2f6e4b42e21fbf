#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# `hotset flush` writes everything back while the server goes on, shows how far it is, and ends with nothing
# dirty; interrupted, it leaves a sound cache behind; a stop meanwhile ends it with a word.
#
# Invariants: 14, 33
. "${0%/*}/../lib/e2e.sh"
origin=$TMPDIR/origin cache=$TMPDIR/cache
random_file "$origin" 64M 14
cp "$origin" "$TMPDIR/expected"
origin slow --filter=delay file "$origin" wdelay=80ms
"$HOTSET" format "$(uri slow)" "$cache" --size 48M >/dev/null
serve hot "$(uri slow)" "$cache"
"$HOTSET" set hot writeback=off
# Scattered, so that there is nothing to merge.
commands=()
for i in $(seq 0 299); do commands+=("write -P 0x5c $((i * 196608)) 4k"); done
io hot "${commands[@]}" flush
qemu-io -f raw "${commands[@]/#/-c}" "$TMPDIR/expected" >/dev/null
[ "$(stat_of hot dirty)" = 300 ] || die "$(stat_of hot dirty) dirty"

# A flush that is under way and comes no farther, for the origin stands still.
flush_begin() {
	kill -STOP "${pids[slow]}"
	"$HOTSET" flush hot >"$TMPDIR/flush.out" 2>&1 &
	flush=$!
	wait_for test -s "$TMPDIR/flush.out" || die "the flush does not begin"
}

flush_begin
kill -TERM $flush
wait $flush && die "an interrupted flush says that all is well"
"$HOTSET" set hot mode=writeback	# waits for its turn: the server has noticed by then
kill -CONT "${pids[slow]}"
# It really stopped. Some more may be under way, but not all.
came_to_rest() {
	dirty=$(stat_of hot dirty)
	sleep 1
	[ "$dirty" = "$(stat_of hot dirty)" ]
}
wait_for came_to_rest || die "write-back neither rests nor ends"
[ "$dirty" -gt 0 ] || die "write-back goes on after an interrupted flush"

printf '{"cmd":"flush"}\n' | timeout $patience socat -t $patience - "UNIX-CONNECT:$HOTSET_RUNDIR/hot.sock" >"$TMPDIR/answers"
[ "$(jq -s '[.[] | select(.progress)] | length' "$TMPDIR/answers")" -ge 3 ] || die "no progress: $(cat "$TMPDIR/answers")"
jq -se '[.[] | .progress // empty | .left] | . == (sort | reverse)' "$TMPDIR/answers" >/dev/null || die "it went back: $(cat "$TMPDIR/answers")"
jq -se '.[-1] | has("result")' "$TMPDIR/answers" >/dev/null || die "no result: $(tail -n 1 "$TMPDIR/answers")"
[ "$(stat_of hot dirty)" = 0 ]
"$HOTSET" flush hot

io hot "${commands[@]}"
[ "$(stat_of hot dirty)" = 300 ] || die "$(stat_of hot dirty) dirty"
flush_begin
"$HOTSET" stop hot >"$TMPDIR/stop.out" 2>&1 &
stop=$!
# Both have to wait for what is under way, and no longer: an origin that stands still for two minutes is given up.
sleep 2
kill -CONT "${pids[slow]}"
wait $flush && die "a flush that was cut short by a stop says that all is well"
grep -qE 'stopping|interrupted|ended' "$TMPDIR/flush.out" || die "$(cat "$TMPDIR/flush.out")"
wait $stop || die "stop: $(cat "$TMPDIR/stop.out")"
ended hot || die "hot ended with status $?"
[ "$(check_of "$cache" dirty)" -gt 0 ] || die "the stop waited for all that was dirty"
sound "$cache"
"$HOTSET" writeback "$(uri slow)" "$cache" 2>/dev/null
crash slow
same "$origin" "$TMPDIR/expected"
