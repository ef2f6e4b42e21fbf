#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# The source of Debian's 6.12 kernel (package linux-source-6.12), or of it the parts named (all paths below the
# tree), unpacked below $HOTSET_CACHE, not installed. Prints the directory.
#
#	source.sh [PART...]
set -u
cache=${HOTSET_CACHE:-/var/cache/hotset}
dir=$cache/source

die() {
	echo "source: $*" >&2
	exit 1
}

have() { # PARTS...
	local part
	[ $# -gt 0 ] || { [ -e "$dir/linux/.whole" ]; return; }
	for part in "$@"; do
		[ -e "$dir/linux/$part" ] || return 1
	done
}

fetch() {
	local tmp
	[ -e "$dir/linux.tar.xz" ] && return
	tmp=$(mktemp -d "$cache/tmp.XXXXXX") || die "cannot write $cache"
	trap 'rm -rf "$tmp"' EXIT
	chmod 755 "$tmp"	# apt downloads as its own user
	echo "source: fetching linux-source-6.12" >&2
	(cd "$tmp" && apt-get -q download linux-source-6.12) >&2 || die "cannot download linux-source-6.12"
	dpkg-deb --fsys-tarfile "$tmp"/linux-source-6.12_*.deb | tar -C "$tmp" -x --wildcards './usr/src/*.tar.xz' ||
		die "cannot unpack linux-source-6.12"
	mkdir -p "$dir" && mv "$tmp"/usr/src/linux-source-6.12.tar.xz "$dir/linux.tar.xz" || die "cannot write $dir"
}

if ! have "$@"; then
	mkdir -p "$dir/linux" || die "cannot write $dir"
	fetch
	tar -C "$dir/linux" --strip-components 1 -xf "$dir/linux.tar.xz" ${@/#/linux-source-6.12/} || die "cannot unpack $*"
	[ $# -gt 0 ] || touch "$dir/linux/.whole"
fi
echo "$dir/linux"
