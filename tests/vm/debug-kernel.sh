#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# The debug kernel: Debian's 6.12 source with debug.config, as a program that runs in userspace (user-mode Linux), at
# this machine's own speed. Built once, in some minutes, below $HOTSET_CACHE/vm, and again when source or configuration
# are newer. Prints the directory, laid out as that of kernel.sh:
#
#	linux		the kernel, in place of vmlinux
#	lib/modules/	with modules.dep
#	headers/	what it was built in, without most objects: modules are built there
#
# It has one processor, with preemption: what takes two at the same instant does not happen in it. kernel.sh's have more.
set -u
here=$(cd "$(dirname "$0")" && pwd)
cache=${HOTSET_CACHE:-/var/cache/hotset}
source=$("$here/source.sh") || exit 1

die() {
	echo "vm: $*" >&2
	exit 1
}

value() { # NAME: of the source's version
	sed -n "s/^$1 = //p" "$source/Makefile"
}

release=$(value VERSION).$(value PATCHLEVEL).$(value SUBLEVEL)-hotset-debug
dir=$cache/vm/$release
config=$here/debug.config
cmp -s "$config" "$dir/debug.config" && { echo "$dir"; exit 0; }

rm -rf "$dir"
mkdir -p "$dir/headers" || die "cannot write $dir"
echo "vm: building the debug kernel, some ten minutes" >&2
export ARCH=um
build() {
	make -s -C "$source" O="$dir/headers" KCONFIG_ALLCONFIG="$config" allnoconfig &&
		nice make -s -C "$dir/headers" -j"$(nproc)" &&
		make -s -C "$dir/headers" INSTALL_MOD_PATH="$dir" modules_install
}
build >"$dir/make.log" 2>&1 </dev/null || die "the debug kernel does not build: $dir/make.log: $(tail -n 1 "$dir/make.log")"
# What Kconfig does not know, or will not have, it drops without a word.
grep '^CONFIG_' "$config" | grep -vxFf "$dir/headers/.config" >"$dir/dropped" && die "the debug kernel lacks $(head -n 1 "$dir/dropped")"
[ -d "$dir/lib/modules/$release" ] || die "the debug kernel is not $release: $(ls "$dir/lib/modules")"
mv "$dir/headers/linux" "$dir/linux" && rm -f "$dir/headers/vmlinux" "$dir"/lib/modules/*/build
find "$dir/headers" \( -name '*.ko' -o -name '*.a' -o -name '*.o' -o -name '.*.cmd' \) -not -path '*/scripts/*' -delete
cp "$config" "$dir/debug.config"
echo "$dir"
