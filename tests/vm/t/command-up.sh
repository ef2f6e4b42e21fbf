# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What hotset@.service runs, with a kernel cache: devices that come late in either order, a restart that takes the cache
# over, a signal, a device that is still in use then; and a cache device that fails under it: writes go on, on record.
# timeout: 300
# programs: hotset
load_module
hs() { /bin/hotset "$@"; }
key() { # KEY: of the statistics
	hs stats data --json | tr ',{}' '\n\n\n' | sed -n "s/^\"$1\":\"\{0,1\}\([^\"]*\)\"\{0,1\}$/\1/p" | tail -n 1
}
up() {
	/bin/hotset up data 2>/tmp/up.log &
	up=$!
}
said() { grep -q "$1" /tmp/up.log; }
is_up() { [ -b /dev/mapper/data ] && said 'data: /dev/mapper/data is up'; }
ended() { # STATUS
	local rc=0
	wait $up || rc=$?
	expect "status of hotset up" $rc "$1"
}
write() { # MIB SEEK
	dd if=/tmp/data of=/dev/mapper/data bs=1M count=$1 seek=$2 oflag=direct conv=fsync,notrunc 2>/tmp/dd
}

disk 0 64
disk 1 32
dd if=/dev/urandom of=/tmp/data bs=1M count=8 2>/dev/null
origin() { create o "0 131072 linear /dev/nullb0 0"; }
cache() { create k "0 65536 linear /dev/nullb1 0"; }
mkdir -p /etc/hotset
cat >/etc/hotset/data.conf <<CONF
origin = /dev/mapper/o
cache = /dev/mapper/k
dirty_age = 3600
CONF
origin && cache
hs format /dev/mapper/o /dev/mapper/k >/dev/null || die "format"
remove o
remove k

# In either order.
up
wait_for 10 said 'data: waiting for /dev/mapper/o' || die "it does not wait"
origin
wait_for 10 said 'data: waiting for /dev/mapper/k' || die "it does not wait: $(cat /tmp/up.log)"
[ ! -e /dev/mapper/data ] || die "up without its cache"
cache
wait_for 20 is_up || die "not up: $(cat /tmp/up.log)"
dmsetup table data | grep -q 'dirty_age=3600' || die "$(dmsetup table data)"
write 2 0 || die "write"
kill -TERM $up
ended 0
[ ! -e /dev/mapper/data ] || die "the device is still there"
hs check /dev/mapper/k | grep -q '512 dirty blocks, stopped cleanly' || die "$(hs check /dev/mapper/k)"
remove o
remove k
cache
up
wait_for 10 said 'data: waiting for /dev/mapper/o' || die "it does not wait"
origin
wait_for 20 is_up || die "not up: $(cat /tmp/up.log)"
expect dirty "$(key dirty)" 512

# Killed and started again, it takes the device over; another's devices are not.
kill -KILL $up
wait $up 2>/dev/null
up
wait_for 10 said 'is up' || die "not taken over: $(cat /tmp/up.log)"
sed 's/^cache.*/cache = \/dev\/nullb0/' /etc/hotset/data.conf >/tmp/other.conf
hs up data --conf /tmp/other.conf 2>/tmp/err && die "took over another's"
grep -q 'attached already, but to /dev/mapper/o and /dev/mapper/k' /tmp/err || die "$(cat /tmp/err)"

# Stopped while the device is open: it waits until that ends.
exec 9</dev/mapper/data
kill -TERM $up
sleep 3
[ -b /dev/mapper/data ] || die "removed under a user"
exec 9<&-
ended 0
[ ! -e /dev/mapper/data ] || die "the device is still there"

# Detached by hand: it ends.
up
wait_for 20 is_up || die "not up: $(cat /tmp/up.log)"
hs detach data >/dev/null 2>&1 || die "detach"
ended 0
said 'data: was detached' || die "$(cat /tmp/up.log)"

# A refused start fails.
sed 's/^dirty_age.*/dirty_limit = 101/' /etc/hotset/data.conf >/tmp/other.conf
hs up data --conf /tmp/other.conf 2>/tmp/err && die "not refused"
grep -q 'dirty_limit wants percent' /tmp/err || die "$(cat /tmp/err)"

# The cache device fails. Blocks that it names, clean, can only be written once that is on record.
sed 's/^dirty_age.*/mode = writethrough/' /etc/hotset/data.conf >/tmp/through.conf
/bin/hotset up data --conf /tmp/through.conf 2>/tmp/up.log &
up=$!
wait_for 20 is_up || die "not up: $(cat /tmp/up.log)"
dd if=/dev/mapper/data of=/dev/null bs=1M count=4 iflag=direct 2>/dev/null || die "read"
sync
sleep 3
at_least used "$(key used)" 1024
dmsetup suspend --noflush --nolockfs k && dmsetup reload k --table "0 65536 error" && dmsetup resume --noudevsync k
failed() { [ "$(key failed)" = true ]; }
again() { write 2 2 && said 'recorded that /dev/mapper/k must not be used again'; }
wait_for 40 again || die "writes do not go on: $(cat /tmp/dd /tmp/up.log)"
failed || die "not failed: $(dmsetup status data)"
said 'the cache device /dev/mapper/k failed: /dev/mapper/o serves alone' || die "$(cat /tmp/up.log)"
ls /var/lib/hotset | grep -q '\.abandoned$' || die "nothing on record"
write 8 2 || die "write: $(cat /tmp/dd)"
kill -TERM $up
wait $up
cat /tmp/up.log
dd if=/dev/mapper/o of=/tmp/out bs=1M count=8 skip=2 iflag=direct 2>/dev/null
cmp /tmp/out /tmp/data || die "the origin lacks what was written"
# It comes back, and is refused.
dmsetup suspend --noflush --nolockfs k && dmsetup reload k --table "0 65536 linear /dev/nullb1 0" &&
	dmsetup resume --noudevsync k
hs attach data /dev/mapper/o /dev/mapper/k 2>/tmp/err && die "a stale cache was attached"
grep -q 'failed while it was served' /tmp/err || die "$(cat /tmp/err)"
hs format /dev/mapper/o /dev/mapper/k --force >/dev/null || die "format"
hs attach data /dev/mapper/o /dev/mapper/k || die "attach"
hs detach data || die "detach"
remove o
remove k
