# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Four processors at once: verified writes of several jobs, discards, the pattern, and meanwhile changes of mode,
# suspensions and drops.
# timeout: 800
# cpus: 4
load_module
pair 96 24
hotset c "0 8 4096 256 1" || die "not created"
create part "0 65536 linear /dev/mapper/c 131072" || die "not created"
dmsetup message c 0 set dirty_age 1
fio --filename=/dev/mapper/c --ioengine=libaio --direct=1 --verify=crc32c --verify_fatal=1 --verify_state_save=0 \
	--iodepth=16 --group_reporting --name=mixed --rw=randwrite --bsrange=512-64k --numjobs=4 --size=12M \
	--offset_increment=12M --fsync=128 --loops=2 >/tmp/fio 2>&1 &
fio=$!
pattern write /dev/mapper/part 11 1 1000000 >/tmp/rounds 2>/tmp/errors &
pattern=$!
n=0
while kill -0 $fio 2>/dev/null; do
	for mode in writethrough writeback writearound writeback; do
		dmsetup message c 0 mode $mode || die "mode $mode"
		sleep 0.3
		dmsetup suspend --nolockfs c && dmsetup resume --noudevsync c || die "suspend"
		dmsetup message c 0 drop || die "drop"
		blkdiscard -f -o 50331648 -l 8388608 /dev/mapper/c || die "discard"
		n=$((n + 1))
	done
done
wait $fio || die "fio: $(grep -v '^ ' /tmp/fio | head -n 12)"
kill $pattern
wait $pattern
[ ! -s /tmp/errors ] || die "$(cat /tmp/errors)"
last=$(sed -n 's/^flushed //p' /tmp/rounds | tail -n 1)
at_least rounds "$last" 2
echo "$n changes, $last rounds"
pattern verify /dev/mapper/part 11 $last || die "after round $last"
dmsetup status c
remove part
remove c
hotset c 1 || die "not loaded"
create part "0 65536 linear /dev/mapper/c 131072" || die "not created"
pattern verify /dev/mapper/part 11 $last || die "after round $last, loaded again"
remove part
remove c
