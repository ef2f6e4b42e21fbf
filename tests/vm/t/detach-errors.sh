# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The device goes while dirty blocks cannot be written back, or the cache device is dead: nothing hangs, each command
# says what went wrong, and what was flushed is there when the devices are well again.
# timeout: 600
load_module
frail_pair 32 24
check() { # WHEN
	dd if=/dev/mapper/c of=/tmp/out bs=64k count=32 iflag=direct 2>/dev/null || die "read: $1"
	cmp /tmp/out /tmp/data || die "data: $1"
}
load() {
	create c "0 $olen hotset /dev/mapper/o /dev/mapper/k 1" || die "not loaded: $(dmesg | tail -n 4)"
}

dd if=/dev/urandom of=/tmp/data bs=64k count=32 2>/dev/null
create c "0 $olen hotset /dev/mapper/o /dev/mapper/k 0 8 4096 256 1" || die "not created"
dd if=/tmp/data of=/dev/mapper/c bs=64k oflag=direct conv=fsync,notrunc 2>/dev/null || die "write"
dirty=$(stat_of c 4)
at_least dirty "$dirty" 512

# The origin is dead: flush says so after a while, suspend and resume go on, removal keeps what is dirty.
origin_bad
start=$(date +%s)
dmsetup message c 0 flush 2>/tmp/errors && die "flushed to a dead origin"
at_least "seconds left" $((start + 60 - $(date +%s))) 1
grep -q "error" /tmp/errors || die "$(cat /tmp/errors)"
expect dirty "$(stat_of c 4)" "$dirty"
dmsetup suspend c || die "suspend"
dmsetup resume --noudevsync c || die "resume"
check "resumed"
expect dirty "$(stat_of c 4)" "$dirty"
remove c
dmesg | grep -q "not stopped cleanly: error -5" || die "no word of it: $(dmesg | tail -n 4)"
create c "0 $olen hotset /dev/mapper/o /dev/mapper/k 0" 2>/dev/null && die "overwritten"
origin_ok
load
expect dirty "$(stat_of c 4)" "$dirty"
check "loaded again"

# The cache device is dead: what is dirty fails, the rest is served, removal ends.
cache_bad
dd if=/dev/mapper/c of=/dev/null bs=64k count=1 iflag=direct 2>/dev/null && die "dirty data without their device"
dd if=/dev/mapper/c of=/dev/null bs=64k count=1 skip=200 iflag=direct 2>/dev/null || die "the origin's data"
dmsetup message c 0 flush 2>/dev/null && die "flushed from a dead cache"
remove c
cache_ok
load
at_least dirty "$(stat_of c 4)" 1
check "the cache is back"
# Both.
origin_bad
cache_bad
dmsetup suspend c
dmsetup resume --noudevsync c
remove c
origin_ok
cache_ok
load
check "both are back"
dmsetup message c 0 flush || die "flush"
remove c
dd if=/dev/nullb0 of=/tmp/out bs=64k count=32 iflag=direct 2>/dev/null
cmp /tmp/out /tmp/data || die "the origin alone"
remove o
remove k
