# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The example of the ancestor's README, unchanged: a target named cache, on two scratch disks.
load_module target_name=cache
disk 0 64
disk 1 300
ln -s /dev/nullb0 /dev/sdc
ln -s /dev/nullb1 /dev/sdb
create c "0 131072 cache /dev/sdc /dev/sdb 0 8 65536 256 1" || die "not created"
dmsetup targets | grep -q '^cache ' || die "no target named cache"
dmsetup status c | grep -q '^0 131072 cache 8 65536 ' || die "$(dmsetup status c)"
mke2fs -q -F /dev/mapper/c || die "mke2fs"
mount -t ext4 /dev/mapper/c /mnt || die "mount"
cp -r /bin /mnt/ && sync && umount /mnt || die "copy"
remove c
create c "0 131072 cache /dev/sdc /dev/sdb 1" || die "not created again"
e2fsck -fn /dev/mapper/c >/tmp/fsck 2>&1 || die "$(cat /tmp/fsck)"
mount -t ext4 -o ro /dev/mapper/c /mnt || die "mount"
diff -r /bin /mnt/bin || die "files differ"
umount /mnt
remove c
