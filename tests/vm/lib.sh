# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
# shellcheck shell=bash
#
# What check.sh and bench/vm.sh have in common: the module, the programs and the images for a machine. Sourced, with
# here (this directory), root (the project's) and build set.

die() {
	echo "vm: $*" >&2
	exit 1
}

make_modules() { # KERNEL-DIR DIR NAME: DIR/NAME.ko
	local arch=x86
	[ ! -x "$1/linux" ] || arch=um
	make -C "$1/headers" ARCH=$arch M="$2" -j"$(nproc)" modules >"$2/make.log" 2>&1 || {
		grep -E '\b(error|Error)\b' -A 3 "$2/make.log" | head -n 30 >&2
		die "the module does not build: $2/make.log"
	}
	strip --strip-debug -o "$2/stripped.ko" "$2/$3.ko" || die "no module $3"
}

# The module, built from a copy of the sources so that both kernels' objects keep apart.
build_module() { # KERNEL-DIR OUT
	[ ! -e "$2/stripped.ko" ] || [ -n "$(find "$root/Kbuild" "$root/core" "$root/kernel" "$root/include/hotset/enums.h" "$1/headers" \
		-newer "$2/stripped.ko" -print -quit)" ] || return 0
	mkdir -p "$2"/{core,kernel,include/hotset}
	cp -u "$root/Kbuild" "$2/"
	cp -u "$root"/core/*.[ch] "$root/core/SOURCES" "$2/core/"
	cp -u "$root"/kernel/*.[ch] "$2/kernel/"
	cp -u "$root/include/hotset/enums.h" "$2/include/hotset/"
	make_modules "$1" "$2" dm-hotset
}

# The module that makes mistakes, for a kernel that should notice them.
build_broken() { # KERNEL-DIR
	mkdir -p "$build/broken"
	cp -u "$here"/broken/* "$build/broken/"
	make_modules "$1" "$build/broken" broken
}

# The hotset command and its libraries, 50 MB, for tests with a comment line "# command": they call it hotset_command.
add_command() { # PROGRAM ROOT
	local lib
	strip -o "$2/bin/hotset" "$1"
	ldd "$1" | grep -oE '/[^ ]+' | while read -r lib; do install -D "$lib" "$2$lib"; done
}

# The second archive: the module, the script, and the helpers.
job_image() { # MODULE-DIR SCRIPT OUT
	local dir
	dir=$(mktemp -d "$build/job.XXXXXX") || exit 1
	mkdir -p "$dir/guest" "$dir/bin"
	cp "$1/stripped.ko" "$dir/dm-hotset.ko"
	cp "$here"/guest/* "$dir/guest/"
	cp "$here/guest/init" "$dir/init"
	cp "$build"/tools/* "$dir/bin/" 2>/dev/null
	! grep -qsx '# broken' "$2" || cp "$build/broken/stripped.ko" "$dir/broken.ko"
	! grep -qsx '# command' "$2" || add_command "$HOTSET" "$dir"
	[ -z "$2" ] || { echo '. /guest/lib.sh'; cat "$2"; } >"$dir/test"
	(cd "$dir" && find . | cpio -o -H newc --quiet) >"$3"
	rm -rf "$dir"
}

# Programs for the machine: one C file each, linked statically.
build_tools() {
	local source
	mkdir -p "$build/tools"
	for source in "$here"/tools/*.c; do
		[ -e "$source" ] || continue
		local out=$build/tools/$(basename "$source" .c)
		[ "$out" -nt "$source" ] || gcc -O2 -Wall -Wextra -static -pthread -o "$out" "$source" -lm || die "$source does not build"
	done
}

image_of() { # KERNEL-DIR: the base archive, made anew when it is older than its recipe
	local image=$1/base.cpio
	[ "$image" -nt "$here/image.sh" ] && { [ ! -e "$HOTSET_CACHE/vm/fio" ] || [ "$image" -nt "$HOTSET_CACHE/vm/fio" ]; } ||
		"$here/image.sh" "$1" "$image" || die "no initramfs"
	echo "$image"
}

