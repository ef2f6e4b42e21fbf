# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# xfs, made, filled, checked and mounted again, in each mode, with large blocks and without checksums.
# timeout: 600
load_module
disk 0 400
n=0
for args in "0 8 8192 512 1" "0 128 400 64 1" "0 8 8192 512 0" "0 2 mode=writearound no_checksums"; do
	disk 1 64
	hotset c "$args" || die "not created: $args"
	mkfs.xfs -q -f /dev/mapper/c || die "mkfs"
	mount -t xfs /dev/mapper/c /mnt || die "mount: $args"
	mkdir /mnt/files
	cp /lib/x86_64-linux-gnu/* /mnt/files/ || die "copy: $args"
	sync
	umount /mnt
	remove c
	hotset c 1 || die "not created again: $args"
	xfs_repair -n /dev/mapper/c >/tmp/repair 2>&1 || die "$args: $(cat /tmp/repair)"
	mount -t xfs /dev/mapper/c /mnt || die "mount: $args"
	for f in /lib/x86_64-linux-gnu/*; do
		cmp $f /mnt/files/${f##*/} || die "$args: $f differs"
	done
	umount /mnt
	dmsetup message c 0 flush || die "flush: $args"
	remove c
	xfs_repair -n /dev/nullb0 >/tmp/repair 2>&1 || die "$args: the origin: $(cat /tmp/repair)"
	echo 0 >/sys/kernel/config/nullb/nullb1/power
	rmdir /sys/kernel/config/nullb/nullb1
done
