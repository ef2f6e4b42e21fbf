# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# What tests/vm/t/move.sh has done outside the machine, in the directory with origin and cache.
set -e
socket=$PWD/nbd.sock
export HOTSET_RUNDIR=$PWD
"$HOTSET" check --data cache >check.out
cat check.out
grep -qi 'clean' check.out
if [ "$boot" = 1 ]; then
	"$HOTSET" serve origin cache --name moved --socket "$socket" --pidfile "$PWD/pid" >serve.log 2>&1 &
	for i in $(seq 100); do [ -s pid ] && break; sleep 0.1; done
	"$HOTSET" set moved dirty_age=100000 dirty_limit=100
	nbdcopy "nbd+unix:///?socket=$socket" copy
	"$TOOLS/pattern" exact copy 5 "$last"
	"$HOTSET" stop moved
	wait
	if grep -i 'not stopped cleanly' serve.log; then false; fi
	rm copy
else
	"$HOTSET" writeback origin cache
	"$TOOLS/pattern" exact origin 5 "$last"
fi
