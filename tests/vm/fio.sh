#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# A static fio for the test machines, from Debian's source package: 3 MB, where the packaged one brings 80 MB of
# libraries. Made once, kept in $HOTSET_CACHE/vm.
set -u
cache=${HOTSET_CACHE:-/var/cache/hotset}
[ -x "$cache/vm/fio" ] && exit 0
mkdir -p "$cache/vm" && tmp=$(mktemp -d "$cache/tmp.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
echo "vm: building fio" >&2

# A source list of our own: the machine's is left as it is.
mkdir -p "$tmp/lists/partial"
cat >"$tmp/sources.list" <<-LIST
	deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm main
LIST
apt=(apt-get -q -o "Dir::Etc::sourcelist=$tmp/sources.list" -o Dir::Etc::sourceparts=/dev/null
	-o "Dir::State::lists=$tmp/lists" -o APT::Sandbox::User=root)
{
	"${apt[@]}" update && (cd "$tmp" && "${apt[@]}" source --download-only fio) &&
		tar -C "$tmp" -xf "$tmp"/fio_*.orig.tar.gz && cd "$tmp"/fio-*/ &&
		./configure --build-static --disable-native --disable-numa --disable-rdma --disable-rbd --disable-rados \
			--disable-gfapi --disable-http --disable-pmem --disable-libnfs --disable-xnvme --disable-tcmalloc &&
		make -j"$(nproc)" && strip -o "$tmp/fio" fio
} >"$tmp/log" 2>&1 || {
	tail -n 5 "$tmp/log" >&2
	exit 1
}
mv "$tmp/fio" "$cache/vm/fio"
