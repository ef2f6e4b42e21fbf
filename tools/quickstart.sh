#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# The main job for real, in about a minute: a disk with an 8 ms seek, full of files, behind a cache an
# eighth of its size; the same work with the cache cold and warm; then every byte compared. Needs what
# tools/setup.sh installs, and a build in HOTSET_BUILD. Leaves no process and no file behind.
set -Eeu -o pipefail
cd "$(dirname "$0")/.."
build=$(realpath "${HOTSET_BUILD:-build/gcc}")
hotset=$build/hotset
dir=$(mktemp -d "${TMPDIR:-/tmp}/hotset-quickstart.XXXXXXXX")
export HOTSET_RUNDIR=$dir/run
pids=()
begun=$SECONDS

finish() {
	local rc=$?
	trap - EXIT ERR
	set +e
	[ $rc = 0 ] || tail -n 5 "$dir"/*.log >&2 2>/dev/null || true
	# The server first: it still talks to the disk.
	for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
		kill "${pids[i]}" 2>/dev/null && wait "${pids[i]}" 2>/dev/null
	done
	rm -rf "$dir"
	exit $rc
}
trap finish EXIT
trap 'echo "quickstart: failed: $BASH_COMMAND" >&2' ERR
trap 'exit 130' INT TERM HUP

say() { printf '\n\033[1m%s\033[0m\n' "$*" | { [ -t 1 ] && cat || sed 's/\x1b\[[0-9]*m//g'; }; }

await() { # PIDFILE
	for _ in $(seq 1000); do
		[ -s "$1" ] && return
		sleep 0.02
	done
	return 1
}

mkdir -m 700 "$HOTSET_RUNDIR"
say "A disk: 512 MiB of ext4 with files from /usr/share"
# In a fixed order, as many as fit with room to spare.
mkdir "$dir/files"
(cd /usr/share && find . -type f -size -512k -printf '%s %p\n' | LC_ALL=C sort -k 2 |
	awk '{ sum += $1 + 4096; sub(/^[0-9]+ /, ""); if (sum < 400 * 1048576) print }' |
	tar -c --no-recursion --verbatim-files-from -T -) | tar -x -C "$dir/files"
mke2fs -q -t ext4 -N 200000 -E lazy_itable_init=0 -d "$dir/files" "$dir/disk" 512M >"$dir/mke2fs.log" 2>&1
echo "$(find "$dir/files" -type f | wc -l) files, $(du -sh "$dir/files" | cut -f 1)"
rm -rf "$dir/files"

nbdkit --foreground --unix "$dir/disk.nbd" --pidfile "$dir/disk.pid" --filter=delay \
	file "$dir/disk" rdelay=8ms wdelay=8ms >"$dir/disk.log" 2>&1 &
pids+=($!)
await "$dir/disk.pid"
slow="nbd+unix:///?socket=$dir/disk.nbd"
echo "served over NBD with 8 ms a request"

say "A cache: 128 MiB"
"$hotset" format "$slow" "$dir/cache" --size 128M | sed "s|$dir/||g; s|nbd+unix:///?socket=||"
"$hotset" serve "$slow" "$dir/cache" --name quickstart --socket "$dir/fast.nbd" --pidfile "$dir/fast.pid" \
	>"$dir/serve.log" 2>&1 &
pids+=($!)
await "$dir/fast.pid"
fast="nbd+unix:///?socket=$dir/fast.nbd"

# Nine reads to a write, 4 KiB each, 95 % of them to the first 5 % of the disk.
work() { # NAME SECONDS
	"$hotset" stats quickstart --json >"$dir/$1.before"
	(cd "$dir" && fio --name="$1" --ioengine=nbd --uri="$fast" --rw=randrw --rwmixread=90 --bs=4k --size=512M \
		--iodepth=8 --random_distribution=zoned:95/5:5/95 --randseed="$3" --time_based --runtime="$2" \
		--output-format=json --output="$dir/$1.json" >"$dir/fio.log" 2>&1)
	"$hotset" stats quickstart --json >"$dir/$1.after"
}
say "The same work twice"
echo "cold: the cache is empty ... 6 s"
work cold 6 1
echo "the same work goes on ... 12 s"
work meanwhile 12 2
echo "warm: the cache knows what is hot ... 6 s"
work warm 6 3

say "Every byte compared"
"$hotset" stats quickstart --json >"$dir/end.json"
dirty=$(jq .dirty "$dir/end.json")
ram=$(jq .ram_bytes "$dir/end.json")
echo "$dirty dirty blocks are only in the cache; hotset flush writes them back"
"$hotset" flush quickstart >"$dir/flush.log" 2>&1
nbdcopy "$fast" "$dir/copy"
cmp "$dir/copy" "$dir/disk" && echo "the export and the disk are the same, byte for byte"
"$hotset" stop quickstart >/dev/null 2>&1
"$hotset" check --data "$dir/cache" | sed "s|$dir/||g"

latency() { # RUN read|write PERCENTILE: in milliseconds
	fio_json "$1" | jq -r ".jobs[0].$2.clat_ns.percentile.\"$3\" / 1e6 | if . < 1 then . * 1000 | round / 1000 else . * 10 | round / 10 end"
}
fio_json() { sed -n '/^{/,$p' "$dir/$1.json"; }
iops() { # RUN
	fio_json "$1" | jq '.jobs[0].read.iops + .jobs[0].write.iops | round'
}
hits() { # RUN: of all reads, in percent
	jq -s '(.[1].read_hits - .[0].read_hits) as $h | (.[1].read_misses - .[0].read_misses) as $m |
		if $h + $m == 0 then 0 else 1000 * $h / ($h + $m) | round / 10 end' "$dir/$1.before" "$dir/$1.after"
}
row() { printf '  %-28s %12s %12s\n' "$@"; }
say "4 KiB requests, eight at a time, on a disk of 8 ms"
row '' cold warm
row 'read latency, p50 (ms)' "$(latency cold read 50.000000)" "$(latency warm read 50.000000)"
row 'read latency, p99 (ms)' "$(latency cold read 99.000000)" "$(latency warm read 99.000000)"
row 'write latency, p50 (ms)' "$(latency cold write 50.000000)" "$(latency warm write 50.000000)"
row 'write latency, p99 (ms)' "$(latency cold write 99.000000)" "$(latency warm write 99.000000)"
row 'requests a second' "$(iops cold)" "$(iops warm)"
row 'reads found in the cache (%)' "$(hits cold)" "$(hits warm)"
row 'dirty blocks at the end' '' "$dirty"
row 'RAM for the map (KiB)' '' $((ram / 1024))
cat <<'END'

Try next:
  hotset format ORIGIN CACHE --size 10G     make a file a cache for a disk, an image or an NBD URI
  hotset serve ORIGIN CACHE --name disk     serve it; qemu, nbdcopy, nbd-client or nbdfuse connect
  hotset stats disk --watch 1               watch it
  hotset set disk mode=writethrough         change it while it runs
  hotset stop disk --writeback              stop it with nothing left in the cache
END
echo
echo "$((SECONDS - begun)) seconds; nothing is left running."
