#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
#	image.sh KERNEL-DIR OUT		the base initramfs of a kernel: busybox, tools, modules
#
# What the tests themselves need (module, scripts) comes in a second, small archive, made for every run.
set -u
kernel=$1 out=$2
abi=${kernel##*/}
cache=${HOTSET_CACHE:-/var/cache/hotset}
programs="dmsetup mke2fs e2fsck debugfs resize2fs mkfs.xfs xfs_repair blkdiscard fstrim make-bcache cache_restore"
modules="dm-mod dm-flakey dm-log-writes dm-delay dm-zero dm-snapshot dm-cache dm-cache-smq dm-writecache bcache null_blk brd loop zram ext4 xfs
	crc32c_intel crc32c_generic libcrc32c virtio_blk virtio_pci configfs"
tmp=$(mktemp -d "${TMPDIR:-/tmp}/hotset-image.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
root=$tmp/root

install_file() { # FILE: at its own place
	[ -e "$root$1" ] || install -D "$1" "$root$1"
}

install_program() { # NAME
	local path lib
	path=$(PATH=$PATH:/sbin:/usr/sbin command -v "$1") || { echo "vm: no $1: run tools/setup.sh" >&2; exit 1; }
	install -D "$(readlink -f "$path")" "$root/bin/$1"
	ldd "$path" 2>/dev/null | grep -oE '/[^ ]+' | while read -r lib; do install_file "$lib"; done
}

mkdir -p "$root"/{bin,sbin,dev,proc,sys,tmp,mnt,lib,lib64,etc,run,var/lib}
install /bin/busybox "$root/bin/busybox"
for applet in $("$root/bin/busybox" --list); do
	[ -e "$root/bin/$applet" ] || ln -s busybox "$root/bin/$applet"
done
for program in $programs; do
	rm -f "$root/bin/$program"
	install_program "$program"
done
# The kernel itself asks for /sbin/modprobe, and busybox would prefer its own.
rm -f "$root/bin/modprobe" "$root/bin/insmod" "$root/bin/rmmod"
install_program kmod
for name in modprobe insmod rmmod; do
	ln -s /bin/kmod "$root/sbin/$name"
	ln -s /bin/kmod "$root/bin/$name"
done
[ ! -x "$cache/vm/fio" ] || install "$cache/vm/fio" "$root/bin/fio"
: >"$root/etc/mtab"

mkdir -p "$root/lib/modules/$abi"
for module in $modules; do
	for file in $(modprobe -d "$kernel" -S "$abi" --show-depends "$module" 2>/dev/null | sed -n 's/^insmod //p'); do
		install -D "$file" "$root/lib/modules/$abi/${file#*"$abi"/}"
	done
done
cp "$kernel/lib/modules/$abi"/modules.{builtin,builtin.modinfo,order} "$root/lib/modules/$abi/" 2>/dev/null
depmod -b "$root" "$abi" || exit 1
(cd "$root" && find . | cpio -o -H newc --quiet) >"$tmp/base.cpio" && mv "$tmp/base.cpio" "$out"
