# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The machine is killed under load, again and again; each time what was flushed is there, and `hotset check` finds
# nothing wrong.
# timeout: 600
# disk: 48 16
# boots: 21
# kill: 3
# host: "$HOTSET" format origin cache --mode writeback
# after: "$HOTSET" check --data cache
load_module
create c "0 $(sectors /dev/vda) hotset /dev/vda /dev/vdb 1 1 dirty_age=1" || die "not created: $(dmesg | tail -n 3)"
at_least "rounds flushed by the machines before" $last $((boot - 1))
[ $last = 0 ] || pattern verify /dev/mapper/c 9 $last || die "after round $last"
if [ $boot -lt 21 ]; then
	pattern write /dev/mapper/c 9 $((last + 1)) 1000000
	die "the end of all rounds"
fi
dmsetup message c 0 flush || die "flush"
remove c
pattern verify /dev/vda 9 $last || die "the origin alone, after round $last"
