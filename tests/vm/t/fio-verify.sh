# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# fio's verification: mixed sizes, several jobs, depth 32, discards, each mode.
# timeout: 800
load_module
pair 64 16
for args in "0 8 2048 256 1" "0 32 512 64 1" "0 8 2048 256 0" "0 1 mode=writearound"; do
	hotset c "$args 1 force" 2>/dev/null || hotset c "$args" || die "not created: $args"
	common="--filename=/dev/mapper/c --ioengine=libaio --direct=1 --verify=crc32c --verify_fatal=1 --verify_state_save=0
		--iodepth=32 --group_reporting --randrepeat=1 --allrandrepeat=1"
	fio $common --name=mixed --rw=randwrite --bsrange=512-64k --numjobs=2 --size=16M \
		--offset_increment=16M --fsync=64 >/tmp/fio 2>&1 || die "$args: mixed: $(grep -v '^ ' /tmp/fio | head -n 12)"
	fio $common --name=again --rw=randwrite --bs=4k --norandommap --size=8M --io_size=16M --verify_backlog=64 \
		--random_distribution=zipf:0.9 --serialize_overlap=1 --offset=32M >/tmp/fio 2>&1 ||
		die "$args: again: $(grep -v '^ ' /tmp/fio | head -n 12)"
	fio $common --name=trim --rw=randtrimwrite --bs=8k --size=16M --serialize_overlap=1 --offset=40M >/tmp/fio 2>&1 ||
		die "$args: trim: $(grep -v '^ ' /tmp/fio | head -n 12)"
	dmsetup status c
	dmsetup message c 0 flush || die "flush"
	sha256sum /dev/mapper/c >/tmp/sum1
	remove c
	sha256sum /dev/nullb0 >/tmp/sum2
	expect "sum of the origin alone" "$(cut -c 1-64 /tmp/sum2)" "$(cut -c 1-64 /tmp/sum1)"
done
