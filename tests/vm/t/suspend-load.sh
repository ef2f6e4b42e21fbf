# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Suspend, resume and reload under load: nothing is lost, nothing fails.
# short
load_module
pair 48 16
hotset c "0 8 2048 256 1" || die "not created"
pattern write /dev/mapper/c 7 1 1000000 >/tmp/rounds 2>/tmp/errors &
pid=$!
for i in 1 2 3 4 5 6; do
	sleep 0.7
	case $i in
	2) args="1 1 mode=writethrough" ;;
	4) args="1 3 mode=writeback dirty_age=1 seq_cutoff=32k" ;;
	*) args="" ;;
	esac
	if [ -n "$args" ]; then
		dmsetup reload c --table "0 $(sectors /dev/nullb0) hotset /dev/nullb0 /dev/nullb1 $args" || die "reload"
	fi
	case $i in
	1) dmsetup suspend c || die "suspend" ;;
	3) dmsetup suspend --noflush c || die "suspend --noflush" ;;
	*) dmsetup suspend --nolockfs c || die "suspend" ;;
	esac
	expect state "$(stat_of c 13)" suspended
	dmsetup resume --noudevsync c || die "resume: $(dmesg | tail -n 5)"
done
sleep 1
# Rounds in which a write failed are not flushed; none must have failed.
kill $pid
wait $pid
[ ! -s /tmp/errors ] || die "$(cat /tmp/errors)"
last=$(sed -n 's/^flushed //p' /tmp/rounds | tail -n 1)
at_least "rounds" "$last" 3
pattern verify /dev/mapper/c 7 $last || die "after round $last"
remove c
hotset c 1
pattern verify /dev/mapper/c 7 $last || die "after round $last, loaded again"
remove c

# A new cache over the one that serves: refused while that holds dirty data, whenever they came.
hotset c 1
dmsetup message c 0 flush || die "flush"
dmsetup reload c --table "0 $(sectors /dev/nullb0) hotset /dev/nullb0 /dev/nullb1 0" || die "reload"
dd if=/dev/zero of=/dev/mapper/c bs=4k count=4 oflag=direct conv=fsync,notrunc 2>/dev/null || die "write"
dmsetup suspend c || die "suspend"
dmsetup resume --noudevsync c 2>/dev/null && die "dirty data were thrown away"
dmesg | grep -q "holds 4 dirty blocks" || die "no word of them"
dmsetup reload c --table "0 $(sectors /dev/nullb0) hotset /dev/nullb0 /dev/nullb1 1" || die "reload"
dmsetup resume --noudevsync c || die "resume"
expect dirty "$(stat_of c 4)" 4
remove c
