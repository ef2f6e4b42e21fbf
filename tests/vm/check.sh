#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# Tests of the kernel module, in virtual machines (QEMU without acceleration): one machine a test.
#
#	check.sh [short|full] [6.1|6.12|debug] [TEST]	the last line is `N passed, N failed`
#	check.sh shell [6.1|6.12|debug]			a shell in one
#
# The kernel `debug` (debug-kernel.sh) has to be asked for. It is a program of this machine's, with one processor, and
# tells of what else goes unseen: memory used after it was freed, locks taken in the wrong order, leaks.
#
# tests/vm/t/NAME.sh are the tests, run inside (guest/lib.sh). Comment lines of theirs:
#
#	# timeout: SECONDS	(300) of real time; much more than it takes, for a busy computer
#	# short			one of the short set
#	# debug			for the kernel debug alone
#	# memory: MIB	(1536)
#	# cpus: N	(2)
#	# command	the hotset command is there, as hotset_command
#	# cmdline: WORDS	for the kernel's command line
#	# systemd	systemd is the first process (not of the debug kernel, which has not what that takes)
#	# allow: PATTERN	lines of the kernel log that match are expected
#	# complains: PATTERN	(one line a boot) the kernel log must have such a line, and may have any other
#	# broken		the module broken.ko is there
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

# With all its processes: the debug kernel has several, and each has the disks open.
end_machine() {
	kill -KILL -- "-$qemu" 2>/dev/null
	while pgrep -g "$qemu" -r R,S,D >/dev/null; do sleep 0.1; done
}

stop() {
	[ -z "$qemu" ] || end_machine
	qemu=
}
trap stop EXIT
trap 'exit 130' INT TERM HUP

mark() { # NAME SCRIPT DEFAULT: the value of a comment line
	local value
	value=$(sed -n "s/^# $1: //p" "$2" | head -n 1)
	echo "${value:-$3}"
}

# It ends with the shell that started it, however that ends. CONSOLE: a file, or - for this terminal. The console shows
# warnings and worse.
machine() { # KERNEL-DIR INITRD CONSOLE RESULTS APPEND [DISK...]
	local kernel=$1 initrd=$2 console=$3 results=$4 append="console=ttyS0 panic=-1 loglevel=5 $5"
	local memory=${memory:-1536} cpus=${cpus:-2} options=() disk
	shift 5
	if [ -x "$kernel/linux" ]; then
		machine_debug "$@"
	fi
	for disk; do options+=(-drive "file=$disk,if=virtio,format=raw,cache=none,discard=unmap"); done
	[ "$console" = - ] && console=stdio || console=file:$console
	exec ${session:-} setpriv --pdeathsig KILL \
		qemu-system-x86_64 -M q35,hpet=off -accel tcg,thread=multi -smp "$cpus" -m "$memory" -cpu max -nodefaults \
		-no-user-config -display none -no-reboot -serial "$console" -chardev "file,id=results,path=$results" \
		-serial chardev:results -kernel "$kernel/vmlinux" -initrd "$initrd" \
		-append "$append nokaslr no_timer_check mitigations=off" ${options[@]+"${options[@]}"}
}

# The same as a program: serial lines are descriptors, and the checks take memory of their own.
# Of SLUB's checks only those that KASAN does not make.
machine_debug() { # [DISK...]
	local disk n=0 input=null
	for disk; do options+=("ubd$((n++))=$disk"); done
	if [ "$console" = - ]; then input=fd:0; else exec >"$console"; fi
	# shellcheck disable=SC2086
	exec ${session:-} setpriv --pdeathsig KILL "$kernel/linux" "mem=$((memory + memory / 4))M" "initrd=$initrd" con=null ssl=null \
		"ssl0=$input,fd:1" "ssl1=null,fd:3" slab_debug=F ${options[@]+"${options[@]}"} noreboot $append 3>"$results"
}

limit() { # KERNEL-DIR SCRIPT
	local seconds
	seconds=$(mark timeout "$2" 300)
	[ ! -x "$1/linux" ] || seconds=$((seconds * 3))	# its checks slow it down
	echo "$seconds"
}

disks_of() { # SCRIPT DIR: one a line
	[ -z "$(mark disk "$1" "")" ] || printf '%s\n' "$2/origin" "$2/cache"
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
bad_log='WARNING: |\bBUG:? |UBSAN: |INFO: trying to register|Oops|general protection|Kernel panic|blocked for more than|Call Trace|soft lockup|rcu.*stall|refcount_t|kmemleak: [1-9]|use-after-free|possible recursive|inconsistent lock'

complaints() { # LOG SCRIPT BOOT: lines that must not be there, or a word of one that must
	local allow wanted
	wanted=$(sed -n 's/^# complains: //p' "$2" | sed -n "$3p")
	if [ -n "$wanted" ]; then
		grep -qaE "$wanted" "$1" || echo "not one line with: $wanted"
		return
	fi
	allow=$(mark allow "$2" '')
	grep -aE "$bad_log" "$1" | grep -avE "${allow:-^$}" | head -n 5
}

# One machine, to its end, or killed: why not, if it did not go well.
boot() { # KERNEL-DIR SCRIPT DIR NUMBER LAST-ROUND LIMIT KILL-AFTER
	local disks=() append memory cpus ended session=setsid
	memory=$(mark memory "$2" 1536)
	cpus=$(mark cpus "$2" 2)
	append="hotset.boot=$4 hotset.last=$5 $(mark cmdline "$2" "")"
	! grep -qx '# systemd' "$2" || append+=" hotset.systemd"
	mapfile -t disks < <(disks_of "$2" "$3")
	(machine "$1" "$3/initrd" "$3/console$4" "$3/results$4" "$append" ${disks[@]+"${disks[@]}"}) \
		>>"$3/qemu.log" 2>&1 </dev/null &
	qemu=$!
	if [ -n "$7" ]; then
		timeout "$6" bash -c "until grep -aqs '^flushed ' '$3/results$4' || ! kill -0 $qemu; do sleep 0.2; done" \
			2>/dev/null || echo "it flushed nothing in $6 s"
		sleep "$7"
		end_machine
	else
		timeout "$6" tail --pid=$qemu -f /dev/null || { echo "it took more than $6 s"; end_machine; }
	fi
	wait $qemu 2>/dev/null
	ended=$?
	qemu=
	# One that ended by itself met a failure: its test goes on until it is killed.
	[ -z "$7" ] || [ $ended = 137 ] || echo "it ended before it was killed"
	complaints "$3/console$4" "$2" "$4" >"$3/complaints"
	[ ! -s "$3/complaints" ] || echo "the kernel's log"
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
		why=$(boot "$1" "$script" "$dir" $boot "$last" "$(limit "$1" "$script")" "${kill:+$kill.$((boot * 37 % 10))}")
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
	[ "$1" != debug ] || build_broken "$kernel"
	image_of "$kernel" >/dev/null
	if [ $set = shell ]; then
		job_image "$build/module-$1" "" "$build/job.cpio"
		cat "$(image_of "$kernel")" "$build/job.cpio" >"$build/initrd"
		trap - EXIT
		machine "$kernel" "$build/initrd" - /dev/null "hotset.shell"
	fi
	for script in "$here"/t/*.sh; do
		name=$(basename "$script" .sh)
		[ -z "$only" ] || [ "$only" = "$name" ] || continue
		[ "$1" = debug ] || ! grep -qx '# debug' "$script" || continue
		[ "$1" != debug ] || ! grep -qx '# systemd' "$script" || continue
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
