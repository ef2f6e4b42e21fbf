# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What the hotset command refuses about kernel caches: one line that names the thing and the way out, status 1, and
# everything is as it was.
# timeout: 600
# programs: hotset setpriv
hs() { /bin/hotset "$@"; }
cases=0 status=1
refused() { # PATTERN ARGUMENT...
	local pattern=$1 rc=0
	shift
	hs "$@" >/tmp/out 2>/tmp/err </dev/null || rc=$?
	[ $rc = $status ] || die "hotset $*: status $rc: $(cat /tmp/out /tmp/err)"
	grep -v 'dirty blocks left$' /tmp/err >/tmp/line
	[ "$(wc -l </tmp/line)" = 1 ] || die "hotset $*: not one line: $(cat /tmp/err)"
	grep -q "^hotset: .*$pattern" /tmp/line || die "hotset $*: does not say '$pattern': $(cat /tmp/err)"
	cases=$((cases + 1))
}
gone() { # NAME
	dmsetup info "$1" >/dev/null 2>&1 && die "$1 was left behind"
	true
}
key() { # KEY: of the statistics
	hs stats data --json | tr ',{}' '\n\n\n' | sed -n "s/^\"$1\":\"\{0,1\}\([^\"]*\)\"\{0,1\}$/\1/p" | tail -n 1
}
write() { # MIB SEEK
	dd if=/tmp/data of=/dev/mapper/data bs=1M count=$1 seek=$2 oflag=direct conv=fsync,notrunc 2>/dev/null
}

disk 0 64
disk 1 32
dd if=/dev/urandom of=/tmp/data bs=1M count=8 2>/dev/null
: >/tmp/file

echo "no module, nothing there"
refused 'no target hotset, and its module dm-hotset cannot be loaded: install the package hotset-dkms' \
	attach data /dev/nullb0 /dev/nullb1
gone data
load_module

echo "attach"
refused '/dev/missing: No such file' attach data /dev/missing /dev/nullb1
refused '/dev/missing: No such file' attach data /dev/nullb0 /dev/missing
refused '/tmp/file: a file, and the kernel caches block devices only: .losetup' attach data /tmp/file /dev/nullb1
refused "hotset serve' takes NBD origins" attach data nbd://host/x /dev/nullb1
refused '/dev/null: not a block device' attach data /dev/null /dev/nullb1
refused '/dev/nullb1.* hotset format' attach data /dev/nullb0 /dev/nullb1
gone data
hs format /dev/nullb0 /dev/nullb1 >/dev/null || die "format"
refused '/dev/nullb1' attach data /dev/nullb1 /dev/nullb1
gone data
create other "0 8 zero"
refused 'other: there is a device-mapper device of that name already (zero)' attach other /dev/nullb0 /dev/nullb1
remove other
mke2fs -q -F /dev/nullb0 || die "mke2fs"
mount -t ext4 /dev/nullb0 /mnt || die "mount"
refused '/dev/nullb0 is mounted on /mnt: unmount it first' attach data /dev/nullb0 /dev/nullb1
umount /mnt
gone data
create small "0 1024 linear /dev/nullb0 0"
refused 'was made for' attach data /dev/mapper/small /dev/nullb1
gone data
refused '/dev/nullb0 is in use' attach data /dev/nullb0 /dev/nullb1
remove small
refused 'dirty_limit wants percent' attach data /dev/nullb0 /dev/nullb1 --set dirty_limit=101
gone data

echo "a name that is not running, another's device"
for command in stats flush detach stop; do
	refused 'nobody: ' $command nobody
done
refused 'nobody: ' set nobody mode=bypass
create other "0 8 zero"
refused 'other: a device-mapper device of target zero, not a hotset cache' detach other
remove other

echo "a name that is taken"
hs attach data /dev/nullb0 /dev/nullb1 >/dev/null || die "attach"
refused 'data: is attached already' attach data /dev/nullb0 /dev/nullb1
refused 'in use' attach data2 /dev/nullb0 /dev/nullb1
gone data2
refused 'a cache named data is in the kernel' serve /dev/nullb0 /dev/nullb1 --name data
status=2	# of check: cannot tell
refused 'in use' check /dev/nullb1
status=1
refused 'in use' writeback /dev/nullb0 /dev/nullb1
refused 'in use' format /dev/nullb0 /dev/nullb1 --force
refused "knows of nothing lost; .*'hotset detach data --keep-dirty' first, then 'hotset check --data /dev/nullb1'" lost data
refused "forgets nothing: 'hotset detach data --keep-dirty' first, then 'hotset lost /dev/nullb1 --forget 4K+4K --origin /dev/nullb0'" \
	lost data --forget 4K+4K
refused 'in use' lost /dev/nullb1
refused 'in use' lost /dev/nullb1 --forget 4K+4K --origin /dev/nullb0

echo "settings"
refused 'no setting nonsense' set data nonsense=1
refused 'dirty_limit=200: dirty_limit wants percent' set data dirty_limit=200
refused 'mode fast: want writeback' set data mode=fast
refused "seq_cutoff=4 M: not a value" set data "seq_cutoff=4 M"

echo "detach of a device that is open"
mke2fs -q -F /dev/mapper/data || die "mke2fs"
mount -t ext4 /dev/mapper/data /mnt || die "mount"
refused '/dev/mapper/data is mounted on /mnt: unmount it first' detach data
refused '/dev/mapper/data is mounted on /mnt: unmount it first' detach data --keep-dirty
umount /mnt
sleep 100 </dev/mapper/data &
pid=$!
refused '/dev/mapper/data is open: end the programs' detach data
refused '/dev/mapper/data is open: end the programs' stop data
kill $pid
wait $pid 2>/dev/null
create upon "0 8 linear /dev/mapper/data 0"
refused '/dev/mapper/data is in use by the device dm-' detach data
remove upon
dmsetup suspend data || die "suspend"
refused "data: suspended: 'dmsetup resume data' first" detach data
refused "data: suspended: 'dmsetup resume data' first" set data dirty_age=9
dmsetup resume --noudevsync data || die "resume"
[ -b /dev/mapper/data ] || die "the refusals did something"
hs detach data >/dev/null 2>&1 || die "detach"
gone data

echo "an origin that changed"
dd if=/dev/urandom of=/dev/nullb0 bs=4k count=1 oflag=direct conv=fsync 2>/dev/null
refused 'changed' attach data /dev/nullb0 /dev/nullb1
gone data
hs attach data /dev/nullb0 /dev/nullb1 --accept-changed-origin >/dev/null || die "accept"
hs detach data >/dev/null || die "detach"

echo "detach while write-back fails: the device stays, and so do the data"
create o "0 131072 linear /dev/nullb0 0"
hs format /dev/mapper/o /dev/nullb1 --force >/dev/null || die "format"
hs attach data /dev/mapper/o /dev/nullb1 --set writeback=off >/dev/null || die "attach"
write 4 0 || die "write"
dmsetup suspend --noflush --nolockfs o && dmsetup reload o --table "0 131072 error" && dmsetup resume --noudevsync o
dirty=$(key dirty)
at_least dirty "$dirty" 1024
refused 'data: write-back to /dev/mapper/o fails: [0-9]* blocks are still dirty, and stay in the cache' detach data
refused 'data: write-back to /dev/mapper/o fails' flush data
expect dirty "$(key dirty)" "$dirty"
dd if=/dev/mapper/data of=/tmp/out bs=1M count=4 iflag=direct 2>/dev/null || die "read"
cmp -n 4194304 /tmp/out /tmp/data || die "the data"
write 1 4 || die "it does not serve on"
dmsetup suspend --noflush --nolockfs o && dmsetup reload o --table "0 131072 linear /dev/nullb0 0" &&
	dmsetup resume --noudevsync o
# Interrupted while the origin is slow: as it was.
modprobe dm-delay
dmsetup suspend --noflush --nolockfs o && dmsetup reload o --table "0 131072 delay /dev/nullb0 0 0 /dev/nullb0 0 2000" &&
	dmsetup resume --noudevsync o
/bin/hotset detach data >/tmp/out 2>&1 &
pid=$!
sleep 2
kill -TERM $pid
wait $pid && die "an interrupted detach says that all is well: $(cat /tmp/out)"
[ -b /dev/mapper/data ] || die "interrupted, and the device is gone"
dmsetup info -c --noheadings -o suspended data | grep -qi suspended && die "interrupted, and suspended"
dd if=/dev/mapper/data of=/dev/null bs=1M count=4 iflag=direct 2>/dev/null || die "read"
at_least "dirty" "$(key dirty)" 1
dmsetup suspend --noflush --nolockfs o && dmsetup reload o --table "0 131072 linear /dev/nullb0 0" &&
	dmsetup resume --noudevsync o
hs detach data >/tmp/out 2>&1 || die "detach: $(cat /tmp/out)"
dd if=/dev/nullb0 of=/tmp/out bs=1M count=4 iflag=direct 2>/dev/null
cmp -n 4194304 /tmp/out /tmp/data || die "the origin lacks what was written back"
remove o

echo "not root"
user() { # ARGUMENT...: the command as somebody else; busybox has a setpriv of its own
	HOTSET_RUNDIR=/run /bin/setpriv --reuid 1000 --clear-groups /bin/hotset "$@" >/tmp/out 2>/tmp/err && die "not root: $*"
	[ "$(wc -l </tmp/err)" = 1 ] || die "not one line: $(cat /tmp/err)"
}

user attach data /dev/nullb0 /dev/nullb1
grep -q 'attach: only root can: use sudo' /tmp/err || die "not root: $(cat /tmp/err)"
user stats data
grep -q "no server of that name is running, and only root sees the kernel's caches" /tmp/err || die "not root: $(cat /tmp/err)"
user detach data
grep -q 'data: only root can talk to caches in the kernel: use sudo' /tmp/err || die "not root: $(cat /tmp/err)"
echo "$cases refusals"
