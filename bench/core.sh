#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# Instructions and ns a request in the core alone: see core.c. Callgrind counts the instructions, case by case and of
# fewer requests, as many at a time as there are processors: some minutes.
set -eu
cd "$(dirname "$0")/.."
program=${HOTSET_BUILD:-build/gcc}/bench/core
out=bench/out
cases=(read_hit wb_write_dirty wb_write_first read_miss)
export OPS=${OPS:-2000000}

# What was collected between count_begin and count_end: "CORE,SHELL" a request. The shell's is what the functions of
# bench/core.c executed themselves. Callgrind counts each round of a "rep stosb" as an instruction, so the C library is
# told to use others.
collected() { # CASE.WORLD
	local requests=$((OPS / (${1##*.} == 2 ? 20 : 5)))
	requests=$(OPS=$requests GLIBC_TUNABLES=glibc.cpu.hwcaps=-ERMS,-FSRM valgrind --tool=callgrind --instr-atstart=no \
		--compress-strings=no --callgrind-out-file="$tmp/$1.callgrind" "$program" --only "$1" 2>"$tmp/$1.log" |
		awk '/^requests:/ { print $2 }')
	# Lines of cost: where, how many. The one behind "calls=" has what the callee executed.
	awk -v n="$requests" '
		/^fl=/ { shell = /bench\/core\.c$/ }
		/^calls=/ { getline; next }
		/^[0-9+*-]/ { cost[shell] += $2 }
		END { if (n && cost[0]) printf "%.1f,%.1f\n", cost[0] / n, cost[1] / n }' "$tmp/$1.callgrind" >"$tmp/$1"
}

mkdir -p $out
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
for world in 0 1 2; do
	for case in "${cases[@]}"; do
		echo "$case.$world"
	done
done >"$tmp/cases"
export program tmp
export -f collected
xargs -P "$(nproc)" -I{} bash -c 'collected {}' <"$tmp/cases"
while read -r case; do
	[ -s "$tmp/$case" ] || { echo "bench-core: callgrind counted nothing for $case: $(tail -n 1 "$tmp/$case.log")" >&2; exit 1; }
	GIVEN="${GIVEN:-} $case=$(cat "$tmp/$case")"
done <"$tmp/cases"
export GIVEN
"$program" $out/core.json
