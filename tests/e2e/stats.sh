#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# Counters and gauges say what happened: as JSON, in the text format of Prometheus, for people, and at
# intervals; every request that was not cached is counted under a reason.
#
# Invariants: 31, 32
. "${0%/*}/../lib/e2e.sh"
prepare
serve hot "$origin" "$cache"
"$HOTSET" set hot writeback=off
io hot "read 2M 64k" "read 2M 64k" "write -P 3 8M 64k" "write -P 4 4M 32k" flush
"$HOTSET" stats hot --json >"$TMPDIR/json"
[ "$(wc -l <"$TMPDIR/json")" = 1 ] || die "not one line"
expect() { # KEY TEST VALUE
	local got
	got=$(jq -r ".$1" "$TMPDIR/json")
	[ "$got" "$2" "$3" ] || die "$1 is $got, expected $2 $3: $(cat "$TMPDIR/json")"
}
expect read_misses -eq 16
expect read_hits -eq 16
expect write_hits -eq 16
expect write_misses -eq 8
expect dirty -eq 264
expect flushes -ge 1
expect commits -ge 1
expect lost -eq 0
expect mode = writeback
expect failed = false
expect clean_start = true
expect block_size -eq 4096
expect origin_size -eq 16777216
expect ram_bytes -gt 0
[ "$(jq '.slots == .used + .free + .retired' "$TMPDIR/json")" = true ] || die "slots do not add up: $(cat "$TMPDIR/json")"

"$HOTSET" set hot mode=writearound
io hot "write -P 5 12M 64k"
[ "$(stat_of hot 'not_cached | add')" -gt "$(jq '.not_cached | add' "$TMPDIR/json")" ] || die "a write around is counted nowhere"

"$HOTSET" stats hot --prometheus >"$TMPDIR/prometheus"
number='[-+]?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?'
bad=$(grep -vE "^# HELP hotset_[a-z_]+ .+\$|^# TYPE hotset_[a-z_]+ (counter|gauge)\$|^hotset_[a-z_]+\{name=\"hot\"(,[a-z]+=\"[^\"]*\")?\} $number\$" \
	"$TMPDIR/prometheus" || true)
[ -z "$bad" ] || die "not in the format of Prometheus: $bad"
for metric in $(sed -n 's/^\(hotset_[a-z_]*\){.*/\1/p' "$TMPDIR/prometheus" | sort -u); do
	[ "$(grep -c "^# TYPE $metric " "$TMPDIR/prometheus")" = 1 ] || die "$metric has not one TYPE line"
done
grep -q '^hotset_read_hits_total{name="hot"} 16$' "$TMPDIR/prometheus" || die "$(grep read_hits "$TMPDIR/prometheus")"

"$HOTSET" stats hot >"$TMPDIR/text"
grep -q '50.0 % hits' "$TMPDIR/text" || die "no hit ratio: $(cat "$TMPDIR/text")"
start=$(ms)
"$HOTSET" stats hot --json --watch 0.2 >"$TMPDIR/watch" &
watch=$!
has_lines() { [ "$(wc -l <"$TMPDIR/watch")" -ge "$1" ]; }
wait_for has_lines 4 || die "$(cat "$TMPDIR/watch")"
kill $watch
wait $watch || true
took=$(($(ms) - start))
! has_lines $((took / 200 + 2)) || die "$(wc -l <"$TMPDIR/watch") lines in $took ms"
[ "$(jq -s 'map(.block_size) | unique == [4096]' "$TMPDIR/watch")" = true ] || die "$(cat "$TMPDIR/watch")"
stop hot
refused 'no server of that name' "$HOTSET" stats hot
