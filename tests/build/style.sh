#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# What holds for every file of the tree: its licence line, its length, no trailing white space, no
# unfinished work; and for C: no function over 100 lines. TREE names another tree, for testing this test.
set -u
shopt -s lastpipe	# complain runs in this shell, and its verdict stays
cd "${TREE:-$(dirname "$0")/../..}" || exit 1
failed=0

complain() { # WHAT; the places on stdin
	local places
	places=$(cat)
	[ -z "$places" ] && return
	printf 'FAIL: %s:\n%s\n' "$1" "$places"
	failed=1
}

# Every file that is, or would be, in the repository; without git all but what is built.
mapfile -t files < <(
	if [ -e .git ] && command -v git >/dev/null; then
		git -c safe.directory="$PWD" ls-files --cached --others --exclude-standard
	else
		find . \( -name .git -o -path ./build -o -path ./bench/out \) -prune -o -type f -printf '%P\n'
	fi | sort -u | while read -r file; do [ -f "$file" ] && echo "$file"; done)
[ ${#files[@]} -gt 0 ] || { echo "FAIL: no files found"; exit 1; }

# Files that cannot carry a comment, and the licences themselves.
bare='^(LICENSES/|core/SOURCES$|debian/(changelog|source/format)$)|\.(json|svg|png|gif)$'
sources=() texts=()
for file in "${files[@]}"; do
	[[ $file =~ $bare ]] || texts+=("$file")
	[[ $file = *.[ch] ]] && sources+=("$file")
done

awk '
	FNR <= 3 && /SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause/ { has[FILENAME] = 1 }
	END { for (i = 1; i < ARGC; i++) if (!(ARGV[i] in has)) print ARGV[i] }
' "${texts[@]}" | complain "no SPDX line among the first three"

awk '
	{ lines[FILENAME] = FNR }
	END { for (file in lines) if (lines[file] > 1000) printf "%s: %d lines\n", file, lines[file] }
' "${texts[@]}" | complain "files over 1000 lines"

grep -nE '[[:space:]]+$' /dev/null "${texts[@]}" | complain "trailing white space"
[ "$(tail -q -c 1 "${texts[@]}" | wc -l)" = ${#texts[@]} ] || for file in "${texts[@]}"; do
	[ -z "$(tail -c 1 "$file")" ] || echo "$file"
done | complain "no newline at the end"

grep -nwE 'TO''DO|FIX''ME|X''XX|HA''CK' /dev/null "${texts[@]}" | complain "unfinished work"
grep -nE '^[[:space:]]*(//.*;|/\*.*;[[:space:]]*\*/)[[:space:]]*$' /dev/null ${sources[@]+"${sources[@]}"} |
	complain "commented-out code"

# A function begins with a line "{" in column one and ends with "}" there, as everywhere in the tree.
awk '
	FNR == 1 { start = 0 }
	/^\{/ { start = FNR; name = previous }
	/^\}/ {
		if (start && FNR - start - 1 > 100)
			printf "%s:%d: %d lines: %s\n", FILENAME, start, FNR - start - 1, name
		start = 0
	}
	{ previous = $0 }
' /dev/null ${sources[@]+"${sources[@]}"} | complain "functions over 100 lines"

echo "${#files[@]} files, ${#sources[@]} of them C"
exit $failed
