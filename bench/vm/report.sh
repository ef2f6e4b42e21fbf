#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
#	report.sh RESULTS OUT.json	what the machine of bench/vm.sh said, as a table and as JSON
set -eu
results=$1 json=$2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# "DEVICE KEY NUMBER" of everything.
{
	sed -n 's/^figure //p' "$results" | tr -d '\r'
	awk -v dir="$tmp" '/^json / { file = dir "/" $2 "." $3 ".fio"; next } /^end/ { file = "" } file { print >file }' "$results"
	for file in "$tmp"/*.fio; do
		[ -e "$file" ] || continue
		name=$(basename "$file" .fio)
		jq -r --arg d "${name%%.*}" --arg k "${name##*.}" '.jobs[0] as $j |
			(if $j.write.total_ios > 0 and $j.read.total_ios == 0 then $j.write else $j.read end) as $w |
			"\($d) \($k)_wait \($w.lat_ns.mean)",
			"\($d) \($k)_time \($w.runtime * 1000000 / $w.total_ios)",
			"\($d) \($k)_ios \($w.total_ios)",
			"\($d) \($k)_p99_us \($w.clat_ns.percentile."99.000000" // 0 | . / 1000)",
			"\($d) \($k)_iops \($j.read.iops + $j.write.iops)"' "$file"
	done
} >"$tmp/figures"

jq -R -n '
	[inputs | split(" ") | { device: .[0], key: .[1], value: (.[2] | tonumber? // null) }] as $all |
	($all | map(select(.device == "raw")) | map({ (.key): .value }) | add // {}) as $raw |
	def of($d): $all | map(select(.device == $d)) | map({ (.key): .value }) | add // {};
	def us($ns): if $ns then $ns / 1000 else null end;
	def added($f; $k): if $f[$k] and $raw[$k] then $f[$k] - $raw[$k] else null end;
	# Before and after its requests fio is idle for as long on every device.
	def idle($f): if $f.write_hit_idle and $raw.write_hit_idle
		then ([0, $f.write_hit_idle - $raw.write_hit_idle] | max) / $f.cost_write_hit_ios else null end;
	($all | map(.device) | unique - ["raw", "crc"]) as $devices |
	reduce $devices[] as $d ({}; of($d) as $f | .[$d] = {
		read_hit_added: added($f; "cost_read_hit_wait"),
		write_hit_added: (added($f; "cost_write_hit_time") as $a | if $a then $a - (idle($f) // 0) else null end),
		write_hit_idle: idle($f),
		read_miss_added: added($f; "cost_read_miss_time"),
		read_hit_us: us($f.read_hit_wait),
		read_miss_us: us($f.read_miss_wait),
		write_hit_us: us($f.write_hit_wait),
		write_hit_p99_us: $f.write_hit_p99_us,
		write_fsync_us: us($f.write_fsync_time),
		zipf_iops: $f.zipf_iops,
		zipf_hit_ratio: (if $f.zipf_requests and $f.zipf_requests > 0 then $f.zipf_hits / $f.zipf_requests else null end)
	} | .[$d] |= with_entries(select(.value != null))) |
	.raw = { read: $raw.cost_read_hit_wait, write: $raw.cost_write_hit_time, read_miss: $raw.cost_read_miss_time,
		read_hit_us: us($raw.read_hit_wait), read_miss_us: us($raw.read_miss_wait), write_hit_us: us($raw.write_hit_wait),
		write_hit_p99_us: $raw.write_hit_p99_us, write_fsync_us: us($raw.write_fsync_time) } |
	.crc_4k = ($all | map(select(.device == "crc")) | .[0].value)' "$tmp/figures" >"$json"

jq -r '
	def n: if . == null then "-" elif . >= 100 then round elif . >= 10 then (. * 10 | round / 10) else (. * 1000 | round / 1000) end;
	["device", "read hit", "write hit", "read miss", "p99 write us", "write+fsync us", "read miss us", "zipf IOPS", "hit ratio"],
	(("linear", "hotset", "hotset_checksums", "dm_cache", "bcache", "writecache") as $d | select(.[$d]) | .[$d] as $f |
		[$d, ($f.read_hit_added | n), ($f.write_hit_added | n), ($f.read_miss_added | n), ($f.write_hit_p99_us | n),
		($f.write_fsync_us | n), ($f.read_miss_us | n), ($f.zipf_iops | n), ($f.zipf_hit_ratio | n)]),
	["raw (all)", (.raw.read | n), (.raw.write | n), (.raw.read_miss | n), (.raw.write_hit_p99_us | n),
		(.raw.write_fsync_us | n), (.raw.read_miss_us | n), "-", "-"] | @tsv' "$json" | column -t -s "$(printf '\t')"
echo "The first three columns are instructions an I/O of 4 KiB, over the raw device's; a CRC32C of 4 KiB takes $(jq -r '.crc_4k // "?"' "$json")."
