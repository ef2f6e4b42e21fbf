# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Requests that must not wait (RWF_NOWAIT) never do, and never fail for that: where the device below has no room,
# or there is work to do first, a worker takes over.
load_module
slow="irqmode=2 completion_nsec=3000000 hw_queue_depth=1"
disk 0 64 $slow
disk 1 32 $slow
expect_all() { # WHAT DONE AGAIN
	echo "$1: $2 done, $3 again"
	expect "$1" "$2" 400
	expect "$1, again" "$3" 0
}
# The bare disk has no room for most: so the test sees what it is about.
set -- $(nowait /dev/nullb0 read 50)
echo "the disk: $1 done, $2 again"
at_least "refusals of the bare disk" "$2" 1
for args in "0 8 4096 256 1" "0 8 4096 256 1 1 no_checksums" "0 8 4096 256 0"; do
	hotset c "$args" || die "not created: $args"
	expect_all "$args: misses" $(nowait /dev/mapper/c read 50)
	at_least "read misses" "$(stat_of c read_misses)" 400
	expect_all "$args: hits" $(nowait /dev/mapper/c read 50)
	expect_all "$args: writes" $(nowait /dev/mapper/c write 50)
	expect_all "$args: writes again" $(nowait /dev/mapper/c write 50)
	expect_all "$args: reads" $(nowait /dev/mapper/c read 50)
	at_least "read hits" "$(stat_of c read_hits)" 400
	expect "errors" "$(stat_of c cache_errors) $(stat_of c origin_errors)" "0 0"
	dmsetup message c 0 flush || die "flush"
	remove c
done
