# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Swap on a write-back cache, with memory so short that writing it out is the only way on.
# timeout: 600
# memory: 384
# disk: 512 64
# host: "$HOTSET" format origin cache --mode writeback
load_module
create c "0 $(sectors /dev/vda) hotset /dev/vda /dev/vdb 1 1 dirty_age=1" || die "not created"
mkswap /dev/mapper/c >/dev/null && swapon /dev/mapper/c || die "swapon"
free -m
pressure 330 1 || die "memory came back changed, or not at all"
free -m
dmsetup status c
at_least "writes" "$(stat_of c 6)" 20000
swapoff /dev/mapper/c || die "swapoff"
remove c
