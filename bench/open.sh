#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# How long a large cache takes to open: 16 Mi slots (64 GiB at 4 KiB), every one of them named, its files in
# memory. Timed from the start of `hotset serve` until a client can connect, after a clean stop and after kill -9
# in the middle of writes with fsync. The files are sparse, and lie on a tmpfs: they take about 1 GiB.
#
#	ROUNDS=5 bench/open.sh
set -eu -o pipefail
cd "$(dirname "$0")/.."
build=$(realpath "${HOTSET_BUILD:-build/gcc}")
hotset=${HOTSET:-$build/hotset}
out=bench/out/open.json
rounds=${ROUNDS:-5}
slots=$((16 << 20))

mkdir -p bench/out
tmp=$(mktemp -d -p /dev/shm hotset-bench.XXXXXX)
export HOTSET_RUNDIR=$tmp HOTSET_PLUGIN=$build/nbdkit-hotset-plugin.so
pid=
finish() {
	[ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null || true
	wait
	rm -rf "$tmp"
}
trap finish EXIT
trap 'exit 143' INT TERM

die() {
	echo "bench/open: $*" >&2
	exit 1
}

ms() {
	echo $((${EPOCHREALTIME/./} / 1000))
}

# Starts the server; $took: milliseconds until it is ready, $recovery: of them, reading the map.
serve() {
	local begun
	rm -f "$tmp/pid" "$tmp/nbd"
	begun=$(ms)
	"$hotset" serve "$tmp/origin" "$tmp/cache" --name big --socket "$tmp/nbd" --pidfile "$tmp/pid" \
		>"$tmp/log" 2>&1 </dev/null &
	pid=$!
	until [ -s "$tmp/pid" ]; do
		kill -0 $pid 2>/dev/null || die "the server did not start: $(tail -n 3 "$tmp/log")"
		sleep 0.002
	done
	took=$(($(ms) - begun))
	"$hotset" stats big --json >"$tmp/stats"
	recovery=$(jq '.recovery_ns / 1000000 | floor' "$tmp/stats")
	[ "$(jq .used "$tmp/stats")" -ge $((slots - slots / 8)) ] || die "not all slots are named"
}

stop() {
	kill $pid
	wait $pid || true
	pid=
}

# Kills the server while a client writes and flushes.
crash() {
	fio --name=w --ioengine=nbd --uri="nbd+unix:///?socket=$tmp/nbd" --rw=randwrite --bs=4k --iodepth=16 \
		--fsync=32 --size=1G --time_based --runtime=60 >/dev/null 2>&1 </dev/null &
	local client=$!
	sleep 2
	kill -KILL $pid
	wait $pid 2>/dev/null || true
	pid=
	wait $client || true
}

median() { # FILE COLUMN
	awk -v c="$2" '{ print $c }' "$1" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

truncate -s 144G "$tmp/origin"
truncate -s 65G "$tmp/cache"
"$hotset" format "$tmp/origin" "$tmp/cache" >"$tmp/format.txt"
named=$("$build/bench/open-fill" "$tmp/cache")
[ "$named" -ge $slots ] || die "only $named slots"

serve
stop
for ((r = 0; r < rounds; r++)); do
	serve
	jq -e .clean_start "$tmp/stats" >/dev/null || die "that was no clean stop"
	echo "$took $recovery" >>"$tmp/clean"
	crash
	serve
	echo "$took $recovery $(jq .recovered_transactions "$tmp/stats")" >>"$tmp/killed"
	stop
done

printf 'Opening a cache of %d slots, all named, files in memory; medians of %d rounds\n\n' "$named" "$rounds"
printf '%-24s %12s %12s %12s %14s\n' '' 'to reach, ms' 'ready, ms' 'the map, ms' 'transactions'
printf '%-24s %12d %12d %12d %14s\n' 'after a clean stop' 1000 "$(median "$tmp/clean" 1)" "$(median "$tmp/clean" 2)" -
printf '%-24s %12d %12d %12d %14d\n' 'after kill -9' 2000 "$(median "$tmp/killed" 1)" "$(median "$tmp/killed" 2)" \
	"$(median "$tmp/killed" 3)"
cat >$out <<END
{
	"slots": $named,
	"clean_stop_ms": $(median "$tmp/clean" 1),
	"clean_stop_map_ms": $(median "$tmp/clean" 2),
	"killed_ms": $(median "$tmp/killed" 1),
	"killed_map_ms": $(median "$tmp/killed" 2),
	"killed_transactions": $(median "$tmp/killed" 3)
}
END
