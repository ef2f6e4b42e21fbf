#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
#	programs.sh SCRIPT	an archive, on stdout, of what the comment lines "programs:" and "files:" of a test name,
#				and of systemd, if it has a line "systemd"
#
# Nothing, if they name nothing. HOTSET is the command; the plugin and the programs of tests/tools lie beside it.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
script=$1
built=$(dirname "$HOTSET")

die() {
	echo "vm: $*" >&2
	exit 1
}

words() { # MARK
	sed -n "s/^# $1: //p" "$script"
}

add_libraries() { # PROGRAM...
	local lib
	for lib in $(ldd "$@" 2>/dev/null | sed -n 's,^[[:space:]][^/]*\(/[^ ]*\) (0x.*,\1,p' | sort -u); do
		[ -e "$dir$lib" ] || install -D "$lib" "$dir$lib"
	done
}

# A program with its libraries.
add_program() { # NAME
	local path=$HOTSET
	if [ "$1" = hotset ]; then
		install -D "$built/nbdkit-hotset-plugin.so" "$dir/bin/nbdkit-hotset-plugin.so" || die "no plugin: run make"
	elif [ -x "$built/tools/$1" ]; then
		path=$built/tools/$1
	else
		path=$(PATH=$PATH:/sbin:/usr/sbin command -v "$1") || die "no $1: run tools/setup.sh"
	fi
	install -D "$(readlink -f "$path")" "$dir/bin/$1" || die "no $1"
	add_libraries "$path"
}

# systemd and udev, as their packages have them, with the libraries.
add_systemd() {
	dpkg -L systemd udev | grep -E '^/(usr/)?(lib/systemd|lib/udev|bin)/' | sed 's,^/,,' |
		tar -C / --no-recursion -cf - -T - | tar -C "$dir" -xf - || return
	# shellcheck disable=SC2046
	add_libraries $(find "$dir" -type f -perm -100)
}

[ -n "$(words programs)$(words files)" ] || exit 0
dir=$(mktemp -d "${TMPDIR:-/tmp}/hotset-programs.XXXXXX") || exit 1
trap 'rm -rf "$dir"' EXIT
chmod 755 "$dir"	# it becomes the machine's /
for name in $(words programs); do
	add_program "$name"
done
for file in $(words files); do
	install -D -m 644 "$(cd "$root" && realpath "$file")" "$dir/${file#/}" || die "no $file"
done
! grep -qx '# systemd' "$script" || add_systemd || die "systemd"
cd "$dir" && find . | cpio -o -H newc --quiet
