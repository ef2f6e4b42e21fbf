#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# A sparse origin of 3 TiB and a sparse cache file of more than 2 TiB: data at both ends and on both
# sides of 2 TiB stay where they belong, cached, after a crash and on the origin.
#
# Invariants: 13, 25
. "${0%/*}/../lib/e2e.sh"
origin=$TMPDIR/origin cache=$TMPDIR/cache
T=1099511627776
ends=(0 4096 $((T - 4096)) $T $((2 * T - 65536)) $((2 * T)) $((2 * T + 4096)) $((3 * T - 65536)))

truncate -s 3T "$origin" || skip "no file of 3 TiB in $TMPDIR"
write_and_look() { # COMMAND-OF-FORMAT...
	local i=0 at script=()
	rm -f "$cache"
	"$HOTSET" format "$origin" "$cache" "$@" >"$TMPDIR/format.out"
	serve hot "$origin" "$cache"
	for at in "${ends[@]}"; do
		io hot "write -P $((++i + 16)) $at 64k" "read -P $((i + 16)) $at 64k"
	done
	i=0 script=()
	for at in "${ends[@]}"; do
		# The one at 0 is overwritten by the next from 4096 on, as is the one at 2 TiB.
		script+=("read -P $((++i + 16)) $at 4k")
	done
	io hot flush
	crash hot
	serve hot "$origin" "$cache"
	io hot "${script[@]}"
	stop hot --writeback
	[ "$(du -k "$origin" | cut -f 1)" -lt 100000 ] || die "the sparse origin was filled"
	qemu-io -f raw "${script[@]/#/-c}" "$origin" >"$TMPDIR/io.out" 2>&1
	! grep -i fail "$TMPDIR/io.out" || die "the origin holds something else"
	sound "$cache"
}

write_and_look --size 64M
[ "$(stat -c %s "$cache")" = 67108864 ]

# Without checksums, whose table alone would take 5 GiB.
write_and_look --size 2300G --block-size 1M --checksums off
[ "$("$HOTSET" check --json "$cache" | jq .geometry.cache_size)" -gt $((2 * T)) ]
serve hot "$origin" "$cache"
writes=() reads=()
for ((i = 1; i < 64; i++)); do
	writes+=("write -P $i $((i * 47))G 4k") reads+=("read -P $i $((i * 47))G 4k")
done
io hot "${writes[@]}"
stop hot
beyond=$("$HOTSET" dump "$cache" --json | jq "[.slots[].slot | select(. > $((2 * T / 1048576)))] | length")
[ "$beyond" -gt 0 ] || die "no block went to a slot beyond 2 TiB"
serve hot "$origin" "$cache"
io hot "${reads[@]}"
stop hot --writeback
sound "$cache"
