# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The origin grows: the table of the live device is loaded anew with the new length, and nothing cached is lost; after
# removal it takes the feature grow. A short last block is dropped, or first written back.
load_module
disk 0 64
disk 1 32
disk 2 64

origin() { # SECTORS
	if [ -b /dev/mapper/o ]; then
		dmsetup suspend --noflush --nolockfs o && dmsetup reload o --table "0 $1 linear $base 0" &&
			dmsetup resume --noudevsync o || die "origin"
	else
		create o "0 $1 linear $base 0"
	fi
	len=$1
}
reload() { # ARGUMENTS
	dmsetup reload c --table "0 $len hotset /dev/mapper/o /dev/nullb1 $1" && dmsetup suspend c &&
		dmsetup resume --noudevsync c
}

dd if=/dev/urandom of=/tmp/data bs=1M count=48 2>/dev/null
base=/dev/nullb0
dd if=/tmp/data of=$base bs=1M oflag=direct 2>/dev/null
# Block sizes that do and do not divide the old length.
for args in "0 8 4096 256 1" "0 64 512 64 1"; do
	origin 40012
	create c "0 $len hotset /dev/mapper/o /dev/nullb1 $args 1 force" || die "not created"
	dd if=/dev/mapper/c of=/dev/null bs=512 skip=39936 count=76 iflag=direct 2>/dev/null || die "read"
	dd if=/dev/urandom of=/tmp/new bs=64k count=8 2>/dev/null
	dd if=/tmp/new of=/dev/mapper/c bs=64k seek=16 oflag=direct conv=fsync,notrunc 2>/dev/null || die "write"
	dd if=/tmp/new of=/tmp/data bs=64k seek=16 conv=notrunc 2>/dev/null
	dirty=$(stat_of c 4) used=$(stat_of c 3)
	at_least dirty "$dirty" 8
	# Another length needs a grown origin behind it, and another origin is not the same.
	len=50000 && reload 1 2>/dev/null && die "longer than the origin"
	origin 60003
	dmsetup reload c --table "0 $len hotset /dev/nullb2 /dev/nullb1 1" 2>/dev/null && die "another origin"
	reload 1 || die "reload: $(dmesg | tail -n 3)"
	expect sectors "$(sectors /dev/mapper/c)" 60003
	expect dirty "$(stat_of c 4)" "$dirty"
	at_least used "$(stat_of c 3)" $((used - 1))
	dd if=/dev/mapper/c of=/tmp/out bs=512 count=60003 iflag=direct 2>/dev/null || die "read"
	cmp -n $((60003 * 512)) /tmp/out /tmp/data || die "data after the origin has grown"
	# Again, with the last block dirty: first to be written back.
	dd if=/tmp/new of=/dev/mapper/c bs=512 seek=60001 count=2 oflag=direct conv=fsync,notrunc 2>/dev/null || die "write"
	dd if=/tmp/new of=/tmp/data bs=512 seek=60001 count=2 conv=notrunc 2>/dev/null
	remove c
	origin 70000
	create c "0 $len hotset /dev/mapper/o /dev/nullb1 1" 2>/dev/null && die "grown without the feature"
	create c "0 $len hotset /dev/mapper/o /dev/nullb1 1 1 grow" 2>/dev/null && die "the last block was dirty"
	dmesg | tail -n 5 | grep -q "short and dirty" || die "no word of the last block: $(dmesg | tail -n 5)"
	dmsetup remove --noudevsync c 2>/dev/null
	create c "0 60003 hotset /dev/mapper/o /dev/nullb1 1" || die "not created with the old length"
	dmsetup message c 0 flush || die "flush"
	dd if=/dev/mapper/c of=/dev/null bs=512 skip=60000 count=3 iflag=direct 2>/dev/null || die "read"
	remove c
	create c "0 $len hotset /dev/mapper/o /dev/nullb1 1 1 grow" || die "not grown: $(dmesg | tail -n 3)"
	dmsetup table c | grep -q grow && die "it has grown already"
	dd if=/dev/mapper/c of=/tmp/out bs=512 count=70000 iflag=direct 2>/dev/null || die "read"
	cmp -n $((70000 * 512)) /tmp/out /tmp/data || die "data after the origin has grown again"
	remove c
	create c "0 $len hotset /dev/mapper/o /dev/nullb1 1" || die "the new length is not stored"
	remove c
	create c "0 60003 hotset /dev/mapper/o /dev/nullb1 1" 2>/dev/null && die "shorter than before"
	remove o
done
