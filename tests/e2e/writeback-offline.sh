#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# `hotset writeback` rescues all dirty blocks onto the origin with nobody serving, after a clean stop and
# after a crash; done twice it does nothing more; a wrong origin is refused and not written.
#
# Invariants: 14, 27
. "${0%/*}/../lib/e2e.sh"
prepare
random_file "$TMPDIR/other" 15M 9
before=$(sums "$TMPDIR/other" "$cache")
refused 'was made for an origin of 16777216 bytes' "$HOTSET" writeback "$TMPDIR/other" "$cache"
refused "" "$HOTSET" writeback "$TMPDIR/nothing" "$cache"
[ "$before" = "$(sums "$TMPDIR/other" "$cache")" ] || die "a refused write-back wrote something"

"$HOTSET" writeback "$origin" "$cache"
nothing_dirty "$cache"
same "$expected" "$origin"
before=$(sums "$origin")
"$HOTSET" writeback "$origin" "$cache"
[ "$before" = "$(sums "$origin")" ] || die "a second write-back changed the origin"

serve hot "$origin" "$cache"
io hot "write -P 0x21 3M 500k" flush
crash hot
[ "$(check_of "$cache" dirty)" -gt 0 ]
"$HOTSET" writeback "$origin" "$cache"
nothing_dirty "$cache"
sound "$cache"
qemu-io -f raw -c "write -P 0x21 3M 500k" "$expected" >/dev/null
same "$expected" "$origin"
