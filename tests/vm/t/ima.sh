# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What the kernel's integrity measurement records of a table (the status type IMA), read back from its log.
# cmdline: ima_policy=critical_data
load_module
mount -t securityfs none /sys/kernel/security
log=/sys/kernel/security/ima/ascii_runtime_measurements
[ -r $log ] || die "no measurements: $(dmesg | grep -i ima)"
disk 0 64
disk 1 32
measured() { # PATTERN
	# The data of a critical-data record are its last field, in hexadecimal digits.
	awk '/dm_table_load/ { print $NF }' $log | while read -r hex; do
		echo "$hex" | xxd -r -p
		echo
	done >/tmp/measured
	grep -q "$1" /tmp/measured || die "not measured: $1 in: $(cat /tmp/measured)"
}
hotset c "0 8 4096 256 1" || die "not created"
measured "target_name=hotset,target_version=[0-9.]*,origin_device_name=$(cat /sys/block/nullb0/dev),cache_device_name=$(cat /sys/block/nullb1/dev),block_size=8,slots=4096,associativity=256,mode=writeback,checksums=y;"
remove c
hotset c "0 16 1024 64 0 2 force no_checksums" || die "not created"
measured "block_size=16,slots=1024,associativity=64,mode=writethrough,checksums=n;"
remove c
