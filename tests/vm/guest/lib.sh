# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# What tests in the machine have in common. A test is a script for busybox's shell; it ends with status 0 if all is
# well. Whatever it leaves behind is removed, and the module must then go.
set -u
module=/dm-hotset.ko
target=hotset
boot=$(sed -n 's/.*hotset.boot=\([0-9]*\).*/\1/p' /proc/cmdline)	# which of the machines on these disks
last=$(sed -n 's/.*hotset.last=\([0-9]*\).*/\1/p' /proc/cmdline)	# the last round that an earlier one flushed

# busybox's shell takes its own applets before /bin: these are the real ones.
mke2fs() { /bin/mke2fs "$@"; }
modprobe() { /sbin/modprobe "$@"; }
insmod() { /sbin/insmod "$@"; }
rmmod() { /sbin/rmmod "$@"; }
blkdiscard() { /bin/blkdiscard "$@"; }
fstrim() { /bin/fstrim "$@"; }
hotset_command() { HOTSET_RUNDIR=/run HOTSET_STATEDIR=/run /bin/hotset "$@"; }

die() { # WORDS...
	echo "FAIL: $*"
	exit 1
}

# Memory that nothing points to any more, if this kernel looks for it; young objects and hidden ones need a second look.
kmemleak=/sys/kernel/debug/kmemleak
known_leaks=	# a function of the kernel that leaks by itself: what has it in its backtrace does not count
leaked() {
	awk -v known="${known_leaks:-^$}" '
		function end() { if (object != "" && object !~ known) printf "%s", object; object = "" }
		/^unreferenced/ { end() }
		{ object = object $0 "\n" }
		END { end() }' $kmemleak >/tmp/leaked
	[ -s /tmp/leaked ]
}
leaks() {
	[ -e $kmemleak ] || return 0
	sleep 6
	for i in 1 2; do
		echo scan >$kmemleak
		sleep 1
	done
	leaked || return 0
	echo "FAIL: memory leaks"
	head -n 40 /tmp/leaked
	return 1
}
# Not what the start of the machine left.
[ ! -e $kmemleak ] || { echo scan >$kmemleak; echo clear >$kmemleak; }

finish() {
	rc=$?
	trap - EXIT
	[ $rc = 0 ] || { dmsetup table; dmsetup status; dmesg | sed '1,/module verification/d' | tail -n 40; } 2>/dev/null
	for job in $(jobs -p); do
		kill -KILL $job 2>/dev/null
	done
	swapoff -a 2>/dev/null
	umount -a -t ext4,xfs 2>/dev/null
	for i in 1 2 3; do
		dmsetup remove_all --noudevsync 2>/dev/null
	done
	leaks || rc=1
	if [ -d /sys/module/dm_hotset ] && ! rmmod dm_hotset; then
		echo "FAIL: the module does not go"
		rc=1
	fi
	leaks || rc=1	# and what only the module itself still knew of
	exit $rc
}
trap finish EXIT

# What udev and its rules want of a system that has hotset installed; for a test with systemd/90-hotset.rules in "files:".
udev_system() {
	local n=0 group
	for group in root disk tty kmem input video audio lp cdrom dialout render sgx kvm tape plugdev; do
		echo "$group:x:$n:"
		n=$((n + 1))
	done >/etc/group
	echo 'root:x:0:0::/:/bin/sh' >/etc/passwd
	mkdir -p /etc/hotset /usr/bin /usr/lib
	ln -s /lib/udev /usr/lib/udev
	ln -s /bin/hotset /usr/bin/hotset
	[ -e /sbin/dmsetup ] || ln -s /bin/dmsetup /sbin/dmsetup
	cp /systemd/90-hotset.rules /lib/udev/rules.d/
}

load_module() { # [PARAMETER...]
	insmod $module "$@" || die "the module does not load"
}

# A disk in memory that forgets, at a power cut, what was not flushed; /dev/nullbN.
disk() { # N MIB [ATTRIBUTE=VALUE...]
	local dir=/sys/kernel/config/nullb/nullb$1 attr
	[ -d /sys/module/null_blk ] || modprobe null_blk nr_devices=0
	mkdir $dir
	echo 1 >$dir/memory_backed
	echo 512 >$dir/blocksize
	echo "$2" >$dir/size
	[ ! -e $dir/discard ] || echo 1 >$dir/discard
	shift 2
	for attr in "$@"; do
		echo "${attr#*=}" >$dir/${attr%%=*}
	done
	echo 1 >$dir/power
}

nodes() {
	dmsetup mknodes >/dev/null
}

sectors() { # DEVICE
	blockdev --getsz "$1"
}

# A device-mapper device; its node must be a block device, or a test would pass on a plain file.
create() { # NAME TABLE
	dmsetup create "$1" --noudevsync --noudevrules --table "$2" || return 1
	nodes
	[ -b /dev/mapper/"$1" ] || die "/dev/mapper/$1 is not a block device"
}

# The usual pair: /dev/nullb0 the origin, /dev/nullb1 the cache.
pair() { # ORIGIN-MIB CACHE-MIB
	disk 0 "$1"
	disk 1 "$2"
}

# A live device gets another table, and is not asked to write anything out first.
swap_table() { # NAME TABLE
	dmsetup suspend --noflush --nolockfs "$1" && dmsetup reload "$1" --table "$2" && dmsetup resume --noudevsync "$1" ||
		die "table of $1"
}

# The pair behind devices that can be made to fail: /dev/mapper/o and /dev/mapper/k, of $olen and $clen sectors.
frail_pair() { # ORIGIN-MIB CACHE-MIB
	pair "$1" "$2"
	olen=$(sectors /dev/nullb0)
	clen=$(sectors /dev/nullb1)
	create o "0 $olen linear /dev/nullb0 0"
	create k "0 $clen linear /dev/nullb1 0"
}
origin_ok() { swap_table o "0 $olen linear /dev/nullb0 0"; }
origin_bad() { swap_table o "0 $olen error"; }
cache_ok() { swap_table k "0 $clen linear /dev/nullb1 0"; }
cache_bad() { swap_table k "0 $clen error"; }

# The usual device on it, all of the origin.
hotset() { # NAME ARGUMENTS
	create "$1" "0 $(sectors /dev/nullb0) $target /dev/nullb0 /dev/nullb1 $2"
}

remove() { # NAME
	dmsetup remove --noudevsync "$1" || die "$1 cannot be removed"
	rm -f /dev/mapper/"$1"
}

# One figure of the status: a key, or the number of a fixed field (1: block size).
stat_of() { # NAME KEY|NUMBER
	local status
	status=$(dmsetup status "$1") || die "no status of $1"
	case $2 in
	[0-9]*) echo "$status" | awk -v n="$2" '{ print $(n + 3) }' ;;
	*) echo "$status" | tr ' ' '\n' | sed -n "s/^$2=//p" ;;
	esac
}

expect() { # WHAT IS WANTED
	[ "$2" = "$3" ] || die "$1: $2, not $3"
}

at_least() { # WHAT IS WANTED
	[ "$2" -ge "$3" ] || die "$1: $2, less than $3"
}

wait_for() { # SECONDS COMMAND...
	local left=$(($1 * 10))
	shift
	until "$@"; do
		left=$((left - 1))
		[ $left -gt 0 ] || return 1
		sleep 0.1
	done
}
