#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# --read-only: clients read, and are filled into the cache, but cannot write, zero or trim; nothing of the
# origin changes. An origin that cannot be written at all can still be served so.
#
# Invariants: 21
. "${0%/*}/../lib/e2e.sh"
origin=$TMPDIR/origin cache=$TMPDIR/cache

random_file "$origin" 16M 6
cp "$origin" "$TMPDIR/data"
"$HOTSET" format "$origin" "$cache" --size 9M >/dev/null
serve hot "$origin" "$cache" --read-only
[ "$(nbdinfo --json "$(uri hot)" | jq -r '.exports[0].is_read_only')" = true ] || die "not advertised as read-only"
qemu-img compare -f raw -F raw "$TMPDIR/data" "$(uri hot)"
for command in write zero trim; do
	request_fails 'EPERM|EROFS|EINVAL|ENOTSUP' hot $command 0 4096
done
[ "$(stat_of hot inserts)" -gt 0 ] || die "reads do not fill a cache served read-only"
stop hot
same "$TMPDIR/data" "$origin"
sound "$cache"

# Dirty data of before are seen, too.
serve hot "$origin" "$cache"
io hot "write -P 0x42 1M 64k"
stop hot
serve hot "$origin" "$cache" --read-only
request hot read 1048576 65536 >"$TMPDIR/out"
same "$TMPDIR/out" <(head -c 65536 /dev/zero | tr '\0' '\102')
stop hot
