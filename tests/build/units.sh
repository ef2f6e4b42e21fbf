#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Author: hotset authors
#
# What `make install` puts into place for systemd and udev: the unit passes systemd-analyze, says what it must about the
# boot, and names the installed command; nothing of it is left after `make uninstall`. (That udev takes the rules is seen
# in tests/vm/t/udev.sh. No systemd runs here.)
# timeout: 600
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${HOTSET_BUILD:-$root/build/gcc}
tmp=$(mktemp -d "${TMPDIR:-/tmp}/units.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
failed=0
complain() {
	echo "FAIL: $*"
	failed=1
}

make -C "$root" BUILD="$build" PREFIX=/opt/hotset plugindir=/opt/hotset/plugins DESTDIR="$tmp" install >"$tmp/log" 2>&1 ||
	{ tail -n 5 "$tmp/log"; complain "make install"; }
unit=$tmp/opt/hotset/lib/systemd/system/hotset@.service
rules=$tmp/opt/hotset/lib/udev/rules.d/90-hotset.rules
grep -qx 'ExecStart=/opt/hotset/bin/hotset up %i' "$unit" || complain "ExecStart: $(grep ExecStart "$unit")"
grep -qx 'IMPORT{program}="/opt/hotset/bin/hotset udev"' "$rules" || complain "IMPORT: $(grep IMPORT "$rules")"

# An instance, with the command where the unit finds it. The words of systemd-analyze are all complaints.
mkdir "$tmp/verify"
sed "s,/opt/hotset/bin/hotset,$tmp/opt/hotset/bin/hotset," "$unit" >"$tmp/verify/hotset@.service"
cp "$tmp/verify/hotset@.service" "$tmp/verify/hotset@data.service"
verify() { # UNIT
	SYSTEMD_UNIT_PATH=$tmp/verify: systemd-analyze verify --man=no "$1" 2>&1 | grep -F "${1##*/}"
}
said=$(verify "$tmp/verify/hotset@data.service")
[ -z "$said" ] || complain "systemd-analyze: $said"
# It would say so if something was wrong.
sed 's/^Type=notify/Type=nonsense/' "$tmp/verify/hotset@.service" >"$tmp/verify/bad@data.service"
verify "$tmp/verify/bad@data.service" | grep -q nonsense || complain "systemd-analyze does not see a wrong unit"

# No target may be ordered behind the unit: DefaultDependencies would do that to the one that wants it.
for line in DefaultDependencies=no Type=notify StartLimitIntervalSec=0 Restart=on-failure RestartPreventExitStatus=2 \
	TimeoutStartSec=infinity RequiresMountsFor=/var/lib/hotset WantedBy=local-fs.target; do
	grep -qx "$line" "$unit" || complain "the unit lacks $line"
done
! grep -E '^Before=' "$unit" | grep -v '^Before=shutdown.target$' || complain "something is ordered behind the unit"

make -C "$root" BUILD="$build" PREFIX=/opt/hotset plugindir=/opt/hotset/plugins DESTDIR="$tmp" uninstall >"$tmp/log" 2>&1
left=$(find "$tmp/opt" ! -type d)
[ -z "$left" ] || complain "left by make uninstall: $left"
exit $failed
