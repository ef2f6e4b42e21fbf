# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The hotset command and a kernel cache: attach, list, stats in all formats, set, flush, detach, stop; with what it says.
# short
# timeout: 300
# programs: hotset
load_module
pair 64 32
dd if=/dev/urandom of=/tmp/data bs=1M count=8 2>/dev/null
dd if=/tmp/data of=/dev/nullb0 bs=1M oflag=direct 2>/dev/null
hs() { /bin/hotset "$@"; }	# lib.sh has a function hotset
hs format /dev/nullb0 /dev/nullb1 >/dev/null || die "format"

key() { # KEY: of the statistics
	hs stats data --json | tr ',{}' '\n\n\n' | sed -n "s/^\"$1\":\"\{0,1\}\([^\"]*\)\"\{0,1\}$/\1/p" | tail -n 1
}
says() { # PATTERN COMMAND...: on stdout, with success
	local pattern=$1
	shift
	"$@" >/tmp/says 2>/tmp/says.err || die "$*: $(cat /tmp/says.err)"
	grep -q "$pattern" /tmp/says || die "$*: $(cat /tmp/says)"
}

says '^NAME ' hs list
[ "$(wc -l </tmp/says)" = 1 ] || die "something runs: $(cat /tmp/says)"
says '^data: /dev/nullb0 through /dev/nullb1 is /dev/mapper/data, mode writeback, 0 dirty blocks$' \
	hs attach data /dev/nullb0 /dev/nullb1 --set dirty_age=3600 --set seq_cutoff=8M
[ -b /dev/mapper/data ] || die "no device node"
dmsetup table data | grep -q 'mode=writeback seq_cutoff=8388608 dirty_age=3600' || die "$(dmsetup table data)"
says '^HOTSET-[0-9a-f-]*$' dmsetup info -c --noheadings -o uuid data

# Another device-mapper device is none of ours.
create other "0 8 zero"
says '^data  *kernel  *-  *writeback  *0  */dev/nullb0  */dev/nullb1  */dev/mapper/data$' hs list
[ "$(wc -l </tmp/says)" = 2 ] || die "too many: $(cat /tmp/says)"
says '"name":"data","kind":"kernel","pid":null,.*"uri":"/dev/mapper/data","size":67108864,"readonly":false' hs list --json
remove other

dd if=/dev/mapper/data of=/tmp/out bs=64k count=64 iflag=direct 2>/dev/null || die "read"
dd if=/dev/mapper/data of=/tmp/out bs=64k count=64 iflag=direct 2>/dev/null || die "read"
dd if=/tmp/data of=/dev/mapper/data bs=64k count=32 seek=128 oflag=direct conv=fsync 2>/dev/null || die "write"
expect dirty "$(key dirty)" 512
expect "write misses" "$(key write_misses)" 512
at_least "read hits" "$(key read_hits)" 1024
expect mode "$(key mode)" writeback
expect failed "$(key failed)" false
expect "clean start" "$(key clean_start)" false
expect "origin size" "$(key origin_size)" 67108864
expect "block size" "$(key block_size)" 4096
at_least "cache size" "$(key cache_size)" 30000000
at_least "memory" "$(key ram_bytes)" 100000
at_least "journal" "$(key journal_bytes)" 4096
says '^mode  *writeback$' hs stats data
grep -q '^dirty  *512 ' /tmp/says || die "$(cat /tmp/says)"
says '^hotset_slots_dirty{name="data"} 512$' hs stats data --prometheus
(hs stats data --watch 0.5 & sleep 3; kill $!) >/tmp/watch 2>&1
at_least "lines of --watch" "$(wc -l </tmp/watch)" 3
(sleep 1; dd if=/dev/mapper/data of=/tmp/out bs=64k count=64 iflag=direct 2>/dev/null) &
says '^data  *kernel writeback  *ok  *[1-9][0-9]*  *100.0  *[0-9.]*  *6.[0-9]$' hs top --batch --count 2 --interval 3
wait $!
dmsetup suspend data || die "suspend"
says '^data  *kernel writeback  *suspended  *-' hs top --count 1
dmsetup resume --noudevsync data || die "resume"

hs set data dirty_limit=70 || die "set"
dmsetup table data | grep -q 'dirty_limit=70' || die "$(dmsetup table data)"
hs set data writeback=off || die "set"
says '^data: nothing is dirty$' hs flush data
expect dirty "$(key dirty)" 0
dd if=/tmp/data of=/dev/mapper/data bs=64k count=32 seek=160 oflag=direct conv=fsync 2>/dev/null || die "write"
expect dirty "$(key dirty)" 512
# A change of mode is complete when the command returns.
hs set data mode=writethrough || die "set mode"
expect "mode" "$(key mode_durable)" writethrough
expect dirty "$(key dirty)" 0
hs set data mode=writeback || die "set mode"
expect "mode" "$(key mode_durable)" writeback

# Dirty blocks are kept on request, by either command, and written back otherwise.
dd if=/tmp/data of=/dev/mapper/data bs=64k count=16 seek=200 oflag=direct conv=fsync 2>/dev/null || die "write"
says '^data: detached cleanly, 256 dirty blocks in the cache$' hs detach data --keep-dirty
[ ! -e /dev/mapper/data ] || die "the node is still there"
says 'sound; .* 256 dirty blocks, stopped cleanly' hs check /dev/nullb1
says '256 dirty blocks$' hs attach data /dev/nullb0 /dev/nullb1
expect "clean start" "$(key clean_start)" true
says '^data: stopped cleanly, 256 dirty blocks in the cache$' hs stop data
says '256 dirty blocks$' hs attach data /dev/nullb0 /dev/nullb1 --mode writearound
expect "mode" "$(key mode)" writearound
hs detach data >/tmp/says || die "detach"
says 'sound; .* 0 dirty blocks, stopped cleanly' hs check --data /dev/nullb1
dd if=/dev/nullb0 of=/tmp/out bs=64k count=16 skip=200 iflag=direct 2>/dev/null
cmp -n 1048576 /tmp/out /tmp/data || die "the origin lacks what was written back"
says '^data: /dev' hs attach data /dev/nullb0 /dev/nullb1 --mode writeback
dd if=/tmp/data of=/dev/mapper/data bs=64k count=16 seek=300 oflag=direct conv=fsync 2>/dev/null || die "write"
says '^data: stopped cleanly, 0 dirty blocks in the cache$' hs stop data --writeback
grep -q 'data: .* dirty blocks left' /tmp/says.err || die "no progress was shown: $(cat /tmp/says.err)"
dd if=/dev/nullb0 of=/tmp/out bs=64k count=16 skip=300 iflag=direct 2>/dev/null
cmp -n 1048576 /tmp/out /tmp/data || die "the origin lacks what was written back"
