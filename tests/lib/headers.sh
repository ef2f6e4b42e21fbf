# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
# shellcheck shell=bash
#
# For the scripts in tests/build that compile for kernels: where the headers are. Sourced.

headers=${HOTSET_HEADERS:-/var/cache/hotset}

# The newest header tree of a release, installed or unpacked by tools/setup.sh.
header_dir() { # RELEASE-PREFIX
	local dirs
	dirs=$(compgen -G "/usr/src/linux-headers-$1*-amd64/Makefile"
		compgen -G "$headers/linux-headers-$1*-amd64/Makefile")
	sed 's,/Makefile$,,' <<<"$dirs" | grep -vE -- '-(rt|cloud)-amd64$' | sort -V | tail -n 1
}
