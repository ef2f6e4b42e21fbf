# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# ext4, made, filled, checked and mounted again, in each mode; after a reload of the table; and at last on the origin
# alone.
# short
# timeout: 600
load_module
pair 128 48
hotset c "0 8 8192 512 1" || die "not created"
mke2fs -q -t ext4 /dev/mapper/c || die "mke2fs"
modprobe ext4
n=0

fill_and_check() {
	n=$((n + 1))
	mount -t ext4 /dev/mapper/c /mnt || die "mount: $1"
	rm -rf /mnt/files$((n - 2))
	mkdir /mnt/files$n
	cp /bin/busybox /lib/x86_64-linux-gnu/* /mnt/files$n/ || die "copy: $1"
	sync
	umount /mnt
	e2fsck -fn /dev/mapper/c >/tmp/fsck 2>&1 || die "$1: $(cat /tmp/fsck)"
	mount -t ext4 /dev/mapper/c /mnt || die "mount: $1"
	for f in /lib/x86_64-linux-gnu/*; do
		cmp $f /mnt/files$n/${f##*/} || die "$1: $f differs"
	done
	umount /mnt
}

for mode in writeback writethrough writearound bypass writeback; do
	dmsetup message c 0 mode $mode || die "mode $mode"
	durable() { [ "$(stat_of c mode_durable)" = $mode ]; }
	wait_for 30 durable || die "mode $mode is not durable: $(dmsetup status c)"
	fill_and_check $mode
	line=$(dmsetup table c)
	dmsetup reload c --table "$line" || die "reload: $line"
	dmsetup resume c --noudevsync || die "resume: $line"
	expect "table" "$(dmsetup table c)" "$line"
	e2fsck -fn /dev/mapper/c >/tmp/fsck 2>&1 || die "$mode, reloaded: $(cat /tmp/fsck)"
	echo "$mode: $(stat_of c 3) used, $(stat_of c 4) dirty, $(stat_of c read_hits) read hits"
done
dmsetup message c 0 flush || die "flush"
remove c
e2fsck -fn /dev/nullb0 >/tmp/fsck 2>&1 || die "the origin: $(cat /tmp/fsck)"
