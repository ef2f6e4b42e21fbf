#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# Installs what building and testing hotset takes on Debian 12. Does nothing, in a few milliseconds,
# when everything is there.
#
# Kernel headers: 6.1 comes from apt. Debian's 6.12 header package depends on the 6.12 kernel image;
# nobody wants another kernel installed for a compile test, so that one package is unpacked below
# $HEADERS instead, beside its common and kbuild parts from apt.
set -u
export DEBIAN_FRONTEND=noninteractive LC_ALL=C

HEADERS=${HOTSET_HEADERS:-/var/cache/hotset}
PACKAGES="gcc libc6-dev make patch pkg-config binutils flex bison
	debhelper dh-dkms dkms dpkg-dev udev systemd
	nbdkit nbdkit-plugin-dev libnbd-dev libnbd-bin fuse3 socat
	libjson-c-dev libcmocka-dev libblkid-dev uuid-dev libsystemd-dev libdevmapper-dev libncurses-dev scdoc
	fio qemu-utils e2fsprogs jq xz-utils bc procps util-linux
	clang clang-tidy clang-format llvm libclang-rt-dev sparse valgrind
	qemu-system-x86 seabios busybox-static dmsetup kmod cpio zstd xfsprogs libaio-dev zlib1g-dev
	bcache-tools thin-provisioning-tools"

die() {
	echo "setup: $*" >&2
	exit 1
}

# apt-get with its output kept back; on failure the last error line goes into ours.
apt() {
	local out
	out=$(apt-get -q -y -o DPkg::Lock::Timeout=120 "$@" </dev/null 2>&1) ||
		die "apt-get $1 failed: $(grep -E '^(E|Err):?' <<<"$out" | tail -n 1)"
}

tmp=
trap '[ -z "$tmp" ] || rm -rf "$tmp"' EXIT
updated=no
update() {
	[ $updated = yes ] && return
	[ "$(id -u)" = 0 ] || die "packages are missing (${missing[*]}): run tools/setup.sh as root"
	echo "setup: installing ${missing[*]}"
	apt update
	updated=yes
}

has_headers() { # RELEASE-PREFIX
	compgen -G "/usr/src/linux-headers-$1*-amd64/Makefile" >/dev/null ||
		compgen -G "$HEADERS/linux-headers-$1*-amd64/Makefile" >/dev/null
}

install_headers_612() {
	local abi dir
	abi=$(apt-cache pkgnames linux-headers-6.12 | grep -E '^linux-headers-6\.12[0-9.]*\+deb12-amd64$' |
		sort -V | tail -n 1)
	[ -n "$abi" ] || die "apt knows no linux-headers-6.12*+deb12-amd64: enable bookworm-security or bookworm-backports"
	abi=${abi#linux-headers-}
	apt install --no-install-recommends "linux-headers-${abi%-amd64}-common" "linux-kbuild-${abi%-amd64}"
	dir=$HEADERS/linux-headers-$abi
	mkdir -p "$HEADERS" && tmp=$(mktemp -d "$HEADERS/tmp.XXXXXX") || die "cannot write $HEADERS"
	chmod 755 "$tmp"	# apt downloads as its own user
	(cd "$tmp" && apt download "linux-headers-$abi") || exit 1
	dpkg -x "$tmp"/*.deb "$tmp/root" || die "cannot unpack linux-headers-$abi"
	ln -sfn "/usr/lib/linux-kbuild-${abi%-amd64}/scripts" "$tmp/root/usr/src/linux-headers-$abi/scripts"
	ln -sfn "/usr/lib/linux-kbuild-${abi%-amd64}/tools" "$tmp/root/usr/src/linux-headers-$abi/tools"
	mv "$tmp/root/usr/src/linux-headers-$abi" "$dir" || die "cannot write $dir"
}

mapfile -t missing < <(
	# shellcheck disable=SC2086
	dpkg-query -W -f='${db:Status-Status} ${Package}\n' $PACKAGES 2>/dev/null |
		awk -v want="${PACKAGES//$'\n'/ }" '
			$1 == "installed" { have[$2] = 1 }
			END { n = split(want, w, /[ \t]+/); for (i = 1; i <= n; i++) if (w[i] != "" && !(w[i] in have)) print w[i] }')
has_headers 6.1. || missing+=(linux-headers-amd64)

if [ ${#missing[@]} -gt 0 ]; then
	update
	apt install --no-install-recommends "${missing[@]}"
fi
if ! has_headers 6.12; then
	missing=("linux-headers-6.12*")
	update
	install_headers_612
fi
exit 0
