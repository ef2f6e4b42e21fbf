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
#	# timeout: SECONDS	(300) of real time; much more than it takes, for a busy computer
#	# short			one of the short set
#	# memory: MIB	(1536)
#	# cpus: N	(2)
#	# command	the hotset command is there, as hotset_command
#	# cmdline: WORDS	for the kernel's command line
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
# A kernel warning, oops or hung task in the log fails a test. Logs stay in $BUILD/vm. In `make check` each test of the
# short set is one of its own, and runs alone:
# serial
# timeout: 900
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
. "$here/lib.sh"

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

# It ends with the shell that started it, however that ends.
machine() { # KERNEL-DIR INITRD CONSOLE RESULTS APPEND [QEMU-OPTION...]
	local kernel=$1 initrd=$2 console=$3 results=$4 append=$5 memory=${memory:-1536} cpus=${cpus:-2}
	shift 5
	exec setpriv --pdeathsig KILL \
		qemu-system-x86_64 -M q35,hpet=off -accel tcg,thread=multi -smp "$cpus" -m "$memory" -cpu max -nodefaults \
		-no-user-config -display none -no-reboot -serial "$console" -chardev "file,id=results,path=$results" \
		-serial chardev:results -kernel "$kernel/vmlinux" -initrd "$initrd" \
		-append "console=ttyS0 panic=-1 nokaslr no_timer_check mitigations=off $append" "$@"
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
bad_log='WARNING: |\bBUG: |Oops|general protection|Kernel panic|blocked for more than|Call Trace|soft lockup|rcu.*stall|refcount_t|kmemleak: [1-9]|use-after-free|possible recursive|inconsistent lock'

complaints() { # LOG SCRIPT: lines that must not be there
	local allow
	allow=$(mark allow "$2" '')
	grep -aE "$bad_log" "$1" | grep -avE "${allow:-^$}" | head -n 5
}

# One machine, to its end, or killed: why not, if it did not go well.
boot() { # KERNEL-DIR SCRIPT DIR NUMBER LAST-ROUND LIMIT KILL-AFTER
	local options=() append memory cpus ended
	memory=$(mark memory "$2" 1536)
	cpus=$(mark cpus "$2" 2)
	append="quiet hotset.boot=$4 hotset.last=$5 $(mark cmdline "$2" "")"
	mapfile -t options < <(disks_of "$2" "$3")
	(machine "$1" "$3/initrd" "file:$3/console$4" "$3/results$4" "$append" ${options[@]+"${options[@]}"}) \
		>>"$3/qemu.log" 2>&1 </dev/null &
	qemu=$!
	if [ -n "$7" ]; then
		timeout "$6" bash -c "until grep -aqs '^flushed ' '$3/results$4' || ! kill -0 $qemu; do sleep 0.2; done" \
			2>/dev/null || echo "it flushed nothing in $6 s"
		sleep "$7"
		kill -KILL $qemu 2>/dev/null
	else
		timeout "$6" tail --pid=$qemu -f /dev/null || { echo "it took more than $6 s"; kill -KILL $qemu; }
	fi
	wait $qemu 2>/dev/null
	ended=$?
	qemu=
	# One that ended by itself met a failure: its test goes on until it is killed.
	[ -z "$7" ] || [ $ended = 137 ] || echo "it ended before it was killed"
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
		why=$(boot "$1" "$script" "$dir" $boot "$last" "$(mark timeout "$script" 300)" "${kill:+$kill.$((boot * 37 % 10))}")
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
