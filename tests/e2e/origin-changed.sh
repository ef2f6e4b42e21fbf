#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# An origin that changed while the cache was away is refused: another size, another disk, a change of its
# first or last bytes or of cached blocks. --accept-changed-origin drops what is clean and serves the
# new contents, but not while there are dirty blocks. Nothing is written by a refusal.
#
# Invariants: 27
. "${0%/*}/../lib/e2e.sh"
prepare
serve hot "$origin" "$cache"
stop hot --writeback
cp "$origin" "$TMPDIR/origin.good"
cp "$cache" "$TMPDIR/good"

change() { # OFFSET: one byte of the origin
	cp "$TMPDIR/origin.good" "$origin"
	flip "$origin" "$1"
}
for offset in 0 4000 16777215; do
	change $offset
	serve_refused 'changed while .* was away' "$origin" "$cache"
	refused 'changed while .* was away' "$HOTSET" writeback "$origin" "$cache"
done
cp "$TMPDIR/origin.good" "$origin"
truncate -s 17M "$origin"
serve_refused 'was made for an origin of 16777216 bytes, .* has 17825792' "$origin" "$cache"
serve_refused 'was made for' "$origin" "$cache" --accept-changed-origin
truncate -s 15M "$origin"
serve_refused 'was made for' "$origin" "$cache"
random_file "$TMPDIR/other" 16M 99
serve_refused 'changed while .* was away' "$TMPDIR/other" "$cache"

as_other() { # WHEN
	copy_out hot "$TMPDIR/copy"
	cmp "$TMPDIR/copy" "$TMPDIR/other" || die "old contents are served$1"
}
# A backup brought back, say.
serve hot "$TMPDIR/other" "$cache" --accept-changed-origin
as_other ""
crash hot
serve hot "$TMPDIR/other" "$cache"
as_other " after a crash"
stop hot

# With dirty blocks: refused all the same.
cp "$TMPDIR/origin.good" "$origin"
cp "$TMPDIR/good" "$cache"
serve hot "$origin" "$cache"
io hot "write -P 0x71 5M 64k"
stop hot
[ "$(check_of "$cache" dirty)" -gt 0 ]
cp "$origin" "$TMPDIR/origin.good"
change 0
serve_refused 'dirty' "$origin" "$cache" --accept-changed-origin
cp "$TMPDIR/origin.good" "$origin"
serve hot "$origin" "$cache"
io hot "read -P 0x71 5M 64k"
stop hot

# After a crash there is no fingerprint, but what is cached is compared.
crash_with_clean() {
	serve hot "$origin" "$cache"
	io hot "read 0 4M"
	sleep 1.5	# clean names are committed once a second
	io hot flush
	crash hot
	[ "$(check_of "$cache" clean)" -gt 500 ]
}
wait_for crash_with_clean || die "$(check_of "$cache" clean) clean blocks"
head -c 16M /dev/zero >"$origin"
serve_refused 'changed while .* was away' "$origin" "$cache"
