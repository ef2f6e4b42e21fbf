#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
#	deb.sh OUT	Debian packages of the tree as it stands, into the directory OUT
#
# They are built in a copy, so that the tree stays as it is; its log is OUT/build.log.
set -u
cd "$(dirname "$0")/.." || exit 1

die() {
	echo "deb: $*" >&2
	exit 1
}

mkdir -p "$1" && out=$(realpath "$1") || die "cannot make $1"
tmp=$(mktemp -d "${TMPDIR:-/tmp}/hotset-deb.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
source=$tmp/hotset
mkdir "$source"
# Whatever is not built, committed or not.
tar -c --exclude=./build --exclude=./bench/out --exclude=./.git . | tar -x -C "$source" || die "cannot copy the tree"
export DEB_BUILD_OPTIONS=${DEB_BUILD_OPTIONS:-parallel=$(nproc) noautodbgsym nocheck}
(cd "$source" && dpkg-buildpackage -us -uc -b) >"$out/build.log" 2>&1 || {
	grep -iE '\b(error|unmet|cannot|failed)\b' "$out/build.log" | head -n 5 >&2
	die "no packages: see $out/build.log"
}
rm -f "$out"/*.deb
mv "$tmp"/*.deb "$out/" || die "cannot write $out"
echo "deb: $(cd "$out" && echo *.deb)"
