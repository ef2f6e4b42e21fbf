#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# What is lost can be listed and forgotten while nobody serves the cache; then it can be written back.
#
# Invariants: 29, 33
. "${0%/*}/../lib/e2e.sh"
prepare
at=$((8388608 + 40960))
flip "$cache" "$(where "$cache" data "$(slot_of "$cache" $at)")"
refused 'lost' "$HOTSET" writeback "$origin" "$cache"
[ "$("$HOTSET" lost "$cache")" = "$at+4096" ] || die "hotset lost: $("$HOTSET" lost "$cache")"
refused 'origin' "$HOTSET" lost "$cache" --forget $at+4096
"$HOTSET" lost "$cache" --forget $at+4096 --origin "$origin"
[ -z "$("$HOTSET" lost "$cache")" ] || die "still lost: $("$HOTSET" lost "$cache")"
"$HOTSET" writeback "$origin" "$cache"
nothing_dirty "$cache"
random_file "$TMPDIR/before" 16M 8
dd if="$TMPDIR/before" of="$expected" bs=4k skip=$((at / 4096)) seek=$((at / 4096)) count=1 conv=notrunc status=none
same "$expected" "$origin"
