#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# The server is killed with SIGKILL at random moments, in all modes, with quick and slow origins, and
# during the recovery that follows. Each time every flushed write is there or a newer one, nothing is
# read that was never written, what was read once stays, the cache is sound, and starting is fast.
# In the end, written back, the origin alone holds everything.
#
# Invariants: 1, 2, 3, 4, 5, 7, 14, 18, 34, 35
# timeout: 240
. "${0%/*}/../lib/e2e.sh"
seed=${SEED:-$RANDOM$RANDOM} rounds=${ROUNDS:-50}
[ -z "${HOTSET_SANITIZER:-}" ] || rounds=${ROUNDS:-12}
echo "seed $seed: SEED=$seed ${0#"$PWD"/} tries it again (moments differ)"
RANDOM=$((seed % 32768))
origin=$TMPDIR/origin cache=$TMPDIR/cache state=$TMPDIR/state

truncate -s 24M "$origin"
truncate -s 512 "$origin.tail" && truncate -s +1536 "$origin"	# an odd number of sectors
"$HOTSET" format "$origin" "$cache" --size 9M >/dev/null
modes=(writeback writeback writeback writethrough writearound writeback bypass)

for ((round = 0; round < rounds; round++)); do
	mode=${modes[round % ${#modes[@]}]}
	where=$origin
	if ((round % 5 == 4)); then
		origin slow --filter=delay file "$origin" rdelay=2ms wdelay=5ms
		where=$(uri slow)
	fi
	before=$(check_of "$cache" dirty)
	serve hot "$where" "$cache" --mode "$mode"
	"$tools/stamp" write "$(uri hot)" "$state" --seed $((seed + round)) >"$TMPDIR/stamp.out" 2>&1 &
	writer=$!
	sleep "0.$(printf %03d $((RANDOM % 500)))"
	crash hot
	[ -z "${pids[slow]:-}" ] || crash slow	# nbdkit 1.32 may abort when its client vanishes
	wait $writer || die "round $round, $mode: $(cat "$TMPDIR/stamp.out")"

	if [ "$where" != "$origin" ]; then
		origin slow --filter=delay file "$origin" rdelay=2ms wdelay=5ms
	fi
	# Now and then the recovery is killed too.
	if ((round % 4 == 3)); then
		"$HOTSET" serve "$where" "$cache" --name again --socket "$TMPDIR/again.nbd" \
			>>"$TMPDIR/again.log" 2>&1 &
		pids[again]=$!
		sleep "0.0$(printf %02d $((RANDOM % 60)))"
		crash again
	fi
	sound "$cache"
	dirty=$(check_of "$cache" dirty)
	[ "$mode" = writeback ] || [ "$dirty" -le "$before" ] ||
		die "round $round, $mode: $before dirty blocks became $dirty"
	start=$(ms)
	serve hot "$where" "$cache"
	took=$(($(ms) - start))
	[ $took -lt 1000 ] || [ -n "${HOTSET_SANITIZER:-}" ] || die "round $round: starting took $took ms"
	"$tools/stamp" verify "$(uri hot)" "$state" >"$TMPDIR/verify.out" 2>&1 ||
		die "round $round, $mode: $(cat "$TMPDIR/verify.out")"
	if ((RANDOM % 2)); then crash hot; else stop hot; fi
	[ -z "${pids[slow]:-}" ] || crash slow
	echo "round $round $mode: $(cat "$TMPDIR/stamp.out"); $dirty dirty, started in $took ms"
done

serve hot "$origin" "$cache" --mode writeback
"$tools/stamp" verify "$(uri hot)" "$state" --exact
stop hot --writeback
nothing_dirty "$cache"
origin plain file "$origin"
"$tools/stamp" verify "$(uri plain)" "$state" --exact
