# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Run inside the machine that bench/vm.sh boots, after tests/vm/guest/lib.sh: every device in turn on the same disks.
#
#	figure DEVICE KEY NUMBER	one result
#	json DEVICE KEY			fio's, on the lines up to one "end"
#
# Two origins are there all the time: /dev/nullb0, which costs no time, so that what is measured on it is instructions,
# one a nanosecond of the machine's clock, and /dev/nullb2, a disk of 5 ms and one request at a time. Each device gets a new
# /dev/nullb1 as its SSD, of no time or of 80 us, and of the size that it needs for 64 MiB of data.
# The fast ones have sectors of 4 KiB and are written all over: else it would be null_blk that is measured, eight
# look-ups an I/O.
mib=1048576
origin_mib=256 cache_mib=64 work_mib=16
hits=${HITS:-20000} seconds=${SECONDS_EACH:-3} misses=${MISSES:-20000} zipf=${ZIPF:-20000}
devices=${DEVICES:-raw linear hotset hotset_checksums dm_cache bcache writecache}
parts=${PARTS:-software latency zipf} profile=${PROFILE:-read_hit}

figure() { echo "figure $1 $2 $3"; }

modprobe null_blk nr_devices=0
modprobe dm-cache-smq
modprobe dm-writecache
modprobe bcache
insmod $module || die "the module does not load"
dd if=/dev/urandom of=/tmp/some bs=1M count=1 2>/dev/null

# Pages that were never written cost less to read and more to write.
fill() { # NAME
	while cat /tmp/some; do :; done 2>/dev/null | dd of=/dev/$1 bs=1M iflag=fullblock oflag=direct conv=fsync 2>/dev/null
}

bench_disk() { # N MIB fast|ssd|disk
	case $3 in
	fast) disk $1 $2 cache_size=8 queue_mode=2 submit_queues=1 irqmode=0 blocksize=4096 ;;
	ssd) disk $1 $2 cache_size=8 queue_mode=2 submit_queues=1 irqmode=2 completion_nsec=80000 hw_queue_depth=64 ;;
	disk) disk $1 $2 cache_size=8 queue_mode=2 submit_queues=1 irqmode=2 completion_nsec=5000000 hw_queue_depth=1 ;;
	esac
	echo none >/sys/block/nullb$1/queue/scheduler
	[ $3 != fast ] || fill nullb$1
}

bench_disk 0 $origin_mib fast
bench_disk 2 $origin_mib disk

# ---- the devices ---------------------------------------------------------------------------------------------

cache_map() { # the working set, in dm-cache's form
	local blocks=$((work_mib * 32)) i=0
	echo "<superblock uuid=\"\" block_size=\"64\" nr_cache_blocks=\"$((cache_mib * 32))\" policy=\"smq\" hint_width=\"4\">"
	echo "<mappings>"
	while [ $i -lt $blocks ]; do
		echo "<mapping cache_block=\"$i\" origin_block=\"$i\" dirty=\"false\"/>"
		i=$((i + 1))
	done
	echo "</mappings></superblock>"
}

ssd_mib() { # DEVICE
	case $1 in
	bcache | dm_cache) echo $cache_mib ;;
	writecache) echo $((cache_mib + 2)) ;;
	*) echo $((cache_mib + 24)) ;;
	esac
}

# Write-back of hotset's within a second, else it would not have begun by the time that is measured.
write_back=dirty_age=1

# Nothing lies between a device and its disks. (With dm-linear in between the peers seemed to take 1,900 instructions
# more.)
setup() { # DEVICE fast|slow [WARM]: sets dev, origin, ssd
	local len kind=ssd
	origin=/dev/nullb2 ssd=/dev/nullb1
	[ $2 != fast ] || origin=/dev/nullb0 kind=fast
	len=$(sectors $origin)
	bench_disk 1 $(ssd_mib $1) $kind
	dev=/dev/mapper/x
	case $1 in
	raw) dev=$ssd ;;
	linear) create x "0 $(sectors $ssd) linear $ssd 0" ;;
	hotset) create x "0 $len hotset $origin $ssd 0 8 $((cache_mib * 256)) 512 1 3 force no_checksums $write_back" ;;
	hotset_checksums) create x "0 $len hotset $origin $ssd 0 8 $((cache_mib * 256)) 512 1 2 force $write_back" ;;
	dm_cache)
		bench_disk 4 8 $kind
		dd if=/dev/zero of=/dev/nullb4 bs=1M count=8 oflag=direct 2>/dev/null
		[ -z "${3:-}" ] || { cache_map >/tmp/map.xml && cache_restore -q -i /tmp/map.xml -o /dev/nullb4 --metadata-version 2; } ||
			die "cache_restore"
		create x "0 $len cache /dev/nullb4 $ssd $origin 64 2 metadata2 writeback smq 0"
		;;
	writecache)
		dd if=/dev/zero of=$ssd bs=1M count=1 oflag=direct 2>/dev/null
		create x "0 $len writecache s $origin $ssd 4096 4 high_watermark 95 low_watermark 90"
		;;
	bcache)
		dd if=/dev/zero of=$origin bs=1M count=1 oflag=direct 2>/dev/null
		dd if=/dev/zero of=$ssd bs=1M count=1 oflag=direct 2>/dev/null
		make-bcache -b 64k -w 4k --writeback -B $origin -C $ssd >/dev/null || die "make-bcache"
		echo $ssd >/sys/fs/bcache/register
		echo $origin >/sys/fs/bcache/register
		there() { [ -b /dev/bcache0 ]; }
		wait_for 10 there || die "no bcache0"
		echo 0 >/sys/block/bcache0/bcache/sequential_cutoff
		for n in /sys/fs/bcache/*/congested_*_us; do echo 0 >$n; done
		dev=/dev/bcache0
		;;
	esac
	[ -b $dev ] || die "$dev"
}

teardown() { # DEVICE
	case $1 in
	raw) ;;
	bcache)
		echo 1 >/sys/block/bcache0/bcache/stop
		for n in /sys/fs/bcache/*-*/stop; do echo 1 >$n; done
		gone() { [ ! -b /dev/bcache0 ] && ! ls /sys/fs/bcache | grep -q -; }
		wait_for 60 gone || die "bcache does not stop"
		sleep 1
		;;
	*) remove x ;;
	esac
	for n in 1 4; do
		[ ! -d /sys/kernel/config/nullb/nullb$n ] || rmdir /sys/kernel/config/nullb/nullb$n
	done
}

# Each caches what it can: by reading, or, where only writes are cached or reads seldom, by writing.
warm() { # DEVICE
	case $1 in
	raw | linear) ;;
	hotset | hotset_checksums)
		dd if=$dev of=/dev/null bs=64k count=$((work_mib * 16)) iflag=direct 2>/dev/null
		sleep 3
		;;
	*)
		dd if=/dev/zero of=$dev bs=64k count=$((work_mib * 16)) oflag=direct conv=notrunc 2>/dev/null
		sleep 3
		;;
	esac
}

hits_of() { # DEVICE: hits and requests
	case $1 in
	hotset*) echo $(($(stat_of x read_hits) + $(stat_of x write_hits))) $(($(stat_of x 5) + $(stat_of x 6))) ;;
	dm_cache) dmsetup status x | awk '{ print $8 + $10, $8 + $9 + $10 + $11 }' ;;
	writecache) dmsetup status x | tr -d , | awk '{ print $9 + $11 + $12, $8 + $10 }' ;;
	bcache)
		sleep 30
		(cd /sys/block/bcache0/bcache/stats_total && read -r h <cache_hits && read -r m <cache_misses && echo $h $((h + m)))
		;;
	*) echo 0 0 ;;
	esac
}

# ---- the measurements ----------------------------------------------------------------------------------------

job() { # OPTIONS...: with fio's start and end, which are the same for all
	fio --name=j --filename=$dev --ioengine=libaio --direct=1 --bs=4k --iodepth=1 \
		--output-format=json --output=/tmp/fio.json "$@" >/tmp/fio.err 2>&1 || die "fio: $(head -n 5 /tmp/fio.err /tmp/fio.json)"
}

json() { # DEVICE KEY
	echo "json $1 $2"
	cat /tmp/fio.json
	echo end
}

idle_ns() { # since the machine was started
	awk '$1 == ".idle_sleeptime" { print $3 }' /proc/timer_list
}

# Of the first, what fio waited for each; of the others the whole of its time, since work in the background is to count:
# the writes go on for so long that write-back has its turn. Time in which nothing ran is told apart: bcache waits for
# room in its journal, a fifth of a second each time.
software() { # DEVICE
	local idle
	setup $1 fast warm
	warm $1
	job --rw=randread --size=${work_mib}M --io_size=$((hits * 4096))
	json $1 cost_read_hit
	[ $1 != hotset ] || at_least "hits" "$(stat_of x read_hits)" $hits
	idle=$(idle_ns)
	job --rw=randwrite --size=${work_mib}M --time_based --runtime=$seconds
	figure $1 write_hit_idle $(($(idle_ns) - idle))
	json $1 cost_write_hit
	teardown $1
	setup $1 fast
	at_origin $1
	job --rw=randread --offset=16M --size=192M --io_size=$((misses * 4096))
	json $1 cost_read_miss
	teardown $1
}

# Where there is no cache: misses are measured on the origin.
at_origin() { # DEVICE
	case $1 in
	raw) dev=$origin ;;
	linear)
		remove x
		create x "0 $(sectors $origin) linear $origin 0"
		;;
	esac
}

latency() { # DEVICE
	# Before there is anything to write back, which would share the disk.
	setup $1 slow warm
	at_origin $1
	job --rw=randread --offset=64M --size=64M --io_size=$((200 * 4096))
	json $1 read_miss
	teardown $1
	setup $1 slow warm
	warm $1
	job --rw=randread --size=${work_mib}M --io_size=8M
	json $1 read_hit
	job --rw=randwrite --size=${work_mib}M --time_based --runtime=6
	json $1 write_hit
	job --rw=randwrite --size=${work_mib}M --io_size=$((1000 * 4096)) --fsync=1
	json $1 write_fsync
	teardown $1
}

# The disk is what is short. Write-back as each has it by default.
zipf() { # DEVICE
	local write_back=dirty_age=30 part before after
	case $1 in raw | linear) return ;; esac
	setup $1 slow
	for part in 1 2 3; do
		[ -s /tmp/zipf$part ] || /bin/zipf $((origin_mib * 256 - 256)) 0.9 70 7 $(((part - 1) * zipf)) $zipf >/tmp/zipf$part
		[ $part != 3 ] || before=$(hits_of $1)
		fio --name=j --ioengine=libaio --direct=1 --iodepth=32 --read_iolog=/tmp/zipf$part --replay_no_stall=1 \
			--replay_redirect=$dev --output-format=json --output=/tmp/fio.json >/tmp/fio.err 2>&1 ||
			die "fio: $(head -n 5 /tmp/fio.err /tmp/fio.json)"
	done
	json $1 zipf
	after=$(hits_of $1)
	figure $1 zipf_hits $((${after% *} - ${before% *}))
	figure $1 zipf_requests $((${after#* } - ${before#* }))
	teardown $1
}

# For bench/vm/profile.sh: the same job over more or fewer requests, and where the functions are.
profile() { # DEVICE
	case $profile in
	write_fsync) setup $1 slow warm ;;
	*) setup $1 fast warm ;;
	esac
	warm $1
	case $profile in
	read_hit) job --rw=randread --size=${work_mib}M --io_size=$((hits * 4096)) ;;
	write_hit) job --rw=randwrite --size=${work_mib}M --io_size=$((hits * 4096)) ;;
	write_fsync) job --rw=randwrite --size=${work_mib}M --io_size=$((hits * 4096)) --fsync=1 ;;
	esac
	echo symbols
	grep -i ' t ' /proc/kallsyms | gzip | base64
	echo end
	teardown $1
}

for part in $parts; do
	for device in $devices; do
		$part $device
	done
done
[ -e /crc-cost.ko ] && { insmod /crc-cost.ko 2>/dev/null; figure crc cost $(dmesg | sed -n 's/.*crc-cost: \([0-9]*\).*/\1/p' | tail -n 1); }
exit 0
