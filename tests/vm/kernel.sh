#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# A kernel to boot in QEMU: `kernel.sh 6.1` fetches the newest Debian image of that series whose headers are here,
# unpacks it below $HOTSET_CACHE/vm (not installed) and prints the directory (`debug`: see debug-kernel.sh):
#
#	vmlinux		uncompressed: boots some seconds sooner
#	lib/modules/	as the package has them, decompressed, with modules.dep
#	headers		link to the headers
set -u
cache=${HOTSET_CACHE:-/var/cache/hotset}
series=$1
[ "$series" != debug ] || exec "$(dirname "$0")/debug-kernel.sh"

die() {
	echo "vm: $*" >&2
	exit 1
}

# The newest header tree of the series, installed or unpacked by tools/setup.sh.
headers() {
	{
		compgen -G "/usr/src/linux-headers-$series.*-amd64/Makefile"
		compgen -G "$cache/linux-headers-$series.*-amd64/Makefile"
	} | sed 's,/Makefile$,,' | grep -vE -- '-(rt|cloud)-amd64$' | sort -V | tail -n 1
}

# bzImage: a setup part, then the payload; see Documentation/arch/x86/boot.rst of the kernel.
extract() { # BZIMAGE
	local setup offset length
	setup=$(od -An -tu1 -j 497 -N 1 "$1")
	offset=$(od -An -tu4 -j 584 -N 4 "$1")
	length=$(od -An -tu4 -j 588 -N 4 "$1")
	payload() { tail -c +$(((setup + 1) * 512 + offset + 1)) "$1" | head -c $((length)); }
	# Behind the compressed data stand four bytes more: the decompressors complain, but do their work.
	case $(payload "$1" | head -c 4 | od -An -tx1 | tr -d ' ') in
	fd377a58) payload "$1" | xz -dc --single-stream 2>/dev/null ;;
	28b52ffd) payload "$1" | zstd -dcq 2>/dev/null ;;
	1f8b*) payload "$1" | gzip -dc 2>/dev/null ;;
	esac
}

headers=$(headers)
[ -n "$headers" ] || die "no kernel headers of $series: run tools/setup.sh"
abi=${headers##*/linux-headers-}
dir=$cache/vm/$abi
if [ ! -e "$dir/done" ]; then
	tmp=$(mktemp -d "$cache/tmp.XXXXXX") || die "cannot write $cache"
	trap 'rm -rf "$tmp"' EXIT
	chmod 755 "$tmp"	# apt downloads as its own user
	echo "vm: fetching linux-image-$abi" >&2
	(cd "$tmp" && apt-get -q download "linux-image-$abi") >&2 || die "cannot download linux-image-$abi"
	dpkg -x "$tmp"/linux-image-*.deb "$tmp/root" || die "cannot unpack linux-image-$abi"
	find "$tmp/root" -name '*.ko.xz' -exec xz -d {} +
	depmod -b "$tmp/root" "$abi" || die "depmod failed"
	mkdir -p "$tmp/out"
	extract "$tmp/root/boot/vmlinuz-$abi" >"$tmp/out/vmlinux"
	[ "$(head -c 4 "$tmp/out/vmlinux" | od -An -tx1 | tr -d ' ')" = 7f454c46 ] || die "no ELF kernel in vmlinuz-$abi"
	mkdir -p "$tmp/out/lib" && mv "$tmp/root/lib/modules" "$tmp/out/lib/"
	ln -s "$headers" "$tmp/out/headers"
	touch "$tmp/out/done"
	mkdir -p "$cache/vm" && rm -rf "$dir" && mv "$tmp/out" "$dir" || die "cannot write $dir"
fi
echo "$dir"
