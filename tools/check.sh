#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# Builds what the tests need, runs them, and counts: the last line is `N passed, N failed`.
#
#	check.sh all|unit|e2e|asan|tsan|static|vm [TEST]
#
# TEST is the name of one test (test-index, copy), as it is printed behind the variant and the kind.
# A test is a unit test program, a script in tests/e2e or tests/build, or a step of building. Tests run
# JOBS at a time (2); one whose source has a line `# serial` runs alone. Unit tests run in every
# variant, e2e tests in build/gcc, and those with a line `# sanitize` in asan and tsan as well.
# An exit status of 77 skips a test; its last line of output says why.
set -u
cd "$(dirname "$0")/.." || exit 1
what=${1:-all}
only=${2:-}
jobs=${JOBS:-2}
results=$(mktemp -d /tmp/hotset-check.XXXXXXXX) || exit 1
unset TMPDIR HOTSET HOTSET_BUILD HOTSET_RUNDIR MAKEFLAGS MFLAGS MAKELEVEL
export RESULTS=$results
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:suppressions=$PWD/tests/sanitizer/tsan.supp
declare -A running=()
queue=() alone=()

stop() {
	[ ${#running[@]} -gt 0 ] && kill -TERM "${!running[@]}" 2>/dev/null && wait
	rm -rf "$results"
}
trap stop EXIT
trap 'exit 130' INT TERM HUP

has_mark() { # MARK SOURCE
	grep -qE "^[[:space:]]*(#|//|/?\*)[[:space:]]*$1[[:space:]]*(\*/)?\$" "$2"
}

build_vars() { # VARIANT
	case $1 in
	gcc) echo "BUILD=build/gcc CC=gcc" ;;
	clang) echo "BUILD=build/clang CC=clang" ;;
	asan) echo "BUILD=build/asan CC=gcc SAN=address,undefined" ;;
	tsan) echo "BUILD=build/tsan CC=gcc SAN=thread" ;;
	esac
}

# Building counts as a test; without it the variant's tests are left out.
build() { # VARIANT
	mkdir -p "build/$1"
	# shellcheck disable=SC2046
	tools/run-test.sh "$1/build" "build/$1" tools/check.sh make --no-print-directory -j"$(nproc)" $(build_vars "$1") all
	! grep -qx "$1/build" "$results/failed" 2>/dev/null
}

add() { # NAME BUILD SOURCE COMMAND...
	[ -z "$only" ] || [ "$only" = "${1##*/}" ] || return 0
	local IFS=$'\t'
	if has_mark serial "$3"; then alone+=("$*"); else queue+=("$*"); fi
}

# A sanitizer must come first in a process, and nbdkit itself is not built with one: preload it, but
# only there (the shells that nbdkit starts do not run under ThreadSanitizer). Leaks of nbdkit's are
# not ours; those of the library are found by the unit tests.
sanitized_nbdkit() { # VARIANT LIBRARY
	local nbdkit interpreter
	nbdkit=$(command -v nbdkit) || return
	interpreter=$(readelf -l "$nbdkit" | sed -n 's/.*interpreter: \(.*\)\]/\1/p')
	mkdir -p "build/$1/bin"
	gcc -shared -fPIC -O1 -Wl,-z,initfirst -o "build/$1/bin/first.so" tests/sanitizer/first.c || return
	cat >"build/$1/bin/nbdkit" <<-WRAPPER
	#!/bin/sh
	export ASAN_OPTIONS="$ASAN_OPTIONS:detect_leaks=0"
	exec $interpreter --preload $(gcc -print-file-name="$2"):$PWD/build/$1/bin/first.so --argv0 nbdkit $nbdkit "\$@"
	WRAPPER
	chmod +x "build/$1/bin/nbdkit"
}

add_unit() { # VARIANT [PREFIX-COMMAND...]
	local source name variant=$1
	shift
	for source in tests/unit/test-*.c; do
		[ -e "$source" ] || continue
		name=${source##*/} name=${name%.c}
		add "$variant/unit/$name" "build/$variant" "$source" "$@" "build/$variant/tests/$name"
	done
}

add_scripts() { # VARIANT KIND MARK [PREFIX-COMMAND...]
	local script name variant=$1 kind=$2 mark=$3
	shift 3
	for script in tests/"$kind"/*.sh; do
		[ -x "$script" ] || continue
		[ -z "$mark" ] || has_mark "$mark" "$script" || continue
		name=${script##*/} name=${name%.sh}
		add "$variant/$kind/$name" "build/$variant" "$script" "$@" "$script"
	done
}

add_sanitized() { # VARIANT LIBRARY
	# Without address space randomisation: ThreadSanitizer needs its fixed ranges free.
	local with=(env "PATH=$PWD/build/$1/bin:$PATH" "HOTSET_SANITIZER=$1" setarch -R)
	build "$1" || return
	sanitized_nbdkit "$1" "$2"
	add_unit "$1" env "HOTSET_SANITIZER=$1" setarch -R
	add_scripts "$1" e2e sanitize "${with[@]}"
}

add_static() {
	mkdir -p build/gcc
	# shellcheck disable=SC2046
	add static/tidy build/gcc .clang-tidy make --no-print-directory -k -j"$(nproc)" $(build_vars gcc) tidy
	add_scripts gcc build ""
}

# The kernel module in virtual machines, each test on both kernels.
add_vm() {
	local script series name
	for script in tests/vm/t/*.sh; do
		has_mark short "$script" || continue
		name=${script##*/} name=${name%.sh}
		for series in 6.1 6.12; do
			add "gcc/vm/$series-$name" build/gcc tests/vm/check.sh \
				env "BUILD=$PWD/build/gcc/vm" tests/vm/check.sh short "$series" "$name"
		done
	done
}

wait_one() {
	local pid
	wait -n -p pid "${!running[@]}"
	unset "running[$pid]"
}

schedule() { # AT-ONCE TEST...
	local at_once=$1 test args
	shift
	for test in "$@"; do
		while [ ${#running[@]} -ge "$at_once" ]; do wait_one; done
		IFS=$'\t' read -r -a args <<<"$test"
		tools/run-test.sh "${args[@]}" &
		running[$!]=1
	done
	while [ ${#running[@]} -gt 0 ]; do wait_one; done
}

report() {
	local passed failed skipped
	touch "$results"/{passed,failed,skipped}
	passed=$(wc -l <"$results/passed") failed=$(wc -l <"$results/failed") skipped=$(wc -l <"$results/skipped")
	if [ $((passed + failed + skipped)) = 0 ] || { [ -n "$only" ] && [ ${#queue[@]} = 0 ] && [ ${#alone[@]} = 0 ]; }; then
		echo "check: no such test${only:+: $only}" >&2
		failed=$((failed + 1))
	fi
	[ "$failed" = 0 ] || sed 's/^/failed: /' "$results/failed"
	[ "$skipped" = 0 ] || sed 's/^/skipped: /' "$results/skipped"
	echo "$passed passed, $failed failed"
	[ "$failed" = 0 ]
}

tools/setup.sh || exit 1
case $what in
unit) build gcc && add_unit gcc ;;
e2e) build gcc && add_scripts gcc e2e "" ;;
asan) add_sanitized asan libasan.so ;;
tsan) add_sanitized tsan libtsan.so ;;
static) build gcc && add_static ;;
vm) build gcc && add_vm ;;
all)
	build gcc && { add_static; add_unit gcc; add_scripts gcc e2e ""; add_vm; }
	build clang && add_unit clang
	add_sanitized asan libasan.so
	add_sanitized tsan libtsan.so
	;;
*)
	echo "check: unknown part: $what (all, unit, e2e, asan, tsan, static, vm)" >&2
	exit 2
	;;
esac
schedule "$jobs" ${queue[@]+"${queue[@]}"}
schedule 1 ${alone[@]+"${alone[@]}"}
report
