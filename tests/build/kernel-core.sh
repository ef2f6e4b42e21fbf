#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# The core stays within kernel limits: exactly the files of core/SOURCES become a module for 6.1 and
# one for 6.12, without a warning of gcc (W=1, stack frames up to 1 KiB), sparse, objtool or modpost.
# CORE_DIR names another core directory, for testing this test.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
core=${CORE_DIR:-$root/core}
. "$root/tests/lib/headers.sh"
tmp=$(mktemp -d "${TMPDIR:-/tmp}/kernel-core.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
failed=0

# The shell's share of the module: the two symbols that core/ takes from it.
write_stub() { # FILE
	cat >"$1" <<-'STUB'
	// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
	#include <linux/bug.h>
	#include <linux/module.h>

	u32 hs_crc32c(u32 crc, const void *data, size_t bytes);
	u32 hs_crc32c(u32 crc, const void *data, size_t bytes)
	{
		return crc;
	}

	void hs_assert_failed(const char *file, int line, const char *expr);
	void hs_assert_failed(const char *file, int line, const char *expr)
	{
		WARN(1, "%s:%d: %s", file, line, expr);
	}

	MODULE_DESCRIPTION("compile test");
	MODULE_AUTHOR("hotset authors");
	MODULE_LICENSE("Dual BSD/GPL");
	STUB
}

compile() { # RELEASE-PREFIX
	local kdir dir log objects
	kdir=$(header_dir "$1")
	[ -n "$kdir" ] || { echo "FAIL: no kernel headers $1*: run tools/setup.sh"; return 1; }
	dir=$tmp/$1 log=$tmp/$1.log
	mkdir -p "$dir/core" "$dir/include/hotset"
	cp "$core"/*.h "$dir/core/"
	cp "$root/include/hotset/enums.h" "$dir/include/hotset/"
	(cd "$core" && xargs cp -t "$dir/core/" <SOURCES) || return 1
	objects=$(sed 's,\(.*\)\.c$,core/\1.o,' "$core/SOURCES" | tr '\n' ' ')
	write_stub "$dir/stub.c"
	cat >"$dir/Kbuild" <<-KBUILD
	obj-m := hotset_core.o
	hotset_core-y := stub.o $objects
	ccflags-y := -I$dir -Wframe-larger-than=1024 -Wvla
	KBUILD
	make -C "$kdir" M="$dir" KCFLAGS=-Werror W=1 C=1 CHECK="sparse -Wno-unknown-attribute" \
		-j"$(nproc)" modules >"$log" 2>&1 || {
			grep -E '\b(warning|error|ERROR)\b' -A 3 "$log" | head -n 30
			echo "FAIL: ${kdir##*/}: build failed"
			return 1
		}
	if grep -E '\b(warning|error|WARNING|ERROR)\b' "$log" | grep -vF "$2"; then
		echo "FAIL: ${kdir##*/}: warnings"
		return 1
	fi
	[ -f "$dir/hotset_core.ko" ] || { echo "FAIL: ${kdir##*/}: no module"; return 1; }
	echo "${kdir##*/}: $(wc -w <<<"$objects") files, $(size -A "$dir/hotset_core.ko" |
		awk '$1 ~ /^\.text/ { n += $2 } END { print n }') bytes of code, no warning"
}

[ -s "$core/SOURCES" ] || { echo "FAIL: $core/SOURCES is missing or empty"; exit 1; }
for release in 6.1. 6.12; do
	compile $release "the compiler differs from the one used to build the kernel" || failed=1
done
exit $failed
