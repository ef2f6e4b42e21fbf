#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# Instructions and ns a request in the core alone: see core.c. Where the processor's counters cannot be had,
# callgrind counts the instructions, case by case and of fewer requests, as many at a time as there are
# processors: some minutes.
set -eu
cd "$(dirname "$0")/.."
program=${HOTSET_BUILD:-build/gcc}/bench/core
out=bench/out
cases=(read_hit wb_write_dirty wb_write_first read_miss shell)
export OPS=${OPS:-2000000}

# The instructions collected between count_begin and count_end. Callgrind counts each round of a "rep stosb" as
# an instruction, so the C library is told to use others.
collected() { # CASE.WORLD
	local requests=$((OPS / (${1##*.} == 2 ? 20 : 5)))
	OPS=$requests GLIBC_TUNABLES=glibc.cpu.hwcaps=-ERMS,-FSRM valgrind --tool=callgrind --instr-atstart=no \
		--callgrind-out-file="$tmp/$1.callgrind" "$program" --only "$1" 2>&1 |
		awk '/^requests:/ { n = $2 } /Collected :/ { printf "%.1f\n", $NF / n }' >"$tmp/$1"
}

mkdir -p $out
if [ -z "${GIVEN:-}" ] && ! "$program" --counts && command -v valgrind >/dev/null; then
	tmp=$(mktemp -d)
	trap 'rm -rf "$tmp"' EXIT
	echo "no instruction counter here: counting under callgrind"
	for world in 0 1 2; do
		for case in "${cases[@]}"; do
			echo "$case.$world"
		done
	done >"$tmp/cases"
	export program tmp
	export -f collected
	xargs -P "$(nproc)" -I{} bash -c 'collected {}' <"$tmp/cases"
	while read -r case; do
		[ -s "$tmp/$case" ] && GIVEN="${GIVEN:-} $case=$(cat "$tmp/$case")"
	done <"$tmp/cases"
	export GIVEN
fi
"$program" $out/core.json
