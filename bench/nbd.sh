#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# The cached disk as an NBD client sees it, by fio's nbd engine, as ratios to
#
#	file	nbdkit file on a file as large: what NBD over a unix socket costs here (the floor)
#	filter	nbdkit's cache filter with cache-on-read=true over the same origin (the peer)
#
# All files lie in memory (tmpfs), so that nothing is measured but software; the servers and the client keep to
# one core each, and go before other work on the machine where that is allowed (root).
#
# How a machine that does other things as well is made to answer: runs are short and many. A round runs each
# server once, beginning with another one each time; the ratio of two servers is taken within the round, and
# the median of the rounds' ratios is what counts. The quartiles beside it say how much it is worth. A run is a
# connection of its own, for how nbdkit's threads fall into step differs from one connection to the next. The
# first round of a workload is not counted.
#
# Beside the requests a second stands the processor time that the server spends on one, read from /proc: it
# hears less of what else goes on. Its ratio is turned so that there, too, more than 1 is better than the
# other.
#
#	ROUNDS=11 MS_EACH=1000 bench/nbd.sh
set -eu -o pipefail
cd "$(dirname "$0")/.."
build=$(realpath "${HOTSET_BUILD:-build/gcc}")
hotset=${HOTSET:-$build/hotset}
out=bench/out/nbd.json
rounds=${ROUNDS:-11}
each=${MS_EACH:-1000}
size=256M
server_cpu=0
client_cpu=$(($(nproc) > 1 ? 1 : 0))
first=()
[ "$(nice -n -10 nice 2>/dev/null)" = -10 ] && first=(nice -n -10)
tick_us=$((1000000 / $(getconf CLK_TCK)))

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

# ---- servers ------------------------------------------------------------------------------------------

# A server NAME on the servers' core, and waits until it can be connected to.
start() { # NAME COMMAND...
	local name=$1 i
	shift
	taskset -c $server_cpu ${first[@]+"${first[@]}"} "$@" >"$tmp/$name.log" 2>&1 </dev/null &
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

# Processor time that a server has used so far, in clock ticks.
ticks() { # NAME
	local stat
	stat=$(<"/proc/${pids[$1]}/stat")
	read -ra stat <<<"${stat##*) }"
	echo $((stat[11] + stat[12]))
}

misses() {
	"$hotset" stats hotset --json | jq .read_misses
}

# ---- measuring ----------------------------------------------------------------------------------------

client() { # FIO-OPTION...
	taskset -c $client_cpu ${first[@]+"${first[@]}"} fio --name=job --ioengine=nbd --size=$size "$@" >"$tmp/fio.log" 2>&1 ||
		die "fio: $(tail -n 3 "$tmp/fio.log")"
}

fill() { # SERVER: every block, once
	client --uri="$(uri "$1")" --rw=read --bs=256k --iodepth=4
}

# Requests a second, and microseconds of the server's processor time a request.
load() { # SERVER FIO-OPTION...
	local name=$1 before
	shift
	before=$(ticks "$name")
	client --uri="$(uri "$name")" --bs=4k --norandommap --randrepeat=0 --time_based \
		--runtime="${each}ms" --output-format=json --output="$tmp/fio.json" "$@"
	jq -r --argjson us $((($(ticks "$name") - before) * tick_us)) '.jobs[0] | (.read.total_ios + .write.total_ios) as $n |
		"\(.read.iops + .write.iops) \($us / $n)"' "$tmp/fio.json"
}

# Lines of figures: WORKLOAD SERVER ROUND IOPS US
rounds() { # ROUNDS WORKLOAD SERVERS FIO-OPTION...
	local count=$1 workload=$2 servers n r i server figures
	read -ra servers <<<"$3"
	shift 3
	n=${#servers[@]}
	for ((r = 0; r <= count; r++)); do
		for ((i = 0; i < n; i++)); do
			server=${servers[(i + r) % n]}
			figures=$(load "$server" "$@")
			[ $r = 0 ] || echo "$workload $server $r $figures" >>"$tmp/figures"
		done
	done
}

# Over the rounds of a workload: SERVER's IOPS, their ratio to OTHER's, or OTHER's processor time a request to
# SERVER's. The median, or the QUANTILE.
over_rounds() { # iops|ratio|cpu WORKLOAD SERVER OTHER [QUANTILE]
	awk -v what="$1" -v w="$2" -v s="$3" -v o="$4" '
		$1 == w && $2 == s { iops[$3] = $4; cpu[$3] = $5 }
		$1 == w && $2 == o { other[$3] = $4; other_cpu[$3] = $5 }
		END {
			for (r in iops)
				print what == "iops" ? iops[r] : what == "ratio" ? iops[r] / other[r] : other_cpu[r] / cpu[r]
		}' "$tmp/figures" | sort -n | awk -v q="${5:-0.5}" '
		{ v[NR] = $1 }
		END {
			at = 1 + q * (NR - 1)
			low = int(at)
			print v[low] + (at - low) * (v[low < NR ? low + 1 : low] - v[low])
		}'
}

# ---- everything in memory -----------------------------------------------------------------------------

head -c $size /dev/urandom >"$tmp/origin"
"$hotset" format "$tmp/origin" "$tmp/cache" --size 512M >/dev/null
cached hotset "$tmp/origin" "$tmp/cache"
plain filter --filter=cache file "$tmp/origin" cache=writeback cache-on-read=true
plain file --readonly file "$tmp/cache"
for server in hotset filter file; do
	fill $server
done

before=$(misses)
rounds "$rounds" read_1 "file hotset filter" --rw=randread --iodepth=1
rounds "$rounds" read_32 "file hotset filter" --rw=randread --iodepth=32
[ "$(misses)" = "$before" ] || die "not all reads were hits"

# The cache file is not the floor's to write: it gets one of its own.
stop file
head -c $size /dev/urandom >"$tmp/floor"
plain file file "$tmp/floor"
writes=$(((rounds + 2) / 3))
rounds $writes write_1 "file hotset filter" --rw=randwrite --iodepth=1
rounds $writes write_32 "file hotset filter" --rw=randwrite --iodepth=32
rounds $writes write_1_fsync "file hotset filter" --rw=randwrite --iodepth=1 --fsync=32
rounds $writes write_32_fsync "file hotset filter" --rw=randwrite --iodepth=32 --fsync=32
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
each=10000 load hotset "${zipf[@]}" >/dev/null
rounds 3 slow_zipf "slow hotset" "${zipf[@]}"
rounds 3 slow_zipf_fsync "slow hotset" "${zipf[@]}" --fsync=32

# ---- results ------------------------------------------------------------------------------------------

row() { # TEXT WORKLOAD TO-REACH
	local server
	printf '%-36s' "$1"
	for server in file hotset filter; do
		printf ' %8.0f' "$(over_rounds iops "$2" $server $server)"
	done
	printf ' %7.2f (%.2f to %.2f) %6s %5.2f' "$(over_rounds ratio "$2" hotset file)" \
		"$(over_rounds ratio "$2" hotset file 0.25)" "$(over_rounds ratio "$2" hotset file 0.75)" "$3" \
		"$(over_rounds cpu "$2" hotset file)"
	printf ' %7.2f %7.2f (%.2f to %.2f)\n' "$(over_rounds ratio "$2" filter file)" \
		"$(over_rounds ratio "$2" hotset filter)" \
		"$(over_rounds ratio "$2" hotset filter 0.25)" "$(over_rounds ratio "$2" hotset filter 0.75)"
}

printf 'fio, 4 KiB random, %d rounds (writes %d) of %d ms: IOPS; ratios (quartiles); cpu: processor time a request\n\n' \
	"$rounds" $writes "$each"
printf '%-36s %8s %8s %8s %-22s %6s %5s %7s %-22s\n' '' file hotset filter '  hotset to file' reach cpu 'filter' \
	' hotset to filter'
row 'read hits, depth 1' read_1 0.90
row 'read hits, depth 32' read_32 0.80
row 'write-back writes, depth 1' write_1 -
row 'write-back writes, depth 32' write_32 -
row 'the same, fsync every 32, depth 1' write_1_fsync -
row 'the same, fsync every 32, depth 32' write_32_fsync -
printf '\nOrigin of 5 ms a request, cache a quarter of it, zipf 1.1, 70%% reads, depth 4:\n'
printf '%-36s %10s %10s %8s\n' '' 'no cache' hotset gain
for workload in slow_zipf slow_zipf_fsync; do
	printf '%-36s %10.0f %10.0f %8.1f\n' "$([ $workload = slow_zipf ] && echo 'no fsync' || echo 'fsync every 32')" \
		"$(over_rounds iops $workload slow slow)" "$(over_rounds iops $workload hotset hotset)" \
		"$(over_rounds ratio $workload hotset slow)"
done

{
	for workload in read_1 read_32 write_1 write_32 write_1_fsync write_32_fsync; do
		echo "${workload}_to_file $(over_rounds ratio $workload hotset file)"
		echo "${workload}_to_file_low $(over_rounds ratio $workload hotset file 0.25)"
		echo "${workload}_to_file_high $(over_rounds ratio $workload hotset file 0.75)"
		echo "${workload}_cpu_to_file $(over_rounds cpu $workload hotset file)"
		echo "${workload}_to_filter $(over_rounds ratio $workload hotset filter)"
		echo "${workload}_cpu_to_filter $(over_rounds cpu $workload hotset filter)"
		echo "${workload}_filter_to_file $(over_rounds ratio $workload filter file)"
	done
	echo "slow_origin_gain $(over_rounds ratio slow_zipf hotset slow)"
	echo "slow_origin_fsync_gain $(over_rounds ratio slow_zipf_fsync hotset slow)"
} | jq -Rn '[inputs | split(" ") | {(.[0]): (.[1] | tonumber)}] | add' >$out
