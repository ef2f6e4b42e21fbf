#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# What is no cache of ours, or not any more, or made by a newer version, is refused by every command with the
# reason, and nothing is written to it.
#
# Invariants: 10, 27
. "${0%/*}/../lib/e2e.sh"
prepare
cp "$cache" "$TMPDIR/good"

all_refuse() { # PATTERN, for TMPDIR/cache
	local before status=0
	before=$(sums "$cache" "$origin")
	serve_refused "$1" "$origin" "$cache"
	for command in "check $cache" "check --data $cache" "dump $cache" "lost $cache" "writeback $origin $cache"; do
		# shellcheck disable=SC2086
		refused "$1" "$HOTSET" $command
	done
	"$HOTSET" check "$cache" >/dev/null 2>&1 || status=$?
	[ $status = "$2" ] || die "hotset check ends with $status, not $2"
	[ "$before" = "$(sums "$cache" "$origin")" ] || die "something was written"
}

random_file "$cache" 9M 10
all_refuse 'not a hotset cache.*hotset format' 2
: >"$cache"
all_refuse 'not a hotset cache|empty' 2
truncate -s 9M "$cache"
all_refuse 'not a hotset cache' 2
cp "$TMPDIR/good" "$cache"
"$tools/damage" newer "$cache"
all_refuse 'newer version' 2
refused 'newer version.*--force' "$HOTSET" format "$origin" "$cache"
for size in 8M 1M 100K; do
	cp "$TMPDIR/good" "$cache"
	truncate -s $size "$cache"
	all_refuse 'has [0-9]+ bytes but was formatted with 9437184' 1
done
cp "$TMPDIR/good" "$cache"
truncate -s 4K "$cache"
all_refuse 'has 4096 bytes but|superblock' 1
rm "$cache"
refused 'No such file' "$HOTSET" serve "$origin" "$cache"
refused 'No such file' "$HOTSET" check "$cache"
mkdir "$cache"
refused 'neither|directory' "$HOTSET" serve "$origin" "$cache"
refused 'neither|directory' "$HOTSET" check "$cache"

# Geometry comes from the cache, and a longer file than it was made for does no harm.
rm -r "$cache"
cp "$TMPDIR/good" "$cache"
truncate -s 20M "$cache"
serve hot "$origin" "$cache"
as_expected hot
stop hot
sound "$cache"
