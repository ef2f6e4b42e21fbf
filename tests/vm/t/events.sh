# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Who waits for an event of the device is told when write-back begins to fail, when dirty blocks are lost, and when
# the cache device is out of service; once each.
# timeout: 600
load_module
frail_pair 32 24
events() { dmsetup info -c --noheadings -o events c; }
began() { # the number of events, and one who waits for the next
	nr=$(events)
	dmsetup wait --noudevsync c $nr &
	waiter=$!
}
came() { # WHAT SECONDS: the waiter has come back
	gone() { ! kill -0 $waiter 2>/dev/null; }
	wait_for $2 gone || { kill $waiter; die "no event: $1: $(dmsetup status c)"; }
	wait $waiter || die "waiter: $1"
}
told() { # WHAT SECONDS: ... after one event
	came "$1" $2
	expect "events: $1" "$(events)" $((nr + 1))
}
create c "0 $olen hotset /dev/mapper/o /dev/mapper/k 0 8 4096 256 1" || die "not created"
dd if=/dev/urandom of=/tmp/data bs=1M count=2 2>/dev/null
dd if=/tmp/data of=/dev/mapper/c bs=64k oflag=direct conv=fsync,notrunc 2>/dev/null || die "write"
nr=$(events)
sleep 3
expect "events of good times" "$(events)" "$nr"
began
origin_bad
dmsetup message c 0 set dirty_limit 0
told "write-back fails" 20
at_least write_back_errors "$(stat_of c write_back_errors)" 1
sleep 4
expect "events while it goes on" "$(events)" $((nr + 1))
dmsetup message c 0 set writeback off
dmsetup message c 0 set dirty_limit 50
origin_ok
# Rot, where dirty blocks are.
began
dd if=/dev/urandom of=/dev/nullb1 bs=1M seek=4 count=20 oflag=direct conv=notrunc 2>/dev/null
dd if=/dev/mapper/c of=/dev/null bs=4k count=512 iflag=direct 2>/dev/null && die "rot was served"
told "lost" 20
expect state "$(stat_of c 13)" ok
# Under load: whole blocks, of places that did not rot. It may end at once, at an overwrite that fails, when all before has
# been committed; but a commit that fails is what takes the device out of service. The discard of a block that is dirty on
# the device, too, takes one.
while dd if=/tmp/data of=/dev/mapper/c bs=64k seek=100 count=8 oflag=direct conv=notrunc 2>/dev/null; do :; done &
load=$!
sleep 1
began
cache_bad
blkdiscard -o 1048576 -l 65536 /dev/mapper/c 2>/dev/null &
discard=$!
came "failed" 40
# That may have been the event of a dirty block that went with the device.
failed() { [ "$(stat_of c 13)" = failed ]; }
wait_for 40 failed || die "not failed: $(dmsetup status c)"
while kill -0 $load 2>/dev/null || kill -0 $discard 2>/dev/null; do
	dmsetup message c 0 abandon 2>/dev/null
	sleep 0.2
done
wait $load $discard
expect "words of the failure" "$(dmesg | grep -c 'is out of service')" 1
cache_ok
dmsetup remove --noudevsync c || die "not removed"
remove o
remove k
