# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Debian's systemd as the first process, booted twice on the same disks. A file system of /etc/fstab, named by the UUID that
# the origin has, too, is mounted from the cached device; a cache whose devices are missing and one whose file is wrong keep
# nothing waiting; devices that come later bring the one up. A reboot with the file system in use and dirty blocks
# stops the cache clean.
# timeout: 600
# memory: 2048
# systemd
# cmdline: systemd.show_status=no
# disk: 64 32
# boots: 2
# programs: hotset
# files: /lib/udev/rules.d/55-dm.rules /lib/udev/rules.d/60-persistent-storage-dm.rules /lib/udev/rules.d/95-dm-notify.rules systemd/90-hotset.rules systemd/hotset@.service
trap - EXIT
uuid=11111111-2222-3333-4444-555555555555
hs() { /bin/hotset "$@"; }

unit() { # ARGUMENT: one that runs this script
	cat <<UNIT
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'sh /test $1 >/dev/ttyS1 2>&1; echo status \$? >/dev/ttyS1; systemctl reboot'
[Unit]
UNIT
}

# Before there is a systemd: a system that has hotset installed, and three caches enabled.
system() {
	udev_system
	mkdir -p /usr/sbin /var/lib/hotset
	echo 0123456789abcdef0123456789abcdef >/etc/machine-id
	ln -s /lib/systemd /usr/lib/systemd
	ln -s /bin/e2fsck /sbin/fsck.ext4
	cp /systemd/hotset@.service /lib/systemd/system/
	mkdir -p "/lib/modules/$(uname -r)/extra" && cp $module "/lib/modules/$(uname -r)/extra/"
	ln -s /bin/kmod /sbin/depmod
	/sbin/depmod || die "depmod"
	printf 'origin = %s\ncache = %s\n' /dev/vda /dev/vdb >/etc/hotset/data.conf
	printf 'origin = %s\ncache = %s\n' /dev/mapper/o /dev/mapper/k >/etc/hotset/late.conf
	echo 'this = is wrong' >/etc/hotset/wrong.conf
	echo "UUID=$uuid /mnt ext4 defaults 0 2" >/etc/fstab
	systemctl --root=/ enable hotset@data hotset@late hotset@wrong || die "enable"
	unit booted >/etc/systemd/system/test.service
	echo 'After=multi-user.target' >>/etc/systemd/system/test.service
	unit refused >/etc/systemd/system/emergency.service
	printf '[Unit]\nRequires=multi-user.target test.service\n' >/etc/systemd/system/default.target
}

case $1 in
before)
	system
	if [ "$boot" = 1 ]; then
		/sbin/modprobe dm-hotset || die "the module does not load"
		hs format /dev/vda /dev/vdb >/dev/null || die "format"
		hs attach data /dev/vda /dev/vdb --set dirty_age=3600 || die "attach"
		mke2fs -q -U $uuid /dev/mapper/data || die "mke2fs"
		hs detach data --keep-dirty || die "detach"
		rmmod dm_hotset || die "the module does not go"
	else
		hs check /dev/vdb >/tmp/check || die "check: $(cat /tmp/check)"
		grep -q ' [1-9][0-9]* dirty blocks, stopped cleanly' /tmp/check || die "the reboot: $(cat /tmp/check)"
	fi
	exit 0
	;;
esac

is() { # UNIT STATE
	[ "$(systemctl show --value --property=ActiveState "$1")" = "$2" ]
}
says() { # WORDS: of the late one
	[ "$(systemctl show --value --property=StatusText hotset@late)" = "$1" ]
}
failed_all() {
	systemctl --no-pager list-units --failed
	systemctl --no-pager status 'hotset@*'
	journalctl --no-pager -b -u "hotset@*" -u systemd-udevd
}
must() { # WHAT COMMAND...
	local what=$1
	shift
	"$@" || { failed_all; die "$what"; }
}

[ "$1" = booted ] || { failed_all; die "systemd is in emergency mode"; }
# That this runs at all shows that the boot did not wait.
must "multi-user" is multi-user.target active
must "local-fs" is local-fs.target active
must "the cache with its devices" is hotset@data.service active
must "the cache without its devices" says "waiting for /dev/mapper/o"
must "the cache with a wrong file" is hotset@wrong.service failed
must "the origin is hidden" is dev-vda.device inactive
must "the cached device is not" is dev-mapper-data.device active
source=$(awk '$2 == "/mnt" { print $1 }' /proc/mounts)
expect "mounted" "$(readlink -f "$source")" "$(readlink -f /dev/mapper/data)"
expect "the UUID's device" "$(readlink -f /dev/disk/by-uuid/$uuid)" "$(readlink -f /dev/mapper/data)"
[ "$boot" = 1 ] || expect "what the first one wrote" "$(cat /mnt/words)" "words of boot 1"
echo "words of boot $boot" >/mnt/words
dd if=/dev/urandom of=/mnt/data bs=1M count=4 conv=fsync 2>/dev/null || die "write"

disk 2 64
disk 3 32
hs format /dev/nullb2 /dev/nullb3 >/dev/null || die "format"
dmsetup create k --table "0 65536 linear /dev/nullb3 0" || die "k"
sleep 3
must "the cache without its origin" says "waiting for /dev/mapper/o"
dmsetup create o --table "0 131072 linear /dev/nullb2 0" || die "o"
wait_for 60 [ -b /dev/mapper/late ] || { failed_all; die "the late one does not come up"; }
systemctl stop hotset@late || die "stop"
[ ! -e /dev/mapper/late ] || die "the device is still there"
wait_for 10 dmsetup remove o && wait_for 10 dmsetup remove k || die "in use still"
exit 0
