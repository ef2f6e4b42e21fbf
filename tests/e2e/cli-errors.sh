#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# Bad usage of every subcommand: the exit code (2 for usage, 1 for a failure; 2 of check: cannot tell),
# nothing on stdout, and one line on stderr that begins with "hotset: " and names what is wrong.
. "${0%/*}/../lib/e2e.sh"
cd "$TMPDIR" || exit 1
truncate -s 8M origin
echo junk >junk
mkdir dir
cases=0

bad() { # CODE PATTERN ARGUMENT...
	local code=$1 pattern=$2 rc=0 lines
	shift 2
	timeout $patience "$HOTSET" "$@" >out 2>err </dev/null || rc=$?
	[ $rc = "$code" ] || die "hotset $*: status $rc, not $code: $(<err)"
	[ ! -s out ] || die "hotset $*: wrote to stdout: $(<out)"
	mapfile lines <err
	[ ${#lines[@]} = 1 ] && [[ ${lines[0]} = *$'\n' ]] || die "hotset $*: not one line: $(<err)"
	[[ ${lines[0]} = "hotset: "* ]] || die "hotset $*: not from hotset: $(<err)"
	[[ ${lines[0]} = *"$pattern"* ]] || die "hotset $*: does not say '$pattern': $(<err)"
	cases=$((cases + 1))
}

bad 2 "a command is missing"
bad 2 "unknown command frobnicate" frobnicate
bad 2 "unknown option --frobnicate" --frobnicate
bad 2 "see 'hotset --help'" ""

# Of every subcommand: an unknown option, a flag with a value, too many arguments.
for command in format serve attach detach monitor up udev list stats set flush stop lost check dump writeback; do
	bad 2 "unknown option --nonsense" $command --nonsense
	bad 2 "unknown option -z" $command -z
	bad 2 "$command: --help=x: this option takes no value" $command --help=x
	bad 2 "too many arguments" $command a b=c d e
	bad 2 "see 'hotset $command --help'" $command a b c d
done
for command in stats set flush stop detach monitor up lost check dump; do
	bad 2 "is missing" $command
	bad 2 "is empty" $command ""
done
for command in format serve writeback; do
	bad 2 "ORIGIN is missing" $command
	bad 2 "CACHE is missing" $command origin
	bad 2 "CACHE is empty" $command origin ""
done

bad 2 "NAME is missing" attach
bad 2 "ORIGIN is missing" attach name
bad 2 "CACHE is missing" attach name origin
for name in a/b .x control "$(printf '%065d' 0)"; do
	bad 2 "a name has 1 to 64 letters" attach "$name" origin junk
done
bad 2 "--set dirty_age: not of the form KEY=VALUE" attach name origin junk --set dirty_age
bad 2 "--set x=1: no such setting" attach name origin junk --set x=1
bad 2 "--set x=1: no such setting" serve origin junk --set x=1
bad 2 "--set dirty_age=1 2: not of the form" attach name origin junk --set "dirty_age=1 2"
bad 2 "--mode slow" attach name origin junk --mode slow
bad 1 "missing: No such file or directory" attach name missing junk
bad 1 "origin: a file, and the kernel caches block devices only" attach name origin junk
bad 1 "nbd://host/x: the kernel caches block devices only" attach name nbd://host/x junk
bad 1 "dir: not a block device" attach name dir junk
bad 2 "udev runs this" udev

for size in "" x -1 1.5G 4kB "4 k" 0x10; do
	bad 2 "--size $size: not a size" format origin cache --size "$size"
done
bad 2 "--size 16E: too large" format origin cache --size 16E
bad 2 "--size 0: a cache needs room" format origin cache --size 0
bad 2 "--size needs a value" format origin cache --size
for size in 512 2k 5000 12k 2M 1T; do
	bad 2 "--block-size $size: not a power of two from 4k to 1M" format origin cache --block-size $size
done
for assoc in 0 8 65536 many -16 16x; do
	bad 2 "--assoc $assoc: not a number from 16 to 32768" format origin cache --assoc $assoc
done
bad 2 "--assoc 48: not a power of two" format origin cache --assoc 48
bad 2 "--mode fast: choose writeback" format origin cache --mode fast
bad 2 "--checksums maybe: choose on or off" format origin cache --checksums maybe
bad 1 "missing" format missing cache --size 8M
bad 1 "cache" format origin cache
[ ! -e cache ] || die "a format that was refused made a file"

bad 1 "missing: No such file or directory" serve missing junk
bad 1 "missing: No such file or directory" serve origin missing
bad 1 "dir: neither a file nor a block device" serve origin dir
bad 1 "junk" serve origin junk
bad 2 "--name a/b: a name has" serve origin junk --name a/b
bad 2 "--name .x: a name has" serve origin junk --name .x
bad 2 "exclude each other" serve origin junk --socket s --port 10000
bad 2 "--bind goes with --port" serve origin junk --bind 127.0.0.1
for port in 0 65536 http 1x; do
	bad 2 "--port $port: not a number" serve origin junk --port $port
done
bad 1 "--bind no.such.host.invalid" serve origin junk --port 10000 --bind no.such.host.invalid
bad 2 "--threads 0" serve origin junk --threads 0
bad 2 "--mode slow" serve origin junk --mode slow
bad 2 "--socket is empty" serve origin junk --socket ""
bad 1 "exists and is no socket" serve origin junk --socket junk
bad 1 "too long for a socket" serve origin junk --socket "$(printf '%0200d' 0)"
bad 1 "--pidfile dir exists and is no file" serve origin junk --socket s --pidfile dir
HOTSET_PLUGIN=$TMPDIR/missing bad 1 "HOTSET_PLUGIN" serve origin junk --socket s
mkdir bin
ln -s "$(command -v timeout)" bin
PATH=$TMPDIR/bin HOTSET_PLUGIN=$TMPDIR/junk bad 1 "cannot run nbdkit" serve origin junk --socket s

for command in stats flush stop; do
	bad 1 "nobody: no server of that name is running" $command nobody
	bad 1 "a/b: not a server's name" $command a/b
done
bad 2 "--json and --prometheus exclude each other" stats nobody --json --prometheus
for seconds in 0 -1 soon 1e9 nan 0.01; do
	bad 2 "--watch $seconds: not a number of seconds" stats nobody --watch $seconds
done
bad 1 "no server of that name" set nobody mode=bypass
bad 2 "mode: not of the form KEY=VALUE" set nobody mode
bad 2 "=bypass: not of the form KEY=VALUE" set nobody =bypass

bad 1 "missing" lost missing
bad 1 "junk" lost junk
bad 2 "needs --origin" lost ./junk --forget 0+4k
for range in "" 4k 4k+ +4k 8k-4k 4k-4k 0+0 a-b 0+16E; do
	bad 2 "--forget $range: not OFFSET+LENGTH or OFFSET-END" lost junk --forget "$range"
done
bad 2 "--forget 1+512: not a multiple of 512" lost junk --forget 1+512
bad 1 "junk" lost ./junk --forget 0+4k --origin origin

bad 2 "missing" check missing
bad 2 "junk" check junk
bad 2 "junk" check junk --data
bad 1 "missing" dump missing
bad 1 "junk" dump junk --json
bad 1 "junk" writeback missing junk
bad 1 "junk" writeback origin junk

# A socket file of a server that is gone.
perl -MSocket -e 'socket(my $s, AF_UNIX, SOCK_STREAM, 0); bind($s, sockaddr_un($ARGV[0])) or die' \
	"$HOTSET_RUNDIR/ghost.sock"
bad 1 "ghost: its server is gone without a stop" stats ghost
rm "$HOTSET_RUNDIR/ghost.sock"
unset HOTSET_RUNDIR
if [ "$(id -u)" != 0 ]; then
	XDG_RUNTIME_DIR='' bad 1 "set HOTSET_RUNDIR" list
fi

rc=0
"$HOTSET" --help >/dev/full 2>err || rc=$?
[ $rc = 1 ] || die "help to a full disk: status $rc"
for command in format serve attach detach monitor up udev list stats set flush stop lost check dump writeback; do
	"$HOTSET" $command --help | grep -q "^Usage: hotset $command " || die "$command --help"
done
"$HOTSET" --version | grep -qE '^hotset [0-9]+\.[0-9]+\.[0-9]+$' || die "--version"
echo "$cases cases"
