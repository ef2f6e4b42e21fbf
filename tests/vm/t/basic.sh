# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A new cache takes reads and writes; what was written is read, from the cache and, after a flush, from the origin.
# short
load_module
pair 64 32
dd if=/dev/urandom of=/tmp/data bs=1M count=8 2>/dev/null
dd if=/tmp/data of=/dev/nullb0 bs=1M oflag=direct 2>/dev/null
hotset c "/dev/nullb0 /dev/nullb1 0" && die "the devices were given twice"
hotset c "0 8 4096 256 1" || die "not created"
dmsetup table c
dmsetup status c

dd if=/dev/mapper/c of=/tmp/out bs=64k count=128 iflag=direct 2>/dev/null || die "read"
cmp /tmp/data /tmp/out || die "the origin's data differ"
at_least "read misses" "$(stat_of c read_misses)" 2048
dd if=/dev/mapper/c of=/tmp/out bs=64k count=128 iflag=direct 2>/dev/null || die "read"
cmp /tmp/data /tmp/out || die "the cached data differ"
at_least "read hits" "$(stat_of c read_hits)" 2048

dd if=/dev/urandom of=/tmp/new bs=1M count=8 2>/dev/null
dd if=/tmp/new of=/dev/mapper/c bs=64k oflag=direct conv=fsync 2>/dev/null || die "write"
at_least "dirty" "$(stat_of c 4)" 1
dd if=/dev/mapper/c of=/tmp/out bs=64k count=128 iflag=direct 2>/dev/null || die "read"
cmp /tmp/new /tmp/out || die "the new data differ"
# Sectors.
dd if=/tmp/data of=/dev/mapper/c bs=512 seek=3 count=10 oflag=direct conv=notrunc 2>/dev/null || die "sectors"
dd if=/tmp/data of=/tmp/new bs=512 seek=3 count=10 conv=notrunc 2>/dev/null
dd if=/dev/mapper/c of=/tmp/out bs=64k count=128 iflag=direct 2>/dev/null || die "read"
cmp /tmp/new /tmp/out || die "the sectors differ"

dmsetup message c 0 flush || die "flush"
expect dirty "$(stat_of c 4)" 0
dd if=/dev/nullb0 of=/tmp/out bs=64k count=128 iflag=direct 2>/dev/null
cmp /tmp/new /tmp/out || die "the origin differs after write-back"
dmsetup status c
remove c
