#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# `hotset top`: a line a cache, rates since the look before, order; on a terminal a screen with keys. (Kernel caches:
# vm/command.)
# sanitize
. "${0%/*}/../lib/e2e.sh"
top() {
	"$HOTSET" top "$@" >"$TMPDIR/top" 2>"$TMPDIR/top.err" || die "hotset top $*: $(cat "$TMPDIR/top.err")"
}
row() { # NAME: of the last look
	awk -v name="$1" '$1 == "NAME" { line = "" } $1 == name { line = $0 } END { print line }' "$TMPDIR/top"
}
field() { # NAME NUMBER
	row "$1" | awk -v n="$2" '{ print $n }'
}

top --count 1
[ "$(wc -l <"$TMPDIR/top")" = 2 ] && grep -q '^NAME  *KIND  *MODE  *STATE  *IOPS  *HIT%  *MiB/S  *DIRTY%$' "$TMPDIR/top" ||
	die "without a cache: $(cat "$TMPDIR/top")"

prepare
serve hot "$origin" "$cache"
"$HOTSET" set hot writeback=off
truncate -s 16M "$TMPDIR/origin2"
"$HOTSET" format "$TMPDIR/origin2" "$TMPDIR/cache2" --size 8M --mode writethrough >/dev/null
serve cold "$TMPDIR/origin2" "$TMPDIR/cache2"

top --count 1
[ "$(field hot 2) $(field hot 3) $(field hot 4) $(field hot 5) $(field hot 6)" = "server writeback ok - -" ] || die "$(cat "$TMPDIR/top")"
[ "$(field cold 3)" = writethrough ] || die "$(cat "$TMPDIR/top")"
[ "$(awk 'NR > 1 { print $1 }' "$TMPDIR/top" | xargs)" = "cold hot" ] || die "not by name: $(cat "$TMPDIR/top")"

# What happens between two looks: sixteen blocks read, of which none is there, then the same again.
between() { # COMMAND...: between the first look and the second
	rm -f "$TMPDIR/top"
	"$HOTSET" top --batch --count 2 --interval 2 "${sort[@]}" >"$TMPDIR/top" &
	local pid=$!
	has_looked() { [ -s "$TMPDIR/top" ]; }
	wait_for has_looked
	"$@"
	wait $pid
}
sort=(--sort iops)
between io hot "read 2M 64k"
[ "$(field hot 6)" = 0.0 ] || die "hits: $(cat "$TMPDIR/top")"
[ "$(awk '/^NAME/ { looks++ } looks == 2 && !/^NAME/ { print $1 }' "$TMPDIR/top" | xargs)" = "hot cold" ] ||
	die "not by iops: $(cat "$TMPDIR/top")"
between io hot "read 2M 64k"
[ "$(field hot 6)" = 100.0 ] || die "hits: $(cat "$TMPDIR/top")"
[ "$(field hot 5)" -ge 1 ] && [ "$(field hot 5)" -le 8 ] || die "sixteen in two seconds and more: $(cat "$TMPDIR/top")"
[ "$(field cold 5) $(field cold 6) $(field cold 7)" = "0 - 0.0" ] || die "$(cat "$TMPDIR/top")"
sort=(--sort dirty)
between io hot "write -P 3 8M 4M"
[ "$(field hot 8)" = 50.0 ] || die "1024 of 2048 dirty: $(cat "$TMPDIR/top")"
[ "$(awk '/^NAME/ { looks++ } looks == 2 && !/^NAME/ { print $1; exit }' "$TMPDIR/top")" = hot ] || die "not by dirty: $(cat "$TMPDIR/top")"

# A terminal: keys, and it is left as it was found.
{
	sleep 2
	printf s
	sleep 1
	printf q
} | TERM=xterm script -qec "stty -a; '$HOTSET' top; echo status \$?; stty -a" /dev/null >"$TMPDIR/screen"
grep -q 'status 0' "$TMPDIR/screen" || die "q does not end it: $(cat -v "$TMPDIR/screen")"
grep -q iops "$TMPDIR/screen" || die "s does not sort: $(cat -v "$TMPDIR/screen")"
grep -q 'DIRTY%' "$TMPDIR/screen" || die "$(cat -v "$TMPDIR/screen")"
[ "$(grep -ac -- ' echo ' "$TMPDIR/screen")" = 2 ] || die "the terminal is left without echo: $(cat -v "$TMPDIR/screen")"
if TERM=nonsense script -qec "'$HOTSET' top" /dev/null </dev/null >"$TMPDIR/screen"; then die "no screen, no complaint"; fi

for wrong in "--sort size" "--count 0" "--interval 0" "name"; do
	# shellcheck disable=SC2086
	if "$HOTSET" top $wrong >"$TMPDIR/top" 2>"$TMPDIR/top.err"; then die "top $wrong"; fi
	[ "$(wc -l <"$TMPDIR/top.err")" = 1 ] || die "top $wrong: $(cat "$TMPDIR/top.err")"
done
