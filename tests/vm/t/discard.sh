# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Discards and zeroings: whole blocks, parts of them, dirty and clean ones; fstrim.
load_module
modprobe loop
mount -t tmpfs tmp /run
truncate -s 64M /run/origin
truncate -s 24M /run/cache
losetup /dev/loop0 /run/origin && losetup /dev/loop1 /run/cache || die "loop"
create c "0 $(sectors /dev/loop0) hotset /dev/loop0 /dev/loop1 0 32 1024 64 1" || die "not created"
cat /sys/block/dm-0/queue/discard_granularity /sys/block/dm-0/queue/discard_max_bytes /sys/block/dm-0/queue/write_zeroes_max_bytes
expect granularity "$(cat /sys/block/dm-0/queue/discard_granularity)" 16384
dd if=/dev/urandom of=/tmp/data bs=1M count=8 2>/dev/null
dd if=/tmp/data of=/dev/mapper/c bs=1M oflag=direct conv=notrunc 2>/dev/null || die "write"
# A zeroing of anything is exact.
for at in "0 16384" "20480 4096" "50688 66048" "1048064 1024" "2097152 2097152" "3000320 1200640"; do
	set -- $at
	blkdiscard -z -o $1 -l $2 /dev/mapper/c || die "zero $at"
	dd if=/dev/zero of=/tmp/data bs=512 seek=$(($1 / 512)) count=$(($2 / 512)) conv=notrunc 2>/dev/null
	dd if=/dev/mapper/c of=/tmp/out bs=1M count=8 iflag=direct 2>/dev/null || die "read"
	cmp /tmp/out /tmp/data || die "after zero $at"
done
at_least zeroes "$(stat_of c zeroes)" 1
# A discard touches nothing outside.
blkdiscard -o 4194304 -l 1048576 /dev/mapper/c || die "discard"
at_least discards "$(stat_of c discards)" 1
dd if=/dev/mapper/c of=/tmp/out bs=1M count=8 iflag=direct 2>/dev/null || die "read"
cmp -n 4194304 /tmp/out /tmp/data || die "before the discard"
dd if=/tmp/out of=/tmp/out2 bs=1M skip=5 2>/dev/null
dd if=/tmp/data of=/tmp/data2 bs=1M skip=5 2>/dev/null
cmp /tmp/out2 /tmp/data2 || die "behind the discard"
# A file system's.
mke2fs -q -t ext4 -E nodiscard /dev/mapper/c || die "mke2fs"
mount -t ext4 /dev/mapper/c /mnt || die "mount"
cp /bin/busybox /mnt/one && cp /bin/busybox /mnt/two && sync && rm /mnt/one && sync
fstrim -v /mnt || die "fstrim"
cmp /bin/busybox /mnt/two || die "file"
umount /mnt
e2fsck -fn /dev/mapper/c >/tmp/fsck 2>&1 || die "$(cat /tmp/fsck)"
dmsetup status c
remove c
losetup -d /dev/loop0
losetup -d /dev/loop1

# What is advertised is what there is. Secure erase is not: copies would survive it.
limit() { cat /sys/block/dm-0/queue/$1; }
disk 0 32 discard=0
disk 1 24 discard=0
truncate -s 32M /run/origin && truncate -s 24M /run/cache
losetup /dev/loop0 /run/origin && losetup /dev/loop1 /run/cache || die "loop"
# The origin alone decides on discards; zeroes are written by the block layer where one of the two cannot.
create c "0 65536 hotset /dev/loop0 /dev/nullb1 0 8 4096 256 1" || die "not created"
at_least "discard_max_bytes" "$(limit discard_max_bytes)" 4096
expect "write_zeroes_max_bytes" "$(limit write_zeroes_max_bytes)" 0
dd if=/dev/urandom of=/dev/mapper/c bs=1M count=4 oflag=direct 2>/dev/null || die "write"
expect dirty "$(stat_of c 4)" 1024
blkdiscard -o 0 -l 1048576 /dev/mapper/c || die "discard"
expect "dirty after a discard" "$(stat_of c 4)" 768
blkdiscard -z -o 1048576 -l 1048576 /dev/mapper/c || die "zero"
dd if=/dev/mapper/c of=/tmp/out bs=1M skip=1 count=1 iflag=direct 2>/dev/null || die "read"
dd if=/dev/zero of=/tmp/data bs=1M count=1 2>/dev/null
cmp /tmp/out /tmp/data || die "not zeroes"
blkdiscard -s -o 0 -l 1048576 /dev/mapper/c 2>/tmp/errors && die "secure erase"
grep -qi "not supported" /tmp/errors || die "secure erase: $(cat /tmp/errors)"
remove c
create c "0 65536 hotset /dev/nullb0 /dev/loop1 0 8 4096 256 1 1 force" || die "not created"
expect "discard_max_bytes" "$(limit discard_max_bytes)" 0
blkdiscard -o 0 -l 1048576 /dev/mapper/c 2>/dev/null && die "an origin without discards took one"
remove c
losetup -d /dev/loop0
losetup -d /dev/loop1
