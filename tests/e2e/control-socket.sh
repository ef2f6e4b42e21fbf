#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# The control socket bears with bad clients: garbage, lines without end, clients that vanish or say nothing,
# many at once; it is for its owner alone, and one that a killed server left is replaced.
#
# Invariants: 21, 33
# sanitize
. "${0%/*}/../lib/e2e.sh"
prepare
serve hot "$origin" "$cache"
socket=$HOTSET_RUNDIR/hot.sock
[ "$(stat -c %a "$socket")" = 600 ] || die "the socket's mode is $(stat -c %a "$socket")"
say() { timeout $patience socat -t $patience - "UNIX-CONNECT:$socket"; }

# One answer a line, whatever the line; valid JSON each.
printf '%s\n' 'hello' '{' '[]' '42' 'null' '""' '{}' '{"cmd":7}' '{"cmd":"no such thing"}' '{"cmd":"set"}' \
	'{"cmd":"set","key":"mode"}' '{"cmd":"set","key":"mode","value":"x"}' '{"cmd":"set","key":"dirty_age","value":"-1"}' \
	'{"cmd":"forget"}' '{"cmd":"forget","offset":-5,"count":1}' \
	'{"cmd":"stats"} trailing' | say >"$TMPDIR/answers"
[ "$(wc -l <"$TMPDIR/answers")" = 16 ] || die "not 16 answers: $(cat "$TMPDIR/answers")"
[ "$(jq -r 'has("error")' "$TMPDIR/answers" | sort -u)" = true ] || die "not all errors: $(cat "$TMPDIR/answers")"
printf '{"cmd":"info"}\n\n{"cmd":"stats"}\n' | say >"$TMPDIR/answers"
[ "$(jq -r '.result | type' "$TMPDIR/answers" | sort -u)" = object ] || die "$(cat "$TMPDIR/answers")"

head -c 3000000 /dev/zero | tr '\0' 'x' | say >"$TMPDIR/answers" || true
[ -z "$(tr -d '\n' <"$TMPDIR/answers")" ] || jq -e .error "$TMPDIR/answers" >/dev/null || die "$(head -c 300 "$TMPDIR/answers")"
head -c 300000 /dev/urandom | say >/dev/null || true
{ printf '{"cmd":"x","deep":'; head -c 30000 /dev/zero | tr '\0' '['; echo; } | say >/dev/null || true
"$HOTSET" stats hot >/dev/null

# Vanishing before, within and after a request; a flush whose client is gone.
for i in 1 2 3 4 5 6 7 8; do
	printf '{"cmd":"sta' | timeout $patience socat -u - "UNIX-CONNECT:$socket"
	printf '{"cmd":"stats"}\n' | timeout $patience socat -u - "UNIX-CONNECT:$socket"
	printf '{"cmd":"flush"}\n' | timeout $patience socat -u - "UNIX-CONNECT:$socket"
done
# Silent ones, and more than there is room for (64; each one more is waited for a second before it is let go).
silent=()
for i in $(seq 67); do
	socat -u "UNIX-CONNECT:$socket" /dev/null 2>/dev/null &
	silent+=($!)
done
sleep 0.5
"$HOTSET" stats hot >/dev/null 2>"$TMPDIR/stats.err" || grep -q 'clients at once' "$TMPDIR/stats.err" || die "$(cat "$TMPDIR/stats.err")"
kill "${silent[@]}" 2>/dev/null || true
wait "${silent[@]}" 2>/dev/null || true
wait_for "$HOTSET" stats hot >/dev/null 2>&1 || die "no answer any more"
as_expected hot

"$HOTSET" list >"$TMPDIR/list"
grep -q hot "$TMPDIR/list" || die "not listed: $(cat "$TMPDIR/list")"
crash hot
[ -S "$socket" ] || die "no stale socket to test with"
refused 'gone without a stop' "$HOTSET" stats hot
refused 'no server of that name' "$HOTSET" stats nobody
refused 'not a server.s name' "$HOTSET" stats ../hot
serve hot "$origin" "$cache"
as_expected hot
# A stop with silent clients there does not wait for them.
socat -u "UNIX-CONNECT:$socket" /dev/null 2>/dev/null &
silent=$!
# (It is let go after a minute.)
start=$(ms)
stop hot
[ $(($(ms) - start)) -lt 45000 ] || die "a silent client delayed the stop by $(($(ms) - start)) ms"
kill $silent 2>/dev/null || true
wait $silent 2>/dev/null || true
