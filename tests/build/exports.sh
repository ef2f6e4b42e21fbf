#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# libhotset.so exports exactly the functions that the public header declares, the plugin nothing but
# nbdkit's entry point, and the header stands alone in C and C++ compilers. HEADER and HOTSET_BUILD
# name others, for testing this test.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
header=${HEADER:-$root/include/hotset/hotset.h}
build=${HOTSET_BUILD:-$root/build/gcc}
failed=0

exported() { # FILE
	nm -D --defined-only "$1" | awk '{ print $3 }' | sort -u
}

differ() { # WHAT WANTED SEEN
	diff <(echo "$2") <(echo "$3") >/dev/null && return
	echo "FAIL: $1 (< wanted, > seen):"
	diff <(echo "$2") <(echo "$3") | grep '^[<>]'
	failed=1
}

for language in c c++; do
	# clang speaks both and needs no C++ library here.
	printf '#include "%s"\n' "$header" | clang -x $language -fsyntax-only -Wall -Wextra -Werror \
		-I"$root/include" - || { echo "FAIL: the header is not good $language"; failed=1; }
done

declared=$(gcc -E -P -I"$root/include" "$header" | grep -oE '\bhs_[a-z0-9_]+ *\(' | tr -d ' (' | sort -u)
differ "exports of libhotset.so.0" "$declared" "$(exported "$build/libhotset.so.0")"
[ -e "$build/nbdkit-hotset-plugin.so" ] &&
	differ "exports of the plugin" plugin_init "$(exported "$build/nbdkit-hotset-plugin.so")"
soname=$(objdump -p "$build/libhotset.so.0" | awk '$1 == "SONAME" { print $2 }')
differ "soname" libhotset.so.0 "$soname"
echo "$(wc -w <<<"$declared") functions declared in hotset.h"
exit $failed
