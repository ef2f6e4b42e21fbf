#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# Line coverage of core/ under the simulator alone: builds both with gcov, runs worlds, sums up.
#
#	coverage.sh BUILD [WORLDS]
set -eu
cd "$(dirname "$0")/.."
build=$1 worlds=${2:-4000}
make --no-print-directory BUILD="$build" CC=gcc CFLAGS="--coverage -O1" LDFLAGS=--coverage "$build/hotset-sim" >/dev/null
find "$build" -name '*.gcda' -delete
"$build/hotset-sim" run --seed 1 --worlds "$worlds" --jobs 1 | tail -n 1
lines=0 missed=0
while read -r source; do
	out=$(gcov --stdout -o "$build/obj/core/${source%.c}.o" "core/$source" 2>/dev/null) || true
	report=$(awk -F: -v file="core/$source" '
		$2 ~ /^ *0$/ && $3 == "Source" { ours = $4 == file }
		!ours { next }
		$1 ~ /^ *[0-9]+\*?$/ { n++ }
		$1 ~ /#####/ { n++; missed++; line = $0; sub(/^[^:]*:/, "", line); print "  " file ":" line }
		END { print "SUM", n + 0, missed + 0 }' <<<"$out")
	read -r _ n m <<<"$(tail -n 1 <<<"$report")"
	sed '$d' <<<"$report"
	lines=$((lines + n)) missed=$((missed + m))
done <core/SOURCES
echo "core: $((lines - missed)) of $lines lines, $((1000 * (lines - missed) / lines / 10)).$((1000 * (lines - missed) / lines % 10)) %"
