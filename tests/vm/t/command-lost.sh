# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A dirty block that rots in a kernel cache: it alone fails, every command that it holds up names the way out, and that way
# leads there: detached, listed, forgotten, attached again, written back.
# timeout: 300
# programs: hotset damage
load_module
pair 64 32
hs() { /bin/hotset "$@"; }
refused() { # PATTERN ARGUMENT...
	local pattern=$1
	shift
	hs "$@" >/tmp/out 2>/tmp/err && die "hotset $*: not refused: $(cat /tmp/out)"
	grep -v 'dirty blocks left$' /tmp/err >/tmp/line
	[ "$(wc -l </tmp/line)" = 1 ] || die "hotset $*: not one line: $(cat /tmp/err)"
	grep -q "^hotset: .*$pattern" /tmp/line || die "hotset $*: does not say '$pattern': $(cat /tmp/err)"
}
rd() { # BLOCK [COUNT]
	dd if=/dev/mapper/data of=/tmp/out bs=4k skip=$1 count=${2:-1} iflag=direct 2>/dev/null
}

dd if=/dev/urandom of=/tmp/old bs=4k count=64 2>/dev/null
dd if=/dev/urandom of=/tmp/new bs=4k count=64 2>/dev/null
dd if=/tmp/old of=/dev/nullb0 bs=4k seek=512 oflag=direct 2>/dev/null
hs format /dev/nullb0 /dev/nullb1 >/dev/null || die "format"
hs attach data /dev/nullb0 /dev/nullb1 --set writeback=off >/dev/null || die "attach"
dd if=/tmp/new of=/dev/mapper/data bs=4k seek=512 oflag=direct conv=fsync,notrunc 2>/dev/null || die "write"
hs detach data --keep-dirty >/dev/null || die "detach"
at=$(((512 + 17) * 4096))
slot=$(hs dump /dev/nullb1 --json | tr '{}' '\n\n' | sed -n "s/.*\"slot\":\([0-9]*\),\"offset\":$at,.*/\1/p")
[ -n "$slot" ] || die "no slot: $(hs dump /dev/nullb1 --json | head -c 500)"
where=$(damage where /dev/nullb1 data $slot) || die "damage"
dd if=/dev/urandom of=/dev/nullb1 bs=4k seek=$((where / 4096)) count=1 oflag=direct conv=notrunc 2>/dev/null

hs attach data /dev/nullb0 /dev/nullb1 --set writeback=off >/dev/null || die "attach"
refused "knows of nothing lost; .*'hotset check --data /dev/nullb1'" lost data
rd 529 && die "rot was served"
rd 512 17 && cmp -n 69632 /tmp/out /tmp/new || die "the blocks before"
rd 530 46 || die "the blocks behind"
dd if=/tmp/new of=/tmp/behind bs=4k skip=18 2>/dev/null
cmp /tmp/out /tmp/behind || die "the blocks behind"
refused "1 blocks cannot be read.*'hotset detach data --keep-dirty', then see 'hotset lost /dev/nullb1'" detach data
refused "none of its 1 lost blocks: 'hotset detach data --keep-dirty' first, then 'hotset lost /dev/nullb1'" lost data
refused "forgets nothing: .*'hotset lost /dev/nullb1 --forget $at+4096 --origin /dev/nullb0'" lost data --forget $at+4096
refused 'in use' lost /dev/nullb1
[ -b /dev/mapper/data ] || die "the refusals did something"

# As it was told.
hs detach data --keep-dirty >/dev/null || die "detach"
expect "what is lost" "$(hs lost /dev/nullb1)" "$at+4096"
hs lost /dev/nullb1 --forget $at+4096 --origin /dev/nullb0 || die "forget"
expect "what is lost" "$(hs lost /dev/nullb1)" ""
hs attach data /dev/nullb0 /dev/nullb1 >/dev/null || die "attach"
dd if=/tmp/old of=/tmp/new bs=4k skip=17 seek=17 count=1 conv=notrunc 2>/dev/null
rd 512 64 && cmp /tmp/out /tmp/new || die "after forgetting"
hs detach data >/dev/null 2>&1 || die "detach"
dd if=/dev/nullb0 of=/tmp/out bs=4k skip=512 count=64 iflag=direct 2>/dev/null
cmp /tmp/out /tmp/new || die "the origin"
hs check --data /dev/nullb1 >/tmp/says || die "$(cat /tmp/says)"
