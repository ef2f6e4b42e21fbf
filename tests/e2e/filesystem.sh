#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# A file system written and checked through the cache: made on the origin, changed by debugfs through
# nbdfuse (on a copy of the export where FUSE is not to be had), sound and complete after a crash of the
# server and on the origin alone.
#
# Invariants: 1, 13, 18
. "${0%/*}/../lib/e2e.sh"
origin=$TMPDIR/origin cache=$TMPDIR/cache
at_end() { fusermount3 -u -z "$TMPDIR/mnt/disk" 2>/dev/null || true; }

mkdir "$TMPDIR/tree" "$TMPDIR/mnt"
cp -a /usr/share/doc/coreutils /usr/share/perl-base "$TMPDIR/tree" 2>/dev/null ||
	for i in 1 2 3 4 5 6 7 8; do random_file "$TMPDIR/tree/file$i" 500K $i; done
mke2fs -q -t ext4 -d "$TMPDIR/tree" "$origin" 64M
"$HOTSET" format "$origin" "$cache" --size 16M --block-size 16k >/dev/null
serve hot "$origin" "$cache"
random_file "$TMPDIR/new" 3M 5

change() { # DISK
	debugfs -w -f - "$1" >"$TMPDIR/debugfs.out" 2>&1 <<-END
	mkdir /made
	cd /made
	write $TMPDIR/new new
	symlink link new
	END
	! grep -iE 'error|not found|no space' "$TMPDIR/debugfs.out" || die "debugfs complains"
	e2fsck -fn "$1" >"$TMPDIR/fsck.out" 2>&1 || die "e2fsck: $(cat "$TMPDIR/fsck.out")"
}

look() { # DISK
	e2fsck -fn "$1" >"$TMPDIR/fsck.out" 2>&1 || die "e2fsck: $(cat "$TMPDIR/fsck.out")"
	debugfs -R "dump /made/new $TMPDIR/back" "$1" >"$TMPDIR/debugfs.out" 2>&1
	same "$TMPDIR/new" "$TMPDIR/back"
	rm "$TMPDIR/back"
}

touch "$TMPDIR/mnt/disk"
nbdfuse "$TMPDIR/mnt/disk" "$(uri hot)" >"$TMPDIR/fuse.log" 2>&1 &
pids[fuse]=$!
mounted() { grep -q " $TMPDIR/mnt/disk fuse" /proc/self/mounts; }
fuse_decided() { mounted || has_ended "${pids[fuse]}"; }
wait_for fuse_decided || die "nbdfuse neither mounts nor ends"
if mounted; then
	change "$TMPDIR/mnt/disk"
	fusermount3 -u "$TMPDIR/mnt/disk"
	ended fuse || die "nbdfuse ended with status $?"
	io hot flush
else
	echo "no FUSE here: on a copy"
	kill "${pids[fuse]}" 2>/dev/null || true
	wait "${pids[fuse]}" || true
	unset "pids[fuse]"
	copy_out hot "$TMPDIR/copy"
	change "$TMPDIR/copy"
	nbdcopy --flush "$TMPDIR/copy" "$(uri hot)"
	rm "$TMPDIR/copy"
fi
crash hot
sound "$cache"
serve hot "$origin" "$cache"
copy_out hot "$TMPDIR/copy"
look "$TMPDIR/copy"
stop hot --writeback
same "$TMPDIR/copy" "$origin"
look "$origin"
