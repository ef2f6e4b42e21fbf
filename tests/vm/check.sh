#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# Tests of the kernel module, in virtual machines (QEMU without acceleration): one machine a test.
#
#	check.sh [short|full] [6.1|6.12] [TEST]		the last line is `N passed, N failed`
#	check.sh shell [6.1|6.12]			a shell in one
#
# tests/vm/t/NAME.sh are the tests, run inside (guest/lib.sh). Comment lines of theirs:
#
#	# timeout: SECONDS	(120)
#	# short			one of the short set
#	# memory: MIB	(1536)
#	# allow: PATTERN	lines of the kernel log that match are expected
#	# disk: ORIGIN-MIB CACHE-MIB	two files as disks, /dev/vda and /dev/vdb
#	# host: COMMANDS	run before, in a directory with those files: origin, cache
#	# programs: NAME...	the machine gets these as well: hotset (with the plugin), tests/tools' and any of the PATH
#	# files: PATH...	and these: at their own places, or below / if they are the project's
#	# after: COMMANDS	run after each boot ($boot); the test passes only if they do
#	# boots: N	so many machines one after the other, on the same disks
#	# kill: SECONDS	all but the last are killed so long after they first said "flushed N"; the next one finds
#			the last such N as hotset.last=N on its command line
#
# A kernel warning, oops or hung task in the log fails a test. Logs stay in $BUILD/vm.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
export HOTSET_CACHE=${HOTSET_CACHE:-/var/cache/hotset}
build=${BUILD:-$root/build/vm}
set=full
case ${1:-} in short | full | shell) set=$1 && shift ;; esac
kernels=${1:-6.1 6.12}
[ $set != shell ] || kernels=${1:-6.12}
only=${2:-}
passed=0 failed=0
qemu=

die() {
	echo "vm: $*" >&2
	exit 1
}

stop() {
	[ -z "$qemu" ] || kill -KILL "$qemu" 2>/dev/null
	qemu=
}
trap stop EXIT
trap 'exit 130' INT TERM HUP

mark() { # NAME SCRIPT DEFAULT: the value of a comment line
	local value
	value=$(sed -n "s/^# $1: //p" "$2" | head -n 1)
	echo "${value:-$3}"
}

# The module, built from a copy of the sources so that both kernels' objects keep apart.
build_module() { # KERNEL-DIR OUT
	mkdir -p "$2"/{core,kernel,include/hotset}
	cp -u "$root/Kbuild" "$2/"
	cp -u "$root"/core/*.[ch] "$root/core/SOURCES" "$2/core/"
	cp -u "$root"/kernel/*.[ch] "$2/kernel/"
	cp -u "$root/include/hotset/enums.h" "$2/include/hotset/"
	make -C "$1/headers" M="$2" -j"$(nproc)" modules >"$2/make.log" 2>&1 || {
		grep -E '\b(error|Error)\b' -A 3 "$2/make.log" | head -n 30 >&2
		die "the module does not build: $2/make.log"
	}
	strip --strip-debug -o "$2/stripped.ko" "$2/dm-hotset.ko"
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
		[ "$out" -nt "$source" ] || gcc -O2 -Wall -Wextra -static -pthread -o "$out" "$source" || die "$source does not build"
	done
}

image_of() { # KERNEL-DIR: the base archive, made anew when it is older than its recipe
	local image=$1/base.cpio
	[ "$image" -nt "$here/image.sh" ] && { [ ! -e "$HOTSET_CACHE/vm/fio" ] || [ "$image" -nt "$HOTSET_CACHE/vm/fio" ]; } ||
		"$here/image.sh" "$1" "$image" || die "no initramfs"
	echo "$image"
}

machine() { # KERNEL-DIR INITRD CONSOLE RESULTS APPEND [QEMU-OPTION...]
	local kernel=$1 initrd=$2 console=$3 results=$4 append=$5 memory=${memory:-1536}
	shift 5
	exec qemu-system-x86_64 -M q35,hpet=off -accel tcg,thread=multi -smp 2 -m "$memory" -cpu max -nodefaults \
		-no-user-config -display none -no-reboot -serial "$console" -chardev "file,id=results,path=$results" \
		-serial chardev:results -kernel "$kernel/vmlinux" -initrd "$initrd" \
		-append "console=ttyS0 panic=-1 nokaslr mitigations=off $append" "$@"
}

disks_of() { # SCRIPT DIR: options for qemu, one a line
	local sizes
	sizes=$(mark disk "$1" "")
	[ -n "$sizes" ] || return
	for disk in origin cache; do
		printf '%s\n' -drive "file=$2/$disk,if=virtio,format=raw,cache=none,discard=unmap"
	done
}

prepare_disks() { # SCRIPT DIR
	local sizes
	sizes=$(mark disk "$1" "")
	[ -n "$sizes" ] || return 0
	rm -f "$2/origin" "$2/cache"
	truncate -s "${sizes% *}M" "$2/origin"
	truncate -s "${sizes#* }M" "$2/cache"
	(cd "$2" && eval "$(mark host "$1" true)") >"$2/host.log" 2>&1
}

# What must not stand in a kernel log.
bad_log='WARNING: |BUG: |Oops|general protection|kernel panic|blocked for more than|Call Trace|soft lockup|rcu.*stall|refcount_t|use-after-free|possible recursive|inconsistent lock'

complaints() { # LOG SCRIPT: lines that must not be there
	local allow
	allow=$(mark allow "$2" '')
	grep -aiE "$bad_log" "$1" | grep -avE "${allow:-^$}" | head -n 5
}

# One machine, to its end, or killed: why not, if it did not go well.
boot() { # KERNEL-DIR SCRIPT DIR NUMBER LAST-ROUND LIMIT KILL-AFTER
	local options=() append memory
	memory=$(mark memory "$2" 1536)
	append="quiet hotset.boot=$4 hotset.last=$5"
	mapfile -t options < <(disks_of "$2" "$3")
	(machine "$1" "$3/initrd" "file:$3/console$4" "$3/results$4" "$append" ${options[@]+"${options[@]}"}) \
		>>"$3/qemu.log" 2>&1 </dev/null &
	qemu=$!
	if [ -n "$7" ]; then
		timeout "$6" bash -c "until grep -aqs '^flushed ' '$3/results$4'; do sleep 0.2; done"
		sleep "$7"
		kill -KILL $qemu
	else
		timeout "$6" tail --pid=$qemu -f /dev/null || { echo "it took more than $6 s"; kill -KILL $qemu; }
	fi
	wait $qemu 2>/dev/null
	qemu=
	complaints "$3/console$4" "$2" >"$3/complaints"
	[ ! -s "$3/complaints" ] || echo "the kernel complains"
	[ -n "$7" ] || grep -aqx 'status 0' "$3/results$4" || echo "status"
}

boots() { # KERNEL-DIR MODULE-DIR SCRIPT DIR: why it failed
	local script=$3 dir=$4 nr=1 last=0 kill why flushed
	export boot
	kill=$(mark kill "$script" "")
	prepare_disks "$script" "$dir" || { echo "its preparation failed: $(tail -n 2 "$dir/host.log")"; return; }
	job_image "$2" "$script" "$dir/job.cpio"
	"$here/programs.sh" "$script" >>"$dir/job.cpio" || { echo "no programs for it"; return; }
	cat "$(image_of "$1")" "$dir/job.cpio" >"$dir/initrd"
	nr=$(mark boots "$script" 1)
	for ((boot = 1; boot <= nr; boot++)); do
		[ $boot -lt "$nr" ] || kill=
		why=$(boot "$1" "$script" "$dir" $boot "$last" "$(mark timeout "$script" 120)" "${kill:+$kill.$((boot * 37 % 10))}")
		[ -z "$why" ] || { echo "boot $boot: $why"; return; }
		flushed=$(sed -n 's/^flushed \([0-9]*\).*/\1/p' "$dir/results$boot" | tail -n 1)
		last=${flushed:-$last}
		(cd "$dir" && eval "$(mark after "$script" true)") >"$dir/after.log" 2>&1 ||
			{ echo "boot $boot: what came after failed: $(tail -n 3 "$dir/after.log")"; return; }
	done
}

run_test() { # KERNEL-DIR MODULE-DIR SCRIPT LABEL
	local dir start why
	dir=$build/run/${4//\//-}
	rm -rf "$dir" && mkdir -p "$dir"
	start=$SECONDS
	why=$(boots "$1" "$2" "$3" "$dir")
	rm -f "$dir/initrd" "$dir/job.cpio"
	if [ -z "$why" ]; then
		passed=$((passed + 1))
		echo "ok $4 ($((SECONDS - start)) s)"
		rm -f "$dir/origin" "$dir/cache"
	else
		failed=$((failed + 1))
		cat "$dir"/results* 2>/dev/null | tail -n 25 | sed 's/^/  /'
		[ -s "$dir/complaints" ] && sed 's/^/  [kernel] /' "$dir/complaints"
		echo "FAILED $4 ($((SECONDS - start)) s: $why), logs in $dir"
	fi
}

run_kernel() { # SERIES
	local kernel script name
	kernel=$("$here/kernel.sh" "$1") || exit 1
	build_module "$kernel" "$build/module-$1"
	image_of "$kernel" >/dev/null
	if [ $set = shell ]; then
		job_image "$build/module-$1" "" "$build/job.cpio"
		cat "$(image_of "$kernel")" "$build/job.cpio" >"$build/initrd"
		trap - EXIT
		machine "$kernel" "$build/initrd" stdio /dev/null "hotset.shell quiet"
	fi
	for script in "$here"/t/*.sh; do
		name=$(basename "$script" .sh)
		[ -z "$only" ] || [ "$only" = "$name" ] || continue
		[ $set = full ] || [ -n "$only" ] || grep -qx '# short' "$script" || continue
		run_test "$kernel" "$build/module-$1" "$script" "$1/$name"
	done
}

export HOTSET=${HOTSET:-$root/build/gcc/hotset} TOOLS=$build/tools
mkdir -p "$build"
build_tools
"$here/fio.sh" || die "no fio for the machines"
for series in $kernels; do
	run_kernel "$series"
done
[ $((passed + failed)) -gt 0 ] || { echo "vm: no such test: $only" >&2; failed=1; }
echo "$passed passed, $failed failed"
[ $failed = 0 ]
