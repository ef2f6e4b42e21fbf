#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# The server is killed with SIGKILL at random moments, in all modes, with quick and slow origins, and
# during the recovery that follows. Each time every flushed write is there or a newer one, nothing is
# read that was never written, what was read once stays, the cache is sound, and starting is fast.
# In the end, written back, the origin alone holds everything.
#
# Fast is: under a second, less what the server's threads waited for a processor. The median of all starts must
# be, for what else the machine does, its disk above all, is not the server's doing; each takes less than a
# second of processor time and ends within 30 s. What is read is metadata and the data of the last transaction (all
# that was written since the last FLUSH, at most): less than the cache, and half of the times less than a quarter.
#
# Invariants: 1, 2, 3, 4, 5, 7, 14, 18, 34, 35
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

# What threads of these servers have waited for a processor, in ms; 0 where the kernel does not tell.
held() { # NAME...
	local name file ns sum=0
	for name in "$@"; do
		[ -n "${pids[$name]:-}" ] || continue
		for file in /proc/"${pids[$name]}"/task/*/schedstat; do
			if read -r _ ns _ 2>/dev/null <"$file"; then sum=$((sum + ns)); fi
		done
	done
	echo $((sum / 1000000))
}

# Processor time that it has taken, in ms.
cpu_of() { # NAME
	local stat
	read -r stat <"/proc/${pids[$1]}/stat"
	read -r -a stat <<<"${stat##*) }"
	echo $(((stat[11] + stat[12]) * 1000 / $(getconf CLK_TCK)))
}

# Starts hot, which is judged in ms: took in all, own of these, cpu; and in bytes: it reads.
own_times=() all_reads=()
timed_start() { # ORIGIN CACHE
	local begun=${EPOCHREALTIME/./} before ready
	before=$(held slow)
	serve hot "$@"
	ready=$(stat -c %.6Y "$TMPDIR/hot.pid")
	took=$(((${ready/./} - begun) / 1000)) cpu=$(cpu_of hot) reads=$(sed -n 's/^rchar: //p' "/proc/${pids[hot]}/io")
	own=$((took + before - $(held hot slow)))
	own_times+=("$own") all_reads+=("$reads")
	[ -z "${HOTSET_SANITIZER:-}" ] || return 0
	[ "$cpu" -lt 1000 ] || die "round $round: starting took $cpu ms of processor time"
	[ $own -lt 30000 ] || die "round $round: starting took $took ms, $own of them its own"
	[ "$reads" -lt 9437184 ] || die "round $round: starting read $reads bytes"
}

for ((round = 0; round < rounds; round++)); do
	mode=${modes[round % ${#modes[@]}]}
	where=$origin
	if ((round % 5 == 4)); then
		origin slow --filter=delay file "$origin" rdelay=2ms wdelay=5ms
		where=$(uri slow)
	fi
	before=$(check_of "$cache" dirty)
	serve hot "$where" "$cache" --mode "$mode"
	stamp_start hot "$state" --seed $((seed + round))
	# Now and then it is not waited for.
	((round % 8 == 0)) || wait_for stamp_has_begun || die "stamp does not begin"
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
	timed_start "$where" "$cache"
	"$tools/stamp" verify "$(uri hot)" "$state" >"$TMPDIR/verify.out" 2>&1 ||
		die "round $round, $mode: $(cat "$TMPDIR/verify.out")"
	if ((RANDOM % 2)); then crash hot; else stop hot; fi
	[ -z "${pids[slow]:-}" ] || crash slow
	echo "round $round $mode: $(cat "$TMPDIR/stamp.out"); $dirty dirty, started in $took ms, $own its own, $cpu of processor, $reads bytes read"
done
mapfile -t own_times < <(printf '%s\n' "${own_times[@]}" | sort -n)
median=${own_times[rounds / 2]}
echo "starting took ${own_times[0]} ms, $median, ${own_times[rounds - 1]} (least, median, most)"
mapfile -t all_reads < <(printf '%s\n' "${all_reads[@]}" | sort -n)
[ "${all_reads[rounds / 2]}" -lt 2359296 ] || [ -n "${HOTSET_SANITIZER:-}" ] ||
	die "starting reads ${all_reads[rounds / 2]} bytes"
[ "$median" -lt 1000 ] || [ -n "${HOTSET_SANITIZER:-}" ] || die "starting takes $median ms"

serve hot "$origin" "$cache" --mode writeback
"$tools/stamp" verify "$(uri hot)" "$state" --exact
stop hot --writeback
nothing_dirty "$cache"
origin plain file "$origin"
"$tools/stamp" verify "$(uri plain)" "$state" --exact
