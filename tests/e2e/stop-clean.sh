#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# `hotset stop`, SIGTERM and SIGINT end a server cleanly and quickly with dirty blocks kept, also under load,
# and the next start has nothing to recover; `stop --writeback` leaves nothing dirty.
#
# Invariants: 13, 14, 30
. "${0%/*}/../lib/e2e.sh"
prepare
interrupt() {
	kill -INT "${pids[$1]}"
	ended "$1" || die "$1 ended with status $? after SIGINT"
}
# A set that is short of slots is written back even so: wait until what has been is also counted clean.
settled() { # DIRTY-BEFORE
	[ $(($(stat_of hot dirty) + $(stat_of hot write_backs))) = "$1" ]
}
for how in stop terminate interrupt; do
	before=$(check_of "$cache" dirty)
	serve hot "$origin" "$cache"
	[ "$(stat_of hot clean_start)" = true ] || die "not a clean start before $how"
	[ "$(stat_of hot recovered_transactions)" = 0 ] || [ "$(stat_of hot clean_start)" = true ]
	"$HOTSET" set hot writeback=off
	as_expected hot
	wait_for settled "$before" || die "of $before dirty blocks $(stat_of hot dirty) are left, $(stat_of hot write_backs) written back"
	dirty=$(stat_of hot dirty)
	start=$(ms)
	$how hot
	echo "$how took $(($(ms) - start)) ms"
	! grep -E 'the stop waits|do not read their replies' "$TMPDIR/hot.log" || die "$how waited for clients that are not there"
	[ "$(check_of "$cache" clean_stop)" = true ] || die "not clean after $how"
	[ "$(check_of "$cache" dirty)" = "$dirty" ] || die "$how: $dirty dirty blocks became $(check_of "$cache" dirty)"
	[ ! -e "$TMPDIR/hot.nbd" ] || die "$how left the socket behind"
	[ ! -e "$TMPDIR/hot.pid" ] || die "$how left the pidfile behind"
	[ -z "$(ls -A "$HOTSET_RUNDIR")" ] || die "$how left behind: $(ls "$HOTSET_RUNDIR")"
done

# Under load: what was acknowledged is there, and the stop is clean all the same.
truncate -s 0 "$origin" && truncate -s 24M "$origin"
"$HOTSET" format "$origin" "$cache" --force >/dev/null
for how in stop terminate; do
	serve hot "$origin" "$cache"
	stamp_begin hot "$TMPDIR/state"
	sleep 0.7
	$how hot
	wait $writer || die "$how under load: $(cat "$TMPDIR/stamp.out")"
	[ "$(check_of "$cache" clean_stop)" = true ] || die "not clean after $how under load"
	serve hot "$origin" "$cache"
	"$tools/stamp" verify "$(uri hot)" "$TMPDIR/state"
	stop hot
done
serve hot "$origin" "$cache"
copy_out hot "$TMPDIR/copy"
stop hot --writeback
nothing_dirty "$cache"
same "$TMPDIR/copy" "$origin"
