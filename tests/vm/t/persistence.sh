# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The cache and its dirty blocks outlive removal and creation, in each mode; block 0 too.
load_module
disk 0 64
for args in "0 8 4096 256 1" "0 8 4096 256 0" "0 32 1024 64 1" "0 2048 16 16 1" "0 1 mode=writearound" \
	"0 8 4096 256 1 1 no_checksums"; do
	disk 1 48
	hotset c "$args 1 force" 2>/dev/null || hotset c "$args" || die "not created: $args"
	dd if=/dev/urandom of=/tmp/data bs=1M count=6 2>/dev/null
	dd if=/tmp/data of=/dev/mapper/c bs=128k oflag=direct conv=fsync 2>/dev/null || die "write: $args"
	dd if=/dev/mapper/c of=/dev/null bs=128k count=48 iflag=direct 2>/dev/null || die "read: $args"
	used=$(stat_of c 3) dirty=$(stat_of c 4) line=$(dmsetup table c)
	echo "$args: used $used dirty $dirty"
	remove c
	create c "$line" || die "not created again: $line"
	at_least "used" "$(stat_of c 3)" "$dirty"
	expect "dirty" "$(stat_of c 4)" "$dirty"
	dd if=/dev/mapper/c of=/tmp/out bs=128k count=48 iflag=direct 2>/dev/null || die "read: $args"
	cmp /tmp/data /tmp/out || die "data differ: $args"
	[ "$dirty" = 0 ] || at_least "hits" "$(stat_of c read_hits)" "$dirty"
	dmsetup message c 0 flush || die "flush: $args"
	remove c
	dd if=/dev/nullb0 of=/tmp/out bs=128k count=48 iflag=direct 2>/dev/null
	cmp /tmp/data /tmp/out || die "the origin differs: $args"
	echo 0 >/sys/kernel/config/nullb/nullb1/power
	rmdir /sys/kernel/config/nullb/nullb1
done
