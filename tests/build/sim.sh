#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# The simulator's part of `make check`: the seeds that once failed and a fixed range, then as many worlds from new
# seeds; SIM_WORLDS (20,000) worlds and SIM_SECONDS (180) seconds at least, SIM_LIMIT (340) seconds at most, whichever
# way the machine is loaded: where that is too little for so many worlds the last line says so. Whoever reads a failure
# needs no more than the seed that it names. Runs of more than 10,000 worlds must have exercised everything.
#
#	sim.sh [BUILD]
#
# serial
# timeout: 1800
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${1:-${HOTSET_BUILD:-build/gcc}}
worlds=${SIM_WORLDS:-20000} seconds=${SIM_SECONDS:-180} limit=${SIM_LIMIT:-340} jobs=${JOBS:-2}
base=$((EPOCHSECONDS * 1000000))
start=$EPOCHSECONDS failed=0 done=0
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT

spent() { echo $((EPOCHSECONDS - start)); }

run() { # WHAT SECONDS ARGUMENT...
	[ "$2" -gt 0 ] || return
	echo "$1"
	"$build/hotset-sim" run --jobs "$jobs" --seconds "$2" "${@:3}" | tee "$out"
	[ "${PIPESTATUS[0]}" = 0 ] || failed=1
	done=$((done + $(sed -n '$s/^worlds \([0-9]*\),.*/\1/p' "$out")))
}

run "fixed seeds" $((limit / 2)) --seeds sim/seeds --seed 1 --worlds $((worlds / 2 + 1))
run "new seeds from $base on" $((limit - $(spent))) --seed "$base" --worlds $((worlds / 2 + 1))
[ $failed = 1 ] || run "more new seeds" $((seconds - $(spent))) --seed $((base + worlds))
[ $done -ge "$worlds" ] ||
	echo "only $done of $worlds worlds in $(spent) s: this machine is too slow, or too busy, for more"
exit $failed
