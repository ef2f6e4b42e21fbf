# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The message drop forgets what is clean, durably, under load too; what is dirty stays.
load_module
pair 32 24
dd if=/dev/urandom of=/tmp/data bs=1M count=8 2>/dev/null
dd if=/tmp/data of=/dev/nullb0 bs=1M oflag=direct 2>/dev/null
hotset c "0 8 4096 256 1" || die "not created"
rd() { dd if=/dev/mapper/c of=/tmp/out bs=64k count=128 iflag=direct 2>/dev/null && cmp /tmp/out /tmp/data || die "$1"; }
rd "first"
dd if=/tmp/data of=/dev/mapper/c bs=64k count=4 oflag=direct conv=fsync,notrunc 2>/dev/null || die "write"
expect dirty "$(stat_of c 4)" 64
at_least used "$(stat_of c 3)" 2000
# Another message, and a thing too many.
dmsetup message c 0 drop all 2>/dev/null && die "drop takes no argument"
dmsetup message c 0 drop || die "drop"
expect used "$(stat_of c 3)" 64
dmsetup message c 0 stats reset
rd "after the drop"
expect hits "$(stat_of c read_hits)" 64
remove c
hotset c 1 || die "not created again"
dmsetup message c 0 drop || die "drop"
expect used "$(stat_of c 3)" 64
pattern write /dev/mapper/c 3 1 1000000 >/tmp/rounds 2>/tmp/errors &
pid=$!
for i in 1 2 3 4 5 6; do
	dmsetup message c 0 drop || die "drop under load"
	dd if=/dev/mapper/c of=/dev/null bs=64k count=128 iflag=direct 2>/dev/null || die "read under load"
done
kill $pid
wait $pid
[ ! -s /tmp/errors ] || die "$(cat /tmp/errors)"
dd if=/tmp/data of=/dev/mapper/c bs=64k oflag=direct conv=fsync,notrunc 2>/dev/null || die "write"
dmsetup message c 0 drop
rd "after load"
dmsetup message c 0 flush || die "flush"
dmsetup message c 0 drop || die "drop"
expect used "$(stat_of c 3)" 0
remove c
