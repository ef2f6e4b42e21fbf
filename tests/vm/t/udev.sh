# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# With a real udev: it takes 90-hotset.rules without a complaint; origin and cache device of a file in /etc/hotset are not
# ready for systemd, the cached device is; a UUID that both have is the cached device's; the command and udev wait for
# each other.
# timeout: 300
# disk: 64 32
# programs: hotset udevadm
# files: /lib/udev/rules.d/50-udev-default.rules /lib/udev/rules.d/55-dm.rules /lib/udev/rules.d/60-block.rules /lib/udev/rules.d/60-persistent-storage.rules /lib/udev/rules.d/60-persistent-storage-dm.rules /lib/udev/rules.d/95-dm-notify.rules /lib/udev/rules.d/99-systemd.rules systemd/90-hotset.rules
load_module
# The disks, by the names that udev knows.
origin=$(readlink -f /dev/vda) cache=$(readlink -f /dev/vdb)
hs() { /bin/hotset "$@"; }
udev_system

disk 0 32
cat >/etc/hotset/data.conf <<CONF
origin = $origin
cache = $cache
CONF
echo "a file that is wrong" >/etc/hotset/aaa.conf
mke2fs -q -F -U 11111111-2222-3333-4444-555555555555 $origin || die "mke2fs"
mke2fs -q -F /dev/nullb0 || die "mke2fs"

ln -s /bin/udevadm /sbin/systemd-udevd
SYSTEMD_LOG_LEVEL=info /sbin/systemd-udevd 2>/tmp/udevd.log &
udevd=$!
wait_for 30 [ -S /run/udev/control ] || die "udev does not start: $(cat /tmp/udevd.log)"
udevadm trigger --action=add --subsystem-match=block && udevadm settle --timeout=60 || die "settle"
property() { # DEVICE NAME
	udevadm info --query=property --name="$1" | sed -n "s/^$2=//p"
}
uuid=/dev/disk/by-uuid/11111111-2222-3333-4444-555555555555
expect "the origin's role" "$(property $origin HOTSET_ROLE)" origin
expect "the origin's name" "$(property $origin HOTSET_NAME)" data
expect "the origin is ready" "$(property $origin SYSTEMD_READY)" 0
expect "the cache's role" "$(property $cache HOTSET_ROLE)" cache
expect "the cache is ready" "$(property $cache SYSTEMD_READY)" 0
expect "another's role" "$(property /dev/nullb0 HOTSET_ROLE)" ""
expect "another is ready" "$(property /dev/nullb0 SYSTEMD_READY)" ""
expect "the UUID's device" "$(readlink -f $uuid)" $origin

hs format $origin $cache >/dev/null || die "format"
hs attach data $origin $cache || die "attach"
# udev was waited for: what its rules do has been done.
[ -b /dev/mapper/data ] || die "no device node"
expect "the link" "$(readlink -f /dev/mapper/data)" /dev/dm-0
udevadm settle --timeout=60
expect "the cached device is ready" "$(property /dev/mapper/data SYSTEMD_READY)" 1
expect "the cached device's role" "$(property /dev/mapper/data HOTSET_ROLE)" ""
expect "the UUID's device" "$(readlink -f $uuid)" /dev/dm-0
mount -t ext4 $uuid /mnt || die "mount by UUID"
grep -q '^/dev/mapper/data /mnt \|^/dev/dm-0 /mnt ' /proc/mounts || grep -q "/dev/.* /mnt " /proc/mounts || die "$(cat /proc/mounts)"
echo words >/mnt/words
umount /mnt
# It may look at the device at any moment: a removal is not put off by that.
for i in 1 2 3; do
	udevadm trigger --subsystem-match=block
	hs detach data --keep-dirty || die "detach"
	[ ! -e /dev/mapper/data ] || die "the node is still there"
	hs attach data $origin $cache || die "attach"
done
hs detach data || die "detach"
udevadm settle --timeout=60
expect "the UUID's device" "$(readlink -f $uuid)" $origin
grep -i 'rules.*\(invalid\|unknown\|ignor\|error\)' /tmp/udevd.log | grep hotset && die "udev complains of the rules"
kill $udevd
wait $udevd
cat /tmp/udevd.log
