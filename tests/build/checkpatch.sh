#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# The kernel's own style check, scripts/checkpatch.pl of Debian's linux-source-6.12, over kernel/: no error, no
# warning, no check. Long lines are not its business here: those there are hold a message, which stays in one piece.
# timeout: 600
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
linux=$("$root/tests/vm/source.sh" scripts/checkpatch.pl scripts/spelling.txt scripts/const_structs.checkpatch) || exit 1
cd "$root" || exit 1
perl "$linux/scripts/checkpatch.pl" --no-tree --no-signoff --show-types --terse --strict --max-line-length=120 \
	--ignore LONG_LINE,LONG_LINE_STRING -f kernel/*.[ch] || { echo "FAIL: see above"; exit 1; }
