# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Both disks lose power, and with it what was not flushed, again and again under load; what was flushed through the
# cache is there afterwards, in each mode.
# short
# timeout: 600
load_module
seed=1
for args in "0 8 2048 256 1" "0 32 512 64 1" "0 8 2048 256 0" "0 8 2048 256 1 1 no_checksums" "0 1 mode=writearound"; do
	disk 0 32 cache_size=64
	disk 1 16 cache_size=64
	hotset c "$args" || die "not created: $args"
	dmsetup message c 0 set dirty_age 1
	last=0 seed=$((seed + 1))
	for cut in 1 2 3; do
		pattern write /dev/mapper/c $seed $((last + 1)) 1000000 >/tmp/rounds 2>/tmp/errors &
		sleep $((2 + cut % 2)).$((cut * 2))
		echo 0 >/sys/kernel/config/nullb/nullb1/power
		echo 0 >/sys/kernel/config/nullb/nullb0/power
		# Writes to blocks that the dead cache names clean wait until someone takes it out of service for good.
		while kill -0 $! 2>/dev/null; do
			dmsetup message c 0 abandon 2>/dev/null
			sleep 0.2
		done
		wait
		dmsetup remove --noudevsync c || die "not removed"
		last=$(sed -n 's/^flushed //p' /tmp/rounds | tail -n 1)
		[ -n "$last" ] || die "not one round: $(cat /tmp/errors)"
		echo 1 >/sys/kernel/config/nullb/nullb0/power
		echo 1 >/sys/kernel/config/nullb/nullb1/power
		hotset c 1 || die "does not load after cut $cut: $(dmesg | tail -n 5)"
		pattern verify /dev/mapper/c $seed $last >/tmp/verify 2>&1 || die "$args, cut $cut: $(cat /tmp/verify)"
		echo "$args: cut $cut: $(cat /tmp/verify), dirty $(stat_of c 4), used $(stat_of c 3)"
	done
	dmsetup message c 0 flush || die "flush"
	pattern verify /dev/mapper/c $seed $last || die "$args: after write-back"
	remove c
	pattern verify /dev/nullb0 $seed $last || die "$args: the origin alone"
	for n in 0 1; do
		echo 0 >/sys/kernel/config/nullb/nullb$n/power
		rmdir /sys/kernel/config/nullb/nullb$n
	done
done
