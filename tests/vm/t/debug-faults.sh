# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Memory that is refused, and requests that fail, by the kernel's own fault injection. First each allocation that loading a
# table and resuming it make, one by one: a refusal that names itself, nothing left behind, and the next try works. Then
# under load: memory alone fails no request; failing devices fail what is asked of them, and lose nothing flushed.
# debug
# timeout: 600
# allow: Call Trace:|page allocation failure|vmalloc error
load_module
# It forgets the name of a slab cache whose directory it could not make (6.12).
known_leaks=sysfs_slab_add
pair 32 12
# Disks that are full take no memory for what is written to them.
for n in 0 1; do
	dd if=/dev/zero of=/dev/nullb$n bs=1M oflag=direct 2>/dev/null
done
debug=/sys/kernel/debug
mine=$(sed -n 's/^\([0-9a-f]*\) [tT] .*\[dm_hotset\]$/\1/p' /proc/kallsyms | sort)

# Faults of a kind, so many in a hundred; of memory those only that the target's code asks for.
faults() { # KIND PERCENT
	local start end
	echo 0 >$debug/$1/probability
	[ "$2" != 0 ] || return 0
	start=0x$(echo "$mine" | head -n 1)
	end=$((0x$(echo "$mine" | tail -n 1) + 4096))
	echo 1 >$debug/$1/interval
	echo -1 >$debug/$1/times
	echo 0 >$debug/$1/verbose
	echo N >$debug/$1/task-filter
	if [ $1 != fail_make_request ]; then
		echo N >$debug/$1/ignore-gfp-wait
		echo 32 >$debug/$1/stacktrace-depth
		echo $start >$debug/$1/require-start
		echo $end >$debug/$1/require-end
	fi
	echo "$2" >$debug/$1/probability	# last: they begin with it
}
memory() { # PERCENT
	faults failslab $1
	faults fail_page_alloc $1
}
# What is set is kept at no probability: then only fail-nth makes faults.
memory 1
echo 0 >$debug/fail_page_alloc/min-order
memory 0
refused=0
nth() { # N COMMAND...: as the command; $left of the N were not reached
	local rc
	fail-nth "$@" >/tmp/left 2>/tmp/errors
	rc=$?
	[ $rc -lt 126 ] || die "fail-nth: $(cat /tmp/errors)"
	left=$(cat /tmp/left)
	[ $rc = 0 ] || refused=$((refused + 1))
	[ $rc = 0 ] || [ "$left" = 0 ] || die "$*: failed by itself: $(cat /tmp/errors)"
	return $rc
}
# All faults on the way of a command: the first and the last forty, and a few between.
each() { # COMMAND...: called with a number to hand to nth
	local n total
	"$@" 1000000 || die "$*: $(cat /tmp/errors)"
	total=$((1000000 - left))
	at_least "faults of $*" $total 3
	n=1
	while [ $n -le $total ]; do
		"$@" $n
		n=$((n + (n > 40 && n < total - 40 ? total / 7 : 1)))
	done
	echo "$*: $total faults on the way, refused $refused times so far"
}
size=$(sectors /dev/nullb0)
line() { echo "0 $size hotset /dev/nullb0 /dev/nullb1 $*"; }

made() { # ARGUMENTS N: a device is made, or nothing is left
	if nth $2 dmsetup create c --noudevsync --noudevrules --table "$(line $1)"; then
		nodes
		remove c
	else
		dmsetup info c >/dev/null 2>&1 && die "left behind"
		dmesg | tail -n 12 | grep -q 'hotset' || die "refused without a word: $(dmesg | tail -n 12)"
	fi
	true
}
each made "0 64 128 16 1 1 force"
hotset c "0 8 2048 256 1 1 force" || die "not created"
pattern write /dev/mapper/c 3 1 3 >/dev/null || die "write"
remove c
each made "1"
hotset c 1 || die "not loaded"
pattern exact /dev/mapper/c 3 3 || die "after refused loads"

reloaded() { # N: a live device gets another table, or keeps its own
	nth $1 dmsetup reload c --table "$(line 1 1 dirty_age=7)"
	dmsetup suspend --nolockfs c || die "suspend"
	dmsetup resume --noudevsync c || die "resume"
	expect state "$(stat_of c 13)" ok
}
each reloaded
resumed() { # N: the new table reads the map, or can be told to try again
	dmsetup reload c --table "$(line 1 1 dirty_age=8)" || die "reload"
	nth 1000000 dmsetup suspend --nolockfs c || die "suspend"
	nth $1 dmsetup resume --noudevsync c || dmsetup resume --noudevsync c || die "does not resume: $(dmesg | tail -n 5)"
	expect state "$(stat_of c 13)" ok
}
each resumed
pattern exact /dev/mapper/c 3 3 || die "after refused resumes"
at_least refusals $refused 60

last=3 alone=0
load() { # the pattern goes on behind the last flushed round, and begins again when a request fails
	pattern write /dev/mapper/c 3 $((last + 1)) 1000000 >/tmp/rounds 2>/tmp/load.errors &
	pid=$!
}
flushed() {
	local n
	n=$(sed -n 's/^flushed //p' /tmp/rounds | tail -n 1)
	last=${n:-$last}
}
end_load() { # abandons, while requests wait for that
	kill $pid 2>/dev/null
	for i in $(seq 600); do
		kill -0 $pid 2>/dev/null || break
		look
		sleep 0.1
	done
	kill -0 $pid 2>/dev/null && die "the load does not end: $(dmsetup status c)"
	wait $pid
	flushed
}
look() {
	[ "$(stat_of c abandon_due)" = 1 ] || return
	abandoned=1
	dmsetup message c 0 abandon
}

echo "memory"
abandoned=0
dmsetup message c 0 set dirty_age 1
memory 15
load
for i in 1 2 3 4 5 6 7 8; do
	sleep 0.7
	mode=$(echo writethrough writeback writearound writeback | cut -d ' ' -f $((i % 4 + 1)))
	dmsetup reload c --table "$(line 1 1 mode=$mode)" 2>/dev/null
	dmsetup suspend --nolockfs c || die "suspend"
	dmsetup resume --noudevsync c 2>/dev/null && continue
	memory 0
	dmsetup resume --noudevsync c || die "does not resume: $(dmesg | tail -n 5)"
	memory 15
done
memory 0
end_load
[ ! -s /tmp/load.errors ] || die "a request failed: $(cat /tmp/load.errors)"
at_least rounds $last 6
expect "errors" "$(stat_of c cache_errors) $(stat_of c origin_errors)" "0 0"
pattern verify /dev/mapper/c 3 $last || die "after $last"

# A request that fails may have been done or not. What was flushed before stays, by the cache if it is still in service or
# was not given up, else by the origin alone.
faulty() { # SECONDS ORIGIN CACHE PERCENT MODE
	local restarts=0 failed
	echo "origin $2, cache $3: $4 %, mode $5"
	abandoned=0
	dmsetup message c 0 mode $5
	# A new cache is empty, and writes alone put nothing into it in some modes.
	dd if=/dev/mapper/c of=/dev/null bs=64k iflag=direct 2>/dev/null || die "read"
	echo $2 >/sys/block/nullb0/make-it-fail
	echo $3 >/sys/block/nullb1/make-it-fail
	faults fail_make_request $4
	memory 5
	load
	for i in $(seq $(($1 * 5))); do
		sleep 0.2
		look
		kill -0 $pid 2>/dev/null && continue
		wait $pid
		flushed
		restarts=$((restarts + 1))
		load
	done
	faults fail_make_request 0
	memory 0
	failed=$(stat_of c 13)
	end_load
	echo "  $restarts restarts, after round $last: $failed, abandoned $abandoned, errors of the cache $(stat_of c cache_errors), of the origin $(stat_of c origin_errors)"
	[ $2 = 0 ] && expect "errors of the origin" "$(stat_of c origin_errors)" 0
	[ $3 = 0 ] && expect "errors of the cache" "$(stat_of c cache_errors)" 0
	at_least "errors" $(($(stat_of c cache_errors) + $(stat_of c origin_errors))) 1
	pattern verify /dev/mapper/c 3 $last || die "after round $last"
	if [ $failed = ok ]; then
		dmsetup message c 0 flush || die "flush: $(dmsetup status c)"
		remove c
		pattern verify /dev/nullb0 3 $last || die "the origin alone"
	elif [ $abandoned = 1 ]; then
		# A block that could not be read twice stays, marked as lost: the origin cannot have it.
		written() { lost=$(stat_of c lost) && [ "$(stat_of c 4)" = "$lost" ]; }
		wait_for 60 written || die "not written back: $(dmsetup status c)"
		remove c
		if [ "$lost" = 0 ]; then
			pattern verify /dev/nullb0 3 $last || die "the origin alone, the cache given up"
			alone=$((alone + 1))
		else
			echo "  $lost blocks lost"
			[ "$lost" -le 20 ] || die "so many?"
			# From the beginning.
			dd if=/dev/zero of=/dev/nullb0 bs=1M oflag=direct 2>/dev/null
			last=3
			pattern write /dev/nullb0 3 1 $last >/dev/null || die "write"
		fi
		hotset c "0 8 2048 256 1 1 force" || die "not created"
		return
	else
		remove c
	fi
	hotset c "1 1 mode=writeback" || die "not loaded: $(dmesg | tail -n 5)"
	pattern verify /dev/mapper/c 3 $last || die "after round $last, loaded again"
}
faulty 6 1 0 5 writeback
faulty 6 1 0 20 writeback
faulty 6 1 0 5 writethrough
for i in 1 2 3; do
	faulty 5 0 1 1 writeback
	faulty 5 0 1 3 writethrough
	faulty 5 1 1 2 writeback
done
echo "$last rounds, $alone times the origin alone had all after a failure"
dmsetup message c 0 flush || die "flush"
remove c
