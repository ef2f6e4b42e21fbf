# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Run inside the machine that bench/vm.sh boots, after tests/vm/guest/lib.sh: every device in turn on the same disks.
#
#	figure DEVICE KEY NUMBER	one result
#	json DEVICE KEY			fio's, on the lines up to one "end"
#
# /dev/nullb0 and 1 cost no time: what is measured there is instructions, one a nanosecond of the machine's clock.
# Their sectors are of 4 KiB and all are written: else it would be null_blk that is measured, eight look-ups an I/O.
# /dev/nullb2 is a disk of 5 ms and one request at a time, /dev/nullb3 an SSD of 80 us.
mib=1048576
origin_mib=256 cache_mib=64 work_mib=16
hits=${HITS:-20000} writes=${WRITES:-150000} misses=${MISSES:-20000} zipf=${ZIPF:-20000}
devices=${DEVICES:-raw linear hotset hotset_checksums dm_cache bcache writecache}
parts=${PARTS:-software latency zipf} profile=${PROFILE:-read_hit}

figure() { echo "figure $1 $2 $3"; }

modprobe null_blk nr_devices=0
modprobe dm-cache-smq
modprobe dm-writecache
modprobe bcache
insmod $module || die "the module does not load"

for n in 0 1 2 3; do
	case $n in
	0) set -- 0 $origin_mib irqmode=0 blocksize=4096 ;;
	1) set -- 1 $((cache_mib + 24)) irqmode=0 blocksize=4096 ;;
	2) set -- 2 $origin_mib irqmode=2 completion_nsec=5000000 hw_queue_depth=1 ;;
	3) set -- 3 $((cache_mib + 24)) irqmode=2 completion_nsec=80000 hw_queue_depth=64 ;;
	esac
	disk "$@" cache_size=8 queue_mode=2 submit_queues=1
	echo none >/sys/block/nullb$n/queue/scheduler
done

# Pages that were never written cost less to read and more to write.
for n in 0 1; do
	dd if=/dev/urandom of=/tmp/some bs=1M count=1 2>/dev/null
	while cat /tmp/some; do :; done 2>/dev/null | dd of=/dev/nullb$n bs=1M iflag=fullblock oflag=direct conv=fsync 2>/dev/null
done

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

setup() { # DEVICE ORIGIN CACHE WARM: sets dev
	local len
	len=$(sectors $2)
	case $1 in
	raw) dev=$3 ;;
	linear)
		create x "0 $(sectors $3) linear $3 0"
		dev=/dev/mapper/x
		;;
	hotset)
		create x "0 $len hotset $2 $3 0 8 $((cache_mib * 256)) 512 1 3 force no_checksums dirty_age=1"
		dev=/dev/mapper/x
		;;
	hotset_checksums)
		create x "0 $len hotset $2 $3 0 8 $((cache_mib * 256)) 512 1 2 force dirty_age=1"
		dev=/dev/mapper/x
		;;
	dm_cache)
		create meta "0 16384 linear $3 0"
		create fast "0 $((cache_mib * 2048)) linear $3 16384"
		dd if=/dev/zero of=/dev/mapper/meta bs=1M count=8 oflag=direct 2>/dev/null
		[ -z "${4:-}" ] || { cache_map >/tmp/map.xml && cache_restore -q -i /tmp/map.xml -o /dev/mapper/meta --metadata-version 2; } ||
			die "cache_restore"
		create x "0 $len cache /dev/mapper/meta /dev/mapper/fast $2 64 2 metadata2 writeback smq 0"
		dev=/dev/mapper/x
		;;
	writecache)
		dd if=/dev/zero of=$3 bs=1M count=1 oflag=direct 2>/dev/null
		create fast "0 $((cache_mib * 2048 + 4096)) linear $3 0"
		create x "0 $len writecache s $2 /dev/mapper/fast 4096 4 high_watermark 95 low_watermark 90"
		dev=/dev/mapper/x
		;;
	bcache)
		create back "0 $len linear $2 0"
		create fast "0 $((cache_mib * 2048)) linear $3 0"
		dd if=/dev/zero of=/dev/mapper/back bs=1M count=1 oflag=direct 2>/dev/null
		dd if=/dev/zero of=/dev/mapper/fast bs=1M count=1 oflag=direct 2>/dev/null
		make-bcache -b 64k -w 4k --writeback -B /dev/mapper/back -C /dev/mapper/fast >/dev/null || die "make-bcache"
		echo /dev/mapper/fast >/sys/fs/bcache/register
		echo /dev/mapper/back >/sys/fs/bcache/register
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
	raw) return ;;
	bcache)
		echo 1 >/sys/block/bcache0/bcache/stop
		for n in /sys/fs/bcache/*-*/stop; do echo 1 >$n; done
		gone() { [ ! -b /dev/bcache0 ] && ! ls /sys/fs/bcache | grep -q -; }
		wait_for 60 gone || die "bcache does not stop"
		sleep 1
		;;
	*) remove x ;;
	esac
	for n in meta fast back; do
		[ ! -b /dev/mapper/$n ] || remove $n
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

elapsed() { # REQUESTS OPTIONS...: ns
	local n=$1 begun
	shift
	begun=$(clock)
	job --io_size=$((n * 4096)) "$@"
	echo $(($(clock) - begun))
}

# What REQUESTS more requests take: fio's start and end fall out.
timed() { # DEVICE KEY REQUESTS OPTIONS...
	local device=$1 key=$2 n=$3 few many
	shift 3
	few=$(elapsed 500 "$@" ${few_at:-}) || die "$few"
	many=$(elapsed $((n + 500)) "$@") || die "$many"
	figure $device $key $(((many - few) / n))
}

json() { # DEVICE KEY
	echo "json $1 $2"
	cat /tmp/fio.json
	echo end
}

software() { # DEVICE
	setup $1 /dev/nullb0 /dev/nullb1 warm
	warm $1
	timed $1 read_hit $hits --rw=randread --size=${work_mib}M
	[ $1 != hotset ] || at_least "hits" "$(stat_of x read_hits)" $hits
	timed $1 write_hit $writes --rw=randwrite --size=${work_mib}M
	teardown $1
	case $1 in
	raw) dev=/dev/nullb0 ;;
	linear)
		create x "0 $(sectors /dev/nullb0) linear /dev/nullb0 0"
		dev=/dev/mapper/x
		;;
	*) setup $1 /dev/nullb0 /dev/nullb1 ;;
	esac
	few_at="--offset=224M --size=32M"
	timed $1 read_miss $misses --rw=randread --offset=16M --size=192M
	few_at=
	teardown $1
}

latency() { # DEVICE
	setup $1 /dev/nullb2 /dev/nullb3 warm
	warm $1
	job --rw=randread --size=${work_mib}M --io_size=8M
	json $1 read_hit
	case $1 in
	raw) dev=/dev/nullb2 ;;
	linear)
		teardown $1
		create x "0 $(sectors /dev/nullb2) linear /dev/nullb2 0"
		;;
	esac
	# Before there is anything to write back, which would share the disk.
	job --rw=randread --offset=64M --size=64M --io_size=$((200 * 4096))
	json $1 read_miss
	case $1 in
	raw) dev=/dev/nullb3 ;;
	linear)
		teardown $1
		setup $1 /dev/nullb2 /dev/nullb3
		;;
	esac
	job --rw=randwrite --size=${work_mib}M --time_based --runtime=6
	json $1 write_hit
	timed $1 write_fsync 300 --rw=randwrite --size=${work_mib}M --fsync=1
	teardown $1
}

zipf() { # DEVICE
	case $1 in raw | linear) return ;; esac
	setup $1 /dev/nullb2 /dev/nullb3
	local part
	for part in 1 2 3; do
		[ -s /tmp/zipf$part ] || /bin/zipf $((origin_mib * 256 - 256)) 0.9 70 7 $(((part - 1) * zipf)) $zipf >/tmp/zipf$part
		[ $part != 3 ] || set -- $1 $(hits_of $1)
		fio --name=j --ioengine=libaio --direct=1 --iodepth=32 --read_iolog=/tmp/zipf$part --replay_no_stall=1 \
			--replay_redirect=$dev --output-format=json --output=/tmp/fio.json >/tmp/fio.err 2>&1 ||
			die "fio: $(head -n 5 /tmp/fio.err /tmp/fio.json)"
	done
	json $1 zipf
	set -- $1 $2 $3 $(hits_of $1)
	figure $1 zipf_hits $(($4 - $2))
	figure $1 zipf_requests $(($5 - $3))
	teardown $1
}

# For bench/vm/profile.sh: the same job over more or fewer requests, and where the functions are.
profile() { # DEVICE
	case $profile in
	write_fsync) setup $1 /dev/nullb2 /dev/nullb3 warm ;;
	*) setup $1 /dev/nullb0 /dev/nullb1 warm ;;
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
