#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# The module builds for 6.1 and for 6.12 from the same source, without a warning of gcc (W=1), sparse, objtool or
# modpost.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/lib/headers.sh"
tmp=$(mktemp -d "${TMPDIR:-/tmp}/kernel-module.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
failed=0

compile() { # RELEASE-PREFIX
	local kdir dir=$tmp/$1 log=$tmp/$1.log
	kdir=$(header_dir "$1")
	[ -n "$kdir" ] || { echo "FAIL: no kernel headers $1*: run tools/setup.sh"; return 1; }
	mkdir -p "$dir"/{core,kernel,include/hotset}
	cp "$root/Kbuild" "$dir/"
	cp "$root"/core/*.[ch] "$root/core/SOURCES" "$dir/core/"
	cp "$root"/kernel/*.[ch] "$dir/kernel/"
	cp "$root/include/hotset/enums.h" "$dir/include/hotset/"
	make -C "$kdir" M="$dir" KCFLAGS=-Werror W=1 C=1 CHECK="sparse -Wno-unknown-attribute" -j"$(nproc)" modules \
		>"$log" 2>&1 || {
			grep -E '\b(warning|error|ERROR)\b' -A 3 "$log" | head -n 30
			echo "FAIL: ${kdir##*/}: build failed"
			return 1
		}
	if grep -E '\b(warning|error|WARNING|ERROR)\b' "$log" |
		grep -vF 'the compiler differs from the one used to build the kernel'; then
		echo "FAIL: ${kdir##*/}: warnings"
		return 1
	fi
	echo "${kdir##*/}: $(size -A "$dir/dm-hotset.ko" | awk '$1 ~ /^\.text/ { n += $2 } END { print n }') bytes of code, no warning"
}

for release in 6.1. 6.12; do
	compile $release || failed=1
done
exit $failed
