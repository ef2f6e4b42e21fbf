# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
# shellcheck shell=bash
#
# For the scripts in tests/e2e: servers, origins, and looking at what they did. Sourced first:
#
#	. "${0%/*}/../lib/e2e.sh"
#
# Any command that fails ends the test. A server NAME listens on the socket NAME.nbd in TMPDIR; what it
# said is in NAME.log there. Whatever a test started and did not end is killed, by process id, at its end.
if [ -z "${HOTSET:-}" ]; then
	exec "${0%/*}/../../tools/run-test.sh" "e2e/$(basename "$0" .sh)" "${HOTSET_BUILD:-${0%/*}/../../build/gcc}" "$0" "$0"
fi
set -Eeu -o pipefail
tools=$HOTSET_BUILD/tools
export tools HOTSET_STATEDIR=$TMPDIR/state.d	# where failed caches are recorded
declare -A pids=()

die() { # WORDS...: a test has failed
	echo "FAIL: $*" >&2
	exit 1
}

finish() {
	local rc=$? name
	trap - ERR EXIT
	[ $rc = 0 ] || [ $rc = 77 ] || for name in "$TMPDIR"/*.log; do
		[ -e "$name" ] && sed "s/^/  [${name##*/}] /" "$name" | tail -n 25 >&2
	done
	for name in "${!pids[@]}"; do
		kill -KILL "${pids[$name]}" 2>/dev/null
	done
	declare -F at_end >/dev/null && at_end
	wait 2>/dev/null
	exit $rc
}
trap finish EXIT
trap 'echo "FAIL: ${BASH_SOURCE[0]##*/} line $LINENO: $BASH_COMMAND" >&2' ERR
trap 'exit 143' INT TERM

skip() { # WHY
	echo "$*"
	exit 77
}

# ---- waiting ---------------------------------------------------------------------------------------

# Seconds after which a thing that was waited for will never come. A busy machine may take its time: no test
# may fail because of that, so this tells only what hangs.
patience=300

ms() {
	echo $((${EPOCHREALTIME/./} / 1000))
}

# Until COMMAND succeeds; false if it never does.
wait_for() { # COMMAND...
	local end=$((SECONDS + patience))
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.02
	done
}

# Whether the process still runs; a zombie does not.
lives() { # PID
	local stat
	read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
	stat=${stat##*) }
	[ "${stat:0:1}" != Z ]
}

has_ended() { # PID
	! lives "$1"
}

# Until the pidfile of a process is there; false if it ended before.
ready() { # PID PIDFILE
	local end=$((SECONDS + patience))
	until [ -s "$2" ]; do
		lives "$1" || return 1
		[ $SECONDS -lt $end ] || return 1
		sleep 0.01
	done
}

# ---- servers ---------------------------------------------------------------------------------------

uri() { # NAME
	echo "nbd+unix:///?socket=$TMPDIR/$1.nbd"
}

# Starts `hotset serve` and returns once clients can connect; false if it refused.
try_serve() { # NAME ORIGIN CACHE [OPTION...]
	local name=$1
	shift
	rm -f "$TMPDIR/$name.pid"
	"$HOTSET" serve "$@" --name "$name" --socket "$TMPDIR/$name.nbd" --pidfile "$TMPDIR/$name.pid" \
		>>"$TMPDIR/$name.log" 2>&1 </dev/null &
	pids[$name]=$!
	ready $! "$TMPDIR/$name.pid" && return
	kill -KILL "${pids[$name]}" 2>/dev/null || true
	wait "${pids[$name]}" 2>/dev/null || true
	unset "pids[$name]"
	return 1
}

serve() { # NAME ORIGIN CACHE [OPTION...] (nothing behind --)
	try_serve "$@" || die "hotset serve $* did not start: $(tail -n 3 "$TMPDIR/$1.log")"
}

# An origin: nbdkit on the socket NAME.nbd, with its own arguments.
origin() { # NAME ARGUMENT...
	local name=$1
	shift
	rm -f "$TMPDIR/$name.pid" "$TMPDIR/$name.nbd"
	nbdkit --foreground --unix "$TMPDIR/$name.nbd" --pidfile "$TMPDIR/$name.pid" "$@" \
		>>"$TMPDIR/$name.log" 2>&1 </dev/null &
	pids[$name]=$!
	ready $! "$TMPDIR/$name.pid" || die "nbdkit $* did not start: $(tail -n 3 "$TMPDIR/$name.log")"
}

# Waits for the end of a process that was told to end; its status.
ended() { # NAME
	local pid=${pids[$1]} rc=0
	wait_for has_ended "$pid" || die "$1 does not end"
	wait "$pid" || rc=$?
	unset "pids[$1]"
	return $rc
}

stop() { # NAME [--writeback]
	"$HOTSET" stop "$@" >>"$TMPDIR/stop.log" 2>&1 || die "hotset stop $*: $(tail -n 3 "$TMPDIR/stop.log")"
	ended "$1" || die "$1 ended with status $? after hotset stop"
}

terminate() { # NAME
	kill -TERM "${pids[$1]}"
	ended "$1" || die "$1 ended with status $? after SIGTERM"
}

crash() { # NAME
	kill -KILL "${pids[$1]}"
	wait "${pids[$1]}" 2>/dev/null || true
	unset "pids[$1]"
}

# One figure of a running server.
stat_of() { # NAME KEY (any jq path without its first dot)
	"$HOTSET" stats "$1" --json | jq -er ".$2"
}

# One figure of a cache that nobody serves.
check_of() { # CACHE KEY
	{ "$HOTSET" check "$1" --json || true; } | jq -r ".$2"
}

sound() { # CACHE: and all its data
	local out
	out=$("$HOTSET" check --data "$1" 2>&1) || die "hotset check --data $1: $out"
}

nothing_dirty() { # CACHE
	[ "$(check_of "$1" dirty)" = 0 ] || die "$1 still holds $(check_of "$1" dirty) dirty blocks"
}

# ---- a writer in the background --------------------------------------------------------------------

# stamp, as the background process `writer`, which says what it did in TMPDIR/stamp.out.
stamp_start() { # NAME STATE [OPTION...]
	rm -f "$TMPDIR/begun"
	"$tools/stamp" write "$(uri "$1")" "$2" --begun "$TMPDIR/begun" "${@:3}" >"$TMPDIR/stamp.out" 2>&1 &
	writer=$!
}

stamp_has_begun() {
	[ -e "$TMPDIR/begun" ] || has_ended "$writer"
}

# Returns when the first request was answered.
stamp_begin() { # NAME STATE [OPTION...]
	stamp_start "$@"
	wait_for stamp_has_begun || die "stamp does not begin"
}

# ---- refusals --------------------------------------------------------------------------------------

# COMMAND fails by itself, with one line on stderr that matches PATTERN.
refused() { # PATTERN COMMAND...
	local pattern=$1 rc=0
	shift
	timeout $patience "$@" >"$TMPDIR/refused.out" 2>"$TMPDIR/refused.log" </dev/null || rc=$?
	[ $rc != 0 ] || die "not refused: $*"
	[ $rc -lt 124 ] || die "status $rc: $*"
	grep -qE -- "$pattern" "$TMPDIR/refused.log" ||
		die "refused without saying '$pattern': $*: $(cat "$TMPDIR/refused.log")"
	[ "$(grep -vc 'dirty blocks left' "$TMPDIR/refused.log")" = 1 ] || die "more than one line: $*: $(cat "$TMPDIR/refused.log")"
}

# `hotset serve` is refused, and writes nothing.
serve_refused() { # PATTERN ORIGIN CACHE [OPTION...]
	local pattern=$1 before after
	shift
	before=$(sums "$1" "$2")
	refused "$pattern" "$HOTSET" serve "$@" --name refused --socket "$TMPDIR/refused.nbd"
	after=$(sums "$1" "$2")
	[ "$before" = "$after" ] || die "refused, but something was written: $before: $after"
	[ ! -e "$TMPDIR/refused.nbd" ] || die "refused, but left a socket behind"
}

# ---- data ------------------------------------------------------------------------------------------

sums() { # FILE...: of those that are files
	local file
	for file in "$@"; do
		[ ! -f "$file" ] || sha256sum "$file"
	done
}

# A file of SIZE bytes (64M) without patterns, always the same for a SEED.
random_file() { # FILE SIZE SEED
	head -c "$2" < <("$tools/stamp" stream --seed "$3" || true) >"$1"
}

same() { # FILE FILE
	cmp "$1" "$2" || die "$1 and $2 differ"
}

# The export, whole, into a file.
copy_out() { # NAME FILE
	nbdcopy "$(uri "$1")" "$2"
}

io() { # NAME COMMAND...: qemu-io on the export; any complaint fails
	local name=$1 command out args=()
	shift
	for command in "$@"; do args+=(-c "$command"); done
	out=$(qemu-io -t none -f raw "${args[@]}" "$(uri "$name")" 2>&1) || die "qemu-io $*: $out"
	! grep -qiE 'fail|error|invalid' <<<"$out" || die "qemu-io $*: $out"
}

# One NBD request; see tests/tools/nbdcmd.c.
request() { # NAME read|write|trim|zero|flush [OFFSET LENGTH [BYTE]]
	"$tools/nbdcmd" "$(uri "$1")" "${@:2}"
}

# The server answers a request with an error.
request_fails() { # ERRNO-NAMES NAME REQUEST...
	local names=$1 rc=0
	shift
	request "$@" >/dev/null 2>"$TMPDIR/request.err" || rc=$?
	[ $rc = 1 ] || die "no error: $*: status $rc, $(cat "$TMPDIR/request.err")"
	grep -qE "^($names):" "$TMPDIR/request.err" || die "not $names: $*: $(cat "$TMPDIR/request.err")"
}

# Flips one bit of a byte.
flip() { # FILE OFFSET
	"$tools/damage" flip "$1" "$2"
}

# Where a part of a cache stands, in bytes: superblock COPY, confirm COPY, table COPY SLOT, data SLOT.
where() { # CACHE PART...
	"$tools/damage" where "$@"
}

# ---- fio -------------------------------------------------------------------------------------------

# The nbd engine, with its words kept unless it fails.
fio_nbd() { # NAME OPTION...
	local name=$1 rc=0
	shift
	(cd "$TMPDIR" && exec fio --name=job --ioengine=nbd --uri="$(uri "$name")" --randseed=7 --allrandrepeat=1 \
		--verify_fatal=1 --verify_state_save=0 "$@") >"$TMPDIR/fio.out" 2>&1 || rc=$?
	[ $rc = 0 ] || die "fio $*: $(grep -vE "^ |^$" "$TMPDIR/fio.out" | head -n 12)"
	! grep -qiE 'verify:|bad (magic|header)|error=' "$TMPDIR/fio.out" || die "fio $*: $(cat "$TMPDIR/fio.out")"
}

# A disk of 64 MiB, a cache of 12 MiB in MODE, fio's verification in several patterns; then the disk
# without the cache must be what the export was.
fio_verify() { # MODE
	local origin=$TMPDIR/origin cache=$TMPDIR/cache common=(--verify=crc32c --iodepth=32) write_backs
	truncate -s 64M "$origin"
	"$HOTSET" format "$origin" "$cache" --size 12M --mode "$1" >/dev/null
	serve hot "$origin" "$cache"

	# All sizes, each place once, read back at the end.
	fio_nbd hot "${common[@]}" --rw=randwrite --bsrange=512-128k --bs_unaligned=1 --size=64M --fsync=64
	# Over and over at the same places, each verified soon after, while others are in flight. (fio does not
	# know which of two overlapping writes came last.)
	fio_nbd hot "${common[@]}" --rw=randwrite --bs=4k --norandommap --size=16M --io_size=32M --verify_backlog=64 \
		--random_distribution=zipf:0.9 --serialize_overlap=1
	fio_nbd hot "${common[@]}" --rw=randrw --rwmixread=40 --bs=16k --size=32M --offset=8M
	# Every block is trimmed, then written.
	fio_nbd hot "${common[@]}" --rw=randtrimwrite --bs=8k --size=32M --serialize_overlap=1
	[ "$(stat_of hot mode)" = "$1" ]
	copy_out hot "$TMPDIR/out"
	write_backs=$(stat_of hot write_backs)
	case $1 in
	writeback) [ "$write_backs" -gt 0 ] || die "nothing was written back" ;;
	*) [ "$(stat_of hot dirty)" = 0 ] || die "dirty blocks in mode $1" ;;
	esac
	[ "$1" = bypass ] || [ "$(stat_of hot inserts)" -gt 0 ] || die "nothing was cached"
	stop hot --writeback
	nothing_dirty "$cache"
	sound "$cache"
	same "$TMPDIR/out" "$origin"
}

# ---- a cache to damage -----------------------------------------------------------------------------

# TMPDIR/origin and TMPDIR/cache as after a clean stop, with clean blocks of the first MiB and dirty ones
# (bytes 0x11) of the ninth; TMPDIR/expected is what the export reads as. OPTIONs are those of format.
prepare() { # [OPTION...]
	origin=$TMPDIR/origin cache=$TMPDIR/cache expected=$TMPDIR/expected
	random_file "$origin" 16M 8
	cp "$origin" "$expected"
	qemu-io -f raw -c "write -P 0x11 8M 1M" "$expected" >/dev/null
	"$HOTSET" format "$origin" "$cache" --size 9M "$@" >/dev/null
	serve hot "$origin" "$cache"
	"$HOTSET" set hot writeback=off
	io hot "read 0 1M" "write -P 0x11 8M 1M" "flush"
	stop hot
	[ "$(check_of "$cache" clean_stop)" = true ] || die "no clean stop"
	[ "$(check_of "$cache" clean)" -gt 0 ] || die "no clean blocks"
	[ "$(check_of "$cache" dirty)" -gt 0 ] || die "no dirty blocks"
}

# The slot of the block that holds a byte of the origin.
slot_of() { # CACHE OFFSET
	"$HOTSET" dump "$1" --json | jq -er "first(.slots[] | select(.offset <= $2 and .offset + .length > $2)).slot"
}

# `hotset check` finds problems, and says so in a line that matches.
check_finds() { # PATTERN [--data] CACHE
	local pattern=$1 rc=0
	shift
	"$HOTSET" check "$@" >"$TMPDIR/check.out" 2>&1 || rc=$?
	[ $rc = 1 ] || die "hotset check: status $rc, not 1: $(cat "$TMPDIR/check.out")"
	grep -qE -- "$pattern" "$TMPDIR/check.out" || die "hotset check does not say '$pattern': $(cat "$TMPDIR/check.out")"
}

# The export reads as TMPDIR/expected.
as_expected() { # NAME
	copy_out "$1" "$TMPDIR/copy"
	same "$TMPDIR/expected" "$TMPDIR/copy"
}
