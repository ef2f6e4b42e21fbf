#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# The test of the test: each patch in sim/mutants breaks one thing in the core, and the simulator must notice
# within 20,000 worlds. A mutant that survives means that the simulator has a hole.
#
#	mutants.sh [NAME...]
#
# JOBS worlds at a time (2), WORLDS at most (20000). A patch that no longer applies, or a mutant that does not build,
# is an error: it has to follow the core.
set -u
cd "$(dirname "$0")/.." || exit 2
jobs=${JOBS:-2} worlds=${WORLDS:-20000}
tmp=$(mktemp -d /tmp/hotset-mutants.XXXXXXXX) || exit 2
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
caught=0 all=0 broken=0

build() { # NAME: the program of that mutant
	local tree=$tmp/tree
	rm -rf "$tree" && mkdir "$tree" && cp -r core sim engine include Makefile "$tree" || return
	patch --quiet --fuzz=0 -p1 -d "$tree" <"sim/mutants/$1.patch" >"$tmp/log" 2>&1 || return
	make --no-print-directory -C "$tree" -j"$jobs" BUILD="$tmp/build" CFLAGS="-Wno-error" \
		"$tmp/build/hotset-sim" >"$tmp/log" 2>&1
}

mutant() { # NAME
	local out last
	all=$((all + 1))
	if ! build "$1"; then
		broken=$((broken + 1))
		echo "BROKEN    $1: $(grep -m1 -E 'error|FAILED|patch' "$tmp/log" || tail -n 1 "$tmp/log")"
		return
	fi
	# Not seeds/: those of other faults must not be what catches it.
	out=$("$tmp/build/hotset-sim" run --first --seed 1 --worlds "$worlds" --jobs "$jobs" 2>&1)
	last=$(tail -n 1 <<<"$out")
	if grep -q '^FAILED' <<<"$out"; then
		caught=$((caught + 1))
		printf 'caught    %-30s %6d worlds: %s\n' "$1" "$(sed -E 's/worlds ([0-9]+).*/\1/' <<<"$last")" \
			"$(grep -m1 '^FAILED' <<<"$out" | sed -E 's/^FAILED seed [0-9]+(, step [0-9]+)?: //' | cut -c1-80)"
	else
		echo "SURVIVED  $1: $last"
	fi
}

[ $# -gt 0 ] || set -- $(cd sim/mutants && ls ./*.patch | sed 's/.patch$//; s,^./,,')
for name in "$@"; do
	mutant "$name"
done
echo "mutants caught $caught of $all"
[ $caught = $all ]
