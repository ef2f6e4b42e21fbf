# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# An origin of 3 TiB: the numbers of its last sectors need more than 32 bits.
load_module
modprobe dm-zero
modprobe dm-snapshot
disk 0 64
disk 1 32
len=6442450947
create z "0 $len zero" || die "zero"
create o "0 $len snapshot /dev/mapper/z /dev/nullb0 N 16" || die "snapshot"
create c "0 $len hotset /dev/mapper/o /dev/nullb1 0 8 4096 256 1" || die "not created: $(dmesg | tail -n 3)"
dd if=/dev/urandom of=/tmp/data bs=512 count=67 2>/dev/null
for at in 0 2147483640 4294967290 4294967296 6442450880; do
	dd if=/tmp/data of=/dev/mapper/c bs=512 seek=$at count=67 oflag=direct conv=notrunc 2>/dev/null || die "write at $at"
done
remove c
create c "0 $len hotset /dev/mapper/o /dev/nullb1 1" || die "not created again: $(dmesg | tail -n 3)"
for at in 0 2147483640 4294967290 4294967296 6442450880; do
	dd if=/dev/mapper/c of=/tmp/out bs=512 skip=$at count=67 iflag=direct 2>/dev/null || die "read at $at"
	[ $at = 4294967290 ] || cmp /tmp/data /tmp/out || die "data at $at"
done
dmsetup message c 0 flush || die "flush"
remove c
for at in 0 2147483640 4294967296 6442450880; do
	dd if=/dev/mapper/o of=/tmp/out bs=512 skip=$at count=67 iflag=direct 2>/dev/null || die "read at $at"
	cmp /tmp/data /tmp/out || die "the origin at $at"
done
remove o
remove z
