#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# `hotset format` overwrites neither dirty data nor a file system without --force, and nonsense is refused
# with the reason; nothing is written by a refusal, no file is left behind.
#
# Invariants: 10, 38
. "${0%/*}/../lib/e2e.sh"
prepare
before=$(sums "$cache")
refused '256 dirty blocks: .*hotset writeback.*--force' "$HOTSET" format "$origin" "$cache"
mke2fs -q "$TMPDIR/fs" 8M
fs=$(sums "$TMPDIR/fs")
refused 'holds data \(ext[234]\).*--force' "$HOTSET" format "$origin" "$TMPDIR/fs"
refused 'too small' "$HOTSET" format "$origin" "$TMPDIR/new" --size 64k
refused 'No such file' "$HOTSET" format "$TMPDIR/nothing" "$TMPDIR/new" --size 9M
refused 'give --size' "$HOTSET" format "$origin" "$TMPDIR/new"
refused 'power of two' "$HOTSET" format "$origin" "$TMPDIR/new" --size 9M --block-size 5000
refused 'power of two' "$HOTSET" format "$origin" "$TMPDIR/new" --size 9M --assoc 100
refused 'writeback, writethrough' "$HOTSET" format "$origin" "$TMPDIR/new" --size 9M --mode quick
refused 'on or off' "$HOTSET" format "$origin" "$TMPDIR/new" --size 9M --checksums maybe
refused 'size' "$HOTSET" format "$origin" "$TMPDIR/new" --size 9X
: >"$TMPDIR/empty"
refused 'empty' "$HOTSET" format "$TMPDIR/empty" "$TMPDIR/new" --size 9M
[ ! -e "$TMPDIR/new" ] || die "a refused format left a file behind"
[ "$before" = "$(sums "$cache")" ] || die "a refused format wrote to the cache"
[ "$fs" = "$(sums "$TMPDIR/fs")" ] || die "a refused format wrote to the file system"

"$HOTSET" format "$origin" "$TMPDIR/fs" --force >/dev/null
serve hot "$origin" "$TMPDIR/fs"
stop hot
"$HOTSET" format "$origin" "$cache" --force >/dev/null
[ "$(check_of "$cache" dirty)" = 0 ]
[ "$(check_of "$cache" clean)" = 0 ]
# Nothing of the earlier cache comes back.
serve hot "$origin" "$cache"
cp "$origin" "$expected"
as_expected hot
stop hot
sound "$cache"
# A cache without dirty blocks goes without --force.
serve hot "$origin" "$cache"
io hot "read 0 1M"
stop hot
"$HOTSET" format "$origin" "$cache" >/dev/null
