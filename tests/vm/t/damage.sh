# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Data that rot on the cache device: a clean block is served from the origin and repaired, a dirty one fails, alone;
# what the sums find is counted. Reads of every size see it.
load_module
pair 32 24
dd if=/dev/urandom of=/tmp/data bs=1M count=4 2>/dev/null
dd if=/tmp/data of=/dev/nullb0 bs=1M oflag=direct 2>/dev/null
for block in 8 128; do
	hotset c "0 $block $((32768 / block)) 16 1" 2>/dev/null || hotset c "0 $block $((32768 / block)) 16 1 1 force" ||
		die "not created"
	dd if=/dev/mapper/c of=/dev/null bs=256k count=16 iflag=direct 2>/dev/null || die "read"
	sleep 2
	# All of the data area, behind the kernel's back; metadata end within the first MiBs.
	dmsetup suspend c && dmsetup resume --noudevsync c
	dd if=/dev/urandom of=/dev/nullb1 bs=1M seek=4 count=20 oflag=direct conv=notrunc 2>/dev/null
	for size in 512 4k 64k 256k; do
		dd if=/dev/mapper/c of=/tmp/out bs=$size iflag=direct count=$((4194304 / ($(echo $size | sed 's/k/*1024/')))) \
			2>/dev/null || die "read in $size"
		cmp /tmp/out /tmp/data || die "rotten data were served, in $size"
	done
	at_least "checksum errors" "$(stat_of c checksum_errors)" 10
	at_least "repairs" "$(stat_of c repairs)" 10
	# Dirty.
	dd if=/tmp/data of=/dev/mapper/c bs=64k count=2 seek=32 oflag=direct conv=fsync,notrunc 2>/dev/null || die "write"
	dd if=/dev/urandom of=/dev/nullb1 bs=1M seek=4 count=20 oflag=direct conv=notrunc 2>/dev/null
	dd if=/dev/mapper/c of=/tmp/out bs=64k count=1 skip=32 iflag=direct 2>/dev/null && die "lost data were served"
	dd if=/dev/mapper/c of=/tmp/out bs=64k count=32 iflag=direct 2>/dev/null || die "other data fail too"
	at_least lost "$(stat_of c lost)" 1
	# A whole write heals.
	dd if=/tmp/data of=/dev/mapper/c bs=64k count=2 seek=32 oflag=direct conv=fsync,notrunc 2>/dev/null || die "write"
	dd if=/dev/mapper/c of=/tmp/out bs=64k count=1 skip=32 iflag=direct 2>/dev/null || die "not healed"
	expect lost "$(stat_of c lost)" 0
	dmsetup message c 0 flush || die "flush"
	dmsetup status c
	remove c
	dd if=/tmp/data of=/dev/nullb0 bs=1M oflag=direct 2>/dev/null
done
