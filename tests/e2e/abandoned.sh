#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# A cache that a host has recorded as given up is refused there, and only it; making it new, or having its clean
# blocks dropped, takes the record away.
#
# Invariants: 27, 29
. "${0%/*}/../lib/e2e.sh"
origin=$TMPDIR/origin cache=$TMPDIR/cache other=$TMPDIR/other
truncate -s 24M "$origin"
abandon() { # CACHE: as a server does whose cache device fails
	mkdir -p "$HOTSET_STATEDIR"
	echo "$1" >"$HOTSET_STATEDIR/$(check_of "$1" geometry.uuid).abandoned"
}
no_records() {
	[ -z "$(ls "$HOTSET_STATEDIR")" ] || die "left behind: $(ls "$HOTSET_STATEDIR")"
}

"$HOTSET" format "$origin" "$cache" --size 9M >/dev/null
"$HOTSET" format "$origin" "$other" --size 9M >/dev/null
abandon "$cache"
serve_refused 'failed while it was served .*hotset format --force' "$origin" "$cache"
refused 'failed while it was served' "$HOTSET" writeback "$origin" "$cache"
serve hot "$origin" "$other"
stop hot

"$HOTSET" format "$origin" "$cache" --force >/dev/null
no_records
serve hot "$origin" "$cache"
io hot "write -P 0x61 0 64k" "read 8M 64k"
stop hot --writeback
sound "$cache"

# A smaller one in its place is as new.
abandon "$cache"
"$HOTSET" format "$origin" "$cache" --size 8M --force >/dev/null
no_records

abandon "$cache"
serve hot "$origin" "$cache" --accept-changed-origin
no_records
io hot "read -P 0x61 0 64k"
stop hot
sound "$cache"
