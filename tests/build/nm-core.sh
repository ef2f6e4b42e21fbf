#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# The core depends on nothing: all its objects together leave only the symbols below undefined, and
# contain no division by a 64-bit variable and no floating point (a 32-bit kernel has neither).
# CORE_DIR names another core directory, for testing this test.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
core=${CORE_DIR:-$root/core}
allowed="hs_assert_failed hs_crc32c memcmp memcpy memmove memset"
tmp=$(mktemp -d "${TMPDIR:-/tmp}/nm-core.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
failed=0

fail() {
	echo "FAIL: $*"
	failed=1
}

[ -s "$core/SOURCES" ] || { echo "FAIL: $core/SOURCES is missing or empty"; exit 1; }
# Only what the core may see: itself, and the words it shares with the library's callers.
mkdir -p "$tmp/core" "$tmp/include/hotset"
cp "$core"/*.h "$core"/*.c "$tmp/core/"
cp "$root/include/hotset/enums.h" "$tmp/include/hotset/"
objects=()
while read -r source; do
	object=$tmp/${source%.c}.o
	gcc -std=gnu11 -O2 -fno-pie -fno-stack-protector -fcf-protection=none -I"$tmp" \
		-c "$tmp/core/$source" -o "$object" || { fail "$source does not compile on its own"; continue; }
	objects+=("$object")
done <"$core/SOURCES"
[ ${#objects[@]} -gt 0 ] && ld -r -o "$tmp/all.o" "${objects[@]}" || { fail "no objects"; exit 1; }

for source in "$core"/*.c; do
	grep -qxF "${source##*/}" "$core/SOURCES" || fail "${source##*/} is not in core/SOURCES"
done

seen=$(nm -u "$tmp/all.o" | awk '{ print $2 }' | sort -u)
echo "undefined in ${#objects[@]} core objects: ${seen//$'\n'/ }"
for symbol in $seen; do
	grep -qw -- "$symbol" <<<"$allowed" || fail "the core refers to $symbol"
done

# What runs before main, is per thread, or is writable and global has no place in a pure core.
objdump -h "$tmp/all.o" | awk '$2 ~ /^\.(init_array|ctors|tdata|tbss)/ { print $2 }' >"$tmp/sections"
[ -s "$tmp/sections" ] && fail "unwanted sections: $(tr '\n' ' ' <"$tmp/sections")"
nm "$tmp/all.o" | awk '$2 ~ /^[dDbBC]$/ { print $3 }' >"$tmp/globals"
[ -s "$tmp/globals" ] && fail "writable globals: $(tr '\n' ' ' <"$tmp/globals")"

objdump -d --no-show-raw-insn "$tmp/all.o" | awk '
	/^[0-9a-f]+ <.*>:$/ { fn = $2 }
	/^ +[0-9a-f]+:/ && $2 ~ /^i?div/ && ($2 ~ /q$/ || $3 ~ /^%r([abcd]x|[sd]i|[sb]p|[89]|1[0-5])$/) { print fn, $2, $3 }
' >"$tmp/div64"
[ -s "$tmp/div64" ] && fail "64-bit division by a variable:" && cat "$tmp/div64"
objdump -d --no-show-raw-insn "$tmp/all.o" | awk '
	/^[0-9a-f]+ <.*>:$/ { fn = $2 }
	/^ +[0-9a-f]+:/ && $2 ~ /^(cvt|f[a-z]+$|(add|sub|mul|div|sqrt|ucomi|comi|min|max)[sp][sd]$)/ { print fn, $2, $3 }
' | sort -u >"$tmp/float"
[ -s "$tmp/float" ] && fail "floating point:" && cat "$tmp/float"
exit $failed
