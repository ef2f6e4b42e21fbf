#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# Runs one test and says how it went in one line (after its output, when it failed).
#
#	run-test.sh NAME BUILD SOURCE COMMAND...
#
# NAME is what is printed, BUILD the build directory, SOURCE the file that may carry `timeout: SECONDS`
# in a comment line of its own. The limit is there to end what hangs, not to judge what is slow, for
# nobody knows what else the machine is doing: 900 unless a test is known to take long. The test gets
# HOTSET_BUILD, HOTSET, and a TMPDIR of its own with HOTSET_RUNDIR in it. A process that outlives the
# test with that TMPDIR in its environment, command line or working directory is killed, and the test
# has failed. Exit 77 skips the test: its last line of output is the reason.
#
# The name goes into the file passed, failed or skipped of the directory RESULTS, if that is set.
set -u
results=${RESULTS:-}
unset RESULTS
name=$1 build=$(realpath "$2") source=$3
shift 3
log=$build/logs/${name//\//-}.log
mkdir -p "$build/logs"
tmp=$(mktemp -d /tmp/hotset.XXXXXXXX) || exit 1

# The processes that belong to the test, one id a line.
left_over() {
	{
		grep -lsF -f /dev/stdin /proc/[0-9]*/environ /proc/[0-9]*/cmdline <<<"$tmp"
		find /proc/[0-9]*/cwd -maxdepth 0 -lname "$tmp*" 2>/dev/null
	} | cut -d / -f 3 | sort -u
}

# Kills them and names them. Those that are just ending get a second.
reap() {
	local pids pid
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		pids=$(left_over)
		[ -z "$pids" ] && return 1
		sleep 0.1
	done
	for pid in $pids; do
		echo "left running: $pid $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)"
		kill -KILL "$pid" 2>/dev/null
	done
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		[ -z "$(left_over)" ] && break
		sleep 0.1
	done
	return 0
}

child=
finish() {
	[ -n "$child" ] && kill -TERM "$child" 2>/dev/null
	reap >/dev/null
	rm -rf "$tmp"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

limit=$(sed -nE 's,^[[:space:]]*(#|//|/?\*)[[:space:]]*timeout: ([0-9]+).*,\2,p' "$source" | head -n 1)
limit=${limit:-900}
mkdir -m 700 "$tmp/tmp" "$tmp/run"

start=${EPOCHREALTIME/./}
ulimit -c 0
env TMPDIR="$tmp/tmp" HOTSET_RUNDIR="$tmp/run" HOTSET_BUILD="$build" HOTSET="$build/hotset" \
	timeout --kill-after=5 "$limit" "$@" >"$log" 2>&1 </dev/null &
child=$!
wait "$child"
rc=$?
child=
took=$(((${EPOCHREALTIME/./} - start) / 100000))
took=$((took / 10)).$((took % 10))

[ $rc = 124 ] || [ $rc = 137 ] && echo "timed out or killed: the limit is $limit s" >>"$log"
if left=$(reap); then
	echo "$left" >>"$log"
	[ $rc = 0 ] || [ $rc = 77 ] && rc=1
fi

result() { # FILE LINE
	[ -z "$results" ] || echo "$2" >>"$results/$1"
}

case $rc in
0)
	result passed "$name"
	echo "ok $name ($took s)"
	exit 0
	;;
77)
	result skipped "$name: $(tail -n 1 "$log")"
	echo "skipped $name: $(tail -n 1 "$log")"
	exit 77
	;;
*)
	result failed "$name"
	# In one piece, so that tests running in parallel do not mix.
	printf '%s\nFAILED %s (exit %s, %s s), whole output in %s\n' \
		"$(tail -n 40 "$log" | sed 's/^/    /')" "$name" $rc "$took" "${log#"$PWD"/}"
	exit 1
	;;
esac
