#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# What one connection flushed covers what the others wrote, and each sees at once what another wrote:
# the export says so (multi-conn), eight connections write and read, the server is killed, nothing
# that was flushed is gone.
#
# Invariants: 1, 18, 19, 21, 22
# sanitize
. "${0%/*}/../lib/e2e.sh"
origin=$TMPDIR/origin cache=$TMPDIR/cache state=$TMPDIR/state

truncate -s 32M "$origin"
"$HOTSET" format "$origin" "$cache" --size 9M --block-size 8k >/dev/null
serve hot "$origin" "$cache" --threads 4
nbdinfo --json "$(uri hot)" >"$TMPDIR/info"
for can in can_multi_conn can_flush can_fua can_trim can_zero; do
	[ "$(jq -r ".exports[0].$can" "$TMPDIR/info")" = true ] || die "$can is not advertised: $(cat "$TMPDIR/info")"
done
[ "$(jq -r '.exports[0]."export-size"' "$TMPDIR/info")" = 33554432 ] || die "wrong size: $(cat "$TMPDIR/info")"

"$tools/stamp" write "$(uri hot)" "$state" --ops 4000 --threads 16
[ "$(stat_of hot flushes)" -gt 0 ]
"$tools/stamp" verify "$(uri hot)" "$state" --exact
stamp_begin hot "$state" --threads 16 --seed 2
sleep 1.5
crash hot
wait $writer || die "$(cat "$TMPDIR/stamp.out")"
cat "$TMPDIR/stamp.out"
serve hot "$origin" "$cache"
"$tools/stamp" verify "$(uri hot)" "$state"
stop hot
sound "$cache"
