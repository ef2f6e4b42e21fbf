# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A cache made by the command loads in the kernel, goes to `hotset serve`, back to the kernel, and is written back by
# the command: the same bytes each time, and nobody takes the origin for a changed one.
# disk: 64 96
# boots: 2
# host: "$HOTSET" format origin cache --mode writeback
# after: . "$here/move-after.sh"
load_module
# Nothing is written back before it is asked for.
create c "0 $(sectors /dev/vda) hotset /dev/vda /dev/vdb 1 2 dirty_age=100000 dirty_limit=100" || die "not created: $(dmesg | tail -n 3)"
dmesg | grep -q "not stopped cleanly" && die "it was stopped cleanly"
if [ $boot = 2 ]; then
	at_least "dirty" "$(stat_of c 4)" 1000
	pattern exact /dev/mapper/c 5 $last || die "not what hotset serve had"
	at_least "hits" "$(stat_of c read_hits)" 1000
fi
pattern write /dev/mapper/c 5 $((last + 1)) $((last + 8)) || die "write"
at_least "dirty" "$(stat_of c 4)" 100
pattern exact /dev/mapper/c 5 $((last + 8)) || die "read"
dmsetup status c
remove c
