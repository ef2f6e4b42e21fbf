# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A request that fails while the device is being suspended with --noflush waits for the next table and succeeds there;
# suspended without that, it fails.
load_module
modprobe dm-delay
disk 0 32
disk 1 16
olen=$(sectors /dev/nullb0)
dd if=/dev/urandom of=/dev/nullb0 bs=1M count=2 oflag=direct 2>/dev/null
create bad "0 $olen error"
create o "0 $olen delay /dev/mapper/bad 0 3000"

good_origin() {
	dmsetup suspend --noflush --nolockfs o && dmsetup reload o --table "0 $olen linear /dev/nullb0 0" &&
		dmsetup resume --noudevsync o || die "origin"
}
bad_origin() {
	dmsetup suspend --noflush --nolockfs o && dmsetup reload o --table "0 $olen delay /dev/mapper/bad 0 3000" &&
		dmsetup resume --noudevsync o || die "origin"
}

# The cache is made while the origin is well.
good_origin
create c "0 $olen hotset /dev/mapper/o /dev/nullb1 0 8 2048 256 1" || die "not created"
for how in "" --noflush; do
	bad_origin
	dd if=/dev/mapper/c of=/tmp/out bs=4k count=1 skip=$((100 + ${#how})) iflag=direct 2>/tmp/errors &
	pid=$!
	sleep 1
	# It waits until the request below has ended, badly.
	dmsetup suspend --nolockfs $how c || die "suspend $how"
	good_origin
	dmsetup resume --noudevsync c || die "resume"
	if [ -n "$how" ]; then
		wait $pid || die "failed though the origin is well again: $(cat /tmp/errors)"
		dd if=/dev/nullb0 of=/tmp/wanted bs=4k count=1 skip=$((100 + ${#how})) 2>/dev/null
		cmp /tmp/out /tmp/wanted || die "other data"
	else
		wait $pid && die "no error from a dead origin"
	fi
done
remove c
remove o
remove bad
