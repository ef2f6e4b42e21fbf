#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# `hotset up`, as hotset@.service runs it, with a served cache: it waits for origin and cache in either order, tells
# systemd that it started in time even if they do not come, ends at a signal, and stops cleanly. (A kernel cache:
# tests/vm/t/command-up.sh.)
. "${0%/*}/../lib/e2e.sh"
export HOTSET_CONFDIR=$TMPDIR/etc NOTIFY_SOCKET=$TMPDIR/notify
mkdir "$HOTSET_CONFDIR"
cat >"$HOTSET_CONFDIR/hot.conf" <<CONF
kind = server
origin = $TMPDIR/origin
cache = $TMPDIR/cache
socket = $TMPDIR/hot.nbd
dirty_age = 3600
CONF
socat -u "UNIX-RECV:$NOTIFY_SOCKET" "OPEN:$TMPDIR/notified,creat,append" &
pids[socat]=$!
wait_for test -S "$NOTIFY_SOCKET"

up() {
	: >"$TMPDIR/notified"
	"$HOTSET" up hot >>"$TMPDIR/hot.log" 2>&1 </dev/null &
	pids[hot]=$!
}
notified() { # PATTERN
	grep -qa "$1" "$TMPDIR/notified"
}

random_file "$TMPDIR/made" 16M 3
"$HOTSET" format "$TMPDIR/made" "$TMPDIR/cache" --size 9M >/dev/null

# The origin comes late, the next time the cache.
up
wait_for notified "STATUS=waiting for $TMPDIR/origin" || die "it does not say that it waits"
[ ! -e "$TMPDIR/hot.nbd" ] || die "served without its origin"
mv "$TMPDIR/made" "$TMPDIR/origin"
wait_for notified READY=1 || die "not ready: $(cat "$TMPDIR/hot.log")"
io hot "read -P 0 0 0" "write -P 0x11 0 1M" "flush"
[ "$(stat_of hot dirty)" = 256 ]
"$HOTSET" list | grep -q '^hot  *server ' || die "$("$HOTSET" list)"
terminate hot
[ "$(check_of "$TMPDIR/cache" clean_stop)" = true ]
mv "$TMPDIR/cache" "$TMPDIR/away"
up
wait_for notified "STATUS=waiting for $TMPDIR/cache" || die "it does not say that it waits"
mv "$TMPDIR/away" "$TMPDIR/cache"
wait_for notified READY=1 || die "not ready: $(cat "$TMPDIR/hot.log")"
[ "$(stat_of hot dirty)" = 256 ]
stop hot --writeback
nothing_dirty "$TMPDIR/cache"

# What does not come does not hold up the boot, and a signal ends the wait.
mv "$TMPDIR/origin" "$TMPDIR/away"
start=$(ms)
up
wait_for notified READY=1 || die "no word to systemd"
took=$(($(ms) - start))
[ $took -ge 8000 ] || die "ready after $took ms without its origin"
[ ! -e "$TMPDIR/hot.nbd" ] || die "served without its origin"
terminate hot
mv "$TMPDIR/away" "$TMPDIR/origin"

# A refused start fails, for systemd to try again; a file that is wrong fails for good.
truncate -s 8M "$TMPDIR/origin"
up
rc=0
ended hot || rc=$?
[ $rc = 1 ] || die "status $rc of a refused start"
echo "nonsense" >>"$HOTSET_CONFDIR/hot.conf"
up
rc=0
ended hot || rc=$?
[ $rc = 2 ] || die "status $rc of a wrong file"
kill "${pids[socat]}"
wait "${pids[socat]}" 2>/dev/null || true
unset "pids[socat]"
