#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# The cached disk as an NBD client sees it, by fio's nbd engine, as ratios to
#
#	file	nbdkit file on the cache file itself: what NBD over a unix socket costs here (the floor)
#	filter	nbdkit's cache filter with cache-on-read=true over the same origin (the peer)
#
# All files lie in memory (tmpfs), so that nothing is measured but software; each server and the client keep to
# one core of their own. Servers are measured in turn, round after round: absolute figures are noisy, the
# ratios of one round much less, and their median is what counts.
#
#	ROUNDS=7 SECONDS_EACH=2 bench/nbd.sh
set -eu -o pipefail
cd "$(dirname "$0")/.."
build=$(realpath "${HOTSET_BUILD:-build/gcc}")
hotset=${HOTSET:-$build/hotset}
out=bench/out/nbd.json
rounds=${ROUNDS:-7}
each=${SECONDS_EACH:-2}
size=256M
server_cpu=0
client_cpu=$(($(nproc) > 1 ? 1 : 0))

mkdir -p bench/out
tmp=$(mktemp -d -p /dev/shm hotset-bench.XXXXXX)
export TMPDIR=$tmp HOTSET_RUNDIR=$tmp HOTSET_PLUGIN=$build/nbdkit-hotset-plugin.so
declare -A pids=()
finish() {
	local name
	for name in "${!pids[@]}"; do
		kill "${pids[$name]}" 2>/dev/null || true
	done
	wait
	rm -rf "$tmp"
}
trap finish EXIT
trap 'exit 143' INT TERM

die() {
	echo "bench/nbd: $*" >&2
	exit 1
}

uri() { # NAME
	echo "nbd+unix:///?socket=$tmp/$1.nbd"
}

# A server NAME on the server's core, and waits until it can be connected to.
start() { # NAME COMMAND...
	local name=$1 i
	shift
	taskset -c $server_cpu "$@" >"$tmp/$name.log" 2>&1 </dev/null &
	pids[$name]=$!
	for ((i = 0; i < 1000; i++)); do
		[ -s "$tmp/$name.pid" ] && return
		kill -0 "${pids[$name]}" 2>/dev/null || break
		sleep 0.01
	done
	die "$* did not start: $(tail -n 3 "$tmp/$name.log")"
}

plain() { # NAME NBDKIT-ARGUMENT...
	local name=$1
	shift
	start "$name" nbdkit --foreground --unix "$tmp/$name.nbd" --pidfile "$tmp/$name.pid" "$@"
}

cached() { # NAME ORIGIN CACHE
	start "$1" "$hotset" serve "$2" "$3" --name "$1" --socket "$tmp/$1.nbd" --pidfile "$tmp/$1.pid"
}

stop() { # NAME
	kill "${pids[$1]}"
	wait "${pids[$1]}" || true
	unset "pids[$1]"
	rm -f "$tmp/$1.pid" "$tmp/$1.nbd"
}

# Requests a second.
load() { # SERVER FIO-OPTION...
	local name=$1
	shift
	taskset -c $client_cpu fio --name="$name" --ioengine=nbd --uri="$(uri "$name")" --bs=4k --size=$size \
		--norandommap --randrepeat=0 --time_based --runtime="$each" --output-format=json \
		--output="$tmp/fio.json" "$@" >"$tmp/fio.log" 2>&1 || die "fio: $(tail -n 3 "$tmp/fio.log")"
	jq '.jobs[0] | .read.iops + .write.iops' "$tmp/fio.json"
}

fill() { # SERVER: every block, once
	taskset -c $client_cpu fio --name=fill --ioengine=nbd --uri="$(uri "$1")" --rw=read --bs=256k \
		--size=$size --iodepth=4 >/dev/null 2>&1 || die "cannot fill $1"
}

misses() {
	"$hotset" stats hotset --json | jq .read_misses
}

# Rounds of one workload: each server in turn, in another order each time. Lines: WORKLOAD SERVER IOPS ROUND
rounds() { # WORKLOAD SERVERS FIO-OPTION...
	local workload=$1 servers n r i server iops
	read -ra servers <<<"$2"
	shift 2
	n=${#servers[@]}
	for ((r = 0; r < rounds; r++)); do
		for ((i = 0; i < n; i++)); do
			server=${servers[(i + r) % n]}
			iops=$(load "$server" "$@")
			echo "$workload $server $iops $r" >>"$tmp/figures"
		done
	done
}

# The median over the rounds of SERVER's IOPS, or of the ratio to another's.
median() { # WORKLOAD SERVER [OTHER]
	awk -v w="$1" -v s="$2" -v o="${3:-}" '
		$1 == w && $2 == s { a[$4] = $3 }
		$1 == w && $2 == o { b[$4] = $3 }
		END { for (r in a) print o == "" ? a[r] : a[r] / b[r] }' "$tmp/figures" | sort -n |
		awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# ---- everything in memory ----------------------------------------------------------------------------

head -c $size /dev/urandom >"$tmp/origin"
"$hotset" format "$tmp/origin" "$tmp/cache" --size 512M >/dev/null
cached hotset "$tmp/origin" "$tmp/cache"
plain filter --filter=cache file "$tmp/origin" cache=writeback cache-on-read=true
plain file --readonly file "$tmp/cache"
for server in hotset filter file; do
	fill $server
done

before=$(misses)
rounds read_1 "file hotset filter" --rw=randread --iodepth=1
rounds read_32 "file hotset filter" --rw=randread --iodepth=32
[ "$(misses)" = "$before" ] || die "not all reads were hits"

# The cache file is not the floor's to write: it gets one of its own.
stop file
head -c $size /dev/urandom >"$tmp/floor"
plain file file "$tmp/floor"
rounds write_1 "file hotset filter" --rw=randwrite --iodepth=1
rounds write_32 "file hotset filter" --rw=randwrite --iodepth=32
rounds write_1_fsync "file hotset filter" --rw=randwrite --iodepth=1 --fsync=32
rounds write_32_fsync "file hotset filter" --rw=randwrite --iodepth=32 --fsync=32
for server in hotset filter file; do
	stop $server
done
rm "$tmp/origin" "$tmp/cache" "$tmp/floor"

# ---- a slow origin: 5 ms a request, a cache of a quarter of it ----------------------------------------

truncate -s $size "$tmp/origin"
plain slow --filter=delay file "$tmp/origin" delay-read=5ms delay-write=5ms
"$hotset" format "$(uri slow)" "$tmp/cache" --size 64M >/dev/null
cached hotset "$(uri slow)" "$tmp/cache"
zipf=(--rw=randrw --rwmixread=70 --random_distribution=zipf:1.1 --iodepth=4)
each=15 load hotset "${zipf[@]}" >/dev/null
rounds=3
rounds slow_zipf "slow hotset" "${zipf[@]}"
rounds slow_zipf_fsync "slow hotset" "${zipf[@]}" --fsync=32

# ---- results ------------------------------------------------------------------------------------------

row() { # TEXT WORKLOAD TO-REACH
	printf '%-38s %10.0f %10.0f %10.0f %8.2f %8s %8.2f %8.2f\n' "$1" "$(median "$2" file)" \
		"$(median "$2" hotset)" "$(median "$2" filter)" "$(median "$2" hotset file)" "$3" \
		"$(median "$2" filter file)" "$(median "$2" hotset filter)"
}

printf 'fio, 4 KiB random, medians of %d rounds; IOPS, then ratios\n\n' "${ROUNDS:-7}"
printf '%-38s %10s %10s %10s %8s %8s %8s %8s\n' '' file hotset filter 'to file' 'reach' 'filter' 'to filter'
row 'read hits, depth 1' read_1 0.90
row 'read hits, depth 32' read_32 0.80
row 'write-back writes, depth 1' write_1 -
row 'write-back writes, depth 32' write_32 -
row 'the same, fsync every 32, depth 1' write_1_fsync -
row 'the same, fsync every 32, depth 32' write_32_fsync -
printf '\nOrigin of 5 ms a request, cache a quarter of it, zipf 1.1, 70%% reads, depth 4:\n'
printf '%-38s %10s %10s %8s\n' '' 'no cache' hotset gain
for workload in slow_zipf slow_zipf_fsync; do
	printf '%-38s %10.0f %10.0f %8.1f\n' "$([ $workload = slow_zipf ] && echo 'no fsync' || echo 'fsync every 32')" \
		"$(median $workload slow)" "$(median $workload hotset)" "$(median $workload hotset slow)"
done

{
	for workload in read_1 read_32 write_1 write_32 write_1_fsync write_32_fsync; do
		echo "${workload}_to_file $(median $workload hotset file)"
		echo "${workload}_to_filter $(median $workload hotset filter)"
		echo "${workload}_filter_to_file $(median $workload filter file)"
	done
	echo "slow_origin_gain $(median slow_zipf hotset slow)"
	echo "slow_origin_fsync_gain $(median slow_zipf_fsync hotset slow)"
} | jq -Rn '[inputs | split(" ") | {(.[0]): (.[1] | tonumber)}] | add' >$out
