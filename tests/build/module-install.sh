#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# The module's two ways into a system: `make modules_install`, and DKMS, which builds it from what `make install-dkms`
# puts into place (in directories of its own: nothing of this machine is touched).
# timeout: 900
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/lib/headers.sh"
tmp=$(mktemp -d "${TMPDIR:-/tmp}/module-install.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
kdir=$(header_dir 6.1.)
[ -n "$kdir" ] || { echo "FAIL: no kernel headers 6.1: run tools/setup.sh"; exit 1; }
release=${kdir##*/linux-headers-}
version=$(sed -n 's/.*HS_VERSION_STRING[[:space:]]*"\(.*\)"/\1/p' "$root/include/hotset/hotset.h")
failed=0
complain() {
	echo "FAIL: $*"
	failed=1
}

is_module() { # FILE
	[ "$(modinfo -F vermagic "$1" 2>/dev/null | cut -d ' ' -f 1)" = "$release" ] || complain "$1 is no module for $release"
	[ "$(modinfo -F license "$1")" = "Dual BSD/GPL" ] || complain "$1: license $(modinfo -F license "$1")"
}

# A kernel builds beside the sources: in a copy.
mkdir "$tmp/tree"
tar -C "$root" -c --exclude=./build --exclude=./.git . | tar -x -C "$tmp/tree"
make -C "$tmp/tree" KDIR="$kdir" INSTALL_MOD_PATH="$tmp/root" modules_install >"$tmp/log" 2>&1 ||
	{ tail -n 5 "$tmp/log"; complain "make modules_install"; }
module=$(find "$tmp/root/lib/modules/$release" -name 'dm-hotset.ko*')
[ -n "$module" ] || complain "make modules_install installed nothing: $(find "$tmp/root")"
is_module "$module"
make -C "$tmp/tree" KDIR="$kdir" modules_clean >/dev/null 2>&1
left=$(find "$tmp/tree" -name '*.o' -o -name '*.ko' -o -name '.*.cmd')
[ -z "$left" ] || complain "left by make modules_clean: $left"

make -C "$root" DESTDIR="$tmp/dkms-root" install-dkms >"$tmp/log" 2>&1 || { tail -n 5 "$tmp/log"; complain "make install-dkms"; }
mkdir "$tmp/dkms"
dkms=(dkms --dkmstree "$tmp/dkms" --sourcetree "$tmp/dkms-root/usr/src" --kernelsourcedir "$kdir" -k "$release/$(uname -m)")
"${dkms[@]}" add "hotset/$version" >"$tmp/log" 2>&1 && "${dkms[@]}" build "hotset/$version" >>"$tmp/log" 2>&1 ||
	{ tail -n 5 "$tmp/log" "$tmp"/dkms/hotset/*/build/make.log; complain "dkms build"; }
module=$(find "$tmp/dkms/hotset/$version/$release" -name 'dm-hotset.ko*')
[ -n "$module" ] || complain "dkms made nothing: $(find "$tmp/dkms")"
is_module "$module"
exit $failed
