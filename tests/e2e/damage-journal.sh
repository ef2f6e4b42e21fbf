#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# After a crash, a bit flipped in the middle of the journal is refused, and so is one in a last transaction
# that is known to have been durable; an unconfirmed last one is dropped, and only it.
#
# Invariants: 1, 34, 36, 38
. "${0%/*}/../lib/e2e.sh"
origin=$TMPDIR/origin cache=$TMPDIR/cache
random_file "$origin" 16M 8
# The confirm record, whose sequence is at byte 32, is of the last transaction.
is_confirmed() {
	local seq at
	seq=$("$tools/damage" journal "$cache" | tail -n 1 | cut -d ' ' -f 1)
	at=$(where "$cache" confirm $((seq & 1)))
	[ "$(od -An -tu8 -j $((at + 32)) -N 8 "$cache" | tr -d ' ')" = "$seq" ]
}
# It is written after the FLUSH, and another transaction may come: nobody knows when it is there.
crash_when_confirmed() {
	"$HOTSET" format "$origin" "$cache" --size 9M --force >/dev/null
	serve hot "$origin" "$cache"
	"$HOTSET" set hot writeback=off
	for i in 1 2 3 4 5 6; do
		io hot "write -P $i ${i}M 64k" flush
	done
	sleep 0.1
	crash hot
	is_confirmed
}
wait_for crash_when_confirmed || die "the last transaction is never confirmed"
cp "$cache" "$TMPDIR/good"
"$tools/damage" journal "$cache" >"$TMPDIR/journal"
[ "$(wc -l <"$TMPDIR/journal")" -ge 6 ] || die "fewer than six transactions: $(cat "$TMPDIR/journal")"
in_tx() { # N: the offset of a byte in the Nth transaction from the end
	tail -n "$1" "$TMPDIR/journal" | head -n 1 | { read -r _ at bytes; echo $((at + bytes - 3)); }
}
no_confirm() {
	for copy in 0 1; do
		dd if=/dev/zero of="$cache" bs=4096 seek=$(($(where "$cache" confirm $copy) / 4096)) count=1 conv=notrunc status=none
	done
}
same_as_before() {
	serve hot "$origin" "$cache"
	for i in $1; do io hot "read -P $i ${i}M 64k"; done
}

same_as_before "1 2 3 4 5 6"
crash hot

cp "$TMPDIR/good" "$cache"
flip "$cache" "$(in_tx 3)"
check_finds 'journal|transaction' "$cache"
serve_refused 'transaction' "$origin" "$cache"
no_confirm
serve_refused 'transaction' "$origin" "$cache"

cp "$TMPDIR/good" "$cache"
flip "$cache" "$(in_tx 1)"
check_finds 'journal|transaction' "$cache"
serve_refused 'durable transaction is missing' "$origin" "$cache"

# As a power cut leaves it that came before the confirm records and the last sector were on the media.
no_confirm
same_as_before "1 2 3 4 5"
request hot read 6291456 65536 >"$TMPDIR/out"
cmp "$TMPDIR/out" <(dd if="$origin" bs=64k skip=96 count=1 status=none) || die "the dropped write is neither there nor gone"
io hot "write -P 9 9M 4k" flush
crash hot
# What was dropped does not come back, whatever follows.
serve hot "$origin" "$cache"
request hot read 6291456 65536 >"$TMPDIR/again"
same "$TMPDIR/out" "$TMPDIR/again"
stop hot
