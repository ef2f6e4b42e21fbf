#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# The kernel target beside its peers, in one virtual machine, one after the other on the same simulated disks, with
# the same fio jobs. The machine counts instructions as its clock (QEMU's -icount: one is one nanosecond, time in which
# nothing runs passes at once), so that the same run gives the same figures, whatever else this computer does. Lock
# contention and cache misses are not in them.
#
#	DEVICES="raw hotset" PARTS=software bench/vm.sh		some of it
#
# KERNEL (6.1) is booted. Writes bench/out/vm.json and prints a table.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
here=$root/tests/vm
export HOTSET_CACHE=${HOTSET_CACHE:-/var/cache/hotset}
build=${BUILD:-$root/build/gcc/vm}
series=${KERNEL:-6.1}
out=${OUT:-$root/bench/out}
limit=${LIMIT:-5400}	# seconds of real time
. "$here/lib.sh"

"$root/tools/setup.sh" || exit 1
mkdir -p "$build" "$out"
dir=$(mktemp -d "$build/bench.XXXXXX") || exit 1
qemu=
stop() {
	[ -z "$qemu" ] || kill -KILL "$qemu" 2>/dev/null
	rm -rf "$dir"
}
trap stop EXIT
trap 'exit 130' INT TERM HUP

kernel=$("$here/kernel.sh" "$series") || exit 1
build_tools
"$here/fio.sh" || die "no fio for the machines"
build_module "$kernel" "$build/module-$series"
mkdir -p "$dir/crc" && cp "$root"/bench/vm/crc/* "$dir/crc/"
make -C "$kernel/headers" M="$dir/crc" modules >"$dir/crc/make.log" 2>&1 || die "crc-cost does not build: $(tail -n 3 "$dir/crc/make.log")"

{
	for variable in DEVICES PARTS HITS SECONDS_EACH MISSES ZIPF PROFILE; do
		[ -z "${!variable:-}" ] || echo "$variable='${!variable}'"
	done
	cat "$root/bench/vm/guest.sh"
} >"$dir/script"
job_image "$build/module-$series" "$dir/script" "$dir/job.cpio"
(cd "$dir/crc" && echo ./crc-cost.ko | cpio -o -H newc --quiet) >"$dir/crc.cpio"
image_of "$kernel" >/dev/null
cat "$(image_of "$kernel")" "$dir/job.cpio" "$dir/crc.cpio" >"$dir/initrd"

# shellcheck disable=SC2054
machine=(qemu-system-x86_64 -M q35,hpet=off -accel tcg,thread=single -smp 1 -icount shift=0,sleep=off -m 2048
	-cpu max,-erms,-rdrand,-rdseed -seed 1 -rtc base=2024-01-01T00:00:00,clock=vm
	-nodefaults -no-user-config -display none -no-reboot -serial "file:$dir/console"
	-chardev "file,id=results,path=$dir/results" -serial chardev:results
	-kernel "$kernel/vmlinux" -initrd "$dir/initrd"
	-append "console=ttyS0 panic=-1 nokaslr tsc=reliable quiet")
# PLUGIN: see bench/vm/profile.sh.
timeout "$limit" setpriv --pdeathsig KILL "${machine[@]}" ${PLUGIN:+-plugin "$PLUGIN"} </dev/null >"$dir/qemu.log" 2>&1 &
qemu=$!
wait $qemu
qemu=
cp "$dir/results" "$out/vm.results" 2>/dev/null
cp "$dir/console" "$out/vm.console" 2>/dev/null
grep -aqx 'status 0' "$dir/results" || {
	tail -n 20 "$dir/qemu.log" "$dir/results" "$dir/console" >&2
	die "the machine did not end well"
}
[ -n "${PROFILE:-}" ] || "$root/bench/vm/report.sh" "$dir/results" "$out/vm.json"
