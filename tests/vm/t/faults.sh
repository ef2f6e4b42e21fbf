# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Devices that fail (error tables): every request gets its own error, none hangs, clean data are served
# by the origin, dirty ones are written back when the origin is well again.
# short
# timeout: 600
load_module
frail_pair 32 24
rd() { dd if=/dev/mapper/c of=/tmp/out bs=64k count=$1 skip=${2:-0} iflag=direct 2>/dev/null; }

dd if=/dev/urandom of=/tmp/data bs=1M count=32 2>/dev/null
dd if=/tmp/data of=/dev/nullb0 bs=1M oflag=direct 2>/dev/null
create c "0 $olen hotset /dev/mapper/o /dev/mapper/k 0 8 4096 256 1" || die "not created"

# The origin is gone: what is cached is still served, what is not fails.
rd 32 || die "read"
origin_bad
rd 32 || die "cached data need no origin"
cmp -n 2097152 /tmp/out /tmp/data || die "cached data"
rd 16 64 && die "no error from a dead origin"
# Write-back waits for it and nothing is lost.
dd if=/dev/urandom of=/tmp/new bs=1M count=2 2>/dev/null
dd if=/tmp/new of=/dev/mapper/c bs=64k oflag=direct conv=fsync,notrunc 2>/dev/null || die "write to the cache"
dirty=$(stat_of c 4)
at_least dirty $dirty 512
dmsetup message c 0 set dirty_limit 0
sleep 3
expect dirty "$(stat_of c 4)" $dirty
at_least "write-back errors" "$(stat_of c write_back_errors)" 1
origin_ok
clean() { [ "$(stat_of c 4)" = 0 ]; }
wait_for 60 clean || die "not written back: $(dmsetup status c)"
dmsetup message c 0 set dirty_limit 50
dd if=/dev/nullb0 of=/tmp/out bs=64k count=32 iflag=direct 2>/dev/null
cmp -n 2097152 /tmp/out /tmp/new || die "the origin after write-back"

# The cache cannot be read: clean blocks come from the origin.
cache_bad
rd 32 || die "clean data come from the origin"
cmp -n 2097152 /tmp/out /tmp/new || die "data from the origin"
at_least "cache errors" "$(stat_of c cache_errors)" 1
# Nothing can be committed any more: FLUSH says so while something waits for it, then the origin serves alone.
dd if=/tmp/data of=/dev/mapper/c bs=64k count=8 seek=256 oflag=direct conv=notrunc 2>/dev/null || die "a new block goes to the origin"
sync -d /dev/mapper/c 2>/dev/null
cache_ok
remove c

# What was on the cache device is older than the origin in places that it does not name: it loads.
create c "0 $olen hotset /dev/mapper/o /dev/mapper/k 1" || die "not created again: $(dmesg | tail -n 5)"
dd if=/tmp/new of=/tmp/data bs=1M conv=notrunc 2>/dev/null
rd 32 || die "read"
cmp -n 2097152 /tmp/out /tmp/data || die "data after all"
# Dirty data that cannot be read fail, and only they.
dd if=/tmp/new of=/dev/mapper/c bs=64k count=1 seek=100 oflag=direct conv=fsync,notrunc 2>/dev/null || die "write"
cache_bad
rd 1 100 && die "lost data were read"
rd 32 0 || die "others fail too"
dmsetup status c
cache_ok
rd 1 100 || die "not readable again"
remove c
remove o
remove k
