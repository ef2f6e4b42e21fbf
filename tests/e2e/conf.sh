#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# Files of /etc/hotset: what they become (`hotset up --dry-run`), what is refused with file and line, and what udev is
# told of the devices that they name.
. "${0%/*}/../lib/e2e.sh"
export HOTSET_CONFDIR=$TMPDIR/etc
mkdir "$HOTSET_CONFDIR"
cases=0

conf() { # NAME; the text on stdin
	cat >"$HOTSET_CONFDIR/$1.conf"
}

becomes() { # COMMAND; the text on stdin
	local out
	conf data
	out=$("$HOTSET" up data --dry-run) || die "not taken: $(cat "$HOTSET_CONFDIR/data.conf")"
	[ "$out" = "$1" ] || die "$out instead of $1"
	cases=$((cases + 1))
}

wrong() { # PATTERN; the text on stdin
	local rc=0
	conf data
	"$HOTSET" up data --dry-run >out 2>err || rc=$?
	[ $rc = 2 ] || die "status $rc, not 2: $(cat "$HOTSET_CONFDIR/data.conf" err)"
	[ "$(wc -l <err)" = 1 ] || die "not one line: $(cat err)"
	grep -qF -- "hotset: $HOTSET_CONFDIR/data.conf$1" err || die "does not say '$1': $(cat err)"
	[ ! -s out ] || die "wrote to stdout"
	cases=$((cases + 1))
}
cd "$TMPDIR"

becomes "hotset attach data /dev/sdb /dev/sdc" <<'CONF'
origin = /dev/sdb
cache = /dev/sdc
CONF
becomes "hotset attach data '/dev/disk/by-label/my disk' /dev/sdc --mode writeback --set seq_cutoff=4M --set dirty_age=10 --set dirty_limit=70 --set writeback=off" <<'CONF'
# A comment.

	kind=kernel
 origin   =   /dev/disk/by-label/my disk
cache=/dev/sdc
mode = writeback
seq_cutoff = 4M
dirty_age=10
dirty_limit = 70
writeback = off
CONF
becomes "hotset serve nbd://san/volume /var/c --name data --set dirty_age=5 --socket /run/s --threads 4 --read-only" <<'CONF'
kind = server
origin = nbd://san/volume
cache = /var/c
dirty_age = 5
socket = /run/s
threads = 4
read_only = yes
CONF
becomes "hotset serve '/it'\\''s' /var/c --name data --port 10809 --bind ::1" <<'CONF'
kind = server
origin = /it's
cache = /var/c
port = 10809
bind = ::1
read_only = no
CONF
printf 'origin = /a\ncache = /b' | becomes "hotset attach data /a /b"
printf 'origin = /a\r\ncache = /b\r\n' | becomes "hotset attach data /a /b"

wrong ": origin is missing" </dev/null
wrong ": cache is missing" <<<"origin = /dev/sdb"
wrong ":2: nonsense: not of the form KEY = VALUE" <<<$'origin = /a\nnonsense'
wrong ":1: orgin: no such key; see hotset.conf(5)" <<<"orgin = /a"
wrong ":3: origin: given twice" <<<$'origin = /a\n\norigin = /b'
wrong ":1: origin: has no value" <<<"origin ="
wrong ":1: sdb: neither an absolute path nor an NBD URI" <<<"origin = sdb"
wrong ":1: sdb: not an absolute path" <<<"cache = sdb"
wrong ":1: fast: choose writeback" <<<"mode = fast"
wrong ":1: both: choose kernel or server" <<<"kind = both"
wrong ":1: maybe: choose yes or no" <<<"read_only = maybe"
for port in 0 65536 x 1x -1; do
	wrong ":1: $port: not a number from 1 to 65535" <<<"port = $port"
done
wrong ":1: 0: not a number from 1 to 1024" <<<"threads = 0"
wrong ":1: x: not an absolute path" <<<"socket = x"
wrong ":1: dirty_age=1 2: not of the form" <<<"dirty_age = 1 2"
wrong ":3: port: is of a server" <<<$'origin = /a\ncache = /b\nport = 10809'
wrong ": origin nbd://x/y: the kernel caches block devices" <<<$'origin = nbd://x/y\ncache = /b'
wrong ": socket and port exclude each other" <<<$'kind = server\norigin = /a\ncache = /b\nport = 1\nsocket = /s'
wrong ": bind goes with port" <<<$'kind = server\norigin = /a\ncache = /b\nbind = ::1'
head -c 70000 /dev/zero | tr '\0' '#' | wrong ": not a text file"
printf 'origin = /a\0\ncache = /b\n' | wrong ": not a text file"
rm "$HOTSET_CONFDIR/data.conf"
refused "data.conf: No such file" "$HOTSET" up data
refused "elsewhere: No such file" "$HOTSET" up data --conf elsewhere

# ---- udev -----------------------------------------------------------------------------------------

told() { # WANTED DEVNAME DEVLINKS
	local out
	out=$(DEVNAME=$2 DEVLINKS=$3 "$HOTSET" udev 2>/dev/null | tr '\n' ' ')
	[ "$out" = "$1" ] || die "of $2 ($3) udev is told '$out', not '$1'"
	cases=$((cases + 1))
}
conf aaa <<<"a file that is wrong"
conf data <<<$'origin = /dev/disk/by-id/slow\ncache = /dev/sdc1'
conf far <<<$'kind = server\norigin = nbd://san/x\ncache = /dev/sdd'
told "HOTSET_NAME=data HOTSET_ROLE=origin " /dev/sdb "/dev/disk/by-id/slow /dev/disk/by-path/x"
told "HOTSET_NAME=data HOTSET_ROLE=origin " /dev/sdb "/dev/disk/by-path/x /dev/disk/by-id/slow"
told "" /dev/sdb "/dev/disk/by-id/slow-part1 /x/dev/disk/by-id/slow"
told "HOTSET_NAME=data HOTSET_ROLE=cache " /dev/sdc1 ""
told "" /dev/sdc ""
told "" /dev/sdc11 "/dev/a"
told "HOTSET_NAME=far HOTSET_ROLE=cache " /dev/sdd ""
HOTSET_CONFDIR=$TMPDIR/none told "" /dev/sdc1 ""
echo "$cases cases"
