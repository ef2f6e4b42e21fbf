#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# What is in use is refused, with the reason: a cache or an origin that is served already, formatting a served
# cache, a name that is taken, an origin that is attached to a loop device, mounted, or open for
# writing elsewhere.
#
# Invariants: 27
. "${0%/*}/../lib/e2e.sh"
origin=$TMPDIR/origin cache=$TMPDIR/cache
at_end() {
	umount "$TMPDIR/mnt" 2>/dev/null || true
	[ -z "${loop:-}" ] || losetup -d "$loop" 2>/dev/null || true
}
truncate -s 16M "$origin" "$TMPDIR/origin2"
"$HOTSET" format "$origin" "$cache" --size 9M >/dev/null
"$HOTSET" format "$TMPDIR/origin2" "$TMPDIR/cache2" --size 9M >/dev/null
"$HOTSET" format "$origin" "$TMPDIR/cache3" --size 9M >/dev/null

serve hot "$origin" "$cache"
io hot "write -P 1 0 64k" flush
refused 'in use|open for writing' "$HOTSET" serve "$TMPDIR/origin2" "$cache" --name other --socket "$TMPDIR/o.nbd"
refused 'in use|open for writing' "$HOTSET" serve "$origin" "$TMPDIR/cache3" --name other --socket "$TMPDIR/o.nbd"
refused 'a server named hot is running' "$HOTSET" serve "$TMPDIR/origin2" "$TMPDIR/cache2" --name hot --socket "$TMPDIR/o.nbd"
refused 'another server listens' "$HOTSET" serve "$TMPDIR/origin2" "$TMPDIR/cache2" --name other --socket "$TMPDIR/hot.nbd"
refused 'in use|open for writing' "$HOTSET" format "$origin" "$cache" --force
refused 'in use|open for writing' "$HOTSET" writeback "$origin" "$cache"
refused 'in use|open for writing' "$HOTSET" check "$cache"
refused 'in use|open for writing' "$HOTSET" format "$TMPDIR/origin2" "$origin" --force
io hot "read -P 1 0 64k"
stop hot

refused 'is the origin itself' "$HOTSET" format "$origin" "$origin" --force

exec 7<>"$origin"
serve_refused 'open for writing|in use' "$origin" "$cache"
exec 7>&-
exec 7<>"$cache"
serve_refused 'open for writing|in use' "$origin" "$cache"
exec 7>&-
serve hot "$origin" "$cache"
stop hot

command -v losetup >/dev/null && loop=$(losetup --show -f "$origin" 2>/dev/null) || { echo "no loop devices: part left out"; exit 0; }
serve_refused "in use by $loop" "$origin" "$cache"
serve hot "$loop" "$cache"
stop hot --writeback
mke2fs -q -F "$loop"
mkdir "$TMPDIR/mnt"
mount "$loop" "$TMPDIR/mnt" || { echo "no mounts: part left out"; exit 0; }
"$HOTSET" format "$TMPDIR/origin2" "$cache" --force >/dev/null
refused 'mounted on|in use|busy' "$HOTSET" format "$TMPDIR/origin2" "$loop" --force
refused 'mounted on' "$HOTSET" serve "$loop" "$TMPDIR/cache3" --name other --socket "$TMPDIR/o.nbd"
umount "$TMPDIR/mnt"
