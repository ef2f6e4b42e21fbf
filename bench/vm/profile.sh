#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# Where a request's instructions go, by function of the guest's kernel: the same machine runs twice, once with so many
# requests more, and what is counted twice falls out.
#
#	profile.sh DEVICE read_hit|write_hit|write_fsync [REQUESTS]		as bench/vm.sh names the devices
#
# Prints "instructions a request, calls of its first piece, function".
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
device=$1 kind=$2 more=${3:-5000}
dir=$(mktemp -d "${TMPDIR:-/tmp}/hotset-profile.XXXXXX")
trap 'rm -rf "$dir"' EXIT
gcc -O2 -shared -fPIC -o "$dir/profile.so" "$root/bench/vm/profile.c"

for requests in 500 $((more + 500)); do
	DEVICES=$device PARTS=profile PROFILE=$kind HITS=$requests OUT=$dir PLUGIN="$dir/profile.so,out=$dir/$requests" \
		"$root/bench/vm.sh"
done
sed -n '/^symbols/,/^end/p' "$dir/vm.results" | tr -d '\r' | sed '1d;$d' | base64 -d | gzip -d >"$dir/symbols"

# pieces, by address; then symbols and pieces side by side
join -a 2 -e 0 -o 0,1.2,2.2 <(sed 's/ \([0-9]*\) /:\1 /' "$dir/500" | sort) <(sed 's/ \([0-9]*\) /:\1 /' "$dir/$((more + 500))" | sort) |
	awk -v n="$more" '$3 != $2 { split($1, key, ":"); print key[1], "1", key[2], ($3 - $2) / n }' >"$dir/pieces"
awk '{ print $1, "0", $3, 0 }' "$dir/symbols" | sort - "$dir/pieces" |
	awk '$2 == 0 { name = $3; at = $1; next }
		{ sum[name] += $3 * $4; if ($1 == at) calls[name] += $4; all += $3 * $4 }
		END { for (f in sum) if (sum[f] > 0.5) printf "%9.1f %7.2f  %s\n", sum[f], calls[f], f; printf "%9.1f %7s  all\n", all, "" }' |
	sort -rn
