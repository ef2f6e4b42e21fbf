# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Power cuts that can be repeated: dm-log-writes under the cache and under the origin; both are put together again as
# they were at many moments, without anything that had not been flushed (tools/replay.c says how that is one moment for
# both). What was flushed through the cache by then must be there: loaded by the module, or written back
# by the command. First the pattern, then ext4 with files and fsync.
# timeout: 1200
# memory: 2560
# command
load_module
modprobe dm-log-writes
origin_mib=32 cache_mib=12 log_mib=640
cp /dev/null /tmp/rounds

build() { # TABLE ARGUMENTS: the device on logged disks
	local n
	for n in 0 1; do
		[ -d /sys/kernel/config/nullb/nullb$n ] && echo 0 >/sys/kernel/config/nullb/nullb$n/power && rmdir /sys/kernel/config/nullb/nullb$n
	done
	for n in 2 3; do
		[ -d /sys/kernel/config/nullb/nullb$n ] && echo 0 >/sys/kernel/config/nullb/nullb$n/power && rmdir /sys/kernel/config/nullb/nullb$n
		disk $n $log_mib
	done
	disk 0 $origin_mib
	disk 1 $cache_mib
	create lo "0 $(sectors /dev/nullb0) log-writes /dev/nullb0 /dev/nullb2" || die "log of the origin"
	create lc "0 $(sectors /dev/nullb1) log-writes /dev/nullb1 /dev/nullb3" || die "log of the cache"
	create c "0 $(sectors /dev/nullb0) hotset /dev/mapper/lo /dev/mapper/lc $1" || die "not created: $1"
	dmsetup message c 0 set dirty_age 1
}

record() { # SECONDS COMMAND...: under marks
	local seconds=$1 load marker
	shift
	: >/tmp/rounds
	mark 10 /tmp/rounds lo lc &
	marker=$!
	"$@" >/tmp/rounds 2>/tmp/errors &
	load=$!
	sleep $seconds
	kill -0 $load || die "the load has ended: $(cat /tmp/errors)"
	kill $load
	wait $load
	kill $marker || die "a log cannot be marked"
	wait $marker
	[ ! -s /tmp/errors ] || die "$(cat /tmp/errors)"
	! grep -q ' /mnt ' /proc/mounts || umount /mnt || die "/mnt is in use"
	remove c
	remove lo
	remove lc
}

# Each moment in turn: CHECK LAST is run with the device r on the two disks; of three every third by the command.
check_all() { # MOST CHECK WHAT
	local from=- nr=0 every point last a b
	replay points /dev/nullb2 /dev/nullb3 >/tmp/points || die "points"
	nr=$(wc -l </tmp/points)
	at_least "points: $3" "$nr" 8
	every=$(((nr + $1 - 1) / $1))
	awk "NR % $every == 0" /tmp/points >/tmp/chosen
	truncate -s ${origin_mib}M /tmp/origin
	truncate -s ${cache_mib}M /tmp/cache
	n=0
	while read -r point; do
		last=${point##*.}
		a=$(replay to /dev/nullb2 /tmp/origin $from $point) && b=$(replay to /dev/nullb3 /tmp/cache $from $point) ||
			die "replay to $point"
		from=$point
		dd if=/tmp/origin of=/dev/nullb0 bs=1M oflag=direct 2>/dev/null
		dd if=/tmp/cache of=/dev/nullb1 bs=1M oflag=direct 2>/dev/null
		n=$((n + 1))
		if [ $((n % 3)) = 0 ]; then
			hotset_command check --data /dev/nullb1 >/tmp/check 2>&1 || die "$3, $point: $(cat /tmp/check)"
			hotset_command writeback /dev/nullb0 /dev/nullb1 >/tmp/check 2>&1 || die "$3, $point: $(cat /tmp/check)"
			create r "0 $(sectors /dev/nullb0) linear /dev/nullb0 0"
		else
			create r "0 $(sectors /dev/nullb0) hotset /dev/nullb0 /dev/nullb1 1" ||
				die "$3, $point: does not load: $(dmesg | tail -n 4)"
		fi
		$2 $last $point
		remove r
	done </tmp/chosen
	echo "$3: $n of $nr consistent points, the last after round $last"
	[ -s /tmp/chosen ] && [ "$last" -gt 0 ] || die "$3: nothing was flushed"
	rm /tmp/origin /tmp/cache
}

check_pattern() { # LAST POINT
	pattern verify /dev/mapper/r 21 $1 >/tmp/verify 2>&1 || die "$2: $(cat /tmp/verify)"
}

# A file a round, one in three removed again. It ends between two commands, so that nothing of it uses /mnt any more.
files() {
	trap 'exit 0' TERM
	n=0
	while :; do
		n=$((n + 1))
		i=0
		while [ $i -lt 400 ]; do echo "file $n line $i"; i=$((i + 1)); done | dd of=/mnt/file.$n bs=64k conv=fsync 2>/dev/null ||
			exit 1
		[ $((n % 3)) = 0 ] && rm -f /mnt/file.$((n - 2))
		[ $((n % 50)) = 0 ] && rm -f /mnt/file.$((n - 49))
		echo "flushed $n"
	done
}

check_files() { # LAST POINT
	local i n
	modprobe ext4
	mount -t ext4 /dev/mapper/r /mnt || die "$2: mount: $(dmesg | tail -n 3)"
	n=$1
	# The last ten at least must be there, but for those that were removed.
	while [ $n -gt 0 ] && [ $n -gt $(($1 - 10)) ]; do
		if [ $((n % 3)) != 1 ] || [ $n -gt $(($1 - 2)) ]; then
			if [ -e /mnt/file.$n ] || [ $((n % 3)) != 1 ]; then
				i=0
				while [ $i -lt 400 ]; do echo "file $n line $i"; i=$((i + 1)); done | cmp - /mnt/file.$n || die "$2: file $n"
			fi
		fi
		n=$((n - 1))
	done
	umount /mnt
	e2fsck -fn /dev/mapper/r >/tmp/fsck 2>&1 || die "$2: $(cat /tmp/fsck)"
}

for args in "0 8 2048 256 1" "0 32 512 64 1 1 no_checksums" "0 8 2048 256 0"; do
	build "$args"
	record 8 pattern write /dev/mapper/c 21 1 1000000
	check_all 18 check_pattern "$args"
done
build "0 8 2048 256 1"
mke2fs -q -t ext4 -E nodiscard /dev/mapper/c || die "mke2fs"
mount -t ext4 /dev/mapper/c /mnt || die "mount"
record 12 files
check_all 18 check_files ext4
