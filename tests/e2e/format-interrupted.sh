#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# A format that is killed leaves the old cache or something that nothing takes for a cache, never one with parts
# of both; formatting again then works.
#
# Invariants: 38
. "${0%/*}/../lib/e2e.sh"
origin=$TMPDIR/origin cache=$TMPDIR/cache
random_file "$origin" 16M 12
# A table large enough to be interrupted in.
"$HOTSET" format "$origin" "$cache" --size 3G >/dev/null
serve hot "$origin" "$cache"
io hot "write -P 0x44 4M 1M"
stop hot
cp --sparse=always "$cache" "$TMPDIR/good"
start=$(ms)
"$HOTSET" format "$origin" "$cache" --force >/dev/null
took=$(($(ms) - start))
old=0 none=0 new=0
# Twelve moments of it, and on until it was interrupted in the middle: a busy machine kills late.
for ((i = 1; i <= 12 || (none == 0 && i <= 200); i++)); do
	cp --sparse=always "$TMPDIR/good" "$cache"
	"$HOTSET" format "$origin" "$cache" --force >/dev/null 2>&1 &
	pid=$!
	sleep "$(bc -l <<<"$took * (($i - 1) % 12 + 1) / 12000")"
	kill -KILL $pid 2>/dev/null || true
	wait $pid 2>/dev/null || true
	rc=0
	"$HOTSET" check "$cache" >"$TMPDIR/check.out" 2>&1 || rc=$?
	# It may be known by one superblock only, either way.
	if [ $rc = 1 ] && [ "$(grep -vc '^superblock: .*the other serves' "$TMPDIR/check.out")" = 1 ]; then rc=0; fi
	if [ $rc = 0 ] && [ "$(check_of "$cache" dirty)" = 256 ]; then
		old=$((old + 1))
		serve hot "$origin" "$cache"
		io hot "read -P 0x44 4M 1M"
		stop hot
	elif [ $rc = 0 ]; then
		new=$((new + 1))
		[ "$(check_of "$cache" dirty)$(check_of "$cache" clean)" = 00 ] || die "parts of both: $(cat "$TMPDIR/check.out")"
	else
		none=$((none + 1))
		[ $rc = 2 ] || die "status $rc: $(cat "$TMPDIR/check.out")"
		grep -q 'not a hotset cache' "$TMPDIR/check.out" || die "not refused as it should: $(cat "$TMPDIR/check.out")"
		refused 'not a hotset cache' "$HOTSET" serve "$origin" "$cache" --name other --socket "$TMPDIR/o.nbd"
		"$HOTSET" format "$origin" "$cache" >/dev/null
		serve hot "$origin" "$cache"
		stop hot
	fi
done
echo "format takes $took ms; interrupted it left $old times the old cache, $none times none, $new times the new one"
[ $none -gt 0 ] || die "never interrupted in the middle"
