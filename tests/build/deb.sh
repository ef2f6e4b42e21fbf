#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# The Debian packages build, hold what they should and nothing else, know what they depend on; the library in them can be
# linked with, and the command in them runs.
# timeout: 900
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
tmp=$(mktemp -d "${TMPDIR:-/tmp}/deb.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
failed=0
complain() {
	echo "FAIL: $*"
	failed=1
}

"$root/tools/deb.sh" "$tmp/out" || { tail -n 20 "$tmp/out/build.log"; exit 1; }
version=$(sed -n 's/.*HS_VERSION_STRING[[:space:]]*"\(.*\)"/\1/p' "$root/include/hotset/hotset.h")
multiarch=$(dpkg-architecture -qDEB_HOST_MULTIARCH)
arch=$(dpkg-architecture -qDEB_HOST_ARCH)

holds() { # PACKAGE ARCH; the paths on stdin, of files and empty directories; docs are not listed
	local deb=$tmp/out/$1_${version}_$2.deb wanted
	wanted=$(sort)
	[ -e "$deb" ] || { complain "no $deb"; return; }
	dpkg-deb -x "$deb" "$tmp/root" || complain "$1 cannot be unpacked"
	dpkg-deb -x "$deb" "$tmp/$1"
	diff <(echo "$wanted") <(cd "$tmp/$1" && find . \( -type d -empty -o ! -type d \) ! -path './usr/share/doc/*' |
		sed 's,^\./,,' | sort) >"$tmp/diff" || { grep '^[<>]' "$tmp/diff"; complain "contents of $1 (< wanted, > there)"; }
}

depends() { # PACKAGE ARCH PATTERN...
	local pattern
	for pattern in "${@:3}"; do
		dpkg-deb -f "$tmp/out/$1_${version}_$2.deb" Depends | grep -qE "$pattern" || complain "$1 does not depend on $pattern"
	done
}

pages=$(cd "$root/docs/man" && for page in *.scd; do
	page=${page%.scd}
	[ "$page" = hotset-sim.1 ] || echo "usr/share/man/man${page##*.}/$page.gz"
done)
holds hotset "$arch" <<LIST
etc/hotset
usr/bin/hotset
usr/lib/$multiarch/nbdkit/plugins/nbdkit-hotset-plugin.so
usr/lib/systemd/system/hotset@.service
usr/lib/udev/rules.d/90-hotset.rules
usr/share/bash-completion/completions/hotset
$pages
LIST
holds libhotset0 "$arch" <<LIST
usr/lib/$multiarch/libhotset.so.0
LIST
holds libhotset-dev "$arch" <<LIST
usr/include/hotset/enums.h
usr/include/hotset/hotset.h
usr/lib/$multiarch/libhotset.a
usr/lib/$multiarch/libhotset.so
usr/lib/$multiarch/pkgconfig/hotset.pc
LIST
holds hotset-dkms all < <(cd "$root" && printf "usr/src/hotset-$version/%s\n" Kbuild dkms.conf core/SOURCES \
	$(sed 's,^,core/,' core/SOURCES) core/*.h kernel/*.[ch] include/hotset/enums.h)
[ "$(ls "$tmp"/out/*.deb | wc -l)" = 4 ] || complain "other packages: $(ls "$tmp/out")"

depends hotset "$arch" libdevmapper1 libncurses6 libnbd0 libjson-c5 libc6 '\bnbdkit\b'
depends libhotset0 "$arch" libnbd0 libblkid1
depends libhotset-dev "$arch" "libhotset0 \(= $version\)"
depends hotset-dkms all dkms
for package in hotset libhotset0 libhotset-dev; do
	! dpkg-deb -f "$tmp/out/${package}_${version}_$arch.deb" Depends | grep -q dkms || complain "$package depends on dkms"
done
dpkg-deb --ctrl-tarfile "$tmp/out/hotset-dkms_${version}_all.deb" | tar -xO ./postinst | grep -qx "DKMS_VERSION=$version" ||
	complain "hotset-dkms does not register the module"
conf=$tmp/root/usr/src/hotset-$version/dkms.conf
grep -qx "PACKAGE_VERSION=\"$version\"" "$conf" || complain "dkms.conf: $(grep VERSION "$conf")"

# What is in them works where they put it.
lib=$tmp/root/usr/lib/$multiarch
[ "$("$tmp/root/usr/bin/hotset" --version)" = "hotset $version" ] || complain "hotset --version"
strings -a "$tmp/root/usr/bin/hotset" | grep -qx "/usr/lib/$multiarch/nbdkit/plugins" || complain "where the plugin is"
cat >"$tmp/use.c" <<-'CODE'
	#include <stdio.h>
	#include <hotset/hotset.h>
	int main(void)
	{
		puts(hs_mode_name(HS_MODE_WRITEBACK));
		return 0;
	}
CODE
export PKG_CONFIG_PATH=$lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$tmp/root
# shellcheck disable=SC2046
gcc -Wall -Werror -o "$tmp/use" "$tmp/use.c" $(pkg-config --cflags --libs hotset) || complain "linking with libhotset"
[ "$(LD_LIBRARY_PATH=$lib "$tmp/use")" = writeback ] || complain "a program with libhotset"
man -l "$tmp/root/usr/share/man/man5/hotset.conf.5.gz" 2>/dev/null | grep -q 'caches that come up at boot' || complain "hotset.conf(5)"
exit $failed
