#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# The simulator's part of `make check`: the seeds that once failed and a fixed range, then as many worlds from new
# seeds; at least SIM_WORLDS (20,000) worlds and SIM_SECONDS (180) seconds in all. Whoever reads a failure needs no
# more than the seed that it names. Runs that long must have exercised everything.
#
#	sim.sh [BUILD]
#
# serial
# timeout: 1800
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${1:-${HOTSET_BUILD:-build/gcc}}
worlds=${SIM_WORLDS:-20000} seconds=${SIM_SECONDS:-180} jobs=${JOBS:-2}
base=$((EPOCHSECONDS * 1000000))
start=$EPOCHSECONDS failed=0

run() { # WHAT ARGUMENT...
	echo "$1"
	shift
	"$build/hotset-sim" run --jobs "$jobs" "$@" || failed=1
}

run "fixed seeds" --seeds sim/seeds --seed 1 --worlds $((worlds / 2))
run "new seeds from $base on" --seed "$base" --worlds $((worlds / 2 + 1))
left=$((seconds - (EPOCHSECONDS - start)))
[ $failed = 1 ] || [ $left -le 0 ] ||
	run "more new seeds" --seed $((base + worlds)) --seconds "$left"
exit $failed
