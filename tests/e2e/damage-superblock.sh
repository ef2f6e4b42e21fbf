#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# Either superblock copy may be damaged: the other serves, and everything is there, also when the
# damaged one was the newer, after a clean stop or a crash, with a journal that went round many times. Both
# damaged: refused, nothing written.
#
# Invariants: 8, 9
. "${0%/*}/../lib/e2e.sh"
origin=$TMPDIR/origin cache=$TMPDIR/cache state=$TMPDIR/state
truncate -s 24M "$origin"
"$HOTSET" format "$origin" "$cache" --size 9M >/dev/null
for how in stop crash; do
	serve hot "$origin" "$cache"
	"$tools/stamp" write "$(uri hot)" "$state" --ops 1500 --seed 3
	"$tools/stamp" verify "$(uri hot)" "$state" --exact
	request hot flush
	$how hot
	cp "$cache" "$TMPDIR/good"
	cp "$origin" "$TMPDIR/origin.good"
	for copy in 0 1; do
		cp "$TMPDIR/good" "$cache"
		cp "$TMPDIR/origin.good" "$origin"
		cp "$state" "$TMPDIR/state.copy"
		flip "$cache" $(($(where "$cache" superblock $copy) + 60))
		check_finds "superblock copy $copy" "$cache"
		serve hot "$origin" "$cache"
		"$tools/stamp" verify "$(uri hot)" "$TMPDIR/state.copy" ||
			die "after a $how, with superblock copy $copy damaged"
		stop hot
		serve hot "$origin" "$cache"
		stop hot
		sound "$cache"
	done
	cp "$TMPDIR/good" "$cache"
	cp "$TMPDIR/origin.good" "$origin"
done
for copy in 0 1; do flip "$cache" $(($((copy * 65536)) + 60)); done
rc=0
"$HOTSET" check "$cache" >"$TMPDIR/check.out" 2>&1 || rc=$?
[ $rc = 1 ] || die "hotset check: status $rc: $(cat "$TMPDIR/check.out")"
serve_refused 'both superblocks are damaged' "$origin" "$cache"
refused 'both superblocks are damaged' "$HOTSET" writeback "$origin" "$cache"
refused 'both superblocks are damaged.*--force' "$HOTSET" format "$origin" "$cache"
