# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The debug kernel notices what it is there for: a module makes one mistake of each kind (broken/broken.c), a machine each.
# Without this a kernel that looks for nothing would pass for one that finds nothing.
# debug
# boots: 7
# broken
# complains: BUG: KASAN: slab-use-after-free in broken_freed
# complains: BUG: KASAN: vmalloc-out-of-bounds in broken_beyond
# complains: WARNING: possible circular locking dependency detected
# complains: BUG: sleeping function called from invalid context
# complains: refcount_t: addition on 0; use-after-free
# complains: ^
# complains: blocked for more than [0-9]* seconds
case $boot in
1) insmod /broken.ko what=freed ;;
2) insmod /broken.ko what=beyond ;;
3) insmod /broken.ko what=order ;;
4) insmod /broken.ko what=sleep ;;
5) insmod /broken.ko what=count ;;
6)
	insmod /broken.ko what=leak || die "not loaded"
	leaks >/tmp/leaks && die "no leak: $(cat /tmp/leaks)"
	grep -q 'size 8192\|size 4321' /tmp/leaks || die "another leak: $(cat /tmp/leaks)"
	echo clear >$kmemleak
	;;
7)
	echo 5 >/proc/sys/kernel/hung_task_timeout_secs
	insmod /broken.ko what=hang
	;;
esac
